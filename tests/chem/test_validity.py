"""Strict validity on hand-made failures."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.chem import canonical_smiles, quiet, reason_kind, sanitised, strict_failure
from tests.molecules import embedded

METHANE = "C", "H", "H", "H", "H"


def full(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def graph(symbols: tuple[str, ...], bonds: list[tuple[int, int, int]]) -> Chem.Mol:
    """A molecule written atom by atom, (i, j, order) a bond, never sanitised."""
    mol = Chem.RWMol()
    for symbol in symbols:
        mol.AddAtom(Chem.Atom(symbol))
    for i, j, order in bonds:
        mol.AddBond(i, j, Chem.BondType.values[order])
    return mol.GetMol()


def star(symbol: str, hydrogens: int) -> Chem.Mol:
    return graph((symbol, *"H" * hydrogens), [(0, k + 1, 1) for k in range(hydrogens)])


@pytest.mark.parametrize(
    "smiles",
    [
        "c1ccccc1",
        "C[N+](=O)[O-]",
        "c1cc[nH]c1",
        "[C-]#[O+]",
        "[H][H]",
        "O",
        "C[N+]#[C-]",
        "CN=[N+]=[N-]",
        "FC(F)(F)F",
        "O=C=O",
    ],
)
def test_valid(smiles: str) -> None:
    assert strict_failure(full(smiles)) is None


def test_unsanitised_kekule_benzene_is_valid() -> None:
    benzene = full("c1ccccc1")
    Chem.Kekulize(benzene, clearAromaticFlags=True)
    raw = Chem.MolFromMolBlock(Chem.MolToMolBlock(benzene), sanitize=False, removeHs=False)
    assert strict_failure(raw) is None
    assert canonical_smiles(raw) == "c1ccccc1"


def test_net_charge() -> None:
    ammonium = full("[NH4+]")
    assert strict_failure(ammonium) == "net charge +1"
    assert strict_failure(ammonium, net_charge=1) is None
    assert strict_failure(ammonium, net_charge=None) is None
    assert strict_failure(full("C"), net_charge=-1) == "net charge 0"


@pytest.mark.parametrize(
    ("mol", "expected"),
    [
        (None, "empty"),
        (Chem.Mol(), "empty"),
        (full("O.O"), "fragments: 2"),
        (star("C", 5), "valence: C1 has 5"),
        (star("C", 3), "radical on C1"),
        (star("N", 4), "valence: N1 has 4"),
        (star("O", 1), "radical on O1"),
        (graph(("F", "H", "H"), [(0, 1, 1), (0, 2, 1)]), "valence: F1 has 2"),
        # A missing hydrogen, although RDKit would be glad to imply it.
        (Chem.MolFromSmiles("CC"), "missing hydrogens on C1"),
        (graph(("C", "O"), [(0, 1, 1)]), "missing hydrogens on C1"),
        (Chem.MolFromSmiles("FC(F)(F)C(=O)O"), "missing hydrogens on O7"),
        # With hydrogens implied it would still be an ion.
        (Chem.MolFromSmiles("C[NH3+]"), "radical on C1"),
        (full("[CH3]"), "radical on C1"),
        # The pentavalent drawing of a nitro group is not repaired.
        (
            graph(
                ("C", "N", "O", "O", "H", "H", "H"),
                [(0, 1, 1), (1, 2, 2), (1, 3, 2), (0, 4, 1), (0, 5, 1), (0, 6, 1)],
            ),
            "valence: N2 has 5",
        ),
    ],
)
def test_failures(mol: Chem.Mol | None, expected: str) -> None:
    assert strict_failure(mol) == expected


def test_five_aromatic_carbons_cannot_be_kekulised() -> None:
    ring = Chem.RWMol()
    for _ in range(5):
        ring.AddAtom(Chem.Atom("C"))
    for i in range(5):
        ring.AddBond(i, (i + 1) % 5, Chem.BondType.AROMATIC)
        ring.GetAtomWithIdx(i).SetIsAromatic(True)
        ring.AddAtom(Chem.Atom("H"))
        ring.AddBond(i, 5 + i, Chem.BondType.SINGLE)
    for bond in ring.GetBonds():
        bond.SetIsAromatic(bond.GetBondType() == Chem.BondType.AROMATIC)
    assert strict_failure(ring) == "cannot be kekulised"
    assert sanitised(ring) is None
    assert canonical_smiles(ring) is None


def test_non_finite_coordinates() -> None:
    mol = full("CO")
    AllChem.EmbedMolecule(mol, randomSeed=1)
    assert strict_failure(mol) is None
    mol.GetConformer().SetAtomPosition(0, [0.0, np.inf, 0.0])
    assert strict_failure(mol) == "non-finite coordinates"


def polar_only(smiles: str) -> Chem.Mol:
    """A molecule with the hydrogens of N and O alone, as in files for docking."""
    mol = Chem.RWMol(full(smiles))
    for atom in [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() == 1][::-1]:
        if mol.GetAtomWithIdx(atom).GetNeighbors()[0].GetAtomicNum() == 6:
            mol.RemoveAtom(atom)
    return mol.GetMol()


@pytest.mark.parametrize(
    ("mol", "kind"),
    [
        (graph(("N", "O"), [(0, 1, 2)]), "radical"),
        (graph(("O", "N", "O"), [(0, 1, 2), (1, 2, 1)]), "radical"),
        (full("[CH2]"), "radical"),
        (full("[CH2]C"), "radical"),
        (full("c1cccc[c]1"), "radical"),
        (polar_only("CCO"), "missing hydrogens"),
        (polar_only("NC=O"), "missing hydrogens"),
        (polar_only("OCC(N)C(=O)O"), "missing hydrogens"),
        (graph(("C", "C"), [(0, 1, 1)]), "missing hydrogens"),
        (graph(("O",), []), "missing hydrogens"),
    ],
)
def test_radicals_are_told_from_hydrogens_left_out(mol: Chem.Mol, kind: str) -> None:
    assert reason_kind(strict_failure(mol) or "") == kind


def test_a_radical_that_the_file_marks_is_one() -> None:
    oxygen = graph(("O", "O"), [(0, 1, 1)])
    assert strict_failure(oxygen) == "missing hydrogens on O1"
    for atom in oxygen.GetAtoms():
        atom.SetNumRadicalElectrons(1)
    assert strict_failure(oxygen) == "radical on O1"


@pytest.mark.parametrize(
    "smiles", ["[H]:O:[H]", "[CH2]1:[CH2]:[CH2]:1", "[CH3]:[CH3]", "C1=C:[CH2][CH2]1"]
)
def test_aromatic_bonds_that_cannot_be(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles, sanitize=False)
    mol.UpdatePropertyCache(strict=False)
    failure = strict_failure(Chem.AddHs(mol) if "H:" not in smiles else mol)
    assert failure is not None


def test_aromatic_bonds_of_any_kekule_structure_are_fine() -> None:
    for smiles in ("c1ccccc1", "c1ccoc1", "c1ccc1", "c1cc[nH]c(=O)c1", "c1ccc2c(c1)C=CC2"):
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
        mol.UpdatePropertyCache(strict=False)
        assert strict_failure(Chem.AddHs(mol)) is None


def test_absurd_geometry_is_named() -> None:
    mol = embedded("CCO")
    assert strict_failure(mol) is None
    place = mol.GetConformer().SetAtomPosition
    start = [list(p) for p in mol.GetConformer().GetPositions()]
    place(2, [40.0, 0.0, 0.0])
    assert str(strict_failure(mol)).startswith("stretched bond: O3 and H9 are ")
    place(2, start[2])
    place(0, start[1])
    assert str(strict_failure(mol)) == "overlapping atoms: C1 and C2 are 0.00 Å apart"
    for k in range(mol.GetNumAtoms()):
        place(k, [0.0, 0.0, 0.0])
    assert reason_kind(str(strict_failure(mol))) == "overlapping atoms"
    mol.GetConformer().Set3D(False)  # a drawing without coordinates says nothing of a geometry
    assert strict_failure(mol) is None


def test_drawings_are_no_absurd_geometry() -> None:
    for smiles in ("[H][H]", "O", "CCO", "c1ccccc1"):
        mol = full(smiles)
        AllChem.Compute2DCoords(mol)
        mol.GetConformer().SetPositions(100 * mol.GetConformer().GetPositions())
        assert strict_failure(mol) is None


@pytest.mark.parametrize("smiles", ["c1ccccc1O", "[NH4+]", "F/C=C/F", "O.O"])
def test_nothing_changes_its_input(smiles: str) -> None:
    for mol in (
        full(smiles),
        Chem.MolFromSmiles(smiles),
        Chem.MolFromSmiles(smiles, sanitize=False),
    ):
        before = mol.ToBinary()
        strict_failure(mol)
        sanitised(mol)
        canonical_smiles(mol)
        canonical_smiles(mol, stereo=True)
        assert mol.ToBinary() == before


def test_identity_ignores_hydrogens_and_stereo_unless_asked() -> None:
    trans, cis = full("F/C=C/F"), full("F/C=C\\F")
    assert canonical_smiles(trans) == canonical_smiles(cis) == "FC=CF"
    for mol in (trans, cis):
        AllChem.EmbedMolecule(mol, randomSeed=1)
    assert canonical_smiles(trans, stereo=True) == "F/C=C/F"
    assert canonical_smiles(cis, stereo=True) == "F/C=C\\F"
    assert canonical_smiles(Chem.MolFromSmiles("OCC")) == canonical_smiles(full("CCO")) == "CCO"
    imine = Chem.MolFromSmiles("[H]/N=C/OC")
    assert canonical_smiles(imine) == canonical_smiles(full("COC=N")) == "COC=N"
    labelled = full("[2H]C([2H])([2H])[13CH2]O[3H]")
    assert canonical_smiles(labelled) == "CCO"
    assert canonical_smiles(labelled, stereo=True) != "CCO"  # as it is shown
    assert canonical_smiles(None) is None and canonical_smiles(Chem.Mol()) is None


def test_an_implied_hydrogen_of_an_aromatic_ring_stays() -> None:
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("c1cc[nH]c1"))
    mol = Chem.MolFromMolBlock(block, sanitize=False, removeHs=False)
    assert canonical_smiles(mol) == "c1cc[nH]c1"


def test_reason_kind() -> None:
    assert reason_kind("valence: C3 has 5") == "valence"
    assert reason_kind("radical on C3") == "radical"
    assert reason_kind("empty") == "empty"


def test_quiet_keeps_the_terminal_clean(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        assert Chem.MolFromSmiles("C(C)(C)(C)(C)C") is None
    strict_failure(star("C", 5))
    assert capfd.readouterr().err == ""
