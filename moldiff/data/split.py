"""Train, validation and test by a hash of the molecules: the same molecule, the same split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from moldiff.data.write import SPLITS
from moldiff.errors import ConfigError

__all__ = ["check_fractions", "hashes", "split_by_hash", "split_hashes"]


def split_by_hash(
    smiles: Sequence[str], fractions: tuple[float, float, float], seed: int
) -> list[int]:
    """Assign each molecule a split; equal SMILES always share one.

    The distinct SMILES are ordered by the sha256 of seed and SMILES and cut at the fractions,
    so neither the order of the files nor duplicates matter, and the shares are exact even for
    small sets.  Training gets at least one molecule.
    """
    split, _ = split_hashes(hashes(smiles, seed), fractions)
    return [int(k) for k in split]


def hashes(smiles: Iterable[str], seed: int) -> npt.NDArray[np.bytes_]:
    """(N,) sha256 of seed and SMILES."""
    digests = b"".join(hashlib.sha256(f"{seed} {s}".encode()).digest() for s in smiles)
    return np.frombuffer(digests, "S32")


def split_hashes(
    hashed: npt.NDArray[np.bytes_], fractions: tuple[float, float, float]
) -> tuple[npt.NDArray[np.int8], int]:
    """Return the split of each hash, (N,), and the number of distinct hashes."""
    distinct, rank = np.unique(hashed, return_inverse=True)
    count = len(distinct)
    sizes = [round(share * count) for share in fractions[1:]]
    # Rounding must leave at least one molecule for training.
    test = min(sizes[1], count - 1)
    validation = min(sizes[0], count - 1 - test)
    borders = (count - validation - test, count - test, count)
    return np.searchsorted(borders, rank, side="right").astype(np.int8), count


def check_fractions(fractions: tuple[float, float, float]) -> None:
    """Raise ``ConfigError`` unless the shares of the splits add up to 1, the first above 0."""
    total_is_one = abs(sum(fractions) - 1.0) < 1e-6
    if len(fractions) != len(SPLITS) or min(fractions) < 0 or not total_is_one or not fractions[0]:
        raise ConfigError(
            f"The fractions {tuple(fractions)} are not shares of {', '.join(SPLITS)}.",
            fix="Give three numbers that add up to 1, the first above 0, as in (0.9, 0.05, 0.05).",
        )
