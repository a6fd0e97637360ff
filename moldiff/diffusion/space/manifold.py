r"""Rotations and angles: geodesics instead of straight lines, uniform noise.

Both are groups with a bi-invariant metric, so a geodesic from a is a times the exponential of a
tangent vector, and uniform noise moved by anything independent of it stays uniform.  Two points
are at most pi apart (per rotation or angle): there, at the cut locus, shortest geodesics end.
Extrapolation by ``mix`` therefore stops just before it, so that the way back retraces the way
there.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.space.base import Space
from moldiff.geometry.tensors import nearest_rotation, uniform_rotations
from moldiff.registry import register
from moldiff.seeds import uniform

__all__ = ["SO3", "Manifold", "Torus"]

_FARTHEST = math.pi * (1 - 1e-4)  # far enough from pi to keep the side in single precision


class Manifold(Space):
    """A compact group with an invariant metric and uniform noise."""

    @abstractmethod
    def angle(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """Return the distance in radians, 0 to pi, of each rotation or angle, (b, ...)."""

    def distance(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        """Return the geodesic distance in radians, (b,): the norm of all angles of a graph."""
        return self.angle(a, b).reshape(a.shape[0], -1).norm(dim=1)


def _reach(angle: Tensor, w: Tensor | float) -> Tensor:
    """Return w * angle, limited to the cut locus where it extrapolates beyond ``angle``."""
    limit = angle.abs().clamp_min(_FARTHEST)
    return (w * angle).clamp(-limit, limit)


@register("space", "so3", cites={"marsaglia1972": "the prior", "bose2024": "section 3"})
@dataclass(frozen=True)
class SO3(Manifold):
    """Rotation matrices (b, ..., 3, 3) with uniform (Haar) noise.

    Source: exponential and logarithm as in roma; the prior is a normalised normal
    quaternion (Marsaglia, 1972).
    """

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        if shape[-2:] != (3, 3):
            raise ValueError(f"rotations are 3 x 3 matrices: shape (b, ..., 3, 3), not {shape}")
        return uniform_rotations(shape[:-2], rng=rng, device=device)

    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        """Rotate a towards b about the axis of a^T b; ``w`` broadcasts against (b, ..., 3, 3)."""
        from moldiff.geometry.roma import roma  # imported here: most models have no rotations

        vector = roma.rotmat_to_rotvec(a.transpose(-1, -2) @ b).unsqueeze(-1)
        angle = vector.norm(dim=-2, keepdim=True)
        scaled = vector * (_reach(angle, w) / angle.clamp_min(1e-12))
        # Not geometry.tensors.exponential: its last bits differ, which would change docked poses.
        mixed: Tensor = a @ roma.rotvec_to_rotmat(scaled.squeeze(-1))
        return mixed

    def project(self, x: Tensor) -> Tensor:
        """Return the nearest rotations (special orthogonal Procrustes problem)."""
        return nearest_rotation(x)

    def angle(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        # Twice the sine and the cosine of the angle of a^T b, from its antisymmetric part and
        # its trace: exact near 0 and near pi alike.  Products are rounded before they are summed
        # (a matrix product fuses the two): angle(a, a) = 0 and angle(a, b) = angle(b, a) exactly.
        product = (a.unsqueeze(-1) * b.unsqueeze(-2)).sum(-3)
        twist = product - product.transpose(-1, -2)
        sine = torch.stack([twist[..., 2, 1], twist[..., 0, 2], twist[..., 1, 0]], -1).norm(dim=-1)
        cosine = product.diagonal(dim1=-2, dim2=-1).sum(-1) - 1
        return torch.atan2(sine, cosine)


@register("space", "torus", cites={"chen2024": "section 3.2"})
@dataclass(frozen=True)
class Torus(Manifold):
    """Angles (b, ...) in (-pi, pi] with uniform noise."""

    def prior(
        self, shape: tuple[int, ...], *, rng: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        return math.pi - 2 * math.pi * uniform(shape, rng=rng, device=device)

    def mix(self, a: Tensor, b: Tensor, w: Tensor | float) -> Tensor:
        """Rotate a towards b along the shorter arc."""
        return self.project(a + _reach(self.project(b - a), w))

    def project(self, x: Tensor) -> Tensor:
        """Return the angles, shifted by whole turns, in (-pi, pi]."""
        # Not geometry.tensors.wrap: whole turns leave an angle in range unchanged to the last bit,
        # and docked poses depend on the last bits of both.
        return x - 2 * math.pi * torch.ceil((x - math.pi) / (2 * math.pi))

    def angle(self, a: Float[Tensor, "b ..."], b: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        return self.project(b - a).abs()
