"""Invariant point attention against the loop it stands for."""

from __future__ import annotations

import torch

from moldiff.nn.point_attention import point_attention


def test_it_is_the_loop_over_queries_and_keys() -> None:
    rng = torch.Generator().manual_seed(0)
    a, m, heads, d = 5, 7, 3, 4

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=rng, dtype=torch.float64)

    query, y, key, z = (
        normal(a, heads, d),
        normal(a, heads, 3),
        normal(m, heads, d),
        normal(m, heads, 3),
    )
    values, gamma = normal(m, heads, d), torch.tensor([0.1, 0.5, 2.0]).double()
    seen, points = point_attention((query, y), (key, z), values, gamma)
    for i in range(a):
        for h in range(heads):
            logits = torch.stack(
                [
                    query[i, h] @ key[j, h] / d**0.5 - gamma[h] * (y[i, h] - z[j, h]).square().sum()
                    for j in range(m)
                ]
            )
            weights = logits.softmax(0)
            torch.testing.assert_close(seen[i, h], weights @ values[:, h])
            torch.testing.assert_close(points[i, h], weights @ z[:, h] - y[i, h])


def test_far_from_everything_it_does_not_lose_its_precision() -> None:
    """Logits are differences of large squares: the softmax must still be finite."""
    y = torch.full((1, 1, 3), 40.0)
    z = torch.tensor([[[30.0, 30.0, 30.0]], [[-30.0, 0.0, 0.0]]])
    feature = torch.ones(1, 1, 2)
    seen, points = point_attention(
        (feature, y), (torch.ones(2, 1, 2), z), torch.ones(2, 1, 2), torch.tensor([0.2])
    )
    assert seen.isfinite().all() and torch.allclose(points, z[:1] - y)
