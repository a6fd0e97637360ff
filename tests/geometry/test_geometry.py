"""Superposition, RMSD and angles, in numpy and in torch, and that the two agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from moldiff.geometry import arrays, tensors


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def points(b: int, n: int, rng: torch.Generator) -> Tensor:
    x = torch.randn(b, n, 3, generator=rng, dtype=torch.float64)
    return x - x.mean(1, keepdim=True)


def rotations(b: int, rng: torch.Generator) -> Tensor:
    return tensors.uniform_rotations((b,), rng=rng, dtype=torch.float64)


def test_kabsch_finds_a_known_rotation(rng: torch.Generator) -> None:
    x, turn = points(20, 6, rng), rotations(20, rng)
    fixed = x @ turn.mT
    torch.testing.assert_close(tensors.kabsch(x, fixed), turn)
    np.testing.assert_allclose(arrays.kabsch(x.numpy(), fixed.numpy()), turn, atol=1e-10)


def test_kabsch_is_the_best_rotation_and_never_a_reflection(rng: torch.Generator) -> None:
    moving, fixed = points(20, 6, rng), points(20, 6, rng)
    fixed[:10] = moving[:10] * torch.tensor([-1.0, 1.0, 1.0])
    turn = tensors.kabsch(moving, fixed)
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(20, dtype=torch.float64))
    least = tensors.rmsd(moving @ turn.mT, fixed)
    assert least.min() > 0.1
    for _ in range(300):
        other = tensors.rmsd(moving @ rotations(20, rng).mT, fixed)
        assert (least <= other + 1e-9).all()
    np.testing.assert_allclose(arrays.kabsch(moving.numpy(), fixed.numpy()), turn, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_points_have_proper_rotations_too(n: int, rng: torch.Generator) -> None:
    """Points, lines and planes leave the rotation open; it is a rotation all the same."""
    moving, fixed = points(5, n, rng), points(5, n, rng)
    for turn in (
        tensors.kabsch(moving, fixed),
        torch.from_numpy(arrays.kabsch(moving.numpy(), fixed.numpy()).copy()),
    ):
        torch.testing.assert_close(
            turn @ turn.mT, torch.eye(3, dtype=torch.float64).expand(5, 3, 3)
        )
        assert (torch.linalg.det(turn) > 0).all()


def test_superposition_ignores_motion_but_not_mirror_images() -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(6, 3))
    q, _ = np.linalg.qr(random.normal(size=(3, 3)))
    moved = x @ (q * np.sign(np.linalg.det(q))) + 5.0
    mirrored = x * [1, 1, -1]
    assert arrays.superposed_rmsd(x, moved) == pytest.approx(0.0, abs=1e-10)
    assert arrays.superposed_rmsd(x, mirrored) > 0.1
    assert arrays.superposed_rmsd(x[:1], x[:1] + 1) == pytest.approx(0.0)
    apart = arrays.shape_distances(np.stack((x, moved, mirrored)))
    expected = [0.0, 0.0, arrays.superposed_rmsd(x, mirrored)]
    np.testing.assert_allclose(apart[0], expected, atol=1e-6)


def test_symmetric_rmsd_is_the_least_over_the_relabelings(rng: torch.Generator) -> None:
    x, target = points(7, 4, rng), points(1, 4, rng)[0]
    symmetry = torch.tensor([[0, 1, 2, 3], [1, 0, 2, 3], [0, 1, 3, 2]])
    expected = [min(tensors.rmsd(pose, target[s]).item() for s in symmetry) for pose in x]
    found = tensors.symmetric_rmsd(x, target, symmetry)
    assert found.tolist() == pytest.approx(expected)
    in_numpy = arrays.symmetric_rmsd(x.numpy(), target.numpy(), symmetry.numpy())
    assert in_numpy == pytest.approx(expected)
    assert tensors.symmetric_rmsd(target[symmetry], target, symmetry).max() == 0


@pytest.mark.parametrize("turns", [-3, -1, 0, 1, 2])
def test_angles_are_wrapped_to_the_half_open_interval(turns: int) -> None:
    inside = np.array([-math.pi, -3.0, -1e-9, 0.0, 1.0, math.pi - 1e-9])
    angles = inside + 2 * math.pi * turns
    np.testing.assert_allclose(np.cos(arrays.wrap(angles)), np.cos(inside), atol=1e-12)
    np.testing.assert_allclose(np.sin(arrays.wrap(angles)), np.sin(inside), atol=1e-12)
    np.testing.assert_array_equal(tensors.wrap(torch.from_numpy(angles)), arrays.wrap(angles))
    wrapped = arrays.wrap(angles)
    assert (wrapped >= -math.pi).all() and (wrapped < math.pi).all()


def test_half_a_turn_is_minus_pi() -> None:
    edges = torch.tensor([-math.pi, math.pi], dtype=torch.float64)
    assert tensors.wrap(edges).tolist() == [-math.pi] * 2
    assert arrays.wrap(edges.numpy()).tolist() == [-math.pi] * 2


def test_wrapping_in_single_precision_keeps_the_angle() -> None:
    angles = torch.linspace(-20, 20, 101)
    assert tensors.wrap(angles).abs().max() <= math.pi + 1e-6
    torch.testing.assert_close(tensors.wrap(angles).sin(), angles.sin(), atol=1e-5, rtol=0)


def test_exponential_is_that_of_the_skew_matrix(rng: torch.Generator) -> None:
    vectors = 3 * torch.randn(50, 3, generator=rng, dtype=torch.float64)
    vectors[0] = 0
    expected = torch.linalg.matrix_exp(tensors.skew(vectors))
    torch.testing.assert_close(tensors.exponential(vectors), expected)
    u = torch.randn(50, 3, generator=rng, dtype=torch.float64)
    cross = (tensors.skew(vectors) @ u[..., None])[..., 0]
    torch.testing.assert_close(cross, torch.linalg.cross(vectors, u))


def test_uniform_rotations_have_no_preferred_direction(rng: torch.Generator) -> None:
    turn = tensors.uniform_rotations((4, 5000), rng=rng)
    assert turn.shape == (4, 5000, 3, 3)
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(4, 5000))
    assert turn.mean((0, 1)).abs().max() < 5 * (1 / 3 / 20000) ** 0.5


def test_uniform_angles_fill_the_circle(rng: torch.Generator) -> None:
    angles = tensors.uniform_angles((20000,), rng=rng)
    assert angles.min() >= -math.pi and angles.max() < math.pi
    assert abs(angles.mean()) < 5 * math.pi / (3 * 20000) ** 0.5
