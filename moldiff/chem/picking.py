"""Choice of few among many molecules: far apart (MaxMin), or one of each cluster (Butina).

MaxMin: Ashton et al., Quant. Struct.-Act. Relat. 21 (2002) 598, in RDKit's lazy form: each pick is
the molecule whose nearest picked one is furthest.  Butina, J. Chem. Inf. Comput. Sci. 39 (1999)
747: the molecule with most neighbours and these are a cluster, and so on with the others.  Both
compare Morgan fingerprints (radius 2, 2048 bits) by Tanimoto's coefficient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, zip_longest
from types import MappingProxyType

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import ExplicitBitVect

from moldiff.errors import InputError, did_you_mean

__all__ = ["BUTINA", "MAXMIN", "Pick", "fingerprint", "restored"]

MAXMIN, BUTINA = "maxmin", "butina"
_CLUSTER = 0.35  # Tanimoto distance up to which molecules are neighbours
_MOST = 10_000  # molecules that Butina takes: it compares all pairs
_BITS, _RADIUS = 2048, 2


@dataclass(frozen=True)
class Pick:
    """How many molecules to choose, and how.

    Attributes
    ----------
    number:
        As many at most.
    method:
        "maxmin" or "butina".
    seed:
        Of MaxMin's first pick.

    Raises
    ------
    InputError
        If there is no such method, or none is to be picked.
    """

    number: int
    method: str = MAXMIN
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise InputError(
                f"There is no way to pick called '{self.method}'.",
                fix=did_you_mean(self.method, _METHODS),
            )
        if self.number < 1:
            raise InputError(f"Cannot pick {self.number} molecules.", fix="Pick at least 1.")

    def __call__(self, fingerprints: Sequence[ExplicitBitVect]) -> list[tuple[int, int | None]]:
        """Return positions in the order of choice, each with its cluster from 1 (Butina only).

        Of clusters, the largest comes first; the first molecules are the centres of clusters,
        further ones the next of each cluster.

        Raises
        ------
        InputError
            If there are more molecules than Butina can compare.
        """
        if not fingerprints:
            return []
        return _METHODS[self.method](self, fingerprints)[: self.number]


def _maxmin(pick: Pick, prints: Sequence[ExplicitBitVect]) -> list[tuple[int, int | None]]:
    from rdkit.SimDivFilters.rdSimDivPickers import MaxMinPicker

    number = min(pick.number, len(prints))
    # -1 would be a random seed to RDKit.
    chosen = MaxMinPicker().LazyBitVectorPick(prints, len(prints), number, seed=pick.seed % 2**31)
    return [(int(index), None) for index in chosen]


def _butina(pick: Pick, prints: Sequence[ExplicitBitVect]) -> list[tuple[int, int | None]]:
    from rdkit.ML.Cluster.Butina import ClusterData

    if len(prints) > _MOST:
        raise InputError(
            f"{len(prints)} molecules are too many for Butina's clusters, which take {_MOST}.",
            fix="Filter more strictly, or pick by maxmin, which takes any number.",
        )
    distances = np.concatenate(
        [np.zeros(0, np.float32)]
        + [
            1 - np.array(DataStructs.BulkTanimotoSimilarity(prints[k], prints[:k]), np.float32)
            for k in range(1, len(prints))
        ]
    )
    clusters = ClusterData(distances, len(prints), _CLUSTER, isDistData=True, reordering=True)
    numbered = [[(int(i), number) for i in cluster] for number, cluster in enumerate(clusters, 1)]
    rounds = chain.from_iterable(zip_longest(*numbered))
    return [choice for choice in rounds if choice is not None]


_METHODS: Mapping[
    str, Callable[[Pick, Sequence[ExplicitBitVect]], list[tuple[int, int | None]]]
] = MappingProxyType({MAXMIN: _maxmin, BUTINA: _butina})


def fingerprint(mol: Chem.Mol) -> bytes:
    """Return the fingerprint of a sanitised molecule, to be :func:`restored`."""
    return bytes(DataStructs.BitVectToBinaryText(_generator().GetFingerprint(mol)))


def restored(packed: bytes) -> ExplicitBitVect:
    """Return a fingerprint from its bytes."""
    return DataStructs.CreateFromBinaryText(packed)


@cache
def _generator() -> rdFingerprintGenerator.FingerprintGenerator64:
    return rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS, fpSize=_BITS)
