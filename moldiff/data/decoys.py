"""Complexes with poses of their ligand, right and wrong, for training a judge of poses.

`moldiff.docking.decoys` makes them.  A store of decoys holds all that a store of complexes does
(`moldiff.data.complexes`), and for each complex p poses: arrays ``pose`` (p, n, 3) in Å,
``deviation`` (p,), their symmetry-corrected RMSD from the crystal pose in Å, and ``energy`` (p,),
Vina's in kcal/mol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from moldiff.data.complexes import (
    DIMENSIONS,
    FIELDS,
    Complex,
    ComplexStore,
    ShapedStore,
    Shapes,
    flattened,
)
from moldiff.data.ragged import SPLITS
from moldiff.errors import DataError

__all__ = ["DecoyStore", "Decoys", "write_decoys"]

_SHOWN = 10  # reasons in an error
_SHAPES: Shapes = MappingProxyType(
    {
        **FIELDS,
        "pose": (np.float32, ("p", "n", 3)),
        "deviation": (np.float32, ("p",)),
        "energy": (np.float32, ("p",)),
    }
)


@dataclass(frozen=True, eq=False)
class Decoys:
    """A complex with p poses of its ligand.

    Attributes
    ----------
    complex:
        The complex, with its crystal pose.
    pose:
        (p, n, 3) heavy atoms in Å.
    deviation:
        (p,) RMSD from the crystal pose in Å, symmetry-corrected.
    energy:
        (p,) Vina energy in kcal/mol.
    """

    complex: Complex
    pose: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]
    energy: npt.NDArray[np.float32]


class DecoyStore(ShapedStore):
    """Read access to decoys.  Its sizes are those of complexes and the number of poses, (N, 7)."""

    SCHEMA = "moldiff-decoys-1"
    NOUN = "decoys"
    COMMAND = "moldiff data decoys COMPLEXES FOLDER... --output DIR"
    SHAPES = _SHAPES
    FIELDS = tuple(_SHAPES)
    DIMENSIONS = DIMENSIONS + "p"

    def __getitem__(self, index: int) -> Decoys:
        """Return a copy of one complex and its poses."""
        values = self.values(index)
        own = {name: values.pop(name) for name in ("pose", "deviation", "energy")}
        return Decoys(Complex(**values), **own)


def write_decoys(
    path: Path,
    complexes: ComplexStore,
    accepted: Sequence[tuple[int, Decoys]],
    rejected: Sequence[tuple[str, str]],
) -> None:
    """Write decoys as a store, with the splits and clusters of the complexes they are of.

    Parameters
    ----------
    accepted:
        The number of each complex in its store, and its decoys.
    rejected:
        Names of complexes without decoys, and why.

    Raises
    ------
    DataError
        If there are none, or the store cannot be written.
    """
    if not accepted:
        shown = "; ".join(f"{name}: {reason}" for name, reason in rejected[:_SHOWN])
        raise DataError(f"No decoys were made. {shown}.", fix="Look at the reasons.")
    split = np.zeros(len(complexes), np.int8)
    split[complexes.indices("validation")] = SPLITS.index("validation")
    chosen = np.array([index for index, _ in accepted])
    entries = [one for _, one in accepted]
    rows = [
        {name: getattr(one.complex, name) for name in FIELDS}
        | {"pose": one.pose, "deviation": one.deviation, "energy": one.energy}
        for one in entries
    ]
    sizes = np.array([(*one.complex.sizes, len(one.pose)) for one in entries], np.int32)
    arrays = flattened(rows, _SHAPES) | {
        "sizes": sizes,
        "split": split[chosen],
        "cluster": complexes.clusters[chosen],
    }
    names = [complexes.names[index] for index in chosen]
    DecoyStore.write(path, arrays, names, rejected, source=complexes.meta["source"])
