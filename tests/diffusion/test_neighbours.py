"""The error of the vectors between near atoms."""

from __future__ import annotations

import math

import pytest
import torch

from moldiff.diffusion.objective import Denoising
from moldiff.diffusion.objective.neighbours import neighbour_error
from moldiff.diffusion.time import Clean, batch_times
from moldiff.errors import ConfigError
from tests.diffusion.test_time import learned, molecules, product

LINE = torch.tensor([[[0.0, 0, 0], [1.5, 0, 0], [3.0, 0, 0], [4.5, 0, 0]]])


def test_a_shift_of_the_whole_costs_nothing_and_independent_errors_cost_what_coordinates_do() -> (
    None
):
    weight = torch.full((1,), 2.0)
    shifted = LINE + torch.tensor([0.3, -0.2, 0.1])
    assert neighbour_error(shifted, LINE, weight, 4.0).item() == pytest.approx(0, abs=1e-10)
    many = LINE.expand(20000, 4, 3)
    noisy = many + 0.1 * torch.randn(many.shape, generator=torch.Generator().manual_seed(0))
    error = neighbour_error(noisy, many, weight.expand(20000), 4.0).mean()
    assert error.item() == pytest.approx(2 * 0.1**2, rel=0.02)


def test_only_atoms_within_reach_count() -> None:
    """Half of a line is moved off it: one bond of three, three of the five pairs within 3.5 Å."""
    moved = LINE + torch.tensor([0.0, 0.0, 1.0, 1.0])[None, :, None] * torch.tensor([0, 0, 0.6])
    one = torch.ones(1)
    assert neighbour_error(moved, LINE, one, 2.0).item() == pytest.approx(0.36 / 6 / 3)
    assert neighbour_error(moved, LINE, one, 3.5).item() == pytest.approx(0.36 / 6 * 3 / 5)
    assert neighbour_error(moved, LINE, one, 1.0).item() == 0
    assert neighbour_error(moved[:, 1:3], LINE[:, 1:3], one, 2.0).item() == pytest.approx(0.36 / 6)


def test_pairs_of_two_clean_atoms_do_not_count_and_others_have_the_weight_of_the_noisy_one() -> (
    None
):
    weight = torch.tensor([[0.0, 0.0, 3.0, 3.0]])
    moved = LINE.clone()
    moved[0, 3, 1] += 0.5
    assert neighbour_error(moved, LINE, weight, 2.0).item() == pytest.approx(3 * 0.25 / 6 / 2)
    moved = LINE.clone()
    moved[0, 2, 1] += 0.5  # also away from the clean atom before it
    assert neighbour_error(moved, LINE, weight, 2.0).item() == pytest.approx(3 * 0.5 / 6 / 2)


def test_planarity_counts_to_first_order() -> None:
    """The distances to an atom that leaves a plane do not change to first order; this does."""
    step = 1e-3
    angles = torch.arange(6) * math.pi / 3
    ring = 1.4 * torch.stack([angles.cos(), angles.sin(), 0 * angles], -1)[None].double()
    moved = ring.clone()
    moved[0, 0, 2] += step
    error = neighbour_error(moved, ring, torch.ones(1).double(), 2.0).item()
    assert error == pytest.approx(2 * step**2 / 6 / 6, rel=1e-6)


def test_the_objective_adds_it_to_its_loss() -> None:
    denoiser, x = learned(product()), molecules()
    atoms = torch.zeros(x.graphs, x.atoms, dtype=torch.bool)
    atoms[:, :2] = True
    for batch in (x, x.given(clean=Clean({"atom": atoms}))):
        t = batch_times(batch, torch.full((x.graphs,), 0.2))
        plain, parts = Denoising().regress(denoiser, batch, t, None, batch)
        more, both = Denoising(neighbours=0.5).regress(denoiser, batch, t, None, batch)
        assert "neighbours" not in parts
        assert both["neighbours"] > 0
        assert float((more - plain).detach()) == pytest.approx(
            0.5 * float(both["neighbours"]), rel=1e-4
        )


def test_a_weight_is_not_negative() -> None:
    with pytest.raises(ConfigError, match="neighbours"):
        Denoising(neighbours=-1.0)
