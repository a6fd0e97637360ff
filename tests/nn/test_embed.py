"""Pair geometry and the embedding."""

from __future__ import annotations

import torch

from moldiff.diffusion.batch import pair_indices
from moldiff.nn.embed import (
    distance_basis,
    pair_differences,
    pair_forces,
    squared_norm,
    time_features,
)


def test_differences_are_those_of_the_pairs() -> None:
    points = torch.randn(2, 5, 3, 3)
    i, j = pair_indices(5, points.device)
    torch.testing.assert_close(pair_differences(points), points[:, i] - points[:, j])


def test_forces_are_the_transpose_of_differences() -> None:
    points, forces = torch.randn(2, 5, 3), torch.randn(2, 10, 3)
    there = (pair_differences(points) * forces).sum()
    torch.testing.assert_close(there, (points * pair_forces(forces, 5)).sum())


def test_forces_cancel() -> None:
    assert pair_forces(torch.randn(2, 10, 4, 3), 5).sum(1).abs().max() < 1e-5


def test_geometry_keeps_full_precision_under_autocast() -> None:
    points = torch.randn(2, 5, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        apart = pair_differences(points)
    assert torch.equal(apart, pair_differences(points))


def test_distance_basis_peaks_at_its_centre() -> None:
    centres = torch.linspace(0, 4, 9)
    apart = torch.tensor([[[1.5, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    assert distance_basis(apart, centres).argmax(-1).tolist() == [[3, 0]]


def test_time_features_tell_times_apart() -> None:
    features = time_features(torch.linspace(0, 1, 50), 16)
    apart = torch.cdist(features, features) + 9 * torch.eye(50)
    assert features.shape == (50, 32) and apart.min() > 0.1


def test_the_squared_norm_is_the_sum_of_squares_with_its_gradient() -> None:
    x = torch.randn(2, 5, 4, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weight = torch.arange(40.0).reshape(2, 5, 4)
    (squared_norm(x) * weight).sum().backward()
    (y.square().sum(-1) * weight).sum().backward()
    assert torch.equal(squared_norm(x), y.square().sum(-1))
    torch.testing.assert_close(x.grad, y.grad)


def test_far_pairs_have_a_basis_of_zeros_that_are_cheap_to_compute() -> None:
    """Numbers below 1e-38 would make exp, and products with them, many times as slow."""
    far = distance_basis(torch.full((1, 1, 3), 30.0), torch.linspace(0.0, 8.0, 24))
    assert far.min() > 1e-38
    assert far.max() < 1e-30
