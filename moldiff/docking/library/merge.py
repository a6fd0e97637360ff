"""The parts of a library that were docked apart (``--shard``), in one ranking."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from moldiff.docking.library.manifest import DOCKED, Manifest
from moldiff.docking.library.table import paths_of, write_table
from moldiff.errors import InputError
from moldiff.text import replacing

__all__ = ["Merged", "manifest_of", "merge"]

_MANIFEST = ".manifest.jsonl"
_BESIDE = (_MANIFEST, ".sdf", ".csv", ".parquet", ".html")
_OWN = ("shard", "rows")  # what differs between the parts of one library


@dataclass(frozen=True)
class Merged:
    """What was merged: numbers of rows and of docked ones, files, and what is lacking."""

    rows: int
    docked: int
    best: str
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def manifest_of(path: Path) -> Path:
    """Return the manifest that lies beside any of the files of a run."""
    for suffix in _BESIDE:
        if path.name.endswith(suffix):
            return path.with_name(path.name.removesuffix(suffix) + _MANIFEST)
    return path


def merge(parts: Sequence[Path], output: Path) -> Merged:
    """Write poses and table of all parts, the best first.

    Parameters
    ----------
    parts:
        Their manifests, or other files of them.
    output:
        The SDF file of the poses, or the Parquet file of the table; see `table.paths_of`.

    Raises
    ------
    InputError
        A part is missing, is being worked on, is given twice, or is of something else.
    """
    paths = list(dict.fromkeys(manifest_of(path) for path in parts))
    poses, table = paths_of(output)
    with ExitStack() as stack:
        manifests = [stack.enter_context(Manifest.reopen(path)) for path in paths]
        notes = _agreed(manifests)
        results = [(row, m) for m in manifests for row in m.rows.values()]
        docked = [(row, m) for row, m in results if row.status == DOCKED]
        docked.sort(key=lambda item: item[0].rank)
        with replacing(poses) as stream:  # empty without any, as that of a part
            for row, manifest in docked:
                stream.write(manifest.row(row.index).sdf)
        others = [row for row, _ in results if row.status != DOCKED]
        others.sort(key=lambda row: (row.record, row.name))
        rows = [row for row, _ in docked] + others
        ranked = [replace(row, index=index) for index, row in enumerate(rows)]
        write_table(table, ranked, manifests[0].header.get("receptor_notes", ""))
    first = docked[0][0] if docked else None
    best = "" if first is None else f"{first.name}, {first.energy:.2f} kcal/mol"
    return Merged(len(rows), len(docked), best, (poses, table), tuple(notes))


def _agreed(manifests: Sequence[Manifest]) -> list[str]:
    """Notes on what is lacking; InputError unless these are parts of one library, each once."""
    first = manifests[0]
    seen: dict[str, Path] = {}
    notes = []
    for manifest in manifests:
        shard = manifest.header.get("shard", "")
        if "/" not in shard:
            raise InputError(
                f"'{manifest.path}' is not of a part of a library.",
                fix="Merge what moldiff dock --shard 1/4 and so on wrote.",
            )
        keys = {**first.header, **manifest.header}.keys() - set(_OWN)
        odd = [key for key in keys if first.header.get(key) != manifest.header.get(key)]
        odd += ["shard"] if shard.split("/")[1] != first.header["shard"].split("/")[1] else []
        if odd:
            raise InputError(
                f"'{manifest.path}' and '{first.path}' are not of one library: they differ in "
                f"{', '.join(sorted(odd))}.",
                fix="Merge parts that were docked with the same command.",
            )
        if shard in seen:
            raise InputError(
                f"Part {shard} is given twice: '{seen[shard]}' and '{manifest.path}'.",
                fix="Give each part once.",
            )
        seen[shard] = manifest.path
        lacking = int(manifest.header.get("rows", "0")) - len(manifest.rows)
        if lacking > 0:
            are = "is" if lacking == 1 else "are"
            notes.append(f"part {shard} is not finished: {lacking} of its rows {are} not there")
    count = int(first.header["shard"].split("/")[1])
    absent = [f"{k}/{count}" for k in range(1, count + 1) if f"{k}/{count}" not in seen]
    return notes + ([f"parts that were not given: {', '.join(absent)}"] if absent else [])
