"""A receptor that still holds its ligand: what defines or fills the box is left out, and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

import moldiff
from moldiff.docking.site import Site, Where, site
from moldiff.errors import InputError

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
CASES = Path(__file__).parents[3] / "shared" / "cases" / "docking"
With = Callable[..., Path]


def centre(dex: Chem.Mol) -> np.ndarray:
    return dex.GetConformer().GetPositions().mean(0)


def noted(place: Site, *words: str) -> bool:
    return any(all(word in note for word in words) for note in place.notes)


def inside(place: Site) -> set[str]:
    return {r.name for r in place.receptor.structure.residues}


@pytest.mark.parametrize(
    "where",
    [
        {"residues": "A:301"},
        {"ligand": "A:301"},
        {"ligand": "a:301"},
        {"ligand": "DEX"},
        {"ligand": "dex"},
        {"ligand": "A:DEX"},
        {"ligand": EXAMPLE / "ligand.sdf"},
        {"autobox": True},
    ],
)
def test_what_defines_the_box_leaves_it(
    with_ligand: With, dex: Chem.Mol, where: dict[str, Any]
) -> None:
    place = site(with_ligand(), Where(**where))
    assert "DEX" not in inside(place)
    assert noted(place, "left out", "A:301 DEX")
    assert np.linalg.norm(place.pocket.box.centre - centre(dex)) < 3.0
    assert sum("DEX" in note for note in place.notes) == 1, "one note, not two that contradict"


def test_what_fills_the_box_leaves_it_unless_it_is_kept(with_ligand: With, dex: Chem.Mol) -> None:
    path, point = with_ligand(), centre(dex).tolist()
    assert noted(site(path, Where(center=point)), "left out", "middle of the box", "DEX")
    kept = site(path, Where(center=point), keep=["DEX"])
    assert "DEX" in inside(kept) and noted(kept, "kept", "DEX")
    beside = site(path, Where(center=(centre(dex) + np.array([0, 0, 14])).tolist()))
    assert "DEX" in inside(beside)


def test_a_box_of_what_is_excluded(with_ligand: With, dex: Chem.Mol) -> None:
    place = site(with_ligand(), Where(residues=["A:301"]), exclude=["A:301"])
    assert noted(place, "left out as asked", "DEX")
    assert np.linalg.norm(place.pocket.box.centre - centre(dex)) < 2.0


def test_a_known_cofactor_stays_and_is_said(with_ligand: With, dex: Chem.Mol) -> None:
    place = site(with_ligand(("HEM", 500, "A")), Where(center=centre(dex).tolist()))
    assert "HEM" in inside(place) and noted(place, "A:500 HEM", "--exclude A:500")


def test_the_first_of_several_copies(with_ligand: With) -> None:
    path = with_ligand(("DEX", 301, "A"), ("DEX", 401, "B"), shift=40.0)
    place = site(path, Where(ligand="DEX"))
    assert noted(place, "DEX is there 2 times", "A:301", "B:401")
    assert "DEX" in inside(place), "the other copy stays"


def test_rings_that_are_bonded_are_one_ligand(tmp_path: Path, with_ligand: With) -> None:
    rows = with_ligand().read_text(encoding="ascii").splitlines()
    ligand = [k for k, row in enumerate(rows) if row[17:20] == "DEX"]
    for k in ligand[len(ligand) // 2 :]:
        rows[k] = rows[k][:17] + "XYL A 302" + rows[k][26:]
    path = tmp_path / "two.pdb"
    path.write_text("\n".join(rows), encoding="ascii")
    for where in (Where(ligand="DEX"), Where(autobox=True)):
        assert not inside(site(path, where)) & {"DEX", "XYL"}


def peptide(tmp_path: Path, chain: str) -> tuple[Path, Chem.Mol]:
    """The receptor with a peptide of three residues in its pocket, and that peptide."""
    lines = (EXAMPLE / "receptor.pdb").read_text(encoding="ascii").splitlines()
    rows = [line for line in lines if line.startswith("ATOM")]
    keys = list(dict.fromkeys(row[21:27] for row in rows))
    donors = [row for row in rows if row[21:27] in keys[100:103]]
    x = np.array([[float(row[k : k + 8]) for k in (30, 38, 46)] for row in donors])
    dex = Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf")).GetConformer().GetPositions()
    x += dex.mean(0) - x.mean(0)
    new, mol = [], Chem.RWMol()
    for k, row in enumerate(donors):
        place = keys[100:103].index(row[21:27]) + 901
        point = "".join(f"{value:8.3f}" for value in x[k])
        new.append(f"{row[:21]}{chain}{place:>4} {row[27:30]}{point}{row[54:]}")
        mol.AddAtom(Chem.Atom(row[76:78].strip().title()))
    conformer = Chem.Conformer(len(x))
    conformer.SetPositions(x)
    conformer.Set3D(True)
    mol.AddConformer(conformer)
    path = tmp_path / "peptide.pdb"
    path.write_text("\n".join([*rows, *new, "END", ""]), encoding="ascii")
    return path, mol.GetMol()


@pytest.mark.parametrize("chain", ["P", "A"])
def test_a_peptide_leaves_for_its_own_file(tmp_path: Path, chain: str) -> None:
    path, mol = peptide(tmp_path, chain)
    file = tmp_path / "peptide.mol"
    file.write_text(Chem.MolToMolBlock(mol), encoding="ascii")
    place = site(path, Where(ligand=file))
    assert not {901, 902, 903} & {r.number for r in place.receptor.structure.residues}
    assert noted(place, "left out", f"{chain}:901", f"{chain}:903")


@pytest.mark.parametrize(
    "where",
    [{"ligand": "P:"}, {"ligand": "P:902"}, {"residues": "P:901,P:902,P:903"}, {"autobox": True}],
)
def test_a_peptide_of_its_own_chain_leaves(tmp_path: Path, where: dict[str, Any]) -> None:
    path, _ = peptide(tmp_path, "P")
    place = site(path, Where(**where))
    assert "P" not in {r.chain for r in place.receptor.structure.residues}
    assert noted(place, "left out", "P:901")


def test_a_group_that_shares_its_number_with_a_residue(with_ligand: With, dex: Chem.Mol) -> None:
    path = with_ligand(("DEX", 570, "A"))
    for text in ("DEX", "A:570"):
        place = site(path, Where(ligand=text))
        assert "DEX" not in inside(place)
        assert 570 in {r.number for r in place.receptor.structure.residues}
        assert np.linalg.norm(place.pocket.box.centre - centre(dex)) < 0.1
    with pytest.raises(InputError, match="part of the receptor itself"):
        site(path, Where(ligand="A:611"))


def test_residues_that_line_a_pocket_stay(with_ligand: With, dex: Chem.Mol) -> None:
    place = site(with_ligand(), Where(residues="A:570,A:611"))
    assert {570, 611} <= {r.number for r in place.receptor.structure.residues}


def test_a_pdb_file_marks_the_pocket(with_ligand: With, tmp_path: Path, dex: Chem.Mol) -> None:
    path = with_ligand()
    alone = tmp_path / "lig.pdb"
    rows = path.read_text(encoding="ascii").splitlines()
    alone.write_text("\n".join(r for r in rows if r[17:20] == "DEX"), encoding="ascii")
    for file in (alone, path):
        place = site(EXAMPLE / "receptor.pdb", Where(ligand=file))
        assert np.linalg.norm(place.pocket.box.centre - centre(dex)) < 0.1
    assert noted(place, "complex.pdb", "DEX is taken")
    with pytest.raises(InputError, match="too many for a 'pocket_ligand'"):
        site(path, Where(ligand=EXAMPLE / "receptor.pdb"))
    with pytest.raises(InputError, match="no group 'XYZ'"):
        site(path, Where(ligand="XYZ"))


def test_notes_about_the_receptor_are_in_the_result(with_ligand: With) -> None:
    result = moldiff.dock(
        with_ligand(),
        "CCO",
        pocket_ligand="DEX",
        draws=2,
        starts=10,
        chains=4,
        rounds=1,
        conformers=1,
        proposals="random",
    )
    assert any("A:301 DEX" in note for note in result.notes)
    assert any("A:301 DEX" in note for note in result.to_dict()["notes"])


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize(
    ("receptor", "where"),
    [
        ("ligand_inside.pdb", {"residues": "A:301"}),
        ("ligand_inside.pdb", {"autobox": True}),
        ("ligand_inside.pdb", {"ligand": "DEX"}),
        ("peptide_inside.pdb", {"ligand": CASES / "peptide.sdf"}),
    ],
)
def test_the_reported_files(receptor: str, where: dict[str, Any]) -> None:
    place = site(CASES / receptor, Where(**where))
    assert len(place.receptor) == 370 and noted(place, "left out")
