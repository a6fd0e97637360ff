"""Whether generated records are what they say: digests, and the molecules drawn again.

A record tells model, seed, settings, request and its place in the drawn order, and each molecule
has random numbers of its own, so any one can be drawn again without the others.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from moldiff.bundled import bundled_models
from moldiff.chem.demands import Interval, parse_demand
from moldiff.errors import MoldiffError, in_python
from moldiff.generation.account import is_design, is_pose, order_of
from moldiff.generation.request import Generated, Request
from moldiff.generation.run import redraw
from moldiff.generation.verdicts import Verdict, Verdicts
from moldiff.io import Record, Source, records_of
from moldiff.io.seal import SEAL, broken, graph_of
from moldiff.model import Model
from moldiff.models import load
from moldiff.precision import resolve
from moldiff.verbs import part_error, verb

__all__ = ["verdicts_of", "verify"]

_SAME = 0.01
"""Å: rounding differs between machines and batches; another molecule is over 1 Å away."""
_NEEDED = ("model", "seed", "sampling", "request", "place", SEAL)
_OF_THE_RUN = ("model", "precision", "sampling", "request")
_NOT_DRAWN = (SEAL, "moldiff_version")  # what may differ in the record of the same molecule


@verb
def verify(
    records: Source,
    *,
    models: str | Path | Sequence[str | Path] = (),
    device: str = "cpu",
    again: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> Verdicts:
    """Check generated records by their digests, and draw their molecules again.

    Parameters
    ----------
    records:
        Files (.sdf), records, or generated molecules; one, or a list of them, of which what is
        missing and what is there twice is told together.
    models:
        Model files that may have made them, besides the bundled ones.
    device:
        Where to draw.
    again:
        Draw the molecules again; without it no record is "reproduced".
    progress:
        Called with the stage, the records that have been drawn, and all.

    Raises
    ------
    InputError, ModelFileError
        If a file or a model cannot be read.
    """
    verdicts = verdicts_of(records, models=models, device=device, again=again, progress=progress)
    verdicts[:] = [replace(verdict, why=in_python(verdict.why)) for verdict in verdicts]
    return verdicts


def verdicts_of(
    records: Source,
    *,
    models: str | Path | Sequence[str | Path],
    device: str,
    again: bool,
    progress: Callable[[str, int, int], None] | None,
) -> Verdicts:
    """Do what `verify` does; the reasons are in the words of the command line."""
    items = list(records_of(records))
    verdicts = {k: _at_sight(k, record) for k, record in enumerate(items)}
    runs: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for k, record in enumerate(items):
        if again and verdicts[k].why in (_INTACT, _UNSEALED):
            runs[tuple(record.tags.get(name, "") for name in _OF_THE_RUN)].append(k)
    chosen = (models,) if isinstance(models, str | Path) else models
    known = {model.digest: model for model in (load(one, device) for one in chosen)}
    drawn, total = count(1), sum(map(len, runs.values()))

    def tell() -> None:
        if progress is not None:
            progress("drawing again", min(next(drawn), total), total)

    for members in runs.values():
        for k, verdict in _of_a_run(items, members, known, device, tell):
            verdicts[k] = replace(verdicts[k], **verdict)
    return Verdicts(verdicts.values(), items)


_POSE = "it is a pose of moldiff dock, which is not drawn again: that needs the receptor"
_INTACT = "its digests are right; it was not drawn again"
_UNSEALED = f"it lacks {SEAL}: removed, or of another version; it was not drawn again"


def _at_sight(k: int, record: Record) -> Verdict:
    """What can be said without drawing."""
    number = record.index + 1 if record.source else None
    unknown = Verdict(k, record.name, "unknown", "", file=record.source, in_file=number)
    if record.mol is None:
        return replace(unknown, why=f"it cannot be read: {record.reason}")
    if not any(name in record.tags for name in _NEEDED):
        return replace(unknown, why="it has no fields of moldiff generate or dock")
    lacking = [name for name in _NEEDED if name not in record.tags]
    if SEAL in record.tags and (changed := broken(record)):
        return replace(unknown, status="altered", why=f"its {changed} changed since it was made")
    if (why := _never_drawn(record.tags)) is not None:
        known = f"it lacks {SEAL}: removed, or of another version"
        if SEAL in record.tags:
            known = "its digests are right"
        return replace(unknown, why=f"{known}; {why}")
    if SEAL in record.tags and lacking:
        return replace(unknown, why=f"its digests are right; it lacks {', '.join(lacking)}")
    if lacking and lacking != [SEAL]:
        return replace(
            unknown, why=f"it lacks {', '.join(lacking)}: removed, or of another version"
        )
    if not all(re.fullmatch(r"[1-9]\d{0,11}", text) for text in order_of(record.tags)):
        return replace(unknown, why="its place in the drawn order is no number")
    return replace(unknown, why=_UNSEALED if lacking else _INTACT)


def _never_drawn(tags: Mapping[str, str]) -> str | None:
    """Why a record cannot be drawn again, by what made it."""
    if is_pose(tags):
        return _POSE
    if is_design(tags):
        whole = tags["design"] == "evolve"
        why = "it was docked since it was made" if whole else "it was made around a part"
        return f"{why}, which is not told here"
    return None


def _of_a_run(
    items: Sequence[Record],
    members: Sequence[int],
    known: dict[str, Model],
    device: str,
    tell: Callable[[], None],
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Draw the records of one run again, and yield what came of each."""
    tags = items[members[0]].tags
    model = _model(tags["model"], known, device)
    if model is None:
        why = f"the model {tags['model']} is not at hand: give its file"
        yield from _unknown(items, members, why)
        return
    try:
        if name := tags.get("precision"):
            model = model.replace(precision=resolve(name, model.device))
        request, sampling = _request(tags["request"]), json.loads(tags["sampling"])
        wanted: dict[tuple[int, int], list[int]] = defaultdict(list)
        for k in members:
            place, number = (int(text) - 1 for text in order_of(items[k].tags))
            wanted[place, number].append(k)
        verdicts: dict[int, dict[str, Any]] = {}
        for where, item in redraw(model, request, sampling, wanted):
            for k in wanted[where]:
                verdicts[k] = _compared(items[k], item)
                tell()
    except Exception as error:
        yield from _unknown(items, members, f"it cannot be drawn: {_reason(error)}")
        return
    # Another machine may draw others from the same numbers; not, if it draws some of them.
    if not any(verdict["status"] == "reproduced" for verdict in verdicts.values()):
        for verdict in verdicts.values():
            verdict |= {
                "status": "unknown",
                "why": f"{verdict['why']}, or this machine draws others",
            }
    yield from verdicts.items()


def _reason(error: Exception) -> str:
    """Why the settings of a record draw nothing; what is no fault of theirs is raised again."""
    error = part_error(error) or error
    if isinstance(error, MoldiffError):
        return error.line
    if isinstance(error, ValueError | KeyError | TypeError | AttributeError):
        return str(error)
    raise error


def _unknown(
    items: Sequence[Record], members: Sequence[int], why: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield for each member why it was not drawn again, and what is known without."""
    for k in members:
        known = "its digests are right" if SEAL in items[k].tags else f"it lacks {SEAL}"
        yield k, {"why": f"{known}; {why}"}


def _model(tag: str, known: dict[str, Model], device: str) -> Model | None:
    name, _, digest = tag.rpartition(" ")
    if digest not in known and name in bundled_models():
        model = load(name, device)
        known[model.digest] = model
    return known.get(digest)


def _request(text: str) -> Request:
    """Inverse of `Request.to_dict`."""
    values = json.loads(text)
    size = values["size"]
    if isinstance(size, str):
        size = _interval(size)
    conditions = {
        name: _interval(value) if isinstance(value, str) else float(value)
        for name, value in values.get("conditions", {}).items()
    }
    return Request(**values | {"size": size, "conditions": conditions})


def _interval(text: str) -> Interval:
    return parse_demand(f"x {text}" if text[0] in "<>" else f"x = {text}")[1]


def _compared(record: Record, drawn: Generated) -> dict[str, Any]:
    """Whether a record is the molecule that its fields draw."""
    if graph_of(record.mol) != graph_of(drawn.mol):
        return {"status": "altered", "why": "its fields draw another molecule"}
    assert record.mol is not None
    positions = [mol.GetConformer().GetPositions() for mol in (record.mol, drawn.mol)]
    deviation = float(np.linalg.norm(positions[0] - positions[1], axis=1).max(initial=0.0))
    if not deviation <= _SAME:
        why = f"its fields draw other coordinates, up to {deviation:.2g} Å away"
        return {"status": "altered", "why": why, "deviation": deviation}
    if wrong := [name for name in drawn.tags if _differ(record.tags, drawn.tags, name)]:
        return {"status": "altered", "why": f"its fields should be others: {', '.join(wrong)}"}
    why = "drawn again, it is the same"
    return {"status": "reproduced", "why": why, "deviation": round(deviation, 5)}


def _differ(mine: Mapping[str, str], drawn: Mapping[str, str], name: str) -> bool:
    if name in _NOT_DRAWN:
        return False
    a, b = mine.get(name, ""), drawn[name]
    try:
        return not math.isclose(float(a), float(b), rel_tol=1e-3, abs_tol=1e-3)
    except ValueError:
        return " ".join(a.split()) != " ".join(b.split())
