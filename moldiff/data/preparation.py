"""A data set under way: its shards, in a locked folder beside the destination.

    tasks -> encode (in several processes) -> shards -> a store

Killed at any moment, the same preparation goes on with the shards that are there: each is
complete or absent, and belongs to the digest of what it depends on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rdkit import rdBase

from moldiff.data.shards import SIZE, Shard
from moldiff.data.store import Store, check_destination
from moldiff.data.write import write_store
from moldiff.errors import DataError, MoldiffError
from moldiff.journal import Journal
from moldiff.parallel import Progress, completed
from moldiff.version import __version__

__all__ = ["Preparation", "shards_folder"]

T = TypeVar("T")

_LAYOUT = 2  # to be raised when the same input would give other shards
_JOURNAL = "journal.jsonl"


def shards_folder(destination: Path) -> Path:
    """Return the folder of the shards of an unfinished data set."""
    if destination.name in ("", ".."):
        destination = destination.resolve()
    return destination.with_name(f".{destination.name}.shards")


class Preparation:
    """See `Preparation.begin`."""

    def __init__(
        self, destination: Path, digest: str, journal: Journal, progress: Progress | None
    ) -> None:
        self.destination, self.folder = destination, shards_folder(destination)
        self._digest, self._journal = digest, journal
        self._report = progress or (lambda stage, done, total: None)
        self._records: dict[int, int] = {}  # of each shard that is there
        self._shards = 0
        self._kept = True

    @classmethod
    @contextmanager
    def begin(
        cls,
        destination: str | Path,
        identity: Mapping[str, Any],
        *,
        progress: Progress | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> Iterator[Preparation]:
        """Begin, or go on, for the length of a ``with`` block.

        The shards are kept if the block is left by an exception, and deleted at its end.

        Parameters
        ----------
        identity:
            All that the shards depend on (plain JSON values), besides the versions of moldiff and
            RDKit.
        announce:
            Called with what is reused and what is discarded.

        Raises
        ------
        DataError, InputError
            At once if the destination is something other than a store, cannot be written, or
            another process prepares it.
        """
        destination = Path(destination)
        check_destination(destination)
        folder = shards_folder(destination)
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        versions = [_LAYOUT, SIZE, __version__, rdBase.rdkitVersion]
        text = json.dumps([versions, identity], sort_keys=True)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with Journal.open(folder / _JOURNAL) as journal:
                digest = hashlib.sha256(text.encode()).hexdigest()[:16]
                work = cls(destination, digest, journal, progress)
                work._resume(announce or (lambda text: None))
                try:
                    yield work
                    work._kept = False
                finally:
                    if not (work._kept and any(folder.glob("*.npz"))):
                        shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise DataError(
                f"The data set {destination} cannot be prepared: "
                f"{error.strerror or error} ({error.filename or folder}).",
                fix="Check the free space and the permissions; the same command then goes on.",
            ) from error
        finally:
            for path in new:  # the innermost first
                with suppress(OSError):  # something is in it
                    path.rmdir()

    @contextmanager
    def discarding(self) -> Iterator[None]:
        """Delete the shards if the block fails: another try would fail as well."""
        try:
            yield
        except MoldiffError:
            self._kept = False
            raise

    def encode(
        self,
        stage: str,
        function: Callable[[T], Shard],
        tasks: Iterable[tuple[T, float]],
        *,
        jobs: int = 1,
    ) -> int:
        """Make the shards that are not there yet; return the number of records of all.

        Parameters
        ----------
        function:
            Makes a shard of a task; see `moldiff.parallel.completed`.
        tasks:
            Tasks, each with its share of the whole work.  The number of all records, which
            ``progress`` is told, is estimated by the shares of what is done.
        jobs:
            Number of processes.
        """
        done, share, begun = 0, 0.0, False
        reported: tuple[int, int] | None = None

        def tell(total: int) -> None:
            nonlocal reported
            if reported != (done, total):
                self._report(stage, done, total)
            reported = done, total

        def estimate() -> int:
            return max(done, round(done / share)) if share else 0

        def missing() -> Iterator[tuple[int, T, float]]:
            nonlocal done, share, begun
            for number, (task, part) in enumerate(tasks):
                self._shards = number + 1
                if number in self._records:
                    done, share = done + self._records[number], share + part
                    continue
                if not begun:  # what is there already does not count as speed
                    tell(estimate())
                begun = True
                yield number, task, part

        run = partial(_run, function, self.folder, self._digest)
        for _, (number, records, part) in completed(run, missing(), jobs):
            self._journal.append({"of": self._digest, "shard": number, "records": records})
            self._records[number] = records
            done, share = done + records, share + part
            tell(estimate())
        tell(done)
        return done

    def shards(self, *, arrays: bool = True) -> Iterator[Shard]:
        """Read the shards, in the order of the tasks, with or without their arrays."""
        for number in range(self._shards):
            yield Shard.load(_file(self.folder, number, self._digest), arrays=arrays)

    def finish(self, shards: Iterable[Shard], **description: Any) -> Store:
        """Write the store of these shards; ``description`` as for `write_store`."""
        total = sum(self._records.values())
        write_store(self.destination, shards, total=total, progress=self._report, **description)
        return Store.open(self.destination)

    def _resume(self, announce: Callable[[str], None]) -> None:
        """Find the shards that can be used, and delete others."""
        for _, line in self._journal.lines():
            entry = json.loads(line)
            if entry["of"] == self._digest:
                self._records[entry["shard"]] = entry["records"]
        files = {number: _file(self.folder, number, self._digest) for number in self._records}
        self._records = {k: n for k, n in self._records.items() if files[k].is_file()}
        used = {files[number] for number in self._records}
        rest = [path for path in self.folder.glob("*.npz*") if path not in used]
        for path in rest:
            path.unlink()
        if any(self._digest not in path.name for path in rest):
            announce(f"{self.folder} is of other input, settings or versions: discarded.")
        if used:
            count = sum(self._records.values())
            announce(f"Going on with {self.folder}: {count} records are prepared.")


def _run(
    function: Callable[[T], Shard], folder: Path, digest: str, item: tuple[int, T, float]
) -> tuple[int, int, float]:
    number, task, part = item
    shard = function(task)
    shard.save(_file(folder, number, digest))
    return number, shard.records, part


def _file(folder: Path, number: int, digest: str) -> Path:
    return folder / f"{number:06d}-{digest}.npz"
