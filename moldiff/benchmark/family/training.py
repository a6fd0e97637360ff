"""Training for a given CPU time, with a learning rate that is known beforehand.

The rate is constant after its rise, and falls over the last steps (Hägele et al., 2024): so the
number of steps need not be known at the start.  At 70 % of the time the speed of the last steps
says how many more there will be, and over those the rate falls.  The time is the CPU time of
this process in training steps (with what a teacher does in them), kept in the checkpoint: a run
that is stopped or killed goes on from there.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from moldiff.benchmark.family.members import trained_by
from moldiff.errors import InputError
from moldiff.report.document import plain
from moldiff.report.environment import machine, versions
from moldiff.text import replace_text
from moldiff.train import TrainConfig, Trainer
from moldiff.train.api import trainer
from moldiff.train.workload import Data

__all__ = ["keep", "read_results", "train", "trained"]

_STABLE = 0.7  # of the time before the rate falls
_ENDLESS = 10**8
_RECENT = 200  # steps whose speed says how many more there will be

Say = Callable[[str], None]


def read_results(path: Path) -> dict[str, Any] | None:
    """Return what a file of results holds; None if there is none that can be read."""
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return results


def keep(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Write results, all or nothing, and return them as they will be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded: dict[str, Any] = plain(values)
    replace_text(path, json.dumps(rounded, indent=1) + "\n")
    return rounded


def trained(config: TrainConfig, minutes: float) -> dict[str, Any] | None:
    """Return what :func:`train` has done for ``minutes``; None if it is not done.

    Raises
    ------
    InputError
        If the directory holds a run of another length, or with other settings.
    """
    folder, settings = Path(config.output), plain(trained_by(config))
    done = read_results(folder / "training.json")
    for record in filter(None, (done, read_results(folder / "plan.json"))):
        if record["minutes"] != plain(minutes):
            raise InputError(
                f"'{folder}' was trained for {record['minutes']:g} minutes, not {minutes:g}.",
                fix="Give the same --minutes, or another directory with --runs.",
            )
        others = [k for k, v in record.get("settings", settings).items() if settings.get(k) != v]
        if others:
            raise InputError(
                f"'{folder}' was trained with another {', '.join(others)}.",
                fix="Give the same recipe, or another directory with --runs.",
            )
    return done


def train(config: TrainConfig, store: Data, minutes: float, say: Say) -> dict[str, Any]:
    """Train for ``minutes`` of CPU time; return what was done, as plain values.

    Raises
    ------
    InputError
        If the directory holds a run of another length, or with other settings.
    MoldiffError
        If the configuration cannot be trained, or diverges.
    """
    folder = Path(config.output)
    done, plan = trained(config, minutes), read_results(folder / "plan.json")
    if done is not None:
        return done
    if plan is None:
        run = trainer(_of_length(config, _ENDLESS), store)
        content = _stable(run, minutes, say) | {"settings": trained_by(config)}
        plan = keep(folder / "plan.json", content)
    run = trainer(_of_length(config, plan["steps"], plan["decay"]), store)
    say(f"  step {run.step} of {plan['steps']}, {run.cpu_seconds / 60:.1f} CPU minutes")
    for _ in run.fit():
        pass
    return keep(folder / "training.json", _record(run, minutes))


def _of_length(config: TrainConfig, steps: int, decay: int = 1) -> TrainConfig:
    return replace(config, steps=steps, optimizer=replace(config.optimizer, decay=decay))


def _stable(run: Trainer, minutes: float, say: Say) -> dict[str, Any]:
    """Train until the rate has to fall, and return the plan for the rest."""
    budget = 60 * minutes
    recent = deque([(run.step, run.cpu_seconds)], maxlen=_RECENT)
    say(f"  from step {run.step}, {run.cpu_seconds / 60:.1f} of {minutes:g} CPU minutes")
    with closing(run.fit()) as steps:  # closing saves
        for progress in steps:
            recent.append((progress.step, run.cpu_seconds))
            if run.cpu_seconds >= _STABLE * budget:
                break
    (first, since), (last, until) = recent[0], recent[-1]
    each = (until - since) / (last - first)
    left = max(1, round((budget - until) / each))
    return {
        "minutes": minutes,
        "steps": last + left,
        "decay": left,
        "cpu_seconds_before": until,
        "cpu_seconds_per_step": each,
    }


def _record(run: Trainer, minutes: float) -> dict[str, Any]:
    from moldiff.model import Model

    return {
        "minutes": minutes,
        "steps": run.step,
        "cpu_seconds": run.cpu_seconds,
        "seconds": run.seconds,
        "molecules": run.samples,
        "parameters": sum(p.numel() for p in run.network.parameters()),
        "batch": run.config.batch,
        "seed": run.config.seed,
        "data": run.store.meta["sha256"],
        "hash": Model.load(run.output / "model.safetensors").digest,
        "versions": versions(),
        "machine": machine(run.config.threads),
    }
