"""Trials of a backbone model: loops cut out of chains, and built again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.completion.sampling import sample_gap, spread
from moldiff.data.backbones import BackboneStore
from moldiff.domain.backbones import NEIGHBOURS
from moldiff.model import Model
from moldiff.protein.backbone import Backbone
from moldiff.protein.gap import FLANK, Gap, cut, window
from moldiff.seeds import generator

__all__ = ["DRAWS", "LENGTHS", "Cut", "Trial", "cuts", "figures", "trial", "trials"]

LENGTHS = (4, 8, 12)
"""Residues of the gaps on which models are judged."""
DRAWS = 10
"""Conformations drawn of each."""

_GOOD = 2.0  # Å


@dataclass(frozen=True, eq=False)
class Cut:
    """A loop that is cut out of a chain.

    Attributes
    ----------
    index, chain:
        The number of the chain in its store, and the chain, whole.
    start, length:
        Which of its residues are cut out.
    """

    index: int
    chain: Backbone
    start: int
    length: int

    @property
    def inside(self) -> slice:
        """The residues that are cut out."""
        return slice(self.start, self.start + self.length)

    @property
    def native(self) -> npt.NDArray[np.float32]:
        """(n, 4, 3) their atoms N, CA, C and O in the crystal, Å."""
        return self.chain.atoms[self.inside]

    @property
    def gap(self) -> Gap:
        """What is known where they were."""
        return cut(self.chain, self.start, self.length, neighbours=NEIGHBOURS)


@dataclass(frozen=True, eq=False)
class Trial:
    """A gap that was built again.

    Attributes
    ----------
    chain, start, length:
        The number of the chain in its store, and which of its residues were cut out.
    rmsd:
        (c,) of the conformations from the crystal structure in Å: N, CA, C and O, not superposed,
        the likeliest first.
    closed:
        (c,) whether they reach both anchors.
    seconds:
        CPU-seconds for all of them.
    spread:
        How far the conformations are apart in Å, the root mean square over the residues.
    first:
        (n, 4, 3) the likeliest conformation: N, CA, C and O in Å.
    """

    chain: int
    start: int
    length: int
    rmsd: npt.NDArray[np.float64]
    closed: npt.NDArray[np.bool_]
    seconds: float
    spread: float
    first: npt.NDArray[np.float32]


def cuts(
    store: BackboneStore, chains: Iterable[int], lengths: Sequence[int] = LENGTHS
) -> Iterator[Cut]:
    """Cut a loop out of each chain of a store.

    The lengths take turns; chains that are too short for theirs are passed over.  Where a loop is
    cut depends on its chain and length alone, so all models are given the same gaps.
    """
    for k, index in enumerate(chains):
        length, chain = lengths[k % len(lengths)], store[index]
        if len(chain) >= length + 2 * FLANK:
            rng = np.random.default_rng([index, length])
            yield Cut(index, chain, window(chain, length, rng, loop=True), length)


def trial(
    model: Model, one: Cut, *, draws: int = DRAWS, steps: int | None = None, seed: int = 0
) -> Trial:
    """Build a loop that was cut out again."""
    gap, rng = one.gap, generator(seed, one.index, one.length)
    begin = time.process_time()
    drawn = sample_gap(model, gap, draws, rng=rng, steps=steps)
    seconds = time.process_time() - begin
    apart = float(np.sqrt(np.square(spread(drawn.atoms)).mean()))
    errors, first = drawn.rmsd(one.native), drawn.atoms[0]
    return Trial(one.index, one.start, one.length, errors, drawn.closed, seconds, apart, first)


def trials(
    model: Model,
    store: BackboneStore,
    chains: Iterable[int],
    *,
    lengths: Sequence[int] = LENGTHS,
    draws: int = DRAWS,
    steps: int | None = None,
    seed: int = 0,
) -> Iterator[Trial]:
    """Cut a loop out of each chain of a store, build it again, and yield the trials."""
    for one in cuts(store, chains, lengths):
        yield trial(model, one, draws=draws, steps=steps, seed=seed)


def figures(done: Sequence[Trial]) -> dict[str, float]:
    """Return the figures of trials.

    ``success``: share of conformations within 2 Å; ``closed``: share of those that reach both
    anchors; and of each length the medians in Å of all conformations (``rmsd4``), of the first
    of each gap (``first4``), and of the best of each (``best4``).
    """
    if not done:
        return {}
    every = np.concatenate([trial.rmsd for trial in done])
    closed = np.concatenate([trial.closed for trial in done])
    values = {"samples": len(every), "success": (every < _GOOD).mean(), "closed": closed.mean()}
    for length in sorted({trial.length for trial in done}):
        of_length = np.stack([trial.rmsd for trial in done if trial.length == length])
        values[f"rmsd{length}"] = np.median(of_length)
        values[f"first{length}"] = np.median(of_length[:, 0])
        values[f"best{length}"] = np.median(of_length.min(1))
    return {name: round(float(value), 4) for name, value in values.items()}
