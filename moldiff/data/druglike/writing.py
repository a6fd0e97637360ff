"""From conformers to a store of skeletons, split by scaffold, with its data card.

All molecules with the same Murcko scaffold are in one split, found by a hash of the scaffold alone:
a molecule stays where it is when the set grows, so that what a model is tested on never becomes
what the next one is trained on.  The shares are therefore met on average only.  Molecules without
rings have no scaffold; together they would be one large group in one split, so each counts for
itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from moldiff.chem import Rejected, Vocabulary, canonical_smiles, decode, encode, strict_failure
from moldiff.data.druglike.card import as_markdown, make_card
from moldiff.data.druglike.conformer import Conformer, molecule
from moldiff.data.druglike.listing import SOURCES, Listing
from moldiff.data.druglike.results import SIZE, Result, Results
from moldiff.data.druglike.selection import scaffold
from moldiff.data.druglike.statistics import Tally
from moldiff.data.shards import Entry, Refused, Shard
from moldiff.data.store import Store
from moldiff.data.write import write_store
from moldiff.parallel import Progress, completed, in_order
from moldiff.text import replace_text

__all__ = ["DRUGLIKE", "FRACTIONS", "split_of", "write_set"]

_ELEMENTS = ("C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
_HYDROGENS = {"C": 4, "N": 4, "O": 2, "P": 2, "S": 2}  # of how many numbers, 0 being the first

DRUGLIKE = Vocabulary(
    tuple(element for element in _ELEMENTS for _ in range(_HYDROGENS.get(element, 1))),
    (-1, 0, 1),
    tuple(number for element in _ELEMENTS for number in range(_HYDROGENS.get(element, 1))),
)
"""The classes of all these sets, so that a model of one can be trained further with another."""

FRACTIONS = (0.9, 0.05, 0.05)
"""Shares of train, validation and test."""

# Row of the list, SMILES there, number of its source, what became of it.
Row = tuple[int, str, int, Result]


def split_of(group: str) -> int:
    """Return the split (index into SPLITS) of the molecules with a scaffold."""
    place = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) / 2**64
    return sum(place >= border for border in accumulate(FRACTIONS[:-1]))


def write_set(
    destination: Path,
    results: Results,
    listing: Listing,
    request: dict[str, Any],
    jobs: int,
    report: Progress,
    command: str,
) -> Store:
    """Write the first molecules of a list as a store, with ``card.md`` and ``card.json``.

    ``request`` has the number of ``molecules``, how to ``refine`` them, whether ``aromatic`` bonds
    are a class, and the ``list``'s identity.
    """
    total, tally = request["molecules"], Tally()
    vocabulary = replace(DRUGLIKE, aromatic=request["aromatic"])
    encoded = partial(_encoded, vocabulary)

    def tasks() -> Iterator[list[Row]]:
        for number in range(-(-total // SIZE)):
            yield [(row, *listing.rows[row], result) for row, result in results.read(number, total)]

    def shards() -> Iterator[Shard]:
        for shard in in_order(completed(encoded, tasks(), jobs)):
            tally.add(shard.notes)
            yield shard
        # The user's records that are not on the list have no row of it.
        yield Shard.of(Refused(-1, name, reason) for name, reason in listing.facts["refused"])

    names = [part["source"] for part in listing.facts["drawn"] if part["molecules"]]
    write_store(
        destination,
        shards(),
        vocabulary=vocabulary,
        source=f"drug-like molecules of {', '.join(names)}, hydrogens folded",
        notes={
            "split": "by a hash of the Murcko scaffold",
            "fractions": list(FRACTIONS),
            "druglike": request,
        },
        total=total,
        progress=report,
    )
    store = Store.open(destination)
    card = make_card(
        tally,
        request=request,
        listed=listing.facts,
        splits=store.meta["splits"],
        rdkit=results.versions(),
        command=command,
    )
    replace_text(destination / "card.md", as_markdown(card))
    replace_text(destination / "card.json", json.dumps(card, indent=1) + "\n")
    return store


def _encoded(vocabulary: Vocabulary, rows: list[Row]) -> Shard:
    """Encode molecules; what cannot be read back as the same molecule is rejected."""
    results, tally = list[Entry | Refused](), Tally()
    for row, listed, number, result in rows:
        source = SOURCES[number].name
        outcome = result if isinstance(result, Rejected) else _entry(vocabulary, row, result)
        if isinstance(outcome, Rejected):
            tally.reject(listed, source, outcome.reason)
            results.append(Refused(row, listed, outcome.reason))
        elif isinstance(result, Conformer):
            entry, group = outcome
            tally.make(molecule(result), listed, source, group, result.drop)
            results.append(entry)
    return Shard.of(results, tally.plain())


def _entry(vocabulary: Vocabulary, row: int, conformer: Conformer) -> tuple[Entry, str] | Rejected:
    """Return the entry of a molecule, and what it is split by."""
    mol = molecule(conformer)
    encoded = encode(mol, vocabulary)
    if isinstance(encoded, Rejected):
        return encoded
    decoded = decode(encoded, vocabulary)
    reason, smiles = strict_failure(decoded), canonical_smiles(decoded)
    if reason is not None or smiles is None or smiles != canonical_smiles(mol):
        return Rejected(reason or "not the same molecule when it is read back")
    group = scaffold(smiles) or smiles
    return Entry(encoded, smiles, split_of(group), row), group
