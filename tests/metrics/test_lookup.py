"""Protocol A on molecules whose distances are known."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from moldiff.metrics.lookup import ELEMENTS, bond_orders, look_up, measure
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.sample import Sample, samples
from tests.molecules import embedded


def atoms(*places: tuple[str, float, float, float]) -> Sample:
    symbols = tuple(p[0] for p in places)
    return Sample(None, symbols, np.array([p[1:] for p in places], dtype=float), "none")


def order(a: str, b: str, distance: float) -> int:
    kinds = np.array([ELEMENTS.index(a), ELEMENTS.index(b)])
    return int(bond_orders(kinds, np.array([[0.0, 0, 0], [distance, 0, 0]]))[0, 1])


@pytest.mark.parametrize(
    ("a", "b", "distance", "expected"),
    [
        ("C", "C", 1.2299, 3), ("C", "C", 1.2301, 2), ("C", "C", 1.3899, 2),
        ("C", "C", 1.3901, 1), ("C", "C", 1.6399, 1), ("C", "C", 1.6401, 0),
        ("C", "H", 1.1899, 1), ("C", "H", 1.1901, 0), ("H", "H", 0.8399, 1),
        ("N", "O", 1.2599, 2), ("N", "O", 1.0, 2), ("C", "O", 1.1599, 3),
        ("O", "O", 1.0, 2), ("F", "F", 1.5199, 1), ("H", "F", 1.0199, 1),
        ("C", "Cl", 1.8699, 1), ("C", "Cl", 1.8701, 0), ("C", "S", 1.6499, 2), ("C", "S", 1.66, 1),
        ("O", "P", 1.5499, 2), ("O", "S", 1.4, 1), ("Cl", "I", 1.0, 0), ("As", "H", 1.6199, 1),
    ],
)  # fmt: skip
def test_table(a: str, b: str, distance: float, expected: int) -> None:
    assert order(a, b, distance) == order(b, a, distance) == expected


T = 1.09 / np.sqrt(3)
METHANE = (
    ("C", 0.0, 0.0, 0.0), ("H", T, T, T), ("H", T, -T, -T), ("H", -T, T, -T), ("H", -T, -T, T),
)  # fmt: skip


def test_methane_and_the_methyl_radical() -> None:
    whole, radical = look_up(atoms(*METHANE)), look_up(atoms(*METHANE[:4]))
    assert (whole.stable, whole.stable_atoms, whole.reason) == (True, 5, None)
    assert (radical.stable, radical.stable_atoms) == (False, 3)
    assert radical.smiles is not None  # sanitises: an implicit hydrogen fills the valence


def test_hydrogen_must_have_exactly_one_bond() -> None:
    looked = look_up(atoms(("H", 0, 0, 0), ("H", 0.74, 0, 0), ("H", -0.74, 0, 0)))
    assert looked.stable_atoms == 2 and not looked.stable and looked.smiles is None


def test_identity_is_the_largest_fragment() -> None:
    far = tuple((s, x + 9, y, z) for s, x, y, z in METHANE[:2])
    looked = look_up(atoms(*far, *METHANE))
    assert looked.smiles == look_up(atoms(*METHANE)).smiles


def test_hand_made(hand_made: dict[str, Chem.Mol | None]) -> None:
    looked = {k: look_up(samples([mol])[0]) for k, mol in hand_made.items()}
    stable = {name for name, one in looked.items() if one.stable}
    # charges do not exist here: nitro and ammonium fail though they are fine molecules
    assert {"methane", "ethanol", "two fragments"} <= stable
    assert stable.isdisjoint({"nitro", "ammonium", "missing hydrogen", "methyl radical"})
    assert stable.isdisjoint({"not finite", "empty", "nothing"})
    assert looked["five-valent"].stable  # the file's bonds are ignored
    assert looked["not finite"].reason == "non-finite coordinates"
    assert looked["not finite"].stable_atoms == 0
    assert looked["chlorine"].stable
    assert looked["empty"].reason == "empty" and looked["nothing"].reason == "no molecule"


def test_further_elements_have_edms_valences() -> None:
    def stable(smiles: str) -> bool:
        return look_up(samples([embedded(smiles)])[0]).stable

    for smiles in ("CBr", "CI", "ClC=C", "CP(C)C", "CP(C)(C)=O", "C[Si](C)(C)C", "C[AsH2]"):
        assert stable(smiles) is (smiles != "C[AsH2]"), smiles  # no length of C-As
    assert not stable("CSC")  # EDM's sulfur has four bonds
    selenium = look_up(samples([embedded("C[SeH]")])[0])
    assert selenium.reason == "element outside the table: Se" and selenium.stable_atoms == 3


def test_rates() -> None:
    whole, radical = atoms(*METHANE), atoms(*METHANE[:4])
    smiles = look_up(whole).smiles
    assert smiles is not None
    result = measure([whole, whole, radical], SmilesSet.of([smiles]))
    assert not isinstance(result, str)
    assert result.atom_stability().value == pytest.approx(13 / 14)
    assert result.molecule_stability().value == pytest.approx(2 / 3)
    assert result.validity().value == 1.0
    # the radical's SMILES has an implicit hydrogen more than it has atoms: another string
    assert result.uniqueness().value == pytest.approx(2 / 3)
    assert result.novelty().value == pytest.approx(1 / 2)
    assert result.valid_unique().value == pytest.approx(2 / 3)


def test_without_coordinates_it_does_not_apply() -> None:
    result = measure(samples([Chem.AddHs(Chem.MolFromSmiles("CC"))]), None)
    assert result == "no three-dimensional coordinates"
