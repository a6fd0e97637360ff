"""What keeping freed memory is worth: the same work in processes that do and do not.

The setting cannot be taken back within a process, so each case runs in a new one, which is
this module run as a program.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["effect"]

_WORKS = ("sampling", "training")


def effect(
    model: Path, recipe: Path, *, batch: int, atoms: int, threads: int, processes: int
) -> list[dict[str, Any]]:
    """Return a row for each kind of work; one process of each kind after the other.

    Parameters
    ----------
    model, recipe:
        Files of the model and of the training configuration.
    batch, atoms:
        Molecules at once, and their size.
    threads:
        Threads of one operation.
    processes:
        Number of processes with the setting, and without it.
    """
    settings: dict[str, Any] = {"batch": batch, "atoms": atoms, "threads": threads}
    settings |= {"model": str(model), "recipe": str(recipe)}
    runs = [
        {keep: _process(settings | {"keep": keep}) for keep in (True, False)}
        for _ in range(processes)
    ]
    rows = []
    for work in _WORKS:
        kept = statistics.median(run[True][work]["cpu_s"] for run in runs)
        returned = statistics.median(run[False][work]["cpu_s"] for run in runs)
        rows.append(
            {
                "work": work,
                "batch": batch,
                "supported": runs[0][True]["kept"],
                "kept_cpu_ms_per_molecule": 1e3 * kept / batch,
                "returned_cpu_ms_per_molecule": 1e3 * returned / batch,
                "ratio": statistics.median(
                    run[False][work]["cpu_s"] / run[True][work]["cpu_s"] for run in runs
                ),
                "kept_page_faults": runs[0][True][work]["page_faults"],
                "returned_page_faults": runs[0][False][work]["page_faults"],
            }
        )
    return rows


def _process(settings: dict[str, Any]) -> dict[str, Any]:
    """Run :func:`main` in a new process, without allocator settings from outside."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    root = str(Path(__file__).resolve().parents[2])
    known = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{root}{os.pathsep}{known}" if known else root
    command = [sys.executable, "-m", "moldiff.benchmark.allocator", json.dumps(settings)]
    child = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return result


def _page_faults() -> int | None:
    """Pages this process had to be given so far; None where that is not counted."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def main(settings: dict[str, Any]) -> dict[str, Any]:
    """Time a sampling and a training step in this process, with or without the setting."""
    import torch

    from moldiff.benchmark import workloads
    from moldiff.benchmark.timing import interleaved
    from moldiff.cpu import keep_freed_memory
    from moldiff.model import Model

    torch.set_num_threads(settings["threads"])
    result: dict[str, Any] = {"kept": keep_freed_memory() if settings["keep"] else False}
    model, b, n = Model.load(Path(settings["model"])), settings["batch"], settings["atoms"]
    step = workloads.sampling_step(model, b, n)
    train = workloads.training_step(model, Path(settings["recipe"]), b, n)
    for name, work in zip(_WORKS, (workloads.inference(step), train), strict=True):
        seconds = interleaved({name: work}, turns=3)[name].median
        before = _page_faults()
        work()
        after = _page_faults()
        faults = None if before is None or after is None else after - before
        result[name] = {"cpu_s": seconds, "page_faults": faults}
    return result


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
