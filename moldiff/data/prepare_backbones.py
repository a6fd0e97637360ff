"""From files of protein backbones to a `BackboneStore`: read, filter, cluster, split, write.

Chains of one topology of CATH belong to one cluster, and a cluster to one split: what is held out
has folds that were never trained on.  Where a file has no such codes, chains are alike that share a
tenth of their stretches of five residues.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff.data.backbone_files import Chain, read_chains
from moldiff.data.backbones import BackboneStore, write
from moldiff.data.clusters import linked, split_clusters
from moldiff.data.ragged import SPLITS
from moldiff.errors import DataError
from moldiff.parallel import Progress
from moldiff.protein.backbone import UNKNOWN, Backbone

__all__ = ["prepare_backbones"]

_SHORTEST = 40  # residues
_BOND = (1.1, 1.6)  # Å, range of a C-N bond in a chain without a gap
_STEP = (2.6, 4.2)  # Å, range of the distance of consecutive C-alpha: cis to trans
_STRETCH, _ALIKE = 5, 0.1


def prepare_backbones(
    files: Sequence[str | Path],
    destination: str | Path,
    *,
    seed: int = 0,
    share: float = 0.05,
    limit: int | None = None,
    progress: Progress | None = None,
) -> BackboneStore:
    """Prepare the chains of files as a store.

    Parameters
    ----------
    files:
        Files that `moldiff.data.backbone_files` reads.
    seed:
        Seed of the split.
    share:
        Fraction of the chains for validation; 1 holds all of them out.
    limit:
        Largest number of chains of each file, the first ones.
    progress:
        Called as ``progress(stage, done, total)``.

    Raises
    ------
    InputError
        If a file is missing or has another format.
    DataError
        If no chain can be used, or the store cannot be written.
    """
    report = progress or (lambda stage, done, total: None)
    accepted: list[Chain] = []
    rejected: list[tuple[str, str]] = []
    for number, path in enumerate(map(Path, files)):
        count, chains = read_chains(path, limit)
        for k, chain in enumerate(chains):
            reason = _fault(chain.backbone)
            if reason:
                rejected.append((chain.name, reason))
            else:
                accepted.append(chain)
            if len(files) == 1:
                report(f"reading {path.name}", k + 1, count)
        if len(files) > 1:
            report("reading files", number + 1, len(files))
    if not accepted:
        reasons = sorted({reason for _, reason in rejected})
        raise DataError(f"No chain can be used: {', '.join(reasons)}.", fix="Look at the reasons.")
    parts, threshold = _likeness(accepted)
    clusters = linked(parts, threshold=threshold)
    write(
        Path(destination),
        [(chain.name, chain.backbone) for chain in accepted],
        rejected,
        clusters=clusters,
        split=_split(clusters, share, seed),
        source=_source(files),
    )
    return BackboneStore.open(destination)


def _fault(chain: Backbone) -> str:
    """Return why a chain cannot be used; "" if it can."""
    if len(chain) < _SHORTEST:
        return f"fewer than {_SHORTEST} residues"
    if not np.isfinite(chain.atoms).all():
        return "atoms without a position"
    n, ca, c = chain.atoms[:, 0], chain.atoms[:, 1], chain.atoms[:, 2]
    bond = np.linalg.norm(n[1:] - c[:-1], axis=1)
    step = np.linalg.norm(ca[1:] - ca[:-1], axis=1)
    inside = [(low < d) & (d < high) for d, (low, high) in ((bond, _BOND), (step, _STEP))]
    return "" if np.logical_and(*inside).all() else "a break in the chain"


def _likeness(chains: Sequence[Chain]) -> tuple[list[npt.NDArray[np.int64]], float]:
    """Return numbers of each chain, and which share of them two chains have in common."""
    if all(chain.cath for chain in chains):
        codes = [
            sorted({".".join(code.split(".")[:3]) for code in chain.cath.split("+")})
            for chain in chains
        ]
        number = {code: k for k, code in enumerate(sorted(set().union(*codes)))}
        # However many topologies a chain has, one in common is enough.
        return [np.array([number[code] for code in own], np.int64) for own in codes], 1e-6
    powers = (UNKNOWN + 1) ** np.arange(_STRETCH, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view
    stretches = [
        np.unique(windows(chain.backbone.types.astype(np.int64), _STRETCH) @ powers)
        for chain in chains
    ]
    return stretches, _ALIKE


def _source(files: Sequence[str | Path]) -> str:
    few = len(files) <= 3
    return ", ".join(Path(path).name for path in files) if few else f"{len(files)} files"


def _split(clusters: npt.NDArray[np.int64], share: float, seed: int) -> npt.NDArray[np.int8]:
    if share == 1.0:  # clusters of any size, then
        return np.full(len(clusters), SPLITS.index("validation"), np.int8)
    return split_clusters(clusters, share=share, seed=seed)
