"""From folders of complexes to a `ComplexStore`: read, match, cluster, split, write.

Layout of a folder: ``index.csv`` with a column ``id`` (optional: every subfolder counts),
``ID/ligand.sdf`` (heavy atoms in the bound pose, bond orders) and ``ID/pocket.pdb``.

Work is done in parts of 64 complexes, each saved as a file beside the destination, so an
interrupted preparation resumes where it stopped.  Pockets that share half of their stretches
of four consecutive residues belong to one cluster, and a cluster to one split: a close
homologue of a validation pocket is never trained on.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from moldiff.data.clusters import linked, split_clusters
from moldiff.data.complex_files import LIGAND, POCKET, read_complex
from moldiff.data.complexes import FIELDS, Complex, ComplexStore, columns, shape_of
from moldiff.errors import DataError, InputError
from moldiff.parallel import Progress, completed

__all__ = ["parts_folder", "prepare_complexes"]

_PART = 64
_SHOWN = 10  # complexes in the error about a set of which none can be used
_EXCLUDED = "excluded by request"


def prepare_complexes(
    folders: Sequence[str | Path],
    destination: str | Path,
    *,
    jobs: int = 1,
    seed: int = 0,
    share: float = 0.04,
    limit: int | None = None,
    exclude: Collection[str] = (),
    progress: Progress | None = None,
) -> ComplexStore:
    """Prepare the complexes of folders as a store.

    Parameters
    ----------
    folders:
        Sets in the layout above.
    jobs:
        Number of processes.
    seed:
        Seed of conformers and split.
    share:
        Fraction of the complexes for validation.
    limit:
        Maximum number of complexes from each folder, the first ones.
    exclude:
        Complexes to leave out, as ``folder/id``; the rejected list contains them.
    progress:
        Called as ``progress(stage, done, total)``.

    Raises
    ------
    InputError
        If a folder is missing or holds no complex.
    DataError
        If no complex can be used, or the store cannot be written.
    """
    destination = Path(destination)
    names = [path for folder in folders for path in _complexes(Path(folder), limit)]
    parts = parts_folder(destination)
    parts.mkdir(parents=True, exist_ok=True)
    work = [names[i : i + _PART] for i in range(0, len(names), _PART)]
    todo = [(k, chunk) for k, chunk in enumerate(work) if not _part(parts, k, chunk).exists()]
    done = len(names) - sum(len(chunk) for _, chunk in todo)
    report = partial(progress or (lambda stage, done, total: None), "preparing complexes")
    report(done, len(names))
    for _, (k, results) in completed(partial(_run, seed=seed), todo, jobs):
        _save(_part(parts, k, work[k]), results)
        done += len(work[k])
        report(done, len(names))
    accepted: list[tuple[str, Complex]] = []
    rejected: list[tuple[str, str]] = []
    for k, chunk in enumerate(work):
        for path, result in zip(chunk, _load(_part(parts, k, chunk)), strict=True):
            name = f"{path.parent.name}/{path.name}"
            if name in exclude or isinstance(result, str):
                rejected.append((name, _EXCLUDED if name in exclude else str(result)))
            else:
                accepted.append((name, result))
    _write(destination, accepted, rejected, [Path(f).name for f in folders], seed, share)
    shutil.rmtree(parts, ignore_errors=True)
    return ComplexStore.open(destination)


def parts_folder(destination: Path) -> Path:
    """Return the folder of the parts of an unfinished store."""
    return destination.with_name(f".{destination.name}.parts")


def _complexes(folder: Path, limit: int | None) -> list[Path]:
    """Return the directories of a set, in the order of its index; without one, all there are."""
    index = folder / "index.csv"
    if not folder.is_dir():
        raise InputError(f"There is no folder '{folder}'.", fix="Check the path.")
    if index.is_file():
        with index.open(newline="", encoding="utf-8") as file:
            members = [folder / row["id"] for row in csv.DictReader(file) if row.get("id")]
    else:
        members = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[:1] != ".")
    if not any((path / LIGAND).is_file() or (path / POCKET).is_file() for path in members):
        raise InputError(
            f"'{folder}' holds no complexes.", fix="It needs ID/ligand.sdf and ID/pocket.pdb."
        )
    return members[:limit]


def _run(task: tuple[int, list[Path]], *, seed: int) -> tuple[int, list[Complex | str]]:
    number, paths = task
    return number, [read_complex(path, seed=seed) for path in paths]


def _part(folder: Path, number: int, chunk: Sequence[Path]) -> Path:
    """Return the file of a part; its name contains a hash of the members."""
    import hashlib

    digest = hashlib.sha256("\n".join(str(path) for path in chunk).encode()).hexdigest()[:10]
    return folder / f"{number:05d}-{digest}.npz"


def _save(path: Path, results: Sequence[Complex | str]) -> None:
    good = [r for r in results if isinstance(r, Complex)]
    arrays = columns(good) if good else {}
    reasons = np.array(["" if isinstance(r, Complex) else r for r in results], dtype=np.str_)
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, allow_pickle=False, reasons=reasons, **arrays)
    os.replace(temporary, path)


def _load(path: Path) -> list[Complex | str]:
    """Read what `_save` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    results: list[Complex | str] = []
    place, row = dict.fromkeys(FIELDS, 0), 0
    for reason in arrays["reasons"].tolist():
        if reason:
            results.append(reason)
            continue
        values = {}
        for name in FIELDS:
            shape = shape_of(name, arrays["sizes"][row])
            end = place[name] + int(np.prod(shape, dtype=np.int64))
            values[name] = arrays[name][place[name] : end].reshape(shape)
            place[name] = end
        row += 1
        results.append(Complex(**values))
    return results


def _write(
    path: Path,
    accepted: list[tuple[str, Complex]],
    rejected: list[tuple[str, str]],
    source: list[str],
    seed: int,
    share: float,
) -> None:
    """Write the store, in which complexes with like pockets are in one split."""
    if not accepted:
        rows = "; ".join(f"{name}: {reason}" for name, reason in rejected[:_SHOWN])
        more = f"; and {len(rejected) - _SHOWN} more" if len(rejected) > _SHOWN else ""
        raise DataError(f"No complex can be used. {rows}{more}.", fix="Look at the reasons.")
    clusters = linked([c.fragments for _, c in accepted])
    split = split_clusters(clusters, share=share, seed=seed)
    arrays = columns([c for _, c in accepted]) | {"split": split, "cluster": clusters}
    names = [name for name, _ in accepted]
    ComplexStore.write(path, arrays, names, rejected, source=", ".join(source), seed=seed)
