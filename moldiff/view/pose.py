"""How a molecule is turned before it is shown: flat and wide."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["lying"]

Floats = npt.NDArray[np.float64]


def lying(positions: Floats) -> tuple[Floats, Floats]:
    """Rotation (3, 3) and centre (3,) that lay (n, 3) positions flat and wide, about the origin.

    ``(positions - centre) @ rotation.T`` is widest along x and thinnest along z.
    """
    centre = positions.mean(axis=0)
    _, _, axes = np.linalg.svd(positions - centre, full_matrices=True)
    axes[2] *= np.linalg.det(axes)  # a rotation, not a reflection: chirality must survive
    return axes, centre
