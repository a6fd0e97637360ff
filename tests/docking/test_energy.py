"""Gradients, grids and internal pairs of the docking energy."""

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.chem.rotors import find_rotors
from moldiff.docking.energy.atom_types import AtomTypes, ligand_types
from moldiff.docking.energy.exact import ExactEnergy, Internal, Target
from moldiff.docking.energy.grid import GridEnergy, build_grid
from moldiff.docking.energy.terms import internal_pairs
from moldiff.protein.pocket import Box

LIGAND = "CC(=O)Nc1ccc(OCCN2CCOCC2)cc1"
BOX = Box(np.array([3.0, -2.0, 1.0]), np.array([9.0, 8.0, 7.0]))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def types(count, seed):
    radius = torch.tensor([1.9, 1.8, 1.7, 2.0])[torch.randint(4, (count,), generator=rng(seed))]
    flags = torch.rand((3, count), generator=rng(seed + 1)) < 0.5
    return AtomTypes(radius, *flags)


def target(count=60, seed=5):
    positions = torch.randn((count, 3), generator=rng(seed)) * 5 + torch.tensor(BOX.centre.tolist())
    return Target(positions, types(count, seed))


def internal(smiles=LIGAND):
    mol = Chem.MolFromSmiles(smiles)
    rotors = find_rotors(mol)
    return Internal.of(ligand_types(mol), internal_pairs(mol, rotors.axis, rotors.moves))


def poses(count, atoms, spread=2.0, seed=3):
    return torch.randn((count, atoms, 3), generator=rng(seed)) * spread + torch.tensor(
        BOX.centre.tolist()
    )


def test_exact_gradient_is_the_derivative_of_the_terms():
    pairs = internal()
    n = pairs.incidence.shape[1]
    energy = ExactEnergy(target(), types(n, 9), pairs)
    x = poses(4, n, spread=4.0).requires_grad_()
    terms = energy.terms(x)
    total = terms["inter"] + terms["intra"]
    (expected,) = torch.autograd.grad(total.sum(), x)
    value, gradient = energy.value_and_gradient(x.detach())
    torch.testing.assert_close(value, total.detach(), rtol=1e-4, atol=1e-3)
    # The internal part is straight between entries of a table: its slope is off by a step.
    torch.testing.assert_close(gradient, expected, rtol=0.02, atol=0.1)
    only = ExactEnergy(target(), types(n, 9), Internal.of(types(n, 9), np.zeros((2, 0), int)))
    (expected,) = torch.autograd.grad(only.terms(x)["inter"].sum(), x)
    gradient = only.value_and_gradient(x.detach())[1]
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-3)


def test_pruning_leaves_no_atom_out():
    energy = ExactEnergy(target(300), types(3, 2), Internal.of(types(3, 2), np.zeros((2, 0), int)))
    far = poses(50, 3, spread=8.0)
    together = energy(far)
    alone = torch.cat([energy(far[k : k + 1]) for k in range(len(far))])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(energy.terms(far)["inter"], alone, rtol=1e-4, atol=1e-4)


def test_the_table_of_internal_pairs_is_the_function():
    pairs = internal()
    mol = Chem.MolFromSmiles(LIGAND)
    x = poses(30, mol.GetNumAtoms(), spread=3.0)
    value, gradient = pairs.value_and_gradient(x)
    torch.testing.assert_close(value, pairs.energy(x), rtol=1e-3, atol=1e-3)  # overlaps
    step = torch.zeros_like(x)
    step[:, 4, 1] = 1e-2
    slope = (pairs.energy(x + step) - pairs.energy(x - step)) / 2e-2
    torch.testing.assert_close(gradient[:, 4, 1], slope, rtol=0.05, atol=0.05)


def test_grid_holds_the_exact_energy_at_its_points():
    receptor, kinds = target(), types(12, 4)
    grid = build_grid(receptor, kinds, BOX, spacing=0.5, cap=1000.0)
    none = Internal.of(kinds, np.zeros((2, 0), int))
    energy, exact = GridEnergy(grid, kinds, none), ExactEnergy(receptor, kinds, none)
    counts = torch.tensor(grid.cells)
    points = (torch.rand((40, len(kinds), 3), generator=rng(8)) * counts).round()
    x = grid.low + points * grid.spacing
    # Each sum reads its distances from a table in steps of 1/32 Å^2.
    torch.testing.assert_close(energy(x), exact.terms(x)["inter"], rtol=0.02, atol=0.05)


def test_grid_gradient_is_the_slope_of_its_value_inside_and_outside_the_box():
    kinds = types(5, 4)
    grid = build_grid(target(), kinds, BOX)
    energy = GridEnergy(grid, kinds, Internal.of(kinds, np.zeros((2, 0), int)))
    half = torch.tensor(BOX.size.tolist()) * 0.7
    inside = torch.rand((60, 5, 3), generator=rng(2)) * 2 - 1
    x = torch.tensor(BOX.centre.tolist()) + inside * half
    assert bool((energy.terms(x)["outside"] > 0).any())
    _, gradient = energy.value_and_gradient(x)
    for axis in range(3):
        step = torch.zeros(3)
        step[axis] = 1e-3
        cell = lambda y: ((y - grid.low) / grid.spacing).floor()  # noqa: E731
        for atom in range(5):
            shift = torch.zeros_like(x)
            shift[:, atom] = step
            same = (cell(x + shift) == cell(x - shift)).all(-1).all(-1)
            slope = (energy(x + shift) - energy(x - shift)) / 2e-3
            torch.testing.assert_close(gradient[same, atom, axis], slope[same], rtol=0.02, atol=0.1)


def test_grid_refuses_types_it_was_not_built_for():
    grid = build_grid(target(), types(1, 4), BOX)
    other = AtomTypes(torch.tensor([2.2]), *torch.zeros((3, 1), dtype=torch.bool))
    with pytest.raises(ValueError, match="atom types"):
        GridEnergy(grid, other, Internal.of(other, np.zeros((2, 0), int)))


def test_a_receptor_out_of_reach_is_nothing():
    away = Target(target().positions + 100, target().types)
    kinds = types(4, 1)
    grid = build_grid(away, kinds, BOX)
    assert float(grid.coefficients.abs().max()) == 0


def test_internal_pairs_leave_out_what_no_torsion_changes():
    mol = Chem.MolFromSmiles("CCCCCC")  # rotors 1-2, 2-3, 3-4
    rotors = find_rotors(mol)
    pairs = internal_pairs(mol, rotors.axis, rotors.moves)
    assert set(zip(*pairs.tolist(), strict=True)) == {(0, 4), (0, 5), (1, 5)}
    rigid = Chem.MolFromSmiles("c1ccc2ccccc2c1")
    none = find_rotors(rigid)
    assert internal_pairs(rigid, none.axis, none.moves).shape == (2, 0)


@pytest.mark.parametrize(
    ("smiles", "atom", "expected"),
    [
        ("CCO", 0, (1.9, True, False, False)),
        ("CCO", 1, (1.9, False, False, False)),
        ("CCO", 2, (1.7, False, True, True)),
        ("COC", 1, (1.7, False, False, True)),
        ("CN(C)C", 1, (1.8, False, False, True)),
        ("C[NH+](C)C", 1, (1.8, False, True, False)),
        ("CC(=O)NC", 3, (1.8, False, True, False)),
        ("c1ccncc1", 3, (1.8, False, False, True)),
        ("c1cc[nH]c1", 3, (1.8, False, True, False)),
        ("CCl", 1, (1.8, True, False, False)),
        ("CSC", 1, (2.0, False, False, False)),
    ],
)
def test_ligand_types(smiles, atom, expected):
    mol = Chem.MolFromSmiles(smiles)
    for molecule in (mol, Chem.AddHs(mol)):
        found = ligand_types(molecule)
        radius, *flags = expected
        assert float(found.radius[atom]) == pytest.approx(radius)
        row = (found.hydrophobic[atom], found.donor[atom], found.acceptor[atom])
        assert [bool(v) for v in row] == flags
