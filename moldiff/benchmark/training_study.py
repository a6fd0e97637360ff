"""What is compared, and how it is measured.

Each way to train or sample is timed at its own best batch, all of one size in turns with a matrix
product at the machine's float32 peak, so that every ratio, and every share of the peak, is taken
turn by turn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from moldiff.benchmark import training_works as works
from moldiff.benchmark import workloads
from moldiff.benchmark.bench import OWN
from moldiff.benchmark.peers import PEERS, Peer
from moldiff.benchmark.timing import Timing, Work, flops, interleaved, peak, quartiles, ratio
from moldiff.precision import Precision, resolve

__all__ = ["EARLIER", "PLAN", "QUICK", "Plan", "Study", "measure"]

Row = dict[str, Any]
EARLIER = "dfa4b98"
"""The commit whose settings are compared: bfloat16, torch's Muon, AdamW not fused."""
TYPES: tuple[Precision, ...] = ("float32", "bfloat16")
_NOMINAL = 0.4  # GFLOP: about what a molecule of the reference size costs in training
_AT_LEAST_BETTER = 0.97  # of the time: worth a larger batch


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    sites:
        Sizes of the molecules.
    reference:
        The size of which gain and relation to the peak are told; the peers are not timed at it.
    batches, groups, peer_batches:
        Molecules at once that are tried in training, in sampling, and with the peers' networks:
        in this order, as long as more are faster.
    turns, tries:
        Measurements of each case, and of each batch that is tried.
    at_least:
        Seconds one measurement lasts.
    matrices:
        Sizes of the matrix products whose best rate is the machine's peak.
    """

    sites: tuple[int, ...] = (9, 18, 22, 25)
    reference: int = 22
    batches: tuple[int, ...] = (16, 32, 64, 96)
    groups: tuple[int, ...] = (16, 32, 64)
    peer_batches: tuple[int, ...] = (4, 16, 64)
    turns: int = 5
    tries: int = 2
    at_least: float = 0.1
    matrices: tuple[int, ...] = (256, 512, 1024, 2048)


PLAN = Plan()
QUICK = Plan((3, 4), 4, (2,), (2,), (1,), turns=2, tries=1, at_least=0.0, matrices=(64,))
"""Enough to see that everything works; the figures mean nothing."""


@dataclass(frozen=True)
class Study:
    """What is measured: a recipe's network against its earlier settings and against peers."""

    recipe: Path
    plan: Plan = PLAN
    threads: int = 1
    peers: tuple[Peer, ...] = PEERS

    @property
    def precision(self) -> Precision:
        """The type that ``auto`` stands for on this machine; the peers compute in it too."""
        return "bfloat16" if resolve("auto") is torch.bfloat16 else "float32"


@dataclass(frozen=True)
class Part:
    """A part of the work of a batch: the mean number of calls, and the GFLOP of each."""

    calls: float
    work: Work
    gflop: Callable[[], float]


@dataclass(frozen=True)
class Way:
    """A way to make a batch of molecules, or to train on one."""

    name: str
    precision: Precision
    batches: tuple[int, ...]
    parts: Callable[[int], AbstractContextManager[Sequence[Part]]]

    @property
    def key(self) -> str:
        """A name that tells it from the others."""
        return f"{self.name} {self.precision}"


def measure(study: Study, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything; ``say`` is told what begins.

    Returns
    -------
    dict
        ``gain``: how many times as fast training is as in the earlier settings;
        ``relative_to_peak``: CPU time of a molecule in training by that of 0.4 GFLOP at the
        float32 peak; both at the reference size, with quartiles; and ``sections``, tables of
        plain rows.
    """
    plan = study.plan
    rate, size = peak(torch.float32, plan.matrices, turns=plan.turns)
    tables: dict[str, list[Row]] = {"training": [], "generating": []}
    whole: dict[str, Any] = {"precision": study.precision}
    for n in plan.sites:
        for work, ways in (("training", _training(study, n)), ("generating", _sampling(study, n))):
            say(f"{work}, {n} sites")
            timings, rows = _compare(ways, plan, size, f"{OWN} {study.precision}")
            tables[work] += [{"sites": n, **row} for row in rows]
            if (work, n) == ("training", plan.reference):
                whole |= _summary(study, timings)
    peaks = [{"precision": "float32", "gflop_per_cpu_s": rate / 1e9, "matrix": size}]
    return whole | {"sections": {"peak": peaks, **tables}}


def _summary(study: Study, timings: Mapping[str, Timing]) -> Row:
    own = timings[f"{OWN} {study.precision}"]
    ratios = {
        "gain": ratio(timings[f"{EARLIER} bfloat16"], own),
        "relative_to_peak": ratio(own, timings["peak"].times(_NOMINAL)),
    }
    row: Row = {}
    for name, values in ratios.items():
        low, high = quartiles(values.seconds)
        row |= {name: values.median, f"{name}_low": low, f"{name}_high": high}
    return row


# --- the ways ----------------------------------------------------------------------------------


def _training(study: Study, n: int) -> list[Way]:
    batches = study.plan.batches
    own = [
        Way(OWN, p, batches, functools.partial(_steps, study, n, p, earlier=False)) for p in TYPES
    ]
    before = functools.partial(_steps, study, n, "bfloat16", earlier=True)
    ways = [*own, Way(EARLIER, "bfloat16", batches, before)]
    return ways + _peers(study, n, _peer_step)


def _sampling(study: Study, n: int) -> list[Way]:
    own = [Way(OWN, p, study.plan.groups, functools.partial(_sampled, study, n, p)) for p in TYPES]
    return own + _peers(study, n, _peer_evaluation)


def _peers(study: Study, n: int, parts: Callable[..., Any]) -> list[Way]:
    if n == study.plan.reference:
        return []
    return [
        Way(
            peer.name,
            study.precision,
            study.plan.peer_batches,
            functools.partial(parts, study, peer, n),
        )
        for peer in study.peers
    ]


@contextmanager
def _steps(
    study: Study, n: int, precision: Precision, b: int, *, earlier: bool
) -> Iterator[list[Part]]:
    """Steps with and without self-conditioning, mixed as in training."""
    share = works.share(works.configuration(study.recipe))
    with ExitStack() as stack:
        parts = []
        for calls, conditioned in ((1 - share, 0.0), (share, 1.0)):
            run = works.training(
                study.recipe,
                b,
                n,
                precision=precision,
                self_condition=conditioned,
                threads=study.threads,
                earlier=earlier,
            )
            training = stack.enter_context(run)
            parts.append(Part(calls, training.step, training.gflop))
        yield parts


@contextmanager
def _sampled(study: Study, n: int, precision: Precision, b: int) -> Iterator[list[Part]]:
    run = works.training(
        study.recipe, b, n, precision=precision, self_condition=0.0, threads=study.threads
    )
    with run as training:
        model = training.model
        model.network.eval()
        step = workloads.sampling_step(model, b, n, precision=model.precision)
        yield [_part(workloads.as_generated(model)[1].steps, workloads.inference(step))]


@contextmanager
def _peer_step(study: Study, peer: Peer, n: int, b: int) -> Iterator[list[Part]]:
    config = works.configuration(study.recipe).optimizer
    dtype = resolve(study.precision)
    step = works.peer_training_step(peer, b, n, precision=dtype, config=config)
    yield [_part(1.0, step)]


@contextmanager
def _peer_evaluation(study: Study, peer: Peer, n: int, b: int) -> Iterator[list[Part]]:
    work = workloads.peer_evaluation(peer.build(), b, n)
    work = workloads.with_autocast(work, resolve(study.precision))
    yield [_part(peer.steps, workloads.inference(work))]


def _part(calls: float, work: Work) -> Part:
    return Part(calls, work, lambda: flops(work) / 1e9)


# --- measuring ---------------------------------------------------------------------------------


def _compare(
    ways: Sequence[Way], plan: Plan, size: int, own: str
) -> tuple[dict[str, Timing], list[Row]]:
    """Return the CPU seconds per molecule of each way, and of a GFLOP at the ``peak``; and rows.

    ``size`` is that of the matrices of the peak, ``own`` the way that the others' are divided by.
    """
    batches = {way.key: _best_batch(way, plan) for way in ways}
    square = torch.randn(size, size, generator=torch.Generator().manual_seed(0))
    cases: dict[str, Work] = {"peak": lambda: square @ square}
    with ExitStack() as stack:
        opened = {way.key: stack.enter_context(way.parts(batches[way.key])) for way in ways}
        for key, parts in opened.items():
            cases |= {f"{key}, {k}": part.work for k, part in enumerate(parts)}
        timed = interleaved(cases, turns=plan.turns, at_least=plan.at_least)
        operations = {
            key: sum(part.calls * part.gflop() for part in parts) for key, parts in opened.items()
        }
    timings = {"peak": timed["peak"].times(1e9 / (2 * size**3))}
    for key, parts in opened.items():
        each = [timed[f"{key}, {k}"].times(part.calls) for k, part in enumerate(parts)]
        timings[key] = functools.reduce(Timing.plus, each).times(1 / batches[key])
    rows = []
    for way in ways:
        b, timing = batches[way.key], timings[way.key]
        gflop = operations[way.key] / b
        against = ratio(timing, timings[own])
        low, high = quartiles(against.seconds)
        rows.append(
            {
                "network": way.name,
                "precision": way.precision,
                "batch": b,
                "cpu_ms_per_molecule": 1e3 * timing.median,
                "molecules_per_cpu_s": 1 / timing.median,
                "spread": timing.spread,
                "ratio": against.median,
                "ratio_low": low,
                "ratio_high": high,
                "gflop_per_molecule": gflop,
                "peak_share": ratio(timings["peak"].times(gflop), timing).median,
            }
        )
    return timings, rows


def _best_batch(way: Way, plan: Plan) -> int:
    """Return the batch that is fastest per molecule, the smaller one if they are alike."""
    best, least = way.batches[0], float("inf")
    for b in way.batches if len(way.batches) > 1 else ():
        with way.parts(b) as parts:
            part = parts[0]
            seconds = interleaved({"": part.work}, turns=plan.tries)[""].median / b
        if seconds > _AT_LEAST_BETTER * least:
            break
        best, least = b, seconds
    return best
