"""Protein backbones on disk for training: checksummed, memory-mapped, ragged.

=================  ============  ===========================================================
file               shape         content
=================  ============  ===========================================================
store.json                       schema, count, splits, rejected, sha256 of every file
atoms.npy          (R, 4, 3) i2  N, CA, C and O of all residues, in hundredths of an Å
types.npy          (R,) i1       amino acids, see `moldiff.protein.backbone`
regular.npy        (R,) ?        whether a residue is part of a helix or a strand
sizes.npy          (N,) i4       residues of each chain
split.npy          (N,) i1       index into `SPLITS`
cluster.npy        (N,) i8       chains with the same number are alike
names.txt          N lines
rejected.csv                     name and reason of each rejected chain
=================  ============  ===========================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff.data.ragged import RaggedStore
from moldiff.protein.backbone import Backbone

__all__ = ["UNIT", "BackboneStore"]

UNIT = 0.01  # Å


class BackboneStore(RaggedStore):
    """Read access to prepared backbones; `moldiff.data.prepare_backbones` writes them.

    Its sizes are the numbers of residues, (N,).
    """

    SCHEMA = "moldiff-backbones-1"
    NOUN = "backbones"
    COMMAND = "moldiff data backbones FILE... --output DIR"
    FIELDS = ("atoms", "types", "regular")

    def starts(self, field: str) -> npt.NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self._arrays["sizes"], dtype=np.int64)])

    def __getitem__(self, index: int) -> Backbone:
        """Return a copy of one chain."""
        atoms = np.float32(UNIT) * self.part("atoms", index).astype(np.float32)
        return Backbone(atoms, self.part("types", index), self.part("regular", index))


def write(
    path: Path,
    chains: Sequence[tuple[str, Backbone]],
    rejected: Sequence[tuple[str, str]],
    *,
    clusters: npt.NDArray[np.int64],
    split: npt.NDArray[np.int8],
    source: str,
) -> None:
    """Write named chains, with their clusters and splits, as a store.

    ``rejected`` has the names and reasons of those that were left out.
    """
    atoms = np.concatenate([c.atoms - c.atoms.mean((0, 1)) for _, c in chains])
    arrays = {
        "atoms": np.rint(atoms / UNIT).astype(np.int16),
        "types": np.concatenate([c.types for _, c in chains]),
        "regular": np.concatenate([c.regular for _, c in chains]),
        "sizes": np.array([len(c) for _, c in chains], np.int32),
        "split": split,
        "cluster": clusters,
    }
    names = [name for name, _ in chains]
    BackboneStore.write(path, arrays, names, rejected, source=source)
