"""Which molecules are in the training set, from 40-bit hashes of their SMILES.

With 100,000 training molecules a new molecule is mistaken for a known one with probability
1e5 / 2^40, about 1e-7: a compact set of hashes answers as well as the data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SmilesSet", "smiles_hash"]

_BITS = 40


def smiles_hash(smiles: str) -> int:
    """40-bit BLAKE2b hash of a SMILES string."""
    return int.from_bytes(hashlib.blake2b(smiles.encode(), digest_size=_BITS // 8).digest(), "big")


@dataclass(frozen=True)
class SmilesSet:
    """A set of SMILES that remembers hashes only.

    Attributes
    ----------
    hashes:
        (k,) uint64, sorted, distinct.
    """

    hashes: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, smiles: Iterable[str]) -> SmilesSet:
        """Hash the strings."""
        return cls(np.array(sorted({smiles_hash(s) for s in smiles}), dtype=np.uint64))

    def __len__(self) -> int:
        return len(self.hashes)

    def __contains__(self, smiles: object) -> bool:
        if not isinstance(smiles, str):
            return False
        value = np.uint64(smiles_hash(smiles))
        place = int(np.searchsorted(self.hashes, value))
        return place < len(self.hashes) and bool(self.hashes[place] == value)

    def novel(self, smiles: Iterable[str]) -> int:
        """How many of the distinct strings in ``smiles`` are not in the set."""
        return sum(s not in self for s in set(smiles))

    def to_deltas(self) -> npt.NDArray[np.uint64]:
        """(k,) first hash and then differences: small numbers, which compress well."""
        return np.diff(self.hashes, prepend=np.uint64(0))

    @classmethod
    def from_deltas(cls, deltas: npt.NDArray[np.uint64]) -> SmilesSet:
        """Inverse of `to_deltas`."""
        return cls(np.cumsum(deltas.astype(np.uint64), dtype=np.uint64))
