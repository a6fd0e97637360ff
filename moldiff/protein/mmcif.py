"""The mmCIF format (PDBx), taken apart by Biopython."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError
from moldiff.protein.assembly import Assembly, from_tables
from moldiff.protein.elements import NUMBERS, guess_element
from moldiff.protein.records import Missing, Records
from moldiff.protein.residues import AMINO_ACIDS, NUCLEOTIDES

__all__ = ["parse_mmcif", "read_tables"]

_UNSET = (".", "?")
_ROW, _GROUPS = re.compile(r"\s*(ATOM|HETATM)\s"), ("ATOM", "HETATM")
_VALUE = re.compile(r"""'(?:[^']|'(?=\S))*'|"(?:[^"]|"(?=\S))*"|\S+""")  # of a row, maybe quoted
_NUMERIC = ("Cartn_x", "Cartn_y", "Cartn_z", "auth_seq_id", "occupancy", "pdbx_PDB_model_num")
_MEND = "Mend or delete that line, or download the entry again."
_UNOBSERVED = "_pdbx_unobs_or_zero_occ_residues."


def parse_mmcif(
    content: bytes, where: str
) -> tuple[Records, tuple[Missing, ...], tuple[Assembly, ...], list[str]]:
    """Read the atoms of an mmCIF file: author's chains, numbers and names where given.

    Returns the atoms of all models, the unobserved residues, the assemblies, and what was odd.
    Raises InputError, naming ``where``, if the file cannot be taken apart.
    """
    text = content.decode("utf-8", "replace")
    tables, notes = read_tables(text, where)
    site = {
        key.removeprefix("_atom_site."): values
        for key, values in tables.items()
        if key.startswith("_atom_site.")
    }
    absent = [key for key in ("Cartn_x", "Cartn_y", "Cartn_z") if key not in site]
    if absent:
        raise InputError(
            f"The mmCIF file {where} has no coordinates: _atom_site.{absent[0]} is missing.",
            fix="Download the entry again, or give it as a PDB file.",
        )
    rows = min(len(values) for values in site.values())
    if rows < max(len(values) for values in site.values()):
        notes.append(
            "the file is truncated in its atom table: the last, incomplete row is left out"
        )
    site = {key: values[:rows] for key, values in site.items()}
    _check_rows(site, text, where)
    records = _records(site, rows)
    good = np.atleast_1d(np.isfinite(records.positions).all(axis=1))
    if not good.all():
        notes.append(f"{(~good).sum()} atoms without readable coordinates left out")
    return records.take(good), _missing(tables), from_tables(tables), notes


def read_tables(text: str, where: str) -> tuple[dict[str, Sequence[str]], list[str]]:
    """Return all items of a file, and notes; one cut off inside a line is read up to that line."""
    from Bio.PDB.MMCIF2Dict import MMCIF2Dict  # brings all of Bio.PDB: only when needed

    problem: Exception | None = None
    for attempt in (text, text.rstrip().rpartition("\n")[0] + "\n"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tables = MMCIF2Dict(io.StringIO(attempt))
        except (ValueError, IndexError, KeyError, StopIteration, RuntimeError) as error:
            problem = problem or error
            continue
        note = ["the file is cut off inside its last line"] if problem else []
        return {key: [v] if isinstance(v, str) else v for key, v in tables.items()}, note
    raise InputError(
        f"The mmCIF file {where} is damaged: {problem}.",
        fix="Download the entry again, or give it as a PDB file.",
    )


def _check_rows(site: Mapping[str, Sequence[str]], text: str, where: str) -> None:
    """Raise InputError, with its line, for a row that lacks a value or has one that is no number.

    One value too few or too many shifts all the rows that follow.
    """
    if set(site.get("group_PDB", ())) - set(_GROUPS):
        for line, row in _rows(text):
            if (count := len(_VALUE.findall(row))) != len(site):
                raise InputError(
                    f"The mmCIF file {where} is damaged in line {line}: an atom with {count} "
                    f"values in a table of {len(site)} columns: {row.strip()[:60]!r}.",
                    fix=_MEND,
                )
        raise InputError(
            f"The mmCIF file {where} is damaged: the rows of _atom_site do not fill its columns.",
            fix="Download the entry again, or give it as a PDB file.",
        )
    for key in _NUMERIC:
        for k in _not_numbers(site.get(key, ())):
            rows = list(_rows(text))
            place = f" in line {rows[k][0]}" if k < len(rows) else ""
            raise InputError(
                f"The mmCIF file {where} is damaged{place}: {key} of atom {k + 1} is "
                f"{site[key][k][:20]!r}, which is no number.",
                fix=_MEND,
            )


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """The lines of atoms, with their numbers."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _ROW.match(line):
            yield number, line


def _not_numbers(column: Sequence[str]) -> list[int]:
    """The first of the values that is neither a number nor unset, if there is one."""
    try:
        np.array(column, dtype=np.str_).astype(np.float64)
    except ValueError:
        bad = (k for k, v in enumerate(column) if v not in _UNSET and np.isnan(_float(v, np.nan)))
        return [k for k in (next(bad, -1),) if k >= 0]
    return []


def _records(site: dict[str, Sequence[str]], rows: int) -> Records:
    """The columns of _atom_site, the author's before the label's, with defaults."""

    def text(*keys: str, default: str = "") -> npt.NDArray[np.str_]:
        for key in keys:
            if key in site:
                column = np.array(site[key], dtype=np.str_)
                return np.where(np.isin(column, _UNSET), default, column)
        return np.full(rows, default, dtype=np.str_)

    names, residue = text("auth_atom_id", "label_atom_id"), text("auth_comp_id", "label_comp_id")
    _, model = np.unique(_floats(text("pdbx_PDB_model_num", default="1"), 1), return_inverse=True)
    number = _floats(text("auth_seq_id", "label_seq_id", default="0"), 0)
    return Records(
        model=(model + 1).astype(np.int32),
        hetero=text("group_PDB") == "HETATM",
        names=names,
        altloc=text("label_alt_id"),
        residue=residue,
        chain=text("auth_asym_id", "label_asym_id"),
        number=number.astype(np.int32),
        insertion=text("pdbx_PDB_ins_code"),
        positions=np.stack(
            [_floats(text(f"Cartn_{axis}"), np.nan) for axis in "xyz"], axis=1
        ).astype(np.float32),
        occupancy=_floats(text("occupancy", default="1"), 1).astype(np.float32),
        numbers=_elements(text("type_symbol"), names, residue),
        unit=text("label_asym_id", "auth_asym_id"),
    )


def _floats(column: npt.NDArray[np.str_], default: float) -> npt.NDArray[np.float64]:
    """Numbers, with ``default`` for what is none."""
    try:
        return column.astype(np.float64)
    except ValueError:
        return np.array([_float(str(value), default) for value in column], dtype=np.float64)


def _float(value: str, default: float) -> float:
    try:
        return float(value)
    except ValueError:
        return default


def _elements(
    symbols: npt.NDArray[np.str_], names: npt.NDArray[np.str_], residue: npt.NDArray[np.str_]
) -> npt.NDArray[np.int16]:
    """Atomic numbers from type_symbol, or from the names where it says nothing."""
    known, inverse = np.unique(np.char.upper(symbols), return_inverse=True)
    numbers = np.array([NUMBERS.get(str(symbol), 0) for symbol in known], dtype=np.int16)[inverse]
    for i in np.flatnonzero(numbers == 0):
        name, group = str(names[i]), str(residue[i])
        polymer = group in AMINO_ACIDS or group in NUCLEOTIDES
        numbers[i] = NUMBERS.get(guess_element(name, group, polymer=polymer), 0)
    return numbers


def _missing(tables: dict[str, Sequence[str]]) -> tuple[Missing, ...]:
    """The polymer residues without coordinates, of the first model."""
    columns = [
        tables.get(_UNOBSERVED + key)
        for key in ("polymer_flag", "occupancy_flag", "auth_asym_id", "auth_seq_id")
    ]
    if any(column is None for column in columns):
        return ()
    rows = len(columns[0] or ())
    insertions = tables.get(_UNOBSERVED + "PDB_ins_code", ["?"] * rows)
    names = tables.get(_UNOBSERVED + "auth_comp_id", ["UNK"] * rows)
    missing = {
        Missing(chain, int(number), "" if insertion in _UNSET else insertion, name): None
        for polymer, occupancy, chain, number, insertion, name in zip(
            *(column or () for column in columns), insertions, names, strict=False
        )
        if polymer == "Y" and occupancy == "1" and number.lstrip("-").isdigit()
    }
    return tuple(missing)
