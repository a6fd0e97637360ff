"""What is compared on gaps: our model, what `moldiff complete` makes of it, and other programs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moldiff.benchmark.gaps.judge import Chain, Judged, judge
from moldiff.benchmark.gaps.peers import PEERS, names_of, seconds_of_children
from moldiff.completion.building import build
from moldiff.completion.trials import DRAWS, Cut, Trial, trial
from moldiff.model import Model
from moldiff.protein.absent import Absent
from moldiff.protein.backbone import C_BETA, frames_of
from moldiff.protein.contacts import BACKBONE_RADII, Solid
from moldiff.seeds import generator

__all__ = ["METHODS", "Attempt", "Settings", "attempts"]

METHODS = ("moldiff", "complete", *PEERS, "crystal")
"""``moldiff`` is the likeliest conformation that is drawn, ``complete`` what `moldiff complete`
builds, which clashes with nothing, ``crystal`` the native structure, to compare its bonds with."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """A gap that a method was given.

    Attributes
    ----------
    method, chain, start, length:
        Who; the number of the chain in its store; which residues.
    seconds:
        CPU-seconds: of another program those of its process, loading included.
    judged:
        What it built, measured; None if it built nothing.
    reason:
        Why it did not; else empty.
    trial:
        Of our model, all conformations.
    """

    method: str
    chain: int
    start: int
    length: int
    seconds: float
    judged: Judged | None
    reason: str = ""
    trial: Trial | None = None


@dataclass(frozen=True, eq=False)
class Settings:
    """What the methods need.

    Attributes
    ----------
    model:
        Ours.
    pythons:
        Interpreters that have the other programs, by program.
    draws, steps, seed:
        Of our model: conformations, sampling steps (None: its own), seed.
    """

    model: Model
    pythons: Mapping[str, str]
    draws: int = DRAWS
    steps: int | None = None
    seed: int = 0


def attempts(methods: Sequence[str], cuts: Iterable[Cut], settings: Settings) -> Iterator[Attempt]:
    """Give each gap to all methods in turn, and yield what each makes of it."""
    for cut in cuts:
        for method in methods:
            begin = time.process_time() + seconds_of_children()
            built, drawn = _built(method, cut, settings)
            seconds = time.process_time() + seconds_of_children() - begin
            judged, reason = (None, built) if isinstance(built, str) else (judge(built, cut), "")
            place = (cut.index, cut.start, cut.length)
            yield Attempt(method, *place, seconds, judged, reason, drawn)


def _built(method: str, cut: Cut, settings: Settings) -> tuple[Chain | str, Trial | None]:
    if method in PEERS:
        peer = PEERS[method]
        return peer.build(settings.pythons[peer.program], cut), None
    if method == "complete":
        return _completed(cut, settings), None
    if method == "crystal":
        return Chain(cut.chain.atoms.astype(np.float64), np.full((len(cut.chain), 3), np.nan)), None
    drawn = trial(
        settings.model, cut, draws=settings.draws, steps=settings.steps, seed=settings.seed
    )
    atoms = cut.chain.atoms.astype(np.float64)
    atoms[cut.inside] = drawn.first
    frames = frames_of(atoms.astype(np.float32))
    return Chain(atoms, atoms[:, 1] + frames @ C_BETA), drawn


def _completed(cut: Cut, settings: Settings) -> Chain | str:
    """The chain as `moldiff complete` builds it."""
    names, after = names_of(cut)[cut.inside], cut.start + cut.length
    labels = tuple((cut.start + k + 1, "") for k in range(cut.length))
    absent = Absent("A", cut.start - 1, after, tuple(names), labels, cut.start)
    atoms = cut.chain.atoms.astype(np.float64)
    given = np.delete(atoms, np.arange(cut.start, after), axis=0)
    size = np.tile(BACKBONE_RADII, len(given))
    built = build(
        settings.model,
        absent,
        cut.gap,
        Solid(given.reshape(-1, 3), size),
        count=settings.draws,
        rng=generator(settings.seed, cut.index, cut.length),
        named=lambda x: f"residue {_nearest(atoms, x) + 1}",
    )
    if isinstance(built, str):
        return built
    atoms[cut.inside] = built.ensemble[0]
    beta = np.full((len(atoms), 3), np.nan)
    for k, residue in enumerate(built.residues, cut.start):
        beta[k] = residue.get("CB", beta[k])
    return Chain(atoms, beta)


def _nearest(atoms: np.ndarray, x: np.ndarray) -> int:
    return int(np.linalg.norm(atoms[:, 1] - x, axis=1).argmin())
