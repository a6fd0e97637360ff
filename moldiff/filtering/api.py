"""Filter molecules from Python: files or molecules in, each with its reasons out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from moldiff.chem.filters import Measured, Plan, Reason, measure
from moldiff.chem.picking import MAXMIN, Pick, restored
from moldiff.filtering.criteria import Criteria
from moldiff.filtering.unfound import absent
from moldiff.io import Record, Source, records_of
from moldiff.metrics import Sample, samples
from moldiff.metrics.parallel import each
from moldiff.parallel import Progress
from moldiff.results import Presentable
from moldiff.verbs import verb

__all__ = ["Filtered", "Judged", "filter"]


@dataclass(frozen=True)
class Judged:
    """A record, what was measured of it, and why it is rejected.

    Attributes
    ----------
    record, measured:
        The molecule, and values, alerts and ring systems.
    reasons:
        Nothing if no filter rejects it.
    place, cluster:
        Of a choice, both from 1; None for what is not picked.
    """

    record: Record
    measured: Measured
    reasons: tuple[Reason, ...] = ()
    place: int | None = None
    cluster: int | None = None

    def as_records(self) -> Iterable[Record]:
        """Return its record."""
        return (self.record,)


@dataclass(frozen=True)
class Filtered(Presentable):
    """All records in their order, and those that are kept, in the order of choice."""

    all: tuple[Judged, ...]
    kept: tuple[Judged, ...]
    rejected: Counter[str] = field(default_factory=Counter)
    """Filter -> molecules that it rejects; one that several reject counts in each."""

    def __repr__(self) -> str:
        """How many are kept, in a line."""
        return f"<{len(self.kept)} of {len(self.all)} molecules kept>"

    def as_records(self) -> Iterable[Record]:
        """Return the records that are kept."""
        return [one.record for one in self.kept]


@verb
def filter(
    molecules: Source,
    *,
    where: str | Sequence[str] = (),
    alerts: str | Sequence[str] = (),
    seen_rings: str | None = None,
    novel_to: str | Sequence[str] = (),
    strict: bool = False,
    distinct: bool = False,
    pick: int | None = None,
    pick_by: str = MAXMIN,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Filtered:
    """Keep the molecules that pass all filters; of these, pick some.

    Parameters
    ----------
    molecules:
        Results, records, RDKit molecules, SMILES or files, in any mixture.
    where, alerts, seen_rings, novel_to, strict, distinct:
        See `moldiff.filtering.criteria.Criteria`.
    pick, pick_by, seed:
        How many to choose, by "maxmin" or "butina" (`moldiff.chem.picking.Pick`).
    jobs:
        Processes.
    progress:
        Called as ``progress(stage, done, total)``.

    Raises
    ------
    InputError, DataError
        If a file cannot be read, a condition is not understood, or something is not there.
    """
    criteria = Criteria(_all(where), _all(alerts), seen_rings, _all(novel_to), strict, distinct)
    choice = None if pick is None else Pick(pick, pick_by, seed)
    judge = criteria.judge(progress)
    records = list(records_of(molecules))
    # The column of a table that the name is from is no tag, but may be asked for.
    fields = [{**record.cells, **record.tags} for record in records]
    for name in judge.filters.fields:
        if records and not any(name in own for own in fields):
            raise absent(name, list(fields[0]))
    plan = judge.filters.plan(picking=choice is not None)
    measurements = each(
        partial(_measure, plan=plan),
        samples(records),
        jobs=jobs,
        stage="filtering",
        progress=progress,
    )
    judged = [
        Judged(record, measured, judge(measured, own))
        for record, measured, own in zip(records, measurements, fields, strict=True)
    ]
    rejected = Counter(name for one in judged for name in {r.filter for r in one.reasons})
    passed = [k for k, one in enumerate(judged) if not one.reasons]
    if choice is None:
        return Filtered(tuple(judged), tuple(judged[k] for k in passed), rejected)
    prints = [restored(judged[k].measured.fingerprint or b"") for k in passed]
    chosen = choice(prints)
    for place, (k, cluster) in enumerate(chosen, 1):
        judged[passed[k]] = replace(judged[passed[k]], place=place, cluster=cluster)
    return Filtered(tuple(judged), tuple(judged[passed[k]] for k, _ in chosen), rejected)


def _all(words: str | Sequence[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _measure(sample: Sample, plan: Plan) -> Measured:
    return measure(sample.mol, plan) if sample.mol is not None else Measured(failure=sample.reason)
