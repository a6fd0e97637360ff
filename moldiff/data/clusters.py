"""Clusters of similar entries, each in one split: what is held out is unlike what is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["linked", "split_clusters"]


def linked(
    fragments: Sequence[npt.NDArray[np.int64]], *, threshold: float = 0.5
) -> npt.NDArray[np.int64]:
    """Return (N,) cluster numbers: single linkage of those that share fragments.

    Two are linked if they share at least ``threshold`` of the fragments of the one with fewer.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    sizes = np.array([len(f) for f in fragments])
    keys, column = np.unique(np.concatenate([*fragments, []]), return_inverse=True)
    row = np.repeat(np.arange(len(sizes)), sizes)
    table = csr_matrix((np.ones(len(row), np.float32), (row, column)), (len(sizes), len(keys)))
    table.data[:] = 1.0
    common = (table @ table.T).tocoo()
    least = np.minimum(sizes[common.row], sizes[common.col])
    close = (common.data >= threshold * least) & (least > 0)
    graph = csr_matrix((close[close], (common.row[close], common.col[close])), common.shape)
    number: npt.NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return number


def split_clusters(
    clusters: npt.NDArray[np.int64], *, share: float, seed: int
) -> npt.NDArray[np.int8]:
    """Return (N,) splits: hold out whole clusters, each at most 1 % of all, up to ``share``."""
    split = np.zeros(len(clusters), dtype=np.int8)
    numbers, counts = np.unique(clusters, return_counts=True)
    held_out = 0
    for k in np.random.default_rng(seed).permutation(len(numbers)):
        if held_out + counts[k] > share * len(clusters):
            continue
        if counts[k] <= max(1, 0.01 * len(clusters)):
            split[clusters == numbers[k]] = 1
            held_out += int(counts[k])
    return split
