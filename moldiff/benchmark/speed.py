"""The sections of ``scripts/benchmark speed``: each measures its cases and returns plain rows.

Names of columns carry their unit.  Networks are compared at the mean size of the model's
molecules, each at its own best batch, as one evaluation times the number of steps.  For the
peers that leaves out noise, decoding and padding; moldiff's step is its sampler's whole
step, and `loops` compares it with real generation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log, nan
from types import MappingProxyType
from typing import Any

import torch

from moldiff.benchmark import report, workloads
from moldiff.benchmark.allocator import effect
from moldiff.benchmark.bench import OWN, Bench
from moldiff.benchmark.timing import (
    LiveMemory,
    Timing,
    Work,
    flops,
    interleaved,
    peak,
    quartiles,
    ratio,
)

__all__ = ["FORMAT", "SECTIONS", "Row", "Section", "document", "measure"]

FORMAT = "moldiff-speed-2"

Row = dict[str, Any]
Section = Callable[[Bench], list[Row]]
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def _inference(works: Mapping[str, Work]) -> dict[str, Work]:
    return {name: workloads.inference(work) for name, work in works.items()}


def _memory(work: Work) -> float:
    with torch.no_grad():
        return LiveMemory.of(work) / 2**20


def _ratios(timing: Timing) -> Row:
    low, high = quartiles(timing.seconds)
    return {"ratio": timing.median, "ratio_low": low, "ratio_high": high}


def machine_peak(bench: Bench) -> list[Row]:
    """The machine's rate of matrix products: what 100 % means in the other sections."""
    rows = []
    for name, dtype in PRECISIONS.items():
        rate, size = peak(dtype, bench.plan.matrices, turns=bench.plan.turns)
        bench.peaks[name] = rate
        rows.append({"precision": name, "gflop_per_cpu_s": rate / 1e9, "matrix": size})
    return rows


def batches(bench: Bench) -> list[Row]:
    """One evaluation against the number of graphs; finds each network's best batch."""
    rows: list[Row] = []
    for b in bench.plan.batches:
        works = {x.name: x.evaluation(b, bench.atoms) for x in bench.networks}
        timings = interleaved(
            _inference(works), turns=bench.plan.long_turns, at_least=bench.plan.at_least / 4
        )
        rows += [
            {
                "network": name,
                "batch": b,
                "cpu_ms_per_molecule": 1e3 * timings[name].median / b,
                "spread": timings[name].spread,
                "peak_mib": _memory(work),
            }
            for name, work in works.items()
        ]
    for network in bench.networks:
        times = {
            row["batch"]: row["cpu_ms_per_molecule"]
            for row in rows
            if row["network"] == network.name
        }
        # The smallest batch that is as good as the fastest, as far as one can tell.
        limit = 1.03 * min(times.values())
        bench.best[network.name] = min(b for b, time in times.items() if time <= limit)
    return [row | {"best": bench.best[row["network"]] == row["batch"]} for row in rows]


def sampling(bench: Bench) -> list[Row]:
    """Molecules per CPU second against the peers: the headline."""
    best = bench.best
    works = {x.name: x.evaluation(best[x.name], bench.atoms) for x in bench.networks}
    timings = interleaved(_inference(works), turns=bench.plan.turns, at_least=bench.plan.at_least)
    scales = {x.name: x.steps / best[x.name] for x in bench.networks}
    molecule = {name: timings[name].times(scales[name]) for name in works}
    rows = []
    for x in bench.networks:
        seconds = molecule[x.name].median
        with torch.no_grad():
            operations = flops(works[x.name]) * scales[x.name]
        rows.append(
            {
                "network": x.name,
                "source": x.source,
                "parameters": x.parameters,
                "published_parameters": x.published_parameters,
                "steps": x.steps,
                "batch": best[x.name],
                "atoms": bench.atoms,
                "cpu_ms_per_step": 1e3 * seconds / x.steps,
                "cpu_s_per_molecule": seconds,
                "molecules_per_cpu_s": 1 / seconds,
                "spread": molecule[x.name].spread,
                **_ratios(ratio(molecule[x.name], molecule[OWN])),
                "gflop_per_molecule": operations / 1e9,
                "peak_share": operations / seconds / bench.peaks["float32"],
            }
        )
    return rows


def loops(bench: Bench) -> list[Row]:
    """Real loops against one step times the steps; time and memory against steps."""
    plan, n, b = bench.plan, bench.atoms, bench.plan.loop_batch
    own, edm = bench.networks[:2]
    assert edm.module is not None
    cases: dict[str, tuple[str, int, Work]] = {
        f"{OWN}, {k} steps": (own.name, k, workloads.sampling_loop(bench.model, b, n, k))
        for k in sorted({*plan.steps, own.steps})
    }
    cases[f"{OWN}, generate()"] = own.name, own.steps, workloads.generation(bench.model, b, n)
    loop = workloads.peer_loop(edm.module, b, n, plan.peer_steps)
    cases[f"{edm.name}, {plan.peer_steps} steps"] = edm.name, plan.peer_steps, loop
    single = {x.name: x.evaluation(b, n) for x in (own, edm)}
    whole = {case: work for case, (_, _, work) in cases.items()}
    timings = interleaved(_inference(single | whole), turns=plan.long_turns, at_least=plan.at_least)
    rows = []
    for case, (name, steps, work) in cases.items():
        expected = timings[name].times(steps)
        rows.append(
            {
                "loop": case,
                "steps": steps,
                "batch": b,
                "cpu_s_per_molecule": timings[case].median / b,
                "expected_cpu_s_per_molecule": expected.median / b,
                **_ratios(ratio(timings[case], expected)),
                "peak_mib": None if "generate" in case else _memory(work),
            }
        )
    return rows


def precision(bench: Bench) -> list[Row]:
    """One evaluation in bfloat16 against float32, each network at its best batch."""
    rows = []
    for x in bench.networks:
        b = bench.best[x.name]
        works = {
            name: (
                workloads.sampling_step(bench.model, b, bench.atoms, precision=dtype)
                if x.module is None
                else workloads.with_autocast(x.evaluation(b, bench.atoms), dtype)
            )
            for name, dtype in PRECISIONS.items()
        }
        timings = interleaved(
            _inference(works), turns=bench.plan.turns, at_least=bench.plan.at_least / 2
        )
        row: Row = {"network": x.name, "batch": b}
        row |= {
            f"{name}_cpu_ms_per_molecule": 1e3 * timings[name].median / b for name in PRECISIONS
        }
        rows.append(row | _ratios(ratio(timings["float32"], timings["bfloat16"])))
    return rows


def atoms(bench: Bench) -> list[Row]:
    """One evaluation against the size of the molecule; growth is the local power of n."""
    b, rows = bench.plan.atoms_batch, []
    before: dict[str, tuple[int, float]] = {}
    for n in bench.plan.atoms:
        works = {x.name: x.evaluation(b, n) for x in bench.networks}
        timings = interleaved(
            _inference(works), turns=bench.plan.long_turns, at_least=bench.plan.at_least / 4
        )
        for name, work in works.items():
            seconds = timings[name].median / b
            fewer, less = before.get(name, (0, nan))
            rows.append(
                {
                    "network": name,
                    "atoms": n,
                    "batch": b,
                    "cpu_ms_per_molecule": 1e3 * seconds,
                    "growth": log(seconds / less) / log(n / fewer) if fewer else None,
                    "ratio": ratio(timings[name], timings[OWN]).median,
                    "peak_mib": _memory(work),
                }
            )
            before[name] = n, seconds
    return rows


def allocator(bench: Bench) -> list[Row]:
    """Speed with and without `moldiff.cpu.keep_freed_memory`, in processes of their own."""
    return effect(
        bench.path,
        bench.recipe,
        batch=bench.plan.allocator_batch,
        atoms=bench.atoms,
        threads=bench.threads,
        processes=bench.plan.allocator_turns,
    )


SECTIONS: Mapping[str, Section] = MappingProxyType(
    {
        "peak": machine_peak,
        "batches": batches,
        "sampling": sampling,
        "loops": loops,
        "precision": precision,
        "allocator": allocator,
        "atoms": atoms,
    }
)
"""All sections, in an order in which each finds what it needs in the bench."""


def measure(bench: Bench, say: Callable[[str], None]) -> dict[str, list[Row]]:
    """Run all sections; ``say`` is told which one begins."""
    results = {}
    for name, section in SECTIONS.items():
        say(name)
        results[name] = section(bench)
    return results


def document(
    bench: Bench, sections: Mapping[str, list[Row]], *, seconds: float, load: float | None
) -> dict[str, Any]:
    """Return everything that was measured, and on what, as plain JSON values."""
    model = {
        "name": bench.model.card.get("name", "unnamed"),
        "hash": bench.model.digest,
        "network": bench.model.config()["network"],
        "sampling": dict(bench.model.sampling),
    }
    values = {"model": model, "sections": dict(sections)}
    return report.document(FORMAT, values, threads=bench.threads, seconds=seconds, load=load)
