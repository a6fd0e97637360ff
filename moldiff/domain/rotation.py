"""Rotations: the skew matrix, the exponential map, angles on the circle."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["exponential", "skew", "wrap"]

# Row j is the matrix of e_j x (.), flattened.
_SKEW = ((0, 0, 0, 0, 0, -1, 0, 1, 0), (0, 0, 1, 0, 0, 0, -1, 0, 0), (0, -1, 0, 1, 0, 0, 0, 0, 0))


def wrap(angles: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Bring angles in radians to [-pi, pi)."""
    return torch.remainder(angles + math.pi, 2 * math.pi) - math.pi


def skew(v: Float[Tensor, "*s 3"]) -> Float[Tensor, "*s 3 3"]:
    """Return the matrices whose product with u is v x u."""
    return (v @ v.new_tensor(_SKEW)).unflatten(-1, (3, 3))


def exponential(rotvec: Float[Tensor, "*s 3"]) -> Float[Tensor, "*s 3 3"]:
    """Return rotation matrices of rotation vectors in radians (Rodrigues; smooth at zero)."""
    angle = rotvec.square().sum(-1).clamp_min(1e-20).sqrt()[..., None, None] / math.pi
    w = skew(rotvec)
    identity = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    # sin(x) / x and (1 - cos x) / x^2, neither of which divides by zero.
    return identity + torch.sinc(angle) * w + 0.5 * torch.sinc(angle / 2).square() * (w @ w)
