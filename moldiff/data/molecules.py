"""Prepare a user's molecules as a store: ``files -> Store``.

Every record is either stored or listed in ``rejected.csv`` with the reason.  A molecule is
stored if it has 3D coordinates and explicit hydrogens, and is strictly valid after an
encode-decode round trip; ions are accepted, fragments and radicals are rejected.  Bonds of XYZ
files are inferred, for the charge that a record's comment states or for none.

The files are read once, and encoded by atomic numbers and formal charges: which of them the
vocabulary needs is known at the end, and the class indices are found while the store is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
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
from moldiff.data.fields import Fields, columns, placed
from moldiff.data.preparation import Preparation
from moldiff.data.shards import SIZE, Entry, Refused, Shard
from moldiff.data.split import check_fractions, hashes, split_hashes
from moldiff.data.store import Store
from moldiff.data.write import sha256
from moldiff.errors import DataError, InputError
from moldiff.io import Chunk, no_molecules, read_chunks
from moldiff.parallel import Progress

__all__ = ["prepare", "prepared_from"]

_STAGE = "preparing (total estimated)"

# Fix for each kind of rejection; shown if no molecule remains.
_HINTS = {
    "missing hydrogens": "Add explicit hydrogens with coordinates first.",
    "no coordinates": "Use a format with coordinates, such as SDF.",
    "two-dimensional coordinates": "Generate 3D coordinates first.",
    "fragments": "Remove salts and solvents first.",
    "no bonds": "Give them: only those of XYZ files are inferred from the coordinates.",
    "bonds cannot be inferred": "State the charge of ions in the comment line, as in charge=1.",
    "overlapping atoms": "Give the coordinates of optimised geometries, in Å.",
    "stretched bond": "Give the coordinates of optimised geometries, in Å.",
}


def prepare(
    files: Sequence[str | Path],
    destination: str | Path,
    *,
    vocabulary: Vocabulary | None = None,
    fractions: tuple[float, float, float] = (0.9, 0.05, 0.05),
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> Store:
    """Read molecules from files and write them as a store.

    Interrupted or killed, the same preparation goes on with the shards beside ``destination``
    (`moldiff.data.preparation`).  The store's notes hold the sha256 of the files, see
    `prepared_from`.

    Parameters
    ----------
    files:
        Anything `moldiff.io.read_molecules` reads.
    vocabulary:
        Elements and charges to allow; None takes those of the usable molecules.
    fractions:
        Shares of train, validation and test among the distinct molecules.
    seed:
        Seed of the split (see `moldiff.data.split`).
    jobs:
        Number of processes; the store does not depend on it.  For more than one, a script needs
        ``if __name__ == "__main__":``.
    progress:
        Called as ``progress(stage, done, total)``; the total is estimated: the records so far over
        the share of the bytes they took (compressed, where a file is).
    announce:
        Called with what is reused of an interrupted preparation, or discarded, and with the fields
        of the records that became properties (`moldiff.data.fields`), or did not.

    Raises
    ------
    InputError
        If a file is missing, unreadable or empty, or changes meanwhile.
    ConfigError
        If the fractions are not three numbers that add up to 1, the first above 0.
    DataError
        If no molecule remains (the error lists the reasons with their counts), or the store cannot
        be written.
    """
    check_fractions(fractions)
    paths = [Path(file) for file in files]
    chunks = [read_chunks(path, SIZE) for path in paths]  # reports files that cannot be read
    before = _states(paths)
    sums = [sha256(path) for path in paths]
    identity = {
        "files": [[path.name, digest] for path, digest in zip(paths, sums, strict=True)],
        "vocabulary": vocabulary and vocabulary.to_dict(),
    }
    with Preparation.begin(destination, identity, progress=progress, announce=announce) as work:
        size = max(1, sum(size for size, _ in before))
        tasks = (
            ((number, chunk), chunk.size / size)
            for number, file in enumerate(chunks)
            for chunk in file
        )
        encode_chunk = partial(_encode_chunk, vocabulary=vocabulary)
        records = work.encode(_STAGE, encode_chunk, tasks, jobs=jobs)
        with work.discarding():
            if _states(paths) != before:
                raise InputError(
                    f"The files changed while they were read: {', '.join(map(str, paths))}.",
                    fix="Run the same again.",
                )
            survey = _survey(work.shards(arrays=False), paths, seed)
        for text in survey.fields.remarks():
            (announce or (lambda text: None))(text)
        split, distinct = split_hashes(survey.hashes, fractions)
        return work.finish(
            _final(work.shards(), paths, split, survey, narrow=vocabulary is None),
            vocabulary=vocabulary or _vocabulary(survey.elements, survey.charges),
            source=", ".join(path.name for path in paths),
            properties=[(name, "") for name in survey.fields.kept],
            notes={
                "split": f"by hash of the canonical SMILES, seed {seed}",
                "fractions": list(fractions),
                "records": records,
                "distinct": distinct,
                "sha256": sums,
            },
        )


def prepared_from(store: Store, files: Sequence[str | Path]) -> bool:
    """Return whether `prepare` made the store from files of this content, in this order."""
    notes = store.meta.get("notes") or {}
    return bool(notes.get("sha256") == [sha256(Path(file)) for file in files])


# --- records -> shards -----------------------------------------------------------------------


def _encode_chunk(task: tuple[int, Chunk], vocabulary: Vocabulary | None) -> Shard:
    """Encode some records of a file: atomic numbers and charges without a ``vocabulary``.

    Rows count from the first of the chunk, and a record without a name has none: how many records
    come before is known at the end.
    """
    number, chunk = task
    results = list[Entry | Refused]()
    tags = list[Mapping[str, str]]()
    elements, charges = set[int](), set[int]()
    for index, record in enumerate(chunk.parse()):
        bonded = record.with_bonds() if chunk.suffix == ".xyz" else record
        result = _judge(bonded.mol, bonded.reason, vocabulary)
        if isinstance(result, Rejected):
            results.append(Refused(index, record.name, result.reason))
            continue
        encoded, smiles = result
        elements.update(encoded.types.tolist())
        charges.update(encoded.charges.tolist())
        results.append(Entry(encoded, smiles, 0, index))
        tags.append(record.tags)
    names, values = columns(tags)
    notes = {
        "file": number,
        "elements": sorted(elements),
        "charges": sorted(charges),
        "fields": Fields.of(tags).counts,
        "columns": names,
    }
    shard = Shard.of(results, notes)
    return replace(shard, arrays={**shard.arrays, "properties": values})


def _judge(
    mol: Chem.Mol | None, reason: str | None, vocabulary: Vocabulary | None
) -> tuple[Encoded, str] | Rejected:
    """Arrays and canonical SMILES of a usable record, or the reason for its rejection."""
    if mol is None:
        return Rejected(reason or "unreadable record")
    if mol.GetNumAtoms() == 0:
        return Rejected("empty")
    numbers = sorted({atom.GetAtomicNum() for atom in mol.GetAtoms()})
    if numbers[0] == 0:
        return Rejected("dummy atom")
    if mol.GetNumAtoms() > 1 and not mol.GetNumBonds():
        return Rejected("no bonds")
    charges = sorted({0, *(atom.GetFormalCharge() for atom in mol.GetAtoms())})
    allowed = vocabulary or _vocabulary(tuple(numbers), tuple(charges))
    encoded = encode(mol, allowed)
    if isinstance(encoded, Rejected):
        return encoded
    decoded = decode(encoded, allowed)
    failure = strict_failure(decoded, net_charge=None)
    smiles = None if failure else canonical_smiles(decoded)
    if smiles is None:
        return Rejected(failure or "no SMILES")
    if vocabulary is None:
        encoded = replace(
            encoded,
            types=np.array(numbers, np.int8)[encoded.types],
            charges=np.array(charges, np.int8)[encoded.charges],
        )
    return encoded, smiles


@lru_cache(maxsize=1024)
def _vocabulary(numbers: tuple[int, ...], charges: tuple[int, ...]) -> Vocabulary:
    """Return the vocabulary of atomic numbers and charges, both in rising order."""
    table = Chem.GetPeriodicTable()
    return Vocabulary(tuple(table.GetElementSymbol(z) for z in numbers), charges)


# --- shards -> store -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Survey:
    """What is known once all records were seen; elements and charges in rising order."""

    elements: tuple[int, ...]
    charges: tuple[int, ...]
    hashes: npt.NDArray[np.bytes_]
    fields: Fields


def _survey(shards: Iterable[Shard], paths: Sequence[Path], seed: int) -> _Survey:
    """Look at all shards; their arrays are not needed."""
    elements, charges = set[int](), {0}
    records, reasons = Counter[int](), Counter[str]()
    digests, fields = [], list[Fields]()
    for shard in shards:
        fields.append(Fields(shard.notes["fields"]))
        elements.update(shard.notes["elements"])
        charges.update(shard.notes["charges"])
        records[shard.notes["file"]] += shard.records
        reasons.update(reason_kind(r.reason) for r in shard.rejected)
        digests.append(hashes(shard.smiles, seed))
    for number, path in enumerate(paths):
        if not records[number]:
            raise no_molecules(path)
    if not elements:
        raise _nothing_left(paths, reasons)
    return _Survey(
        tuple(sorted(elements)),
        tuple(sorted(charges)),
        np.concatenate(digests),
        Fields.union(fields),
    )


def _final(
    shards: Iterable[Shard],
    paths: Sequence[Path],
    split: npt.NDArray[np.int8],
    survey: _Survey,
    narrow: bool,
) -> Iterator[Shard]:
    """Yield the shards as they are stored; ``narrow``: as classes of the elements that occur."""
    molecules = records = 0
    of_file = Counter[int]()
    for shard in shards:
        count, file = len(shard.smiles), shard.notes["file"]
        arrays = dict(shard.arrays)
        arrays["split"] = split[molecules : molecules + count]
        arrays["source_index"] = arrays["source_index"] + records
        arrays["properties"] = placed(
            arrays["properties"], shard.notes["columns"], survey.fields.kept
        )
        if count and narrow:
            arrays["types"] = np.searchsorted(survey.elements, arrays["types"])
            arrays["charges"] = np.searchsorted(survey.charges, arrays["charges"])
        rejected = [
            Refused(
                records + r.source_index,
                r.name or f"{paths[file].name}, record {of_file[file] + r.source_index + 1}",
                r.reason,
            )
            for r in shard.rejected
        ]
        yield Shard(arrays, shard.smiles, rejected)
        molecules, records = molecules + count, records + shard.records
        of_file[file] += shard.records


def _states(paths: Iterable[Path]) -> list[tuple[int, int]]:
    """Size and time of each file."""
    return [(stat.st_size, stat.st_mtime_ns) for stat in (path.stat() for path in paths)]


def _nothing_left(paths: Sequence[Path], reasons: Counter[str]) -> DataError:
    counts = reasons.most_common()
    summary = ", ".join(f"{kind} ({number})" for kind, number in counts) or "there is no record"
    hint = _HINTS.get(counts[0][0], "Look at the records.") if counts else "Check the files."
    names = ", ".join(path.name for path in paths) or "(no file)"
    return DataError(f"No molecule of {names} can be used: {summary}.", fix=hint)
