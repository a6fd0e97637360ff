"""Molecules of any kind as records: what every verb takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from rdkit import Chem

from moldiff.errors import InputError
from moldiff.io.parse import PARSERS
from moldiff.io.read import READABLE, Record, read_molecules
from moldiff.io.write import Writer
from moldiff.verbs import verb

__all__ = ["Recorded", "Source", "is_molecule_file", "record_of", "records_of", "write"]


@runtime_checkable
class Recorded(Protocol):
    """What says itself which records it is: every result of a verb."""

    def as_records(self) -> Iterable[Record]:
        """Return the molecules, with what is known about each."""


#: Records or results, molecules (None: one that could not be made), SMILES, and files.
Source: TypeAlias = "Recorded | Record | Chem.Mol | str | Path | Iterable[Source] | None"


def is_molecule_file(text: str | Path) -> bool:
    """Return whether a text is the path of a file, or of the form of one, and so no SMILES."""
    path = Path(text)
    if any(suffix.lower() in READABLE for suffix in path.suffixes[-2:]):
        return True
    try:
        return path.exists()
    except (OSError, ValueError):  # a SMILES longer than a file name may be
        return False


def records_of(source: Source) -> Iterator[Record]:
    """Yield the molecules of results, records, RDKit molecules, SMILES or files, in any mixture.

    A text is a file if there is one or if it ends like one (``.sdf``), otherwise a SMILES.

    Raises
    ------
    InputError
        If it is nothing of these, or a file cannot be read.
    """
    if source is None or isinstance(source, Chem.Mol):
        yield record_of(source)
    elif isinstance(source, Path) or (isinstance(source, str) and is_molecule_file(source)):
        yield from read_molecules(source)
    elif isinstance(source, str):
        yield _of_smiles(source)
    elif isinstance(source, Record):
        yield source
    elif isinstance(source, Recorded):
        yield from source.as_records()
    elif hasattr(source, "columns"):  # iterating over a data frame would give their names
        raise InputError(
            f"There are no molecules in a {type(source).__name__}.",
            fix="Give the results it was made of, some of these ([molecules[i] for i in "
            "frame.index]), or its column of SMILES.",
        )
    elif isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
        for one in source:
            yield from records_of(one)
    else:
        raise InputError(
            f"There are no molecules in {type(source).__name__} {str(source)[:40]!r}.",
            fix="Give results, RDKit molecules, SMILES, or paths, or a list of these.",
        )


def record_of(
    mol: Chem.Mol | None,
    *,
    name: str = "",
    reason: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> Record:
    """Return a molecule as a record, with the name and data fields that it carries itself."""
    if mol is None:
        return Record(None, name, reason or "no molecule", "", 0, dict(tags or {}))
    own = mol.GetPropsAsDict() if tags is None else tags
    title = name or (mol.GetProp("_Name") if mol.HasProp("_Name") else "")
    return Record(mol, title, None, "", 0, {key: str(value) for key, value in own.items()})


def _of_smiles(text: str) -> Record:
    parsed = next(iter(PARSERS[".smi"].parse([text.strip()])), None) if text.strip() else None
    if parsed is None or parsed.mol is None:
        raise InputError(
            f"'{text[:60]}' is neither a file nor a valid SMILES.",
            fix=f"Check the path, which ends in one of {', '.join(READABLE[:6])}, ..., or the "
            "SMILES.",
        )
    return Record(parsed.mol, parsed.name, None, "", 0, dict(parsed.tags))


@verb
def write(molecules: Source, path: str | Path, fmt: str | None = None) -> int:
    """Write molecules to a file, all or nothing, with their names and data fields.

    Parameters
    ----------
    molecules:
        Results, records, RDKit molecules, SMILES or files, in any mixture.
    path:
        The file; its suffix is the format (.sdf, .smi, .xyz or .json).
    fmt:
        The format of a file whose suffix does not say it: "sdf", "smi", "xyz" or "json".

    Returns
    -------
    int
        Number of molecules written; records without one are left out.

    Raises
    ------
    InputError
        If the file cannot be written, or what is given cannot be read.
    """
    with Writer(path, fmt) as writer:
        try:
            for record in records_of(molecules):
                if record.mol is not None:
                    writer.write(record.mol, record.tags, record.name)
        except BaseException:
            writer.discard()
            raise
        return writer.count
