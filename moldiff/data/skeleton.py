"""A store of heavy-atom skeletons: every molecule of a store with its hydrogens folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff.chem import Encoded, Rejected, Vocabulary, fold
from moldiff.data.store import SPLITS, Entry, Refused, Store
from moldiff.errors import DataError

__all__ = ["fold_store"]

_MOST = 4  # hydrogens on an atom


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
    folded = []
    for k in range(len(store)):
        folded.append(_folded(store[k], wide))
        progress()
    kept = {k: arrays for k, arrays in enumerate(folded) if isinstance(arrays, Encoded)}
    used = sorted({k for arrays in kept.values() for k in arrays.types.tolist()}) or [0]
    elements = tuple(wide.elements[k] for k in used)
    vocabulary = Vocabulary(elements, charges, tuple(wide.hydrogens[k] for k in used))
    narrow = np.zeros(len(wide.elements), np.int8)
    narrow[used] = np.arange(len(used))
    rejected = [
        Refused(int(store.source_index[k]), store.smiles(k), arrays.reason)
        for k, arrays in enumerate(folded)
        if isinstance(arrays, Rejected)
    ]
    return Store.write(
        destination,
        _entries(store, kept, narrow),
        vocabulary=vocabulary,
        source=f"{store.meta['source']}, hydrogens folded",
        rejected=rejected,
        properties=list(zip(store.property_names, store.property_units, strict=True)),
        notes=store.meta.get("notes"),
    )


def _folded(encoded: Encoded, vocabulary: Vocabulary) -> Encoded | Rejected:
    arrays = fold(encoded, vocabulary)
    if isinstance(arrays, Encoded) and len(arrays.types) < 2:
        return Rejected("fewer than two heavy atoms")
    return arrays


def _entries(
    store: Store, kept: dict[int, Encoded], narrow: npt.NDArray[np.int8]
) -> Iterator[Entry]:
    split = np.zeros(len(store), np.int64)
    for number, name in enumerate(SPLITS):
        split[store.indices(name)] = number
    for k, arrays in kept.items():
        properties = () if store.properties is None else tuple(store.properties[k].tolist())
        encoded = Encoded(arrays.positions, narrow[arrays.types], arrays.charges, arrays.bonds)
        row = int(store.source_index[k])
        yield Entry(encoded, store.smiles(k), int(split[k]), row, properties)
