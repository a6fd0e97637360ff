"""Random orientations: augmentation for networks that are not equivariant.

Each graph gets its own rotation, uniform on SO(3), and is mirrored with probability 1/2: together
uniform on O(3), which leaves the distribution of an equivariant network invariant.  Mirror images
are allowed because no field of a batch labels handedness; fields that a mirror changes in kind
(frames, torsions) are refused.

Source: Abramson et al., AlphaFold 3 (2024), supplementary algorithm 19 (without its
translations: centred coordinates have none, and without mirror images: proteins are chiral).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import FIELDS, Batch, Field
from moldiff.diffusion.space import SO3, expand
from moldiff.errors import ConfigError
from moldiff.seeds import uniform

__all__ = ["randomly_oriented"]

_VECTOR, _FRAME = (3,), (3, 3)


def randomly_oriented(
    x_0: Batch, noise: Batch | None, *, rng: torch.Generator, mirror: bool = True
) -> tuple[Batch, Batch | None]:
    """Return each graph in a random orientation, and its noise in the same one.

    Parameters
    ----------
    x_0:
        Clean batch of b graphs with centred coordinates.
    noise:
        The fields at t = 1 paired with it (a teacher's pairs), or None.
    mirror:
        Whether half of the graphs are mirrored as well.

    Raises
    ------
    ConfigError
        If a field or the context of the batch cannot be rotated or mirrored with it.
    """
    _check(x_0, mirror=mirror)
    matrices = SO3().prior((x_0.graphs, 3, 3), rng=rng)
    if mirror:
        mirrored = uniform((x_0.graphs,), rng=rng) < 0.5
        matrices = torch.where(expand(mirrored.float(), matrices) > 0, -matrices, matrices)
    matrices = matrices.to(x_0.device)
    return _rotated(matrices, x_0), None if noise is None else _rotated(matrices, noise)


def _rotated(matrices: Float[Tensor, "b 3 3"], batch: Batch) -> Batch:
    """Rotate points and vectors to R x and frames to R F; all else is invariant."""
    fields = {}
    for name, value in batch.items():
        if FIELDS[name].shape == _VECTOR:
            rows = value.reshape(len(value), -1, 3) @ matrices.transpose(1, 2)
            fields[name] = rows.reshape(value.shape)
        elif FIELDS[name].shape == _FRAME:
            frames = value.reshape(len(value), -1, 3, 3)
            fields[name] = (matrices.unsqueeze(1) @ frames).reshape(value.shape)
    return batch.replace(**fields)


def _check(batch: Batch, *, mirror: bool) -> None:
    chiral = [name for name in batch if mirror and _is_chiral(FIELDS[name])]
    if chiral:
        raise ConfigError(
            f"The field '{chiral[0]}' has no mirror image, and a network that is not equivariant "
            "is trained under random rotations and reflections.",
            fix="Use an equivariant network, such as 'transformer'.",
        )
    fixed = [name for name, entry in batch.context.items() if hasattr(entry, "positions")]
    if fixed:
        raise ConfigError(
            f"The '{fixed[0]}' of a batch does not rotate with it, so a network that is not "
            "equivariant cannot be trained on it.",
            fix="Use an equivariant network.",
        )


def _is_chiral(field: Field) -> bool:
    """Whether a field has a handedness: frames, and angles about bonds."""
    return field.shape == _FRAME or field.scope == "rotor"
