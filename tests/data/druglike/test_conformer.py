"""Conformers: reproducible, sound, in the order of their SMILES."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from moldiff.chem import Rejected, xtb
from moldiff.chem.minimum import Minimum
from moldiff.data.druglike import conformer as module
from moldiff.data.druglike.conformer import Conformer, conformer, molecule, refined
from moldiff.data.druglike.statistics import Tally

installed = pytest.mark.skipif(xtb.lacking() is not None, reason="the program xtb is not installed")

SMILES = "CC(N)C(=O)Nc1ccc(F)cc1"


def made(smiles: str) -> Conformer:
    found = conformer(smiles)
    assert isinstance(found, Conformer), found
    return found


def test_the_same_smiles_have_the_same_conformer() -> None:
    one, two = made(SMILES), made(SMILES)
    assert one.smiles == two.smiles and np.array_equal(one.xyz, two.xyz) and np.isnan(one.drop)


def test_the_molecule_is_that_of_the_isomeric_smiles() -> None:
    found = made(SMILES)
    assert found.smiles in ("C[C@H](N)C(=O)Nc1ccc(F)cc1", "C[C@@H](N)C(=O)Nc1ccc(F)cc1")
    mol = molecule(found)
    assert abs(mol.GetConformer().GetPositions().mean(0)).max() < 1e-3
    Chem.AssignStereochemistryFrom3D(mol)
    assert Chem.MolToSmiles(Chem.RemoveHs(mol)) == found.smiles


def test_stereochemistry_that_is_given_is_kept() -> None:
    for smiles in ("C[C@H](N)C(=O)Nc1ccc(F)cc1", "C/C=C/C[C@@](C)(O)c1ccccc1", "F/C=C\\c1ccccc1"):
        assert made(smiles).smiles == Chem.CanonSmiles(smiles)


def test_it_is_a_minimum_of_mmff94() -> None:
    mol = molecule(made(SMILES))
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(Chem.Mol(mol))
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties)
    before = field.CalcEnergy()
    field.Minimize(maxIts=2000)
    assert before - field.CalcEnergy() < 0.05  # kcal/mol: rounding to milli-Å


def test_an_entangled_molecule_is_embedded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At first a chain goes through a ring, and a bond is a third too long."""
    smiles = "Cc1c(F)cccc1NCC(=O)Nc1ccnn1C1CCCC1"
    mol = molecule(made(smiles))
    for bond in mol.GetBonds():
        first, second = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        place = mol.GetConformer().GetPositions()
        assert np.linalg.norm(place[first] - place[second]) < 1.6
    seeds: list[int] = []
    embed = rdDistGeom.EmbedMolecule
    monkeypatch.setattr(module, "_stretch", lambda mol: 2.0)
    monkeypatch.setattr(
        module.rdDistGeom,
        "EmbedMolecule",
        lambda mol, parameters: (seeds.append(parameters.randomSeed), embed(mol, parameters))[1],
    )
    assert conformer(smiles) == Rejected("entangled")
    assert seeds == [seeds[0], seeds[0] + 1, seeds[0] + 2]


def test_what_fails_has_a_reason() -> None:
    assert conformer("[B-](C)(C)(C)CCCCCCC") == Rejected("no MMFF94 parameters")
    impossible = "C1C[C@@H]2CC[C@@H]1C2"  # a bridge of one atom from above to below a ring
    assert conformer(impossible) == Rejected("cannot be embedded")


@installed
def test_refining_goes_on_from_the_conformer() -> None:
    start = made(SMILES)
    found = refined(start)
    assert isinstance(found, Conformer)
    assert found.smiles == start.smiles and found.xyz.shape == start.xyz.shape
    assert 0.5 < found.drop < 30 and not np.array_equal(found.xyz, start.xyz)
    again = refined(found)
    assert isinstance(again, Conformer) and again.drop < 0.5


def test_a_bond_that_breaks_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    start = made(SMILES)
    far = molecule(start).GetConformer().GetPositions()
    far[0] += 3.0
    monkeypatch.setattr(module.xtb, "optimise", lambda mol, level: Minimum(1.0, far))
    assert refined(start) == Rejected("a bond breaks in GFN2-xTB")
    monkeypatch.setattr(module.xtb, "optimise", lambda mol, level: f"{level}: no")
    assert refined(start) == Rejected("crude: no")


def test_a_hydrogen_that_shows_stereo_is_no_heavy_atom() -> None:
    """RDKit keeps it as an atom; a molecule of 40 heavy atoms used to count as one of 41."""
    sulfonyl, pyrazole = "NS(=O)(=O)c1ccc(C(F)(F)F)cc1", "N1C[C@H](c2ccccc2)C(c2ccc(Cl)cc2)=N1"
    smiles = f"[H]/N=C(/N=C(/{sulfonyl}){pyrazole})NC(C)=O"
    tally = Tally()
    tally.make(molecule(made(smiles)), smiles, "own", "train", 0.0)
    assert tally.heavy == {"40": 1}
