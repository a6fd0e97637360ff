"""Sides of the bonds that BRICS cuts, and molecules joined of them."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from rdkit import Chem
from rdkit.Chem import BRICS, AllChem

from moldiff.chem.brics import Side, fit, joined, sides, smiles

AMIDE = "CC(C)Oc1ccccc1C(=O)NCCc1cccs1"
SULFONAMIDE = "O=S(=O)(c1ccc(F)cc1/C=C/c1ccn(C)c1)N1CCC[C@H]1C"
SALT = "C[N+](C)(CCOC(C)=O)Cc1ccc(C(=O)[O-])cc1"
STEREO = "C[C@H](N)C(=O)N[C@@H](Cc1ccccc1)C(=O)OC"


@pytest.mark.parametrize("text", [AMIDE, SULFONAMIDE, SALT, STEREO])
def test_both_sides_of_each_bond_that_brics_cuts(text: str) -> None:
    mol = Chem.MolFromSmiles(text)
    parts, heavy = sides(mol), mol.GetNumAtoms()
    assert Counter((s.end, s.kind) for s in parts) == Counter(
        one for ends, kinds in BRICS.FindBRICSBonds(mol) for one in zip(ends, kinds, strict=True)
    )
    for one, other in zip(parts[::2], parts[1::2], strict=True):
        assert sorted((*one.atoms, *other.atoms)) == list(range(heavy))
        assert mol.GetBondBetweenAtoms(one.end, other.end).GetBondType() == one.order
        assert (one.end in one.atoms, one.size) == (True, heavy - other.size)


@pytest.mark.parametrize("text", [AMIDE, SULFONAMIDE, SALT, STEREO])
def test_hydrogens_as_atoms_change_nothing(text: str) -> None:
    plain = Chem.MolFromSmiles(text)
    whole = Chem.AddHs(plain)
    AllChem.EmbedMolecule(whole, randomSeed=1)
    shown = [(s.atoms, s.end, s.kind) for s in sides(plain)]
    assert shown and [(s.atoms, s.end, s.kind) for s in sides(whole)] == shown
    # Nor does where they stand: sides are counted among the heavy atoms.
    order = sorted(range(whole.GetNumAtoms()), key=lambda k: (k % 3, k))
    mixed = Chem.RenumberAtoms(whole, order)
    kept = [k for k in order if whole.GetAtomWithIdx(k).GetAtomicNum() > 1]
    assert {frozenset(kept[i] for i in s.atoms) for s in sides(mixed)} == {
        frozenset(s.atoms) for s in sides(plain)
    }


@pytest.mark.parametrize("text", [AMIDE, SULFONAMIDE, STEREO])
def test_the_two_sides_of_a_bond_make_the_molecule_again(text: str) -> None:
    mol = Chem.MolFromSmiles(text)
    parts = sides(mol)
    for one, other in zip(parts[::2], parts[1::2], strict=True):
        assert fit(one, other)
        for again in (joined(one, other), joined(other, one)):
            flat = [Chem.MolToSmiles(m, isomericSmiles=False) for m in (again, mol)]
            assert flat[0] == flat[1] and again.GetNumConformers() == 0


def test_children_have_all_atoms_hydrogens_and_stereo_of_both_sides() -> None:
    first, second = (sides(Chem.MolFromSmiles(text)) for text in (STEREO, SULFONAMIDE))
    pairs = [pair for pair in product(first, second) if fit(*pair)]
    assert len(pairs) > 5
    for one, other in pairs:
        child = joined(one, other)
        assert child.GetNumAtoms() == one.size + other.size
        assert _hydrogens(child, range(child.GetNumAtoms())) == sum(
            _hydrogens(side.mol, side.atoms) for side in (one, other)
        )
        # Each centre is there as it was, but for that of an end.
        for side in (one, other):
            query = Chem.MolFromSmarts(smiles(side).replace("[*:1]", "*"))
            assert child.HasSubstructMatch(query, useChirality=True)
            kept = (_centres(side.mol) & {*side.atoms}) - {side.end}
            assert smiles(side).replace("@@", "@").count("@") == len(kept)


def test_only_ends_that_brics_joins_fit() -> None:
    amide, methyl = Chem.MolFromSmiles("CCC(=O)NCC"), Chem.MolFromSmiles("COc1ccccc1")
    acyl = next(s for s in sides(amide) if _end(s) == "C" and s.size == 4)
    oxygen = next(s for s in sides(methyl) if _end(s) == "O")
    nitrogen = next(s for s in sides(amide) if _end(s) == "N" and s.size == 3)
    assert fit(acyl, nitrogen) and fit(acyl, oxygen)
    assert not fit(nitrogen, oxygen) and not fit(oxygen, oxygen)
    for text in ("CC/C=C/CC", "CC/C=C\\CC"):
        double = sides(Chem.MolFromSmiles(text))[0]
        assert double.order == Chem.BondType.DOUBLE
        # Which side is which is open, whatever it was.
        assert Chem.MolToSmiles(joined(double, double)) == "CCC=CCC"


def test_a_side_as_smiles_shows_its_end() -> None:
    assert sorted(map(smiles, sides(Chem.MolFromSmiles("COc1ccccc1")))) == [
        "CO[*:1]",
        "c1ccc([*:1])cc1",
    ]
    assert {smiles(side) for side in sides(Chem.MolFromSmiles("CCC=CCC"))} == {"CCC=[*:1]"}
    pyrazole = sides(Chem.MolFromSmiles("O=C(Cn1cccn1)NC"))
    assert "c1cnn([*:1])c1" in {smiles(side) for side in pyrazole}


def test_a_double_bond_elsewhere_stays_as_it_is() -> None:
    ether, amide = (Chem.MolFromSmiles(s) for s in ("C/C=C/COc1ccccc1", "CCNC(=O)C/C=C\\C"))
    pairs = [(a, b) for a in sides(ether) for b in sides(amide) if fit(a, b)]
    made = {Chem.MolToSmiles(joined(a, b)) for a, b in pairs}
    expected = ("C/C=C/COC(=O)C/C=C\\C", "C/C=C/CNCC", "C/C=C\\CC(=O)Oc1ccccc1")
    assert {Chem.CanonSmiles(text) for text in expected} <= made


def test_of_several_molecules_each_is_cut_for_itself() -> None:
    assert {smiles(side) for side in sides(Chem.MolFromSmiles("O.CCOC"))} == {"CO[*:1]", "CC[*:1]"}


def test_what_cannot_be_sanitised_has_no_sides() -> None:
    assert sides(Chem.MolFromSmiles("C(C)(C)(C)(C)OC", sanitize=False)) == []
    assert sides(Chem.MolFromSmiles("c1ccc2ccccc2c1")) == []


def _hydrogens(mol: Chem.Mol, atoms: object) -> int:
    return sum(mol.GetAtomWithIdx(k).GetTotalNumHs() for k in atoms)  # type: ignore[attr-defined]


def _centres(mol: Chem.Mol) -> set[int]:
    return {k for k, _ in Chem.FindMolChiralCenters(mol)}


def _end(side: Side) -> str:
    return str(side.mol.GetAtomWithIdx(side.end).GetSymbol())
