"""Stores of heavy-atom skeletons: molecules with their hydrogens folded into the classes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from moldiff.chem import Encoded, Rejected, Vocabulary, fold
from moldiff.chem.aromatic import aromatised
from moldiff.data.preparation import Preparation
from moldiff.data.shards import SIZE, Entry, Refused, Shard
from moldiff.data.store import Store
from moldiff.errors import DataError
from moldiff.parallel import Progress

__all__ = ["fold_store", "folding_advice", "heavy_atoms"]

_MOST = 4  # largest number of hydrogens on an atom
_WORTHWHILE = 12.0  # mean heavy atoms from which folding is offered

# First molecule, and the SMILES of each.
Task = tuple[int, list[str]]


def heavy_atoms(store: Store) -> float:
    """Return the mean number of atoms of a molecule that are no hydrogens."""
    hydrogens = store.vocabulary.elements.index("H") if "H" in store.vocabulary.elements else -1
    counts = store.class_counts
    return float(counts.sum() - (counts[hydrogens] if hydrogens >= 0 else 0)) / len(store)


def folding_advice(store: Store, destination: str | Path) -> str | None:
    """Return a line that offers to fold a store of large molecules; None if it is not worthwhile.

    ``destination`` is for the commands in it.
    """
    heavy = heavy_atoms(store)
    if heavy <= _WORTHWHILE or store.vocabulary.elements[0] != "H":
        return None
    folding = shlex.join(["moldiff", "data", "fold", str(store.path), "-o", str(destination)])
    training = shlex.join(["moldiff", "train", str(destination)])
    return (
        f"These molecules have {heavy:.1f} heavy atoms on average: with their hydrogens folded, "
        f"training is two to three times as fast: {folding} && {training}"
    )


def fold_store(
    store: Store,
    destination: str | Path,
    *,
    aromatic: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> Store:
    """Write a store's molecules with their hydrogens folded into the classes of the heavy atoms.

    The classes are those that occur in the data.  Split, identities and properties are unchanged; a
    molecule with fewer than two heavy atoms, or with a hydrogen not bonded to exactly one heavy
    atom, is listed as rejected.  Interrupted, the same goes on where it stopped
    (`moldiff.data.preparation`).

    Parameters
    ----------
    aromatic:
        Whether aromatic bonds get a class of their own, instead of a Kekulé structure; a molecule
        whose structure could not be restored is rejected.
    jobs:
        Number of processes.
    progress:
        Called as ``progress(stage, done, total)``.
    announce:
        Called with what is reused of an interrupted preparation, or discarded.

    Raises
    ------
    DataError
        If no molecule remains, ``destination`` is the store itself or exists and is not a
        store, or hydrogen is not the first of the store's elements (perhaps already folded).
    """
    if Path(destination).resolve() == store.path.resolve():
        raise DataError(
            f"Folding {store.path} into itself would lose its hydrogens.",
            fix="Give the new data set a directory of its own.",
        )
    if store.vocabulary.hydrogens or store.vocabulary.elements[0] != "H":
        raise DataError(
            f"The molecules of {store.path} have no hydrogens to fold.",
            fix="Give a store of molecules with explicit hydrogens.",
        )
    heavy = tuple(e for e in store.vocabulary.elements if e != "H")
    charges = store.vocabulary.charges
    counts = tuple(range(_MOST + 1))
    folded = tuple(h for _ in heavy for h in counts)
    wide = Vocabulary(tuple(e for e in heavy for _ in counts), charges, folded, aromatic)
    identity = {"folded": store.meta["sha256"], **({"aromatic": True} if aromatic else {})}
    with Preparation.begin(destination, identity, progress=progress, announce=announce) as work:
        tasks = ((task, len(task[1]) / len(store)) for task in _tasks(store))
        work.encode("folding hydrogens", partial(_fold_some, store, wide), tasks, jobs=jobs)
        used = {k for shard in work.shards(arrays=False) for k in shard.notes["classes"]}
        classes = sorted(used) or [0]
        return work.finish(
            _narrowed(work.shards(), classes),
            vocabulary=Vocabulary(
                tuple(wide.elements[k] for k in classes),
                charges,
                tuple(wide.hydrogens[k] for k in classes),
                aromatic,
            ),
            source=f"{store.meta['source']}, hydrogens folded",
            properties=list(zip(store.property_names, store.property_units, strict=True)),
            notes=store.meta.get("notes"),
        )


def _tasks(store: Store) -> Iterator[Task]:
    with (store.path / "smiles.txt").open(encoding="utf-8") as file:
        for start in range(0, len(store), SIZE):
            yield start, [line.rstrip("\n") for line in islice(file, SIZE)]


def _fold_some(store: Store, wide: Vocabulary, task: Task) -> Shard:
    """Fold some molecules into the classes of ``wide``."""
    start, names = task
    results = list[Entry | Refused]()
    classes = set[int]()
    split = store.split
    for k, smiles in enumerate(names, start):
        row = int(store.source_index[k])
        arrays = _fold(store[k], wide)
        if isinstance(arrays, Rejected):
            results.append(Refused(row, smiles, arrays.reason))
            continue
        classes.update(arrays.types.tolist())
        properties = () if store.properties is None else tuple(store.properties[k].tolist())
        results.append(Entry(arrays, smiles, int(split[k]), row, properties))
    return Shard.of(results, {"classes": sorted(classes)})


def _fold(encoded: Encoded, vocabulary: Vocabulary) -> Encoded | Rejected:
    arrays = fold(encoded, vocabulary)
    if isinstance(arrays, Encoded) and len(arrays.types) < 2:
        return Rejected("fewer than two heavy atoms")
    if isinstance(arrays, Rejected) or not vocabulary.aromatic:
        return arrays
    return aromatised(arrays, vocabulary)


def _narrowed(shards: Iterator[Shard], classes: list[int]) -> Iterator[Shard]:
    """Number the classes that occur, in rising order."""
    for shard in shards:
        if shard.smiles:
            types = np.searchsorted(classes, shard.arrays["types"])
            yield replace(shard, arrays={**shard.arrays, "types": types})
        else:
            yield shard
