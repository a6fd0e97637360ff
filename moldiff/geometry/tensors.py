"""Rotations, superposition, RMSD and angles in torch.

RoMa loads inside the functions that need it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from moldiff.seeds import normal, uniform

__all__ = [
    "exponential",
    "kabsch",
    "nearest_rotation",
    "rmsd",
    "skew",
    "symmetric_rmsd",
    "uniform_angles",
    "uniform_rotations",
    "wrap",
]

# Row j is the matrix of e_j x (.), flattened.
_SKEW = ((0, 0, 0, 0, 0, -1, 0, 1, 0), (0, 0, 1, 0, 0, 0, -1, 0, 0), (0, -1, 0, 1, 0, 0, 0, 0, 0))


def wrap(angles: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Wrap angles in radians to [-pi, pi)."""
    # Angles in range are rounded like numbers near pi.  Subtracting whole turns, as the torus
    # does, would keep them exact, but change the last bits of docked poses.
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


def nearest_rotation(matrix: Float[Tensor, "*s 3 3"]) -> Float[Tensor, "*s 3 3"]:
    """Return the rotations nearest to matrices in the Frobenius norm.

    Source: the special orthogonal Procrustes problem, solved by unit quaternions (Horn,
    J. Opt. Soc. Am. A 4 (1987) 629) in roma.
    """
    from moldiff.geometry.roma import roma

    rotation: Tensor = roma.special_procrustes(matrix)
    return rotation


def kabsch(
    moving: Float[Tensor, "*s n 3"], fixed: Float[Tensor, "*s n 3"]
) -> Float[Tensor, "*s 3 3"]:
    """Return the rotations that best superpose centred ``moving`` onto ``fixed``; least squares.

    Always proper, never a reflection.  Source: Kabsch, Acta Cryst. A32 (1976) 922.
    """
    return nearest_rotation(fixed.mT @ moving)


def rmsd(a: Float[Tensor, "*s n 3"], b: Float[Tensor, "*t n 3"]) -> Float[Tensor, "*u"]:
    """Return the root mean square distance of points, not superposed; leading axes broadcast."""
    return (a - b).square().sum(-1).mean(-1).sqrt()


def symmetric_rmsd(
    x: Float[Tensor, "p n 3"], target: Float[Tensor, "n 3"], symmetry: Int[Tensor, "s n"]
) -> Float[Tensor, " p"]:
    """Return the symmetry-corrected RMSD of poses from a target, not superposed."""
    return rmsd(x.unsqueeze(1), target[symmetry]).amin(1)


def uniform_rotations(
    shape: Sequence[int],
    *,
    rng: torch.Generator,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "*s 3 3"]:
    """Draw uniform (Haar) rotations; ``shape`` has the leading axes.

    Source: a normalised normal quaternion (Marsaglia, 1972).
    """
    from moldiff.geometry.roma import roma

    quaternion = normal((*shape, 4), rng=rng, device=device, dtype=dtype)
    unit = torch.nn.functional.normalize(quaternion, dim=-1)
    rotation: Tensor = roma.unitquat_to_rotmat(unit)
    return rotation


def uniform_angles(
    shape: Sequence[int],
    *,
    rng: torch.Generator,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "*s"]:
    """Draw uniform angles in radians in [-pi, pi)."""
    return (2 * uniform(shape, rng=rng, device=device, dtype=dtype) - 1) * math.pi
