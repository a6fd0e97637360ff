"""Random orientations: what a network that is not equivariant is shown instead.

Every graph is turned by its own rotation, uniform on SO(3), and mirrored with probability 1/2:
together uniform on O(3), under which the distribution an equivariant network learns is
invariant.  Mirror images are allowed because no field of a batch labels handedness.

Source: Abramson et al., AlphaFold 3 (2024), supplementary algorithm 19 (without its
translations: centred coordinates have none, and without mirror images: proteins are chiral).
"""

from __future__ import annotations

import torch

from moldiff.diffusion.batch import FIELDS, Batch
from moldiff.diffusion.space import SO3, expand
from moldiff.seeds import uniform

__all__ = ["turned"]

_POINTS = tuple(f for f, field in FIELDS.items() if (field.scope, field.shape) == ("atom", (3,)))


def turned(x_0: Batch, noise: Batch | None, *, rng: torch.Generator) -> tuple[Batch, Batch | None]:
    """Return every graph in a random orientation, and in the same one what it was made from.

    Parameters
    ----------
    x_0:
        Clean batch of b graphs with centred coordinates.
    noise:
        Fields at t = 1 that belong to it (a teacher's pairs), or None.
    """
    matrices = SO3().prior((x_0.graphs, 3, 3), rng=rng)
    mirrored = uniform((x_0.graphs,), rng=rng) < 0.5
    matrices = torch.where(expand(mirrored.float(), matrices) > 0, -matrices, matrices)
    matrices = matrices.to(x_0.device)
    return _by(matrices, x_0), None if noise is None else _by(matrices, noise)


def _by(matrices: torch.Tensor, batch: Batch) -> Batch:
    """Rows are points: x -> x R^T."""
    points = {f: batch[f] @ matrices.transpose(1, 2) for f in _POINTS if f in batch}
    return batch.replace(**points)
