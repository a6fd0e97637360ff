"""Conformers of the rows of a list, on disk: a file of each thousand, and journals.

Results are in a journal (`moldiff.journal`) as soon as they are there, so a killed process loses
only what it was working on.  A thousand rows that are complete become one file, which is there
completely or not at all.
"""

from __future__ import annotations

import base64
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import rdBase

from moldiff.chem import Rejected
from moldiff.data.druglike.conformer import Conformer
from moldiff.errors import DataError
from moldiff.journal import Journal

__all__ = ["SIZE", "Result", "Results"]

SIZE = 1000
"""Rows of a file."""

#: What became of a row.
Result = Conformer | Rejected


class Results:
    """Reading and adding; see `Results.open`."""

    def __init__(self, folder: Path, rows: int, stack: ExitStack) -> None:
        self.folder, self._rows, self._stack = folder, rows, stack
        self._complete = {int(path.stem) for path in folder.glob("[0-9]*.npz")}
        self._waiting: dict[int, dict[int, Result]] = {}
        self._journals: dict[int, tuple[ExitStack, Journal]] = {}
        for path in sorted(folder.glob("[0-9]*.jsonl")):
            number = int(path.stem)
            if number in self._complete:  # killed between the two
                path.unlink()
                continue
            for _, line in self._journal(number).lines():
                self._waiting[number].update(_read_line(line))

    @classmethod
    @contextmanager
    def open(cls, folder: Path, rows: int) -> Iterator[Results]:
        """Open the results of a list of ``rows`` rows in a folder for the length of a block.

        No other process may have them open.  ``InputError`` if they cannot be written.
        """
        with ExitStack() as stack:
            folder.mkdir(parents=True, exist_ok=True)
            yield cls(folder, rows, stack)

    def missing(self, upto: int) -> Iterator[range | list[int]]:
        """Yield the rows below ``upto`` without a result, those of each file together."""
        for number in range(-(-upto // SIZE)):
            if number not in self._complete:
                there = self._waiting.get(number, {})
                rows = [row for row in self._range(number, upto) if row not in there]
                if rows:
                    yield rows

    def count(self, upto: int) -> int:
        """Return how many rows below ``upto`` have a result."""
        return upto - sum(map(len, self.missing(upto)))

    def add(self, results: Sequence[tuple[int, Result]]) -> None:
        """Keep the results of rows of one file, durably; ``OSError`` if they cannot be written."""
        number = results[0][0] // SIZE
        self._journal(number).append({"rows": [_plain(row, result) for row, result in results]})
        waiting = self._waiting[number]
        waiting.update(results)
        if len(waiting) == len(self._range(number, self._rows)):
            _save(self._file(number), sorted(waiting.items()))
            self._complete.add(number)
            del self._waiting[number]
            self._journals.pop(number)[0].close()
            self._file(number).with_suffix(".jsonl").unlink()

    def read(self, number: int, upto: int) -> list[tuple[int, Result]]:
        """Return the results of a file, those of rows below ``upto``, in the order of the rows."""
        if number in self._complete:
            results = _load(self._file(number))
        else:
            results = sorted(self._waiting.get(number, {}).items())
        return [(row, result) for row, result in results if row < upto]

    def versions(self) -> list[str]:
        """Return the versions of RDKit that the conformers were made with."""
        versions = {_version(self._file(number)) for number in self._complete}
        return sorted(versions | ({rdBase.rdkitVersion} if self._waiting else set()))

    def _range(self, number: int, upto: int) -> range:
        return range(number * SIZE, min(upto, (number + 1) * SIZE))

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:05d}.npz"

    def _journal(self, number: int) -> Journal:
        if number not in self._journals:
            own = self._stack.enter_context(ExitStack())
            path = self._file(number).with_suffix(".jsonl")
            self._journals[number] = own, own.enter_context(Journal.open(path))
            self._waiting.setdefault(number, {})
        return self._journals[number][1]


def _plain(row: int, result: Result) -> list[Any]:
    if isinstance(result, Rejected):
        return [row, result.reason]
    drop = None if np.isnan(result.drop) else result.drop
    text = base64.b64encode(np.ascontiguousarray(result.xyz, "<i2").tobytes()).decode()
    return [row, result.smiles, text, drop]


def _read_line(line: bytes) -> Iterator[tuple[int, Result]]:
    for row, text, *rest in json.loads(line)["rows"]:
        if rest:
            xyz = np.frombuffer(base64.b64decode(rest[0]), "<i2").reshape(-1, 3)
            yield row, Conformer(text, xyz, float("nan") if rest[1] is None else rest[1])
        else:
            yield row, Rejected(text)


def _save(path: Path, results: Iterable[tuple[int, Result]]) -> None:
    conformers = [(row, result) for row, result in results if isinstance(result, Conformer)]
    refused = [(row, result.reason) for row, result in results if isinstance(result, Rejected)]
    arrays = {
        "row": np.array([row for row, _ in conformers], np.int64),
        "smiles": np.array([result.smiles for _, result in conformers], np.str_),
        "offset": np.cumsum([0, *(len(result.xyz) for _, result in conformers)]),
        "xyz": np.concatenate([np.zeros((0, 3), np.int16), *(c.xyz for _, c in conformers)]),
        "drop": np.array([result.drop for _, result in conformers], np.float32),
        "refused": np.array([row for row, _ in refused], np.int64),
        "reason": np.array([reason for _, reason in refused], np.str_),
        "rdkit": np.array(rdBase.rdkitVersion),
    }
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())  # the rename must not overtake the data
    os.replace(part, path)


def _load(path: Path) -> list[tuple[int, Result]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read: {error}.", fix="Delete it; the same command makes it again."
        ) from error
    pieces = np.split(arrays["xyz"], arrays["offset"][1:-1])
    columns = (arrays["row"].tolist(), arrays["smiles"].tolist(), pieces, arrays["drop"].tolist())
    results: list[tuple[int, Result]] = [
        (row, Conformer(smiles, xyz, drop))
        for row, smiles, xyz, drop in zip(*columns, strict=False)
    ]
    refused = zip(arrays["refused"].tolist(), arrays["reason"].tolist(), strict=True)
    # No two have the same row, so only rows are compared.
    return sorted([*results, *((row, Rejected(reason)) for row, reason in refused)])


def _version(path: Path) -> str:
    with np.load(path, allow_pickle=False) as file:
        return str(file["rdkit"])
