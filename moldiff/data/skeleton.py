"""Stores of heavy-atom skeletons: molecules with their hydrogens folded into the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff.chem import Encoded, Rejected, Vocabulary, fold
from moldiff.data.store import SPLITS, Entry, Refused, Store
from moldiff.errors import DataError

__all__ = ["fold_store"]

_MOST = 4  # largest number of hydrogens on an atom


def fold_store(
    store: Store, destination: str | Path, progress: Callable[[], None] = lambda: None
) -> Store:
    """Write a store's molecules with their hydrogens folded into the classes of the heavy atoms.

    The classes are those that occur in the data.  Split, identities and properties are unchanged; a
    molecule with fewer than two heavy atoms, or with a hydrogen not bonded to exactly one heavy
    atom, is listed as rejected.  ``progress`` is called after each molecule.

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
    wide = Vocabulary(
        tuple(e for e in heavy for _ in counts), charges, tuple(h for _ in heavy for h in counts)
    )
    results = []
    for k in range(len(store)):
        results.append(_fold(store[k], wide))
        progress()
    skeletons = {k: arrays for k, arrays in enumerate(results) if isinstance(arrays, Encoded)}
    classes = sorted({k for arrays in skeletons.values() for k in arrays.types.tolist()}) or [0]
    elements = tuple(wide.elements[k] for k in classes)
    vocabulary = Vocabulary(elements, charges, tuple(wide.hydrogens[k] for k in classes))
    narrow = np.zeros(len(wide.elements), np.int8)
    narrow[classes] = np.arange(len(classes))
    rejected = [
        Refused(int(store.source_index[k]), store.smiles(k), arrays.reason)
        for k, arrays in enumerate(results)
        if isinstance(arrays, Rejected)
    ]
    return Store.write(
        destination,
        _entries(store, skeletons, narrow),
        vocabulary=vocabulary,
        source=f"{store.meta['source']}, hydrogens folded",
        rejected=rejected,
        properties=list(zip(store.property_names, store.property_units, strict=True)),
        notes=store.meta.get("notes"),
    )


def _fold(encoded: Encoded, vocabulary: Vocabulary) -> Encoded | Rejected:
    arrays = fold(encoded, vocabulary)
    if isinstance(arrays, Encoded) and len(arrays.types) < 2:
        return Rejected("fewer than two heavy atoms")
    return arrays


def _entries(
    store: Store, skeletons: dict[int, Encoded], narrow: npt.NDArray[np.int8]
) -> Iterator[Entry]:
    split = np.zeros(len(store), np.int64)
    for number, name in enumerate(SPLITS):
        split[store.indices(name)] = number
    for k, arrays in skeletons.items():
        properties = () if store.properties is None else tuple(store.properties[k].tolist())
        encoded = Encoded(arrays.positions, narrow[arrays.types], arrays.charges, arrays.bonds)
        row = int(store.source_index[k])
        yield Entry(encoded, store.smiles(k), int(split[k]), row, properties)
