"""Scores of poses that are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

import moldiff
from moldiff.chem.conformers import with_positions
from moldiff.docking import score as module
from moldiff.docking.api import site
from moldiff.docking.energy.exact import affinity
from moldiff.docking.posed import _pose
from moldiff.docking.problem import posed_problem
from moldiff.docking.score import ordered
from moldiff.docking.where import Where
from moldiff.errors import InputError, MissingExtraError
from moldiff.io import Record, record_of
from moldiff.results import Results

COMPLEX = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
RECEPTOR, LIGAND = COMPLEX / "receptor.pdb", COMPLEX / "ligand.sdf"


@pytest.fixture(scope="module")
def crystal() -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromMolFile(str(LIGAND)), addCoords=True)


def shifted(mol: Chem.Mol, *by: float) -> Chem.Mol:
    return with_positions(mol, mol.GetConformer().GetPositions() + np.array(by))


def number(record: Record, name: str) -> float:
    return float(record.tags[name])


def heavy(mol: Chem.Mol) -> np.ndarray:
    rows = [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() > 1]
    return np.asarray(mol.GetConformer().GetPositions())[rows]


def test_a_pose_is_scored_where_it_lies(crystal: Chem.Mol) -> None:
    """The energy is that of docking's own function, and no atom moves."""
    (one,) = moldiff.score(RECEPTOR, crystal)
    assert one.mol is not None
    before, after = (m.GetConformer().GetPositions() for m in (crystal, one.mol))
    assert np.array_equal(before, after)
    place = site(RECEPTOR, Where(ligand=LIGAND))
    problem = posed_problem(crystal, place.pocket)
    assert not isinstance(problem, str)
    terms = problem.exact_energy().terms(problem.kinematics.place(_pose(problem)))
    expected = float(affinity(terms["inter"], problem.torsions)[0])
    assert number(one, "energy_kcal_mol") == pytest.approx(expected, abs=2e-3)
    assert number(one, "efficiency") == pytest.approx(expected / 28, abs=1e-3)
    assert number(one, "inter") == pytest.approx(float(terms["inter"][0]), abs=2e-3)
    assert one.tags["checks"] == "passed" and "GLN570" in one.tags["hbond"]
    assert number(one, "distance_score") > 100
    assert not {"moved", "energy_given", "cnn_score", "rmsd_to_reference"} & one.tags.keys()


def test_minimising_lowers_the_energy_and_says_how_far_the_pose_moved(crystal: Chem.Mol) -> None:
    start = shifted(crystal, 0.4, -0.3, 0.2)
    (one,) = moldiff.score(RECEPTOR, start, minimise=True, reference=crystal)
    (before,) = moldiff.score(RECEPTOR, start)
    assert one.mol is not None
    assert one.tags["energy_given"] == before.tags["energy_kcal_mol"]
    assert number(one, "energy_kcal_mol") < number(one, "energy_given") - 1
    distance = np.sqrt(np.square(heavy(one.mol) - heavy(start)).sum(1).mean())
    assert number(one, "moved") == pytest.approx(distance, abs=2e-3)
    assert number(one, "rmsd_to_reference") < 0.5 < np.linalg.norm([0.4, -0.3, 0.2])
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in one.mol.GetBonds()]
    lengths = [
        [np.linalg.norm(x[i] - x[j]) for i, j in bonds if max(i, j) < 28]
        for x in (m.GetConformer().GetPositions() for m in (start, one.mol))
    ]
    assert np.allclose(*lengths, atol=1e-4)


def test_scores_tell_a_bound_pose_from_a_clashing_one_and_from_one_far_away(
    crystal: Chem.Mol,
) -> None:
    poses = [crystal, shifted(crystal, 3, 0, 0), shifted(crystal, 100, 0, 0)]
    bound, clash, far = moldiff.score(RECEPTOR, poses)
    assert number(bound, "energy_kcal_mol") < -10 < number(clash, "energy_kcal_mol")
    assert "minimum_distance_to_protein" in clash.tags["checks"]
    assert far.mol is None and "far from the receptor" in str(far.reason)
    assert number(bound, "distance_score") > number(clash, "distance_score")
    assert number(bound, "rightness") > 1 > -1 > number(clash, "rightness")


def test_hydrogens_that_are_given_stay_and_missing_ones_are_placed(crystal: Chem.Mol) -> None:
    bare = Chem.RemoveHs(crystal)
    full, placed = moldiff.score(RECEPTOR, [crystal, bare])
    assert full.mol is not None and placed.mol is not None
    assert placed.mol.GetNumAtoms() == crystal.GetNumAtoms() > bare.GetNumAtoms()
    assert np.array_equal(heavy(placed.mol), heavy(crystal))
    assert placed.tags["energy_kcal_mol"] == full.tags["energy_kcal_mol"]


def test_a_ligand_of_the_file_that_the_poses_lie_on_is_left_out(
    crystal: Chem.Mol, tmp_path: Path
) -> None:
    """Were it part of the receptor, the pose would clash with itself."""
    group = Chem.MolToPDBBlock(Chem.RemoveHs(crystal), flavor=4).replace("UNL", "DEX")
    lines = [line for line in group.splitlines() if line.startswith("HETATM")]
    own = RECEPTOR.read_text().replace("END", "").rstrip()
    path = tmp_path / "with.pdb"
    path.write_text("\n".join([own, *lines, "END", ""]))
    (without,) = moldiff.score(RECEPTOR, crystal)
    (one,) = moldiff.score(path, crystal, reference="DEX")
    assert one.tags["energy_kcal_mol"] == without.tags["energy_kcal_mol"]
    assert one.tags["rmsd_to_reference"] == "0.000"
    (kept,) = moldiff.score(path, crystal, keep=["DEX"])
    assert number(kept, "energy_kcal_mol") > number(one, "energy_kcal_mol") + 5


def test_a_cofactor_that_the_poses_lie_on_stays_and_is_told(
    crystal: Chem.Mol, tmp_path: Path
) -> None:
    """A flavin belongs to its protein; who scores poses in its place leaves it out."""
    group = Chem.MolToPDBBlock(Chem.RemoveHs(crystal), flavor=4).replace("UNL     1", "FAD A 401")
    lines = [line for line in group.splitlines() if line.startswith("HETATM")]
    own = RECEPTOR.read_text().replace("END", "").rstrip()
    path = tmp_path / "with.pdb"
    path.write_text("\n".join([own, *lines, "END", ""]))
    (kept,) = moldiff.score(path, crystal)
    told = "A:401 FAD stays, though poses lie on it; to score them in its place: --exclude A:401"
    assert told in kept.tags["receptor_notes"]
    (one,) = moldiff.score(path, crystal, exclude=["A:401"])
    assert "poses lie on it" not in one.tags["receptor_notes"]
    assert number(one, "energy_kcal_mol") < -10 < number(kept, "energy_kcal_mol")
    (far,) = moldiff.score(path, shifted(crystal, 12, 0, 0))
    assert "poses lie on it" not in far.tags["receptor_notes"]


def test_notes_on_stereochemistry_are_those_of_a_pose(crystal: Chem.Mol) -> None:
    marked = Chem.RWMol(crystal)
    centres = [i for i, _ in Chem.FindMolChiralCenters(marked, useLegacyImplementation=False)]
    group = Chem.CreateStereoGroup(Chem.StereoGroupType.STEREO_AND, marked, centres)
    marked.SetStereoGroups([group])
    (one,) = moldiff.score(RECEPTOR, marked.GetMol())
    assert "racemate" in one.tags["notes"] and "--enumerate-stereo" not in one.tags["notes"]


def test_records_keep_their_order_and_fields_and_failures_have_reasons(crystal: Chem.Mol) -> None:
    flat = Chem.MolFromSmiles("CCO")
    tags = {"id": "7", "moved": "9.9", "clash": "A:1", "cnn_score": "1"}
    given = [
        record_of(flat, name="flat"),
        record_of(shifted(crystal, 3, 0, 0), name="off", tags={}),
        record_of(crystal, name="right", tags=tags),
        record_of(None, name="broken", reason="cut off"),
    ]
    scored = moldiff.score(RECEPTOR, given)
    assert [one.name for one in scored] == ["flat", "off", "right", "broken"]
    assert [one.reason for one in scored] == ["no coordinates", None, None, "cut off"]
    right = scored[2].tags
    assert right["id"] == "7" and not {"moved", "clash", "cnn_score"} & right.keys()
    best = moldiff.score(RECEPTOR, given, order="energy")
    assert [one.name for one in best] == ["right", "off", "flat", "broken"]
    likely = moldiff.score(RECEPTOR, given, order="distances")
    made = [("a", "9", "-1"), ("b", "1", "2"), ("c", "5", "0.5")]
    told = [
        replace(scored[2], name=name, tags={"distance_score": far, "rightness": right})
        for name, far, right in made
    ]
    assert "".join(str(one.name) for one in ordered(Results(told), "rightness")) == "bca"
    assert "".join(str(one.name) for one in ordered(Results(told), "distances")) == "acb"
    assert [one.name for one in likely][:2] == ["right", "off"]


def test_a_score_is_the_same_whatever_else_is_scored(crystal: Chem.Mol) -> None:
    """The box of the pocket, whose atoms the networks see, is that of the pose alone."""
    beside = shifted(crystal, 5, 0, 0)
    (alone,) = moldiff.score(RECEPTOR, beside)
    _, after = moldiff.score(RECEPTOR, [crystal, beside])
    (bare,) = moldiff.score(RECEPTOR, Chem.RemoveHs(beside))
    names = ("energy_kcal_mol", "distance_score", "rightness", "checks")
    assert [alone.tags[n] for n in names] == [after.tags[n] for n in names]
    assert [bare.tags[n] for n in names] == [alone.tags[n] for n in names]


def test_of_a_salt_the_placed_hydrogens_are_relaxed_and_no_others(crystal: Chem.Mol) -> None:
    """The fragments that are left out do not count among the atoms that were given."""
    waters = shifted(Chem.RemoveHs(crystal), 0, 0, 12)
    waters = Chem.DeleteSubstructs(waters, Chem.MolFromSmarts("[!#8]"))
    salt = Chem.CombineMols(waters, Chem.RemoveHs(crystal))
    pure, mixed = moldiff.score(RECEPTOR, [Chem.RemoveHs(crystal), salt])
    assert pure.mol is not None and mixed.mol is not None and "left out" in mixed.tags["notes"]
    x, y = (m.GetConformer().GetPositions() for m in (pure.mol, mixed.mol))
    assert np.allclose(x, y, atol=1e-3)


def test_names_and_fields_of_others_stay_and_notes_travel(crystal: Chem.Mol) -> None:
    bare = Chem.Mol(crystal)
    bare.ClearProp("_Name")
    off = shifted(bare, 3, 0, 0)
    given = [record_of(off, tags={}), record_of(bare, tags={"notes": "mine", "assay": ""})]
    best, _ = moldiff.score(RECEPTOR, given, order="energy")
    assert best.name == "2" and best.tags["notes"] == "mine" and best.tags["assay"] == ""
    assert "histidines" in best.tags["receptor_notes"]
    (again,) = moldiff.score(RECEPTOR, [best])
    assert "notes" not in again.tags


def test_what_rdkit_fails_at_is_a_reason(
    crystal: Chem.Mol, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OverflowError("bad numeric conversion")

    monkeypatch.setattr("moldiff.docking.posed.posed_problem", fails)
    (one,) = moldiff.score(RECEPTOR, crystal)
    assert one.mol is None and one.reason == "RDKit fails: bad numeric conversion"


def test_a_peptide_that_the_poses_lie_on_is_left_out(crystal: Chem.Mol, tmp_path: Path) -> None:
    peptide = Chem.AddHs(Chem.MolFromSequence("AGA"))
    assert AllChem.EmbedMolecule(peptide, randomSeed=1) == 0
    x = peptide.GetConformer().GetPositions()
    middle = crystal.GetConformer().GetPositions().mean(0)
    peptide = Chem.RemoveHs(with_positions(peptide, x - x.mean(0) + middle))
    lines = Chem.MolToPDBBlock(peptide, flavor=4 | 8).splitlines()
    chain = [f"{line[:21]}P{line[22:]}" for line in lines if line.startswith("ATOM")]
    path = tmp_path / "with.pdb"
    own = RECEPTOR.read_text().replace("END", "").rstrip()
    path.write_text("\n".join([own, *chain, "END", ""]))
    (without,) = moldiff.score(RECEPTOR, peptide)
    (one,) = moldiff.score(path, peptide)
    assert one.tags["energy_kcal_mol"] == without.tags["energy_kcal_mol"]
    assert "P:1 ALA, P:2 GLY, P:3 ALA" in one.tags["receptor_notes"]


def test_what_cannot_be_asked_for(crystal: Chem.Mol, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="Known: given, energy"):
        moldiff.score(RECEPTOR, crystal, order="best")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="CNN"):
        moldiff.score(RECEPTOR, crystal, order="cnn")
    with pytest.raises(InputError, match="no poses"):
        moldiff.score(RECEPTOR, [])
    with pytest.raises(InputError, match=r"nowhere\.pdb"):
        moldiff.score("nowhere.pdb", crystal)
    monkeypatch.setattr("moldiff.docking.settings.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="rustina"):
        module.require_cnn()


def test_the_network_of_others_scores_too(crystal: Chem.Mol) -> None:
    pytest.importorskip("rustina", reason="gnina's network is in the package rustina")
    poses = [shifted(crystal, 3, 0, 0), crystal]
    off, right = moldiff.score(RECEPTOR, poses, cnn=True)
    assert number(right, "cnn_score") > 0.8 > number(off, "cnn_score")
    assert 6 < number(right, "cnn_affinity") < 10
    best = moldiff.score(RECEPTOR, poses, cnn=True, order="cnn")
    assert [one.tags["cnn_score"] for one in best] == [
        one.tags["cnn_score"] for one in (right, off)
    ]
