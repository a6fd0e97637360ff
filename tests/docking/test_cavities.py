"""Several cavities: the poses decide, in one ranking, and it is said which cavity won."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.chem.rmsd import pose_rmsd
from moldiff.cli import main
from moldiff.docking import bundled
from moldiff.docking.library.library import _parts
from moldiff.docking.pipeline import dock
from moldiff.docking.problem import Pocket, Problem, make_problem
from moldiff.docking.ranked import _levelled
from moldiff.docking.result import DockingResult, merged
from moldiff.docking.settings import Settings
from moldiff.docking.site import Site, Where, pocket_at, site
from moldiff.docking.where import Place
from moldiff.io import read_molecules
from moldiff.protein.pocket import Box

pytestmark = pytest.mark.thorough

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
RECEPTOR, LIGAND = EXAMPLE / "receptor.pdb", EXAMPLE / "ligand.sdf"
QUICK = Settings(draws=10, starts=100, chains=20, rounds=5, conformers=4, cavities=3)
FEW = ("--draws=4", "--starts=20", "--searches=6", "--rounds=2", "--conformers=2", "--cavities=3")


@pytest.fixture(scope="module")
def found() -> Site:
    return site(RECEPTOR, Where(autobox=True), cavities=3)


@pytest.fixture(scope="module")
def crystal() -> Chem.Mol:
    mol = Chem.MolFromMolFile(str(LIGAND))
    Chem.AssignStereochemistryFrom3D(mol)
    return mol


@pytest.fixture(scope="module")
def wrong_first(found: Site) -> Pocket:
    """The two cavities, that without the ligand first and thought to be the likelier."""
    places = [
        Place(p.box, chance) for p, chance in zip(_both(found)[::-1], (0.6, 0.4), strict=True)
    ]
    return pocket_at(found.receptor, places)


def _both(place: Site) -> list[Pocket]:
    return [place.pocket, *place.pocket.others][:2]


def problem_in(pocket: Pocket, mol: Chem.Mol) -> Problem:
    problem = make_problem(Chem.Mol(mol, True), pocket, conformers=4, name="dex")
    assert isinstance(problem, Problem)
    return problem


@pytest.fixture(scope="module")
def result(wrong_first: Pocket, crystal: Chem.Mol) -> DockingResult:
    return dock(problem_in(wrong_first, crystal), QUICK)


def test_what_is_searched_is_said(found: Site) -> None:
    pockets = [found.pocket, *found.pocket.others]
    assert 2 <= len(pockets) <= 3
    chances = [pocket.chance for pocket in pockets]
    assert chances == sorted(chances, reverse=True) and sum(chances) <= 1
    for k, pocket in enumerate(pockets, start=1):
        at = ",".join(f"{v:.1f}" for v in pocket.box.centre)
        (note,) = (note for note in found.notes if note.startswith(f"cavity {k} is at {at}"))
        assert f"chance of {100 * pocket.chance:.0f} %" in note
    alone = site(RECEPTOR, Where(autobox=True), cavities=1)
    assert alone.pocket.others == () and alone.pocket.digest != found.pocket.digest


def test_the_poses_find_the_cavity(result: DockingResult, crystal: Chem.Mol) -> None:
    """Its first cavity is not the right one; without the others the ligand would not get there."""
    rmsd = pose_rmsd(Chem.RemoveHs(result.best.mol), crystal)
    assert result.best.cavity == 2 and rmsd is not None and rmsd < 2.0
    first, second = result.cavities
    assert first.before > second.before and first.after < second.after
    assert second.full and not first.full
    assert first.after + second.after == pytest.approx(1)
    assert second.score == pytest.approx(max(pose.score for pose in result.poses), abs=1e-4)
    assert all(np.isfinite(pose.score) for pose in result.poses)
    np.testing.assert_allclose(result.box.centre, second.box.centre)


def test_a_required_residue_says_which_cavity(wrong_first: Pocket, crystal: Chem.Mol) -> None:
    """The better poses are in the other one, but do not meet what only the first has."""
    near = [pocket.box.centre for pocket in (wrong_first, *wrong_first.others)]
    structure = wrong_first.receptor.structure
    middle = np.array(
        [
            structure.positions[structure.residue == i].mean(0)
            for i in range(len(structure.residues))
        ]
    )
    apart = np.array([np.linalg.norm(middle - centre, axis=1) for centre in near])
    lining = structure.residues[int((apart[0] - apart[1] + 10 * (apart[0] > 8)).argmin())]
    settings = replace(QUICK, require=(f"{lining.chain}:{lining.number}",))
    required = dock(problem_in(wrong_first, crystal), settings)
    assert required.best.cavity == 1 and required.best.required == "met"
    assert [one.full for one in required.cavities] == [True, False]


def test_one_cavity_is_docked_as_ever(wrong_first: Pocket, crystal: Chem.Mol) -> None:
    """With one cavity, the poses are those of a box that somebody gave, and there."""
    alone = dock(problem_in(wrong_first, crystal), replace(QUICK, cavities=1))
    given = Pocket.of(wrong_first.receptor, wrong_first.box)
    expected = dock(problem_in(given, crystal), QUICK)
    assert alone.cavities == () and alone.outcome == ""
    assert [pose.energy for pose in alone.poses] == [pose.energy for pose in expected.poses]
    assert [pose.score for pose in alone.poses] == [pose.score for pose in expected.poses]
    assert "cavity" not in alone.best.terms
    assert alone.best.confidence == pytest.approx(0.6 * (expected.best.confidence or 0))
    assert "cavity" not in alone.tags(alone.best) and "cavities" not in alone.to_dict()
    assert wrong_first.box.contains(alone.best.mol.GetConformer().GetPositions(), 3.0).all()


def test_the_record_says_which_cavity(result: DockingResult) -> None:
    data = json.loads(result.to_json())
    assert [one["searched_in_full"] for one in data["cavities"]] == [False, True]
    assert (
        data["poses"][0]["cavity"] == 2 and data["box"]["center"] == data["cavities"][1]["center"]
    )
    for pose in result.poses:
        tags, box = result.tags(pose), result.cavities[pose.cavity - 1].box
        assert tags["cavity"] == f"{pose.cavity}"
        assert tags["box_center"] == " ".join(f"{v:.3f}" for v in box.centre)
        assert box.contains(pose.mol.GetConformer().GetPositions(), 3.0).all()
    assert result.outcome.startswith("the first pose is in cavity 2 at ")
    assert "cavity 1 at" in result.outcome and "at first sight" in result.outcome


def test_the_chance_is_evidence_in_place_of_the_offset(result: DockingResult) -> None:
    ranking = bundled.ranking()
    names = {"energy", "hydrophobic", "distance_score", "pull", "turn"}
    given, several = (
        ranking.weighing({*names, "offset"}),
        ranking.weighing({*names, "offset", "cavity"}),
    )
    assert "cavity" not in given.weights and "offset" not in several.weights
    assert {n: several.weights[n] for n in names} == {n: given.weights[n] for n in names}
    for pose in result.poses:
        chance = result.cavities[pose.cavity - 1].before
        assert pose.terms["cavity"] == pytest.approx(np.log(chance), abs=1e-5)


def test_cavities_are_ranked_by_their_chances_and_poses_within() -> None:
    """ln P(pose) = ln P(cavity) + ln P(pose | cavity), but for a constant."""
    score = torch.tensor([3.0, 1.0, 8.0, 7.0, -torch.inf])
    cavity = torch.tensor([0, 0, 1, 1, 1])
    chances = torch.tensor([0.7, 0.2, 0.1])  # the last has no pose
    levelled = _levelled(score, cavity, chances)
    shares = levelled.softmax(0)
    assert float(shares[:2].sum()) == pytest.approx(0.7 / 0.9, rel=1e-5)
    assert levelled[:2].tolist() == [3.0, 1.0] and levelled[4] == -torch.inf
    assert float(levelled[2] - levelled[3]) == pytest.approx(1.0, abs=1e-5)


def test_the_confidence_is_that_of_the_cavity_times_that_in_it(
    result: DockingResult, found: Site, crystal: Chem.Mol
) -> None:
    """Of the first pose: as it is docked in its cavity alone, times P(cavity)."""
    there = Pocket.of(found.receptor, result.cavities[1].box)
    alone = dock(problem_in(there, crystal), QUICK)
    own = [pose for pose in result.poses if pose.cavity == 2]
    assert [p.score for p in own] == pytest.approx(
        [p.score for p in alone.poses[: len(own)]], abs=1e-3
    )
    assert alone.best.confidence is not None and result.best.confidence is not None
    assert result.best.energy == pytest.approx(alone.best.energy, abs=1e-3)
    expected = result.cavities[1].after * alone.best.confidence
    assert result.best.confidence == pytest.approx(expected, rel=1e-3)
    assert all(pose.confidence <= result.cavities[pose.cavity - 1].after for pose in result.poses)


def test_isomers_are_merged_cavity_by_cavity(result: DockingResult) -> None:
    worse = replace(
        result,
        cavities=tuple(replace(one, score=one.score - 1, after=0.5) for one in result.cavities),
        poses=tuple(replace(pose, score=pose.score - 1) for pose in result.poses),
    )
    both = merged([worse, result], "C", 9)
    assert [one.score for one in both.cavities] == [one.score for one in result.cavities]
    assert sum(one.after for one in both.cavities) == pytest.approx(1)
    assert both.best.cavity == result.best.cavity and both.box is result.box


def test_another_process_gets_all_cavities(wrong_first: Pocket) -> None:
    key, cavities, _, _ = _parts(wrong_first)
    assert [chance for _, _, chance in cavities] == [0.6, 0.4]
    other = replace(wrong_first, others=())
    assert key != _parts(other)[0]


def test_a_library_says_the_cavity_of_each(tmp_path: Path) -> None:
    """And a run that was interrupted goes on; with other cavities it is refused."""
    (tmp_path / "two.csv").write_text("smiles,name\nCCO,a\nCCN,b\n", encoding="ascii")
    output = tmp_path / "hits.sdf"
    command = ["dock", "-r", str(RECEPTOR), "--ligands", str(tmp_path / "two.csv"), "--autobox"]
    command += [*FEW, "--no-html", "-o", str(output)]
    assert main(command) == 0
    rows = list(csv.DictReader((tmp_path / "hits.csv").open(encoding="utf-8")))
    tags = {record.name: record.tags for record in read_molecules(output)}
    for row in rows:
        assert row["cavity"] in ("1", "2", "3") and tags[row["name"]]["cavity"] == row["cavity"]
        assert f"cavity {row['cavity']} is at" in row["receptor_notes"]
    manifest = tmp_path / "hits.manifest.jsonl"
    lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    manifest.write_text("".join(lines[:2]), encoding="utf-8")
    assert main([*command, "--force"]) == 0
    assert manifest.read_text(encoding="utf-8").splitlines(keepends=True)[:2] == lines[:2]
    again = list(csv.DictReader((tmp_path / "hits.csv").open(encoding="utf-8")))
    timeless = [{k: v for k, v in row.items() if k != "cpu_seconds"} for row in again]
    assert timeless == [{k: v for k, v in row.items() if k != "cpu_seconds"} for row in rows]
    assert main([*command, "--force", "--cavities=1"]) != 0


def test_pairs_say_it_too(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"receptor,ligand\n{RECEPTOR},CCO\n", encoding="utf-8")
    output = tmp_path / "hits.sdf"
    command = ["dock", "--dock-many", str(tmp_path / "pairs.csv"), *FEW, "-o", str(output)]
    assert main(command) == 0
    (row,) = csv.DictReader((tmp_path / "hits.csv").open(encoding="utf-8"))
    assert f"cavity {row['cavity']} is at" in row["notes"]


def test_the_box_keeps_its_kind(found: Site) -> None:
    assert all(isinstance(pocket.box, Box) for pocket in (found.pocket, *found.pocket.others))
    sized = site(RECEPTOR, Where(autobox=True, size=20), cavities=3)
    assert all((p.box.size == 20).all() for p in (sized.pocket, *sized.pocket.others))
