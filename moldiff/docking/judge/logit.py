"""Two small regressions for the ranking: a conditional logit and a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["choices", "regression"]

_SHRINKAGE = 6e-3  # nats a choice, for the square of a weight of 1 per standard deviation, times 2
_RIDGE = 1e-3
_STEPS, _LONGEST = 30, 3.0  # of Newton's method


def choices(
    rows: list[Tensor],
    good: list[Tensor],
    worth: Tensor,
    known: Sequence[Tensor | float] | None = None,
) -> Tensor:
    """Fit a conditional logit with a ridge.

    D. McFadden, Conditional logit analysis of qualitative choice behavior (1974); softmax(rows @
    w) is the probability of each of p alternatives, of which several can be right.

    Parameters
    ----------
    rows, good:
        For each choice, standardised features (p, k) and the right alternatives, (p,) bool.
    worth:
        Weight of each choice in the loss.
    known:
        For each choice, a part of the score (p,) whose weight stays 1.

    Returns
    -------
    Tensor
        Weights (k,), by Newton's method on the convex part of the loss.
    """
    k = rows[0].shape[1]
    ridge = _SHRINKAGE * float(worth.sum()) * torch.eye(k, dtype=torch.float64)
    w = torch.zeros(k, dtype=torch.float64)
    for _ in range(_STEPS):
        slope, curve = ridge @ w, ridge.clone()
        for x, right, u, part in zip(rows, good, worth, known or [0.0] * len(rows), strict=True):
            score = x @ w + part
            every = score.softmax(0)
            those = score.where(right, -torch.inf).softmax(0)
            mean = every @ x
            slope += u * (mean - those @ x)
            curve += u * ((x.T * every) @ x - torch.outer(mean, mean))
        step = torch.linalg.solve(curve, slope)
        w = w - step * min(1.0, _LONGEST / float(step.abs().max() + 1e-12))
    return w


def regression(rows: Tensor, outcomes: Tensor) -> tuple[Tensor, float]:
    """Return weights (k,) and bias of a logistic regression with a small ridge, by Newton steps."""
    x = rows.double()
    centre, scale = x.mean(0), x.std(0, correction=0).clamp(min=1e-6)
    x = torch.cat([(x - centre) / scale, torch.ones(len(x), 1)], 1)
    y = outcomes.double()
    ridge = _RIDGE * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    ridge[-1, -1] = 1e-9
    w = torch.zeros(x.shape[1], dtype=torch.float64)
    for _ in range(30):
        p = (x @ w).sigmoid()
        slope = x.T @ (p - y) + ridge @ w
        step = torch.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, slope)
        w = w - step * min(1.0, 2.0 / float(step.abs().max() + 1e-12))
    weights = w[:-1] / scale
    return weights, float(w[-1] - weights @ centre)
