"""Docking many ligands: every record of the input becomes a row.

entries, each with its pocket -> processes that keep the latest pocket -> rows of the manifest

A ligand that kills its process (a crash in native code, out of memory) costs its own row only: the
ligands in flight are retried one by one, and one that kills its process again is marked as failed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import TYPE_CHECKING

from moldiff.docking.library.entries import Entry, carried
from moldiff.docking.library.manifest import DOCKED, FAILED, REFUSED, Manifest, Row
from moldiff.docking.settings import Settings
from moldiff.errors import MoldiffError
from moldiff.interrupts import follow_parent
from moldiff.io.render import FORMATS
from moldiff.io.seal import sealed
from moldiff.parallel import abandon
from moldiff.protein.interactions import by_kind

if TYPE_CHECKING:
    from moldiff.docking.problem import Pocket
    from moldiff.protein.pocket import Box
    from moldiff.protein.receptor import Receptor

    Parts = tuple[object, list[tuple[Receptor, Box, float]], dict[str, str], tuple[str, ...]]

__all__ = ["PlaceOf", "dock_entries", "dock_entry"]

#: An entry, maybe with more notes, and its pocket.
PlaceOf = Callable[[Entry], "tuple[Entry, Pocket]"]

_AHEAD = 2  # ligands handed out per process: keeps all busy, and few are lost with a process


def dock_entries(
    entries: Sequence[Entry],
    place_of: PlaceOf,
    settings: Settings,
    manifest: Manifest,
    *,
    jobs: int = 1,
    threads: int = 1,
    progress: Callable[[Row], None] | None = None,
) -> None:
    """Dock the entries that are not in the manifest, and append their rows.

    Parameters
    ----------
    place_of:
        Returns the pocket of an entry, and the entry itself, maybe with more notes; a
        MoldiffError is the reason why it is refused.
    jobs:
        Processes besides this one: on Ctrl-C, RDKit returns a partial result, so none of its work
        may run in the process that is interrupted.
    threads:
        Threads per process.
    progress:
        Called with every new row once it is saved.
    """

    def keep(row: Row) -> None:
        manifest.append(row)
        if progress is not None:
            progress(row)

    waiting = [entry for entry in entries if entry.index not in manifest.rows]
    for entry in waiting:
        if entry.mol is None:
            keep(replace(_row_of(entry), status=REFUSED, reason=entry.reason))
    team = _Team(jobs, place_of, (settings, threads))
    for row in team.work(deque(entry for entry in waiting if entry.mol is not None)):
        keep(row)


def _row_of(entry: Entry) -> Row:
    """A row of what is known before it is docked."""
    row = Row(entry.index, entry.name, FAILED, notes=entry.notes)
    return replace(row, record=entry.record, fields=dict(entry.fields))


def dock_entry(entry: Entry, pocket: Pocket, settings: Settings) -> Row:
    """Dock one entry; any error becomes the row's reason."""
    from moldiff.docking.pipeline import dock
    from moldiff.docking.problem import make_problem

    base = _row_of(entry)
    start = os.times()
    try:
        assert entry.mol is not None
        problem = make_problem(
            entry.mol,
            pocket,
            name=entry.name,
            conformers=settings.conformers,
            seed=settings.seed,
            ph=settings.ph,
        )
        if isinstance(problem, str):
            return replace(base, status=REFUSED, reason=problem)
        result = dock(problem, settings)
    except Exception as error:  # one ligand must not end a batch of thousands
        reason = f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return replace(base, reason=reason)
    render = FORMATS["sdf"].render
    row = {"library_row": f"{entry.record + 1}"}
    # The digest covers our fields; behind it are those of the library, as they stand there.
    records = [
        render(
            pose.mol,
            entry.name,
            {**(own := sealed(pose.mol, row | result.tags(pose))), **carried(entry.fields, own)},
        )
        for pose in result.poses
    ]
    now = os.times()
    best = result.best
    return replace(
        base,
        status=DOCKED,
        smiles=best.smiles or result.smiles,
        energy=best.energy,
        confidence=best.confidence,
        cnn_score=best.cnn_score,
        checks=result.tags(best).get("checks", ""),
        required=best.required,
        interactions=by_kind(best.interactions),
        seconds=round(now.user - start.user + now.system - start.system, 3),
        notes=(*entry.notes, *(note for note in result.notes if note not in pocket.notes)),
        cavity=best.cavity if result.cavities else None,
        sdf="".join(records),
    )


# --- processes -------------------------------------------------------------------------------

# Of a worker process: its settings, and the latest pocket with the potentials computed so far.
_STATE: list[Settings] = []
_LATEST: list[Pocket] = []


class _Team:
    """Processes that dock; spawned, since a fork of a process with torch's threads can hang.

    They live as long as the batch, since loading networks and grids costs more than docking a
    ligand.  `moldiff.benchmark.docking.schedule` instead starts one process per docking: it limits
    the CPU time of each, and gets the poses before they are judged.
    """

    def __init__(self, jobs: int, place_of: PlaceOf, state: tuple[Settings, int]) -> None:
        self.jobs, self.place_of, self.state = jobs, place_of, state

    def work(self, waiting: deque[Entry]) -> Iterator[Row]:
        """Yield the row of every entry, in the order they finish."""
        while waiting:
            in_flight: dict[int, Entry] = {}
            yield from self._round(self.jobs, waiting, in_flight)
            for entry in in_flight.values():  # a process died: retry its candidates one by one
                suspect: dict[int, Entry] = {}
                yield from self._round(1, deque([entry]), suspect)
                if suspect:
                    reason = "the process that docked it died twice (out of memory?)"
                    yield replace(_row_of(entry), reason=reason)

    def _round(
        self, jobs: int, waiting: deque[Entry], in_flight: dict[int, Entry]
    ) -> Iterator[Row]:
        """Work until done or until a process dies; ``in_flight`` then holds the rest."""
        from multiprocessing import get_context

        pool = ProcessPoolExecutor(
            jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=self.state
        )
        try:
            pending: set[Future[Row]] = set()
            while waiting or pending:
                while waiting and len(pending) < jobs * _AHEAD:
                    entry = waiting.popleft()
                    try:
                        placed, pocket = self.place_of(entry)
                    except MoldiffError as error:
                        reason = " ".join(error.line.split())
                        yield replace(_row_of(entry), status=REFUSED, reason=reason)
                        continue
                    in_flight[entry.index] = entry
                    pending.add(pool.submit(_dock_here, placed, _parts(pocket)))
                if not pending:
                    continue
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    row = future.result()
                    del in_flight[row.index]
                    yield row
        except BrokenProcessPool:
            return
        except BaseException:
            abandon(pool)
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(settings: Settings, threads: int) -> None:
    """Set up a worker process."""
    from moldiff.cpu import set_threads

    follow_parent()
    set_threads(threads)
    _STATE.append(settings)


def _dock_here(entry: Entry, parts: Parts) -> Row:
    if not _LATEST or _parts(_LATEST[0])[0] != parts[0]:
        from moldiff.docking.problem import Pocket

        _, cavities, origin, notes = parts
        first, *others = (
            Pocket.of(receptor, box, origin=origin, chance=chance)
            for receptor, box, chance in cavities
        )
        _LATEST[:] = [replace(first, notes=notes, others=tuple(others))]
    return dock_entry(entry, _LATEST[0], _STATE[-1])


def _parts(pocket: Pocket) -> Parts:
    """A pocket for another process: what tells it from others, and what it is made of.

    Not the pocket itself, whose tensors would travel through shared memory: a process that ends
    before it has fetched them leaves an error behind.
    """
    key = (pocket.digest, pocket.notes, *pocket.origin.items())
    cavities = [(one.receptor, one.box, one.chance) for one in (pocket, *pocket.others)]
    return key, cavities, dict(pocket.origin), pocket.notes
