"""Prepare a user's molecules as a store: ``files -> Store``.

Every record is either stored or listed in ``rejected.csv`` with the reason.  A molecule is
stored if it has 3D coordinates and explicit hydrogens, and is strictly valid after an
encode-decode round trip; ions are accepted, fragments and radicals are rejected.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rdkit import Chem

from moldiff.chem import (
    Encoded,
    Rejected,
    Vocabulary,
    canonical_smiles,
    decode,
    encode,
    reason_kind,
    strict_failure,
)
from moldiff.data.store import SPLITS, Entry, Refused, Store
from moldiff.data.write import sha256
from moldiff.errors import ConfigError, DataError

if TYPE_CHECKING:
    from moldiff.io import Record

__all__ = ["prepare", "prepared_from", "split_by_hash"]

# (index in the source, molecule, canonical SMILES)
Usable = tuple[int, Chem.Mol, str]

# Fix for each kind of rejection; shown if no molecule remains.
_HINTS = {
    "missing hydrogens": "Add explicit hydrogens with coordinates first.",
    "no coordinates": "Use a format with coordinates, such as SDF.",
    "two-dimensional coordinates": "Generate 3D coordinates first.",
    "fragments": "Remove salts and solvents first.",
}


def prepare(
    files: Sequence[str | Path],
    destination: str | Path,
    *,
    vocabulary: Vocabulary | None = None,
    fractions: tuple[float, float, float] = (0.9, 0.05, 0.05),
    seed: int = 0,
) -> Store:
    """Read molecules from files and write them as a store.

    The store's notes hold the sha256 of the files, see `prepared_from`.

    Parameters
    ----------
    files:
        Anything `moldiff.io.read_molecules` reads.
    vocabulary:
        Elements and charges to allow; None takes those of the usable molecules.
    fractions:
        Shares of train, validation and test among the distinct molecules.
    seed:
        Seed of the split (see `split_by_hash`).

    Raises
    ------
    InputError
        If a file is missing or unreadable.
    ConfigError
        If the fractions are not three numbers that add up to 1, the first above 0.
    DataError
        If no molecule remains; the error lists the reasons with their counts.
    """
    _check_fractions(fractions)
    from moldiff.io import read_molecules

    paths = [Path(file) for file in files]
    records = (record for path in paths for record in read_molecules(path))
    usable, rejected = _select(records, vocabulary)
    if not usable:
        raise _nothing_left(paths, rejected)
    if vocabulary is None:
        vocabulary = _vocabulary_of(mol for _, mol, _ in usable)
    splits = split_by_hash([smiles for _, _, smiles in usable], fractions, seed)
    return Store.write(
        destination,
        _entries(usable, vocabulary, splits),
        vocabulary=vocabulary,
        source=", ".join(path.name for path in paths),
        rejected=rejected,
        notes={
            "split": f"by hash of the canonical SMILES, seed {seed}",
            "fractions": list(fractions),
            "records": len(usable) + len(rejected),
            "distinct": len({smiles for _, _, smiles in usable}),
            "sha256": [sha256(path) for path in paths],
        },
    )


def prepared_from(store: Store, files: Sequence[str | Path]) -> bool:
    """Return whether `prepare` made the store from files of this content, in this order."""
    notes = store.meta.get("notes") or {}
    return bool(notes.get("sha256") == [sha256(Path(file)) for file in files])


def split_by_hash(
    smiles: Sequence[str], fractions: tuple[float, float, float], seed: int
) -> list[int]:
    """Assign each molecule a split; equal SMILES always share one.

    The distinct SMILES are ordered by the sha256 of seed and SMILES and cut at the fractions,
    so neither the order of the files nor duplicates matter, and the shares are exact even for
    small sets.  Training gets at least one molecule.
    """
    distinct = sorted(set(smiles), key=lambda s: hashlib.sha256(f"{seed} {s}".encode()).digest())
    count = len(distinct)
    sizes = [round(share * count) for share in fractions[1:]]
    # Rounding must leave at least one molecule for training.
    test = min(sizes[1], count - 1)
    validation = min(sizes[0], count - 1 - test)
    borders = (count - validation - test, count - test, count)
    split_of = {
        s: next(k for k in range(len(SPLITS)) if rank < borders[k])
        for rank, s in enumerate(distinct)
    }
    return [split_of[s] for s in smiles]


def _check_fractions(fractions: tuple[float, float, float]) -> None:
    total_is_one = abs(sum(fractions) - 1.0) < 1e-6
    if len(fractions) != len(SPLITS) or min(fractions) < 0 or not total_is_one or not fractions[0]:
        raise ConfigError(
            f"The fractions {tuple(fractions)} are not shares of {', '.join(SPLITS)}.",
            fix="Give three numbers that add up to 1, the first above 0, as in (0.9, 0.05, 0.05).",
        )


def _select(
    records: Iterable[Record], vocabulary: Vocabulary | None
) -> tuple[list[Usable], list[Refused]]:
    usable: list[Usable] = []
    rejected: list[Refused] = []
    for index, record in enumerate(records):
        result = _judge(record, vocabulary)
        if isinstance(result, Rejected):
            name = record.name or f"{Path(record.source).name}, record {record.index + 1}"
            rejected.append(Refused(index, name, result.reason))
        else:
            usable.append((index, record.mol, result))
    return usable, rejected


def _judge(record: Record, vocabulary: Vocabulary | None) -> str | Rejected:
    """Canonical SMILES of a usable record, or the reason for its rejection."""
    if record.mol is None:
        return Rejected(record.reason or "unreadable record")
    if record.mol.GetNumAtoms() == 0:
        return Rejected("empty")
    if any(atom.GetAtomicNum() == 0 for atom in record.mol.GetAtoms()):
        return Rejected("dummy atom")
    allowed = vocabulary or _vocabulary_of([record.mol])
    encoded = encode(record.mol, allowed)
    if isinstance(encoded, Rejected):
        return encoded
    decoded = decode(encoded, allowed)
    reason = strict_failure(decoded, net_charge=None)
    return Rejected(reason) if reason else canonical_smiles(decoded) or Rejected("no SMILES")


def _vocabulary_of(mols: Iterable[Chem.Mol]) -> Vocabulary:
    """Elements by atomic number and charges in rising order, always including 0."""
    elements: dict[int, str] = {}
    charges = {0}
    for mol in mols:
        for atom in mol.GetAtoms():
            elements[atom.GetAtomicNum()] = atom.GetSymbol()
            charges.add(atom.GetFormalCharge())
    return Vocabulary(tuple(elements[z] for z in sorted(elements)), tuple(sorted(charges)))


def _entries(usable: list[Usable], vocabulary: Vocabulary, splits: list[int]) -> Iterable[Entry]:
    for (index, mol, smiles), split in zip(usable, splits, strict=True):
        encoded = encode(mol, vocabulary)
        assert isinstance(encoded, Encoded)  # the vocabulary is that of these molecules
        yield Entry(encoded, smiles, split, index)


def _nothing_left(paths: Sequence[Path], rejected: Sequence[Refused]) -> DataError:
    counts = Counter(reason_kind(r.reason) for r in rejected).most_common()
    reasons = ", ".join(f"{kind} ({number})" for kind, number in counts) or "there is no record"
    hint = _HINTS.get(counts[0][0], "Look at the records.") if counts else "Check the files."
    names = ", ".join(path.name for path in paths) or "(no file)"
    return DataError(f"No molecule of {names} can be used: {reasons}.", fix=hint)
