r"""The spaces of fields, each with one linear operation.

``mix(a, b, w)`` moves from a towards b by w: along a straight line for coordinates, along a
geodesic for rotations and angles, linearly in the logits for classes.  Classifier-free
guidance, multistep solvers and geodesic paths all build on it.
"""

from __future__ import annotations

from moldiff.diffusion.space.base import Space, expand
from moldiff.diffusion.space.categorical import Categorical, Subset
from moldiff.diffusion.space.flat import Euclidean, Flat, Vectors, ZeroCoM
from moldiff.diffusion.space.manifold import SO3, Manifold, Torus

__all__ = [
    "SO3",
    "Categorical",
    "Euclidean",
    "Flat",
    "Manifold",
    "Space",
    "Subset",
    "Torus",
    "Vectors",
    "ZeroCoM",
    "expand",
]
