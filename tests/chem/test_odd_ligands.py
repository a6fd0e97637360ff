"""Molecules that are not what was meant: hydrogens, radicals, salts, stereo that is open."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from rdkit import Chem

from moldiff.chem.conformers import conformers
from moldiff.chem.ligand import Ligand, prepare_ligand
from moldiff.chem.salts import compound
from moldiff.chem.stereo import MAX_ISOMERS, isomer_smiles, isomers, open_stereo, racemic
from moldiff.docking.ligands import stereo_notes
from moldiff.io import read_molecules
from tests.molecules import embedded


def canonical(text: str) -> str:
    return Chem.MolToSmiles(Chem.MolFromSmiles(text))


def smiles(ligand: Ligand) -> str:
    return Chem.MolToSmiles(Chem.RemoveHs(ligand.mol))


def prepared(text: str, ph: float | None = None) -> Ligand:
    ligand = prepare_ligand(Chem.MolFromSmiles(text), ph=ph)
    assert isinstance(ligand, Ligand), ligand
    return ligand


def mol2(path: Path, rows: list[tuple[str, str]], bonds: list[tuple[int, int, str]]) -> Chem.Mol:
    """A MOL2 file of atoms (name, type) and bonds, read."""
    atoms = [
        f"{k} {name} {1.3 * k:.3f} {k % 2:.3f} {0.3 * k:.3f} {kind} 1 LIG 0.0"
        for k, (name, kind) in enumerate(rows, start=1)
    ]
    lines = [f"{k} {a} {b} {order}" for k, (a, b, order) in enumerate(bonds, start=1)]
    head = ["@<TRIPOS>MOLECULE", "x", f"{len(atoms)} {len(lines)} 0 0 0", "SMALL", "NO_CHARGES"]
    text = [*head, "", "@<TRIPOS>ATOM", *atoms, "@<TRIPOS>BOND", *lines, ""]
    path.write_text("\n".join(text), encoding="ascii")
    (record,) = read_molecules(path)
    assert record.mol is not None, record.reason
    return record.mol


@pytest.mark.parametrize(
    ("rows", "bonds", "wanted"),
    [
        ([("C1", "C.3"), ("C2", "C.3"), ("O1", "O.3")], [(1, 2, "1"), (2, 3, "1")], "CCO"),
        ([("C1", "C.3"), ("C2", "C.3"), ("N1", "N.4")], [(1, 2, "1"), (2, 3, "1")], "CC[NH3+]"),
        (
            [("C1", "C.3"), ("C2", "C.2"), ("O1", "O.co2"), ("O2", "O.co2")],
            [(1, 2, "1"), (2, 3, "ar"), (2, 4, "ar")],
            "CC(=O)[O-]",
        ),
        (
            [("C1", "C.3"), ("N1", "N.pl3"), ("O1", "O.2"), ("O2", "O.3")],
            [(1, 2, "1"), (2, 3, "2"), (2, 4, "1")],
            "C[N+](=O)[O-]",
        ),
        (  # GAFF: small letters
            [("C1", "c3"), ("C2", "c"), ("O1", "o"), ("O2", "oh")],
            [(1, 2, "1"), (2, 3, "2"), (2, 4, "1")],
            "CC(=O)O",
        ),
        (
            [("C1", "c3"), ("CL1", "cl"), ("BR1", "br"), ("F1", "f")],
            [(1, 2, "1"), (1, 3, "1"), (1, 4, "1")],
            "FC(Cl)Br",
        ),
    ],
)
def test_mol2_files_without_hydrogens(
    tmp_path: Path, rows: list[tuple[str, str]], bonds: list[tuple[int, int, str]], wanted: str
) -> None:
    ligand = prepare_ligand(mol2(tmp_path / "x.mol2", rows, bonds))
    assert isinstance(ligand, Ligand) and smiles(ligand) == canonical(wanted)
    assert any("hydrogens that the input lacked" in note for note in ligand.notes)


def test_a_mol2_file_of_polar_hydrogens(tmp_path: Path) -> None:
    rows = [("C1", "C.3"), ("C2", "C.3"), ("O1", "O.3"), ("H1", "H")]
    mol = mol2(tmp_path / "x.mol2", rows, [(1, 2, "1"), (2, 3, "1"), (3, 4, "1")])
    ligand = prepare_ligand(mol)
    assert isinstance(ligand, Ligand) and smiles(ligand) == "CCO"
    assert any("5 of them" in note for note in ligand.notes)


def test_radicals_are_noted_and_bare_carbons_filled() -> None:
    radical = prepared("[CH2]c1ccccc1")
    assert smiles(radical) == "[CH2]c1ccccc1" and "C1" in " ".join(radical.notes)
    assert smiles(prepared("[C][C]O")) == "CCO"
    for bare in ("[BH-]", "[CH2]", "[O]"):
        assert "bare atom" in str(prepare_ligand(Chem.MolFromSmiles(bare)))
    assert not prepared("[C-]#[N+]CC").notes and not prepared("C[N+](=O)[O-]").notes


def test_atoms_without_bonds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.xyz").write_text("2\n\nC 0 0 0\nO 1.2 0 0\n", encoding="ascii")
    (record,) = read_molecules(tmp_path / "x.xyz")
    assert "without bonds" in str(prepare_ligand(record.mol))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[2H]OC(=O)C", "CC(=O)[O-]"),
        ("[3H]N([3H])CC", "CC[NH3+]"),
        ("C([2H])([2H])([2H])C(=O)O", "[2H]C([2H])([2H])C(=O)[O-]"),
        ("[H]/N=C(/C)N", "[H]/[NH+]=C(/C)N"),
    ],
)
def test_isotopes_are_protonated_like_hydrogens(text: str, wanted: str) -> None:
    assert smiles(prepared(text, 7.4)) == canonical(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("C1CNCCN1.OC(=O)CC(O)(CC(=O)O)C(=O)O", "C1CNCCN1"),
        ("CN(C)C(=N)NC(N)=N.Cc1ccc(S(=O)(=O)O)cc1", "CN(C)C(=N)NC(N)=N"),
        ("CN(C)C(=[NH2+])NC(N)=N.Cc1ccc(S(=O)(=O)[O-])cc1", "CN(C)C(=[NH2+])NC(N)=N"),
        ("CC(N)Cc1ccccc1.OC(=O)[C@H](O)[C@@H](O)C(=O)O", "CC(N)Cc1ccccc1"),
        ("CN1CCN(CC1)c1ccccc1.OC(=O)/C=C\\C(=O)O", "CN1CCN(CC1)c1ccccc1"),
        ("O.O.NCCc1ccc(O)cc1.Cl", "NCCc1ccc(O)cc1"),
        ("CCC.[2H]O[2H]", "CCC"),
        ("[Na+].CC(=O)[O-]", "CC(=O)[O-]"),
        ("C[n+]1ccccc1.[I-]", "C[n+]1ccccc1"),
        ("[Ca+2].CC(=O)Oc1ccccc1C(=O)[O-].CC(=O)Oc1ccccc1C(=O)[O-]", "CC(=O)Oc1ccccc1C(=O)[O-]"),
        ("CC[NH+](CC)CC.O=C([O-])c1ccccc1-c1ccccc1", "O=C([O-])c1ccccc1-c1ccccc1"),
        ("CC(O)=O.NCCCC[C@H](N)C(=O)O", "NCCCC[C@H](N)C(=O)O"),
        ("CCN.CCCCCC", "CCN"),
    ],
)
def test_the_compound_of_a_salt(text: str, wanted: str) -> None:
    found = compound(Chem.MolFromSmiles(text))
    assert not isinstance(found, str)
    assert Chem.MolToSmiles(found[0]) == canonical(wanted) and "left out" in found[1][0]


@pytest.mark.parametrize(
    "text",
    [
        "[CH-]1C=CC=C1.[CH-]1C=CC=C1.[Fe+2]",
        "[Pt+2].[NH3].[NH3].[Cl-].[Cl-]",
        "[Mg+2].[CH3-].[Br-]",
        "CCO.[Cu+2]",
    ],
)
def test_a_complex_does_not_lose_its_metal(text: str) -> None:
    assert "without the metal" in str(compound(Chem.MolFromSmiles(text)))


@pytest.mark.parametrize(
    ("text", "count", "forms"),
    [
        ("CC(O)C(F)c1ccc(C(N)C)cc1", 3, 8),
        ("CN=[N+]=[N-]", 0, 1),
        ("C12C3C4C1C5C2C3C45", 0, 1),
        ("FS(F)(F)(F)(F)F", 0, 1),
        ("C1CN2CCC1CC2", 0, 1),
        ("C1C2CC3CC1CC(C2)C3", 0, 1),
        ("CC(=N)N", 0, 1),
        ("NC(=N)NC", 0, 1),
        ("CC=C=CC#N", 0, 1),
        ("CC=NO", 1, 2),
        ("c1ccccc1N=Nc1ccccc1", 1, 2),
        ("CC=CC", 1, 2),
        ("N=Nc1ccccc1", 0, 1),
        ("CC=[OH+]", 0, 1),
        ("OC1CCC(O)CC1", 2, 2),
        ("CS(=O)CC", 1, 2),
        ("C[C@H](O)CC", 0, 1),
        ("C[C@H](O)c1ccccc1 |&1:1|", 0, 2),
        ("C[C@H](O)[C@@H](F)Cl |o1:1,3|", 0, 2),
    ],
)
def test_only_what_makes_isomers_is_open(text: str, count: int, forms: int) -> None:
    mol = Chem.MolFromSmiles(text)
    assert len(open_stereo(mol)) == count
    found = isomers(mol)
    assert len({Chem.MolToSmiles(form) for form in found}) == len(found) == forms
    assert racemic(mol) == ("|" in text)
    assert all(len(open_stereo(form)) == 0 for form in found)


def test_isomers_have_a_cap() -> None:
    assert len(isomers(Chem.MolFromSmiles("C" + "C(F)" * 8 + "Cl"))) == MAX_ISOMERS


def test_wavy_bonds_and_racemates_of_files_are_noted(tmp_path: Path) -> None:
    mol = Chem.MolFromSmiles("CC(O)c1ccccc1")
    flat = Chem.MolToMolBlock(mol)
    bond = next(b for b in mol.GetBonds() if {b.GetBeginAtomIdx(), b.GetEndAtomIdx()} == {1, 2})
    old = f"{bond.GetBeginAtomIdx() + 1:>3}{bond.GetEndAtomIdx() + 1:>3}  1  0"
    assert old in flat
    (tmp_path / "a.mol").write_text(flat.replace(old, f"{old[:-1]}4"), encoding="ascii")
    drawn = Chem.MolFromSmiles("C[C@H](O)c1ccccc1 |&1:1|")
    (tmp_path / "b.sdf").write_text(Chem.MolToV3KMolBlock(drawn) + "$$$$\n", encoding="ascii")
    for name, word in (("a.mol", "1 stereo centre or bond is"), ("b.sdf", "racemate")):
        (record,) = read_molecules(tmp_path / name)
        ligand = prepare_ligand(record.mol)
        assert isinstance(ligand, Ligand)
        (docked,), (posed,) = stereo_notes(ligand), stereo_notes(ligand, posed=True)
        assert word in docked and word in posed
        assert "--enumerate-stereo" in docked and "--" not in posed


def test_a_pose_says_which_isomer_it_is() -> None:
    for text in ("C[C@H](O)c1ccccc1", "C[C@@H](O)c1ccccc1"):
        mol = embedded(text)
        Chem.RemoveStereochemistry(mol)
        assert isomer_smiles(mol) == canonical(text)


@pytest.mark.parametrize("text", ["F", "Cl", "[C-]#[O+]"])
def test_what_no_force_field_minimises_is_refused(text: str) -> None:
    assert "no finite energy" in str(conformers(Chem.MolFromSmiles(text)))


@pytest.mark.parametrize(
    "text",
    [
        "[H][C@@]12CC[C@@]1([H])CC2",  # trans on two four-membered rings
        "C1C[C@H]2C[C@@H]2C1",
        "O=C1C[C@H]2CC[C@H]1C2",
        "F[C@@]12[C@@]3(F)[C@]4(F)[C@]1(F)[C@@]1(F)[C@]2(F)[C@]3(F)[C@@]41F",
    ],
)
def test_stereo_that_cannot_be_built_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    assert conformers(Chem.MolFromSmiles(text)) == (
        "no conformer: the stereo as written cannot be built"
    )
    assert time.process_time() - start < 2.0
