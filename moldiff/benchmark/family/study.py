"""The whole comparison: train every member, measure what it makes, keep what is done.

Everything finished lies in a file of the run's directory and is not done again: trainings as
``training.json``, measurements in ``samples/``.  A member that cannot be made, trained or
sampled has a row with the reason.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import moldiff.nn  # noqa: F401  (importing registers)
from moldiff.benchmark.family.members import Member, Setup, members
from moldiff.benchmark.family.sampling import measure
from moldiff.benchmark.family.training import Say, keep, read_results, train, trained
from moldiff.errors import InputError, MoldiffError
from moldiff.methods import METHODS
from moldiff.models import load
from moldiff.registry import registered, settings
from moldiff.report.document import now, plain
from moldiff.report.environment import machine, versions
from moldiff.train.api import training_store

__all__ = ["FORMAT", "QUICK", "Plan", "compare"]

FORMAT = "moldiff-family-1"


@dataclass(frozen=True)
class Plan:
    """What is sampled.

    Attributes
    ----------
    samples, seed:
        Molecules of each measurement.
    steps:
        Sampling steps of the curve.
    most:
        Largest number of steps of a member's own setting; None: as many as it has.
    """

    samples: int = 500
    seed: int = 0
    steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    most: int | None = None


QUICK = Plan(samples=8, steps=(1, 2), most=4)
"""Enough to see that everything works; the figures mean nothing."""


def compare(
    setup: Setup, plan: Plan, only: Sequence[str], say: Say, *, report_only: bool = False
) -> dict[str, Any]:
    """Return the document of the comparison, as plain JSON values.

    Parameters
    ----------
    setup, plan:
        What is trained and what is sampled.
    only:
        Names of the members; empty: all.
    say:
        Called with what is being done.
    report_only:
        Train and sample nothing; what is not done is left out.

    Raises
    ------
    InputError
        If there is no such method, or a run is of another length or with other settings.
    """
    rows = []
    for name, member in members(setup, only).items():
        start = time.perf_counter()
        say(f"{name}: {METHODS[name].line}")
        row = _row(name, member, setup, plan, None if report_only else say)
        if row["training"] is not None or row["failure"] is not None:
            rows.append(row)
        say(f"  {_outcome(row)} ({time.perf_counter() - start:.0f} s)")
    document = {
        "format": FORMAT,
        "date": now(),
        "versions": versions(),
        "machine": machine(setup.threads),
        "setup": {**asdict(setup), "runs": setup.runs.name},
        "plan": asdict(plan),
        "rows": rows,
    }
    rounded: dict[str, Any] = plain(document)
    return rounded


def _outcome(row: Mapping[str, Any]) -> str:
    if row["failure"] is not None:
        return f"failed: {row['failure']}"
    own = row["default"]
    return "not done" if own is None else f"strictly valid {100 * own['strict']['value']:.1f} %"


def _row(
    name: str, member: Member | str, setup: Setup, plan: Plan, say: Say | None
) -> dict[str, Any]:
    """Everything about a member; what is missing is made, unless there is nobody to tell."""
    row: dict[str, Any] = {
        "method": name,
        "kind": METHODS[name].kind,
        "line": METHODS[name].line,
        "reference": METHODS[name].cites[0],
        "training": None,
        "default": None,
        "curve": [],
        "failure": None,
    }
    if isinstance(member, str):
        return row | {"failure": member}
    network = settings(member.config.network)["name"]
    row |= {
        "run": member.run,
        "network": network,
        "equivariant": registered("interaction", network).symmetry.equivariant,  # type: ignore[attr-defined]
        "distilled": member.distilled,
        "sampling": dict(member.config.sampling),
    }
    try:
        row["training"] = _trained(member, setup, say)
        if row["training"] is not None:
            row |= _measured(member, row["training"]["hash"], plan, say)
    except InputError:
        raise  # what was asked for is wrong, not the member
    except MoldiffError as error:
        row["failure"] = error.line
    return row


def _trained(member: Member, setup: Setup, say: Say | None) -> dict[str, Any] | None:
    if say is None:
        return trained(member.config, setup.minutes)
    return train(member.config, _store(member.config.data, member), setup.minutes, say)


_STORES: dict[str, Any] = {}


def _store(data: str, member: Member) -> Any:
    """The data, opened once for all members."""
    if data not in _STORES:
        _STORES[data] = training_store(member.config)
    return _STORES[data]


def _measured(member: Member, digest: str, plan: Plan, say: Say | None) -> dict[str, Any]:
    """The measurements at the member's own setting, and along the curve."""
    folder = Path(member.config.output)
    model = cache(lambda: load(folder / "model.safetensors"))
    own = dict(member.config.sampling)
    own["steps"] = min(own.get("steps", 50), plan.most or own.get("steps", 50))

    def point(sampling: dict[str, Any], *, relax: bool) -> dict[str, Any] | None:
        asked = {"sampling": sampling, "hash": digest, "n": plan.samples, "seed": plan.seed}
        request = {**asked, "relax": relax}
        path = folder / "samples" / f"{_digest(request)}.json"
        known = read_results(path)  # by what was asked for: members that ask for the same share it
        if known is not None:
            return known
        if say is None:
            return None
        say(f"  sampling in {sampling['steps']} steps")
        results = measure(model(), sampling, n=plan.samples, seed=plan.seed, relax=relax)
        return keep(path, {"request": request, **results})

    default = point(own, relax=True)
    curve = [
        default if steps == own["steps"] else point({**own, "steps": steps}, relax=False)
        for steps in plan.steps
    ]
    return {"default": default, "curve": [entry for entry in curve if entry is not None]}


def _digest(request: Mapping[str, Any]) -> str:
    text = json.dumps(plain(request), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
