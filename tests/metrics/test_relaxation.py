"""Relaxation of minima, of strained molecules, and of what cannot be relaxed."""

from __future__ import annotations

from rdkit import Chem

from moldiff.metrics.relaxation import MMFF94, Relaxation, measure
from moldiff.metrics.sample import samples


def test_a_minimum_stays_and_a_strained_molecule_moves(
    hand_made: dict[str, Chem.Mol | None],
) -> None:
    ethanol = hand_made["ethanol"]
    assert ethanol is not None
    rest = MMFF94.relax(ethanol)
    assert abs(rest.drop) < 1e-2 and rest.rmsd < 1e-2
    strained = Chem.Mol(ethanol)
    conformer = strained.GetConformer()
    x, y, z = conformer.GetAtomPosition(2)
    conformer.SetAtomPosition(2, (x + 0.3, y, z))
    before = strained.ToBinary()
    moved = MMFF94.relax(strained)
    assert moved.drop > 5 and moved.rmsd > 0.05 and strained.ToBinary() == before


def test_only_the_valid_are_relaxed(hand_made: dict[str, Chem.Mol | None]) -> None:
    names = ["methane", "ethanol", "five-valent", "nothing"]
    pairs = list(
        zip(samples([hand_made[n] for n in names]), [True, True, False, False], strict=True)
    )
    result = measure(pairs)
    assert isinstance(result, Relaxation)
    assert result.drop_median().n == 2 and result.rmsd_mean().n == 2
    assert result.drop_p90().value >= result.drop_median().value


def test_no_parameters_is_a_reason() -> None:
    mol = Chem.RWMol()
    mol.AddAtom(Chem.Atom("Xe"))
    mol.AddConformer(Chem.Conformer(1))
    assert MMFF94.relax(mol.GetMol()).reason == "no MMFF94 parameters"
    result = Relaxation((MMFF94.relax(mol.GetMol()),))
    assert result.drop_mean().reason and result.failures() == ["no MMFF94 parameters"]
