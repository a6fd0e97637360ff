"""Residues put into the text of a structure file; what is there stays as it is written.

A PDB file keeps its lines, a mmCIF file its rows.  New atoms stand behind the residue that comes
before them in the chain, with serial numbers above those there are.  Residues that are replaced
go, and so does the statement that residues are missing which are now there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError
from moldiff.protein.columns import aligned, remarks
from moldiff.protein.pdb import MISSING

__all__ = ["Insertion", "NewResidue", "spliced"]

Array = npt.NDArray[np.float64]

_SAME = 2e-3  # Å
_FOLLOWING = ("ATOM", "HETATM", "ANISOU", "SIGATM", "SIGUIJ")
_TOKEN = re.compile(r"'(?:[^'\n]|'(?=\S))*'(?=\s|$)|\"(?:[^\"\n]|\"(?=\S))*\"(?=\s|$)|\S+")


@dataclass(frozen=True, eq=False)
class NewResidue:
    """A residue to write: its name, number and insertion code, atoms (3,) in Å, B-factor in Å²."""

    name: str
    number: int
    insertion: str
    atoms: Mapping[str, Array]
    b: float


@dataclass(frozen=True, eq=False)
class Insertion:
    """New residues of a chain, and where they belong.

    Attributes
    ----------
    chain:
        The chain, as the file calls it.
    before, after:
        (3,) in Å, an atom of the residues before and after them.
    residues:
        The residues.
    place:
        The place of the first of them in the sequence, from 1.
    replaced:
        (3,) in Å, an atom of each residue that goes.
    """

    chain: str
    before: Array
    after: Array
    residues: Sequence[NewResidue]
    place: int
    replaced: Sequence[Array] = ()


@dataclass(frozen=True)
class _Row:
    """An atom of a file: its line, its residue and model, and where it is."""

    line: int
    residue: tuple[str, ...]
    positions: tuple[float, float, float]


def spliced(content: bytes, kind: str, insertions: Sequence[Insertion], remark: str) -> str:
    """Return the text of a structure file with new residues.

    Parameters
    ----------
    content:
        The file, "pdb" or "cif" by ``kind``.
    insertions:
        The residues.
    remark:
        A line about them, put before the atoms.

    Raises
    ------
    InputError
        The atoms of a mmCIF file are not written a row to a line.
    """
    text = content.decode("utf-8" if kind == "cif" else "latin-1", "replace")
    lines = text.splitlines(keepends=True)
    file = _Cif(lines) if kind == "cif" else _Pdb(lines)
    rows = file.rows
    where = np.array([row.positions for row in rows])
    gone: set[int] = set()
    added: dict[int, list[str]] = {}
    for one in insertions:
        before, after, *replaced = (
            rows[_nearest(where, x)] for x in (one.before, one.after, *one.replaced)
        )
        keys = {row.residue for row in replaced}
        gone |= {row.line for row in rows if row.residue in keys}
        gone |= set(file.attached(row.line for row in rows if row.residue in keys))
        last = max(row.line for row in rows if row.residue == before.residue)
        last = max([last, *file.attached([last])])
        gone |= {k for k in range(last, after.line) if lines[k].startswith("TER")}
        added[last] = list(file.new_lines(one, before.line))
    gone |= set(file.stated(insertions))
    out = []
    for k, line in enumerate(lines):
        if k == file.begin:
            out.append(file.remark(remark))
        if k not in gone:
            out.append(line if line.endswith(("\n", "\r")) else f"{line}\n")
        out += added.get(k, [])
    return "".join(out)


def _nearest(where: Array, x: Array) -> int:
    """The first atom at a position."""
    off = np.abs(where - x).max(1)
    best = int(off.argmin())
    if off[best] > _SAME:
        raise InputError("An atom that was read is not found again in the file.")
    return int(np.flatnonzero(off <= _SAME)[0])


class _Pdb:
    """Lines of a PDB file."""

    def __init__(self, lines: list[str]) -> None:
        self.lines, self.rows, self.serial, model = lines, [], 0, 1
        for k, line in enumerate(lines):
            text = line.lstrip(" \t")
            if text.startswith(("ATOM", "HETATM")):
                fields = _fields(text)
                try:
                    x, y, z = (float(fields[i : i + 8]) for i in (30, 38, 46))
                except ValueError:
                    continue
                self.rows.append(_Row(k, (str(model), fields[20:27]), (x, y, z)))
                number = fields[6:11].strip()
                self.serial = max(self.serial, int(number) if number.isdigit() else 0)
            elif text.startswith("ENDMDL"):
                model += 1
        first = (k for k, line in enumerate(lines) if line.startswith(("MODEL ", "ATOM", "HETATM")))
        self.begin = next(first, 0)

    def attached(self, numbers: Sequence[int] | Iterator[int]) -> Iterator[int]:
        """Yield the lines that say more about atoms, behind theirs: ANISOU."""
        for k in numbers:
            for j in range(k + 1, len(self.lines)):
                if not self.lines[j].startswith(_FOLLOWING[2:]):
                    break
                yield j

    def stated(self, insertions: Sequence[Insertion]) -> Iterator[int]:
        """Yield the lines that state that residues are missing."""
        there = {(one.chain, r.number, r.insertion) for one in insertions for r in one.residues}
        for k, line in enumerate(self.lines[: self.begin]):
            match = MISSING.match(line.encode("latin-1"))
            if match is None:
                continue
            _, chain, number, code = (part.decode("latin-1") for part in match.groups())
            if (chain.strip(), int(number), code) in there:
                yield k

    def remark(self, text: str) -> str:
        return remarks(text)

    def new_lines(self, one: Insertion, line: int) -> Iterator[str]:
        """Yield the lines of new atoms; chain and segment are those of a line that is there."""
        like = _fields(self.lines[line].lstrip(" \t"))
        wide = len(one.chain) == 2 and like[21:23] == one.chain
        for residue in one.residues:
            # A number of five digits takes the column of the insertion code, as files have it.
            number = f"{residue.number:{3 if wide else 4}d}{residue.insertion}"
            for name, x in residue.atoms.items():
                self.serial += 1
                place = "".join(f"{value:8.3f}" for value in x)
                yield (
                    f"ATOM  {self.serial % 100_000:5d}  {name:<3} {residue.name:>3}"
                    f"{like[20:23] if wide else like[20:22]}{number:{4 if wide else 5}}   "
                    f"{place}{1:6.2f}{min(residue.b, 999.99):6.2f}{like[66:76]:10}"
                    f"{name[0]:>2}\n"
                )


def _fields(line: str) -> str:
    return aligned(line.rstrip("\r\n").encode("latin-1")).decode("latin-1").ljust(80)


class _Cif:
    """Lines of a mmCIF file."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.begin, self.columns, numbers = _loop(lines, "_atom_site.")
        self.rows: list[_Row] = []
        self.serial = 0
        for k in numbers:
            tokens = _TOKEN.findall(lines[k])
            if len(tokens) != len(self.columns):
                raise InputError(
                    "The atoms of the mmCIF file are not written a row to a line.",
                    fix="Give the output the suffix .pdb.",
                )
            row = dict(zip(self.columns, tokens, strict=True))
            try:
                x, y, z = (float(row[f"Cartn_{axis}"]) for axis in "xyz")
            except ValueError:
                continue
            keys = ("pdbx_PDB_model_num", "auth_asym_id", "label_asym_id", "auth_seq_id",
                    "label_seq_id", "pdbx_PDB_ins_code")  # fmt: skip
            self.rows.append(_Row(k, tuple(row.get(key, "") for key in keys), (x, y, z)))
            self.serial = max(self.serial, int(row["id"]) if row.get("id", "").isdigit() else 0)

    def attached(self, numbers: Sequence[int] | Iterator[int]) -> Iterator[int]:
        return iter(())

    def stated(self, insertions: Sequence[Insertion]) -> Iterator[int]:
        """Yield the rows that state that residues are missing, all of the table if none is left."""
        begin, columns, numbers = _loop(self.lines, "_pdbx_unobs_or_zero_occ_residues.")
        there = {
            (one.chain, str(residue.number), residue.insertion or "?")
            for one in insertions
            for residue in one.residues
        }
        keys = ("auth_asym_id", "auth_seq_id", "PDB_ins_code")
        matches = []
        for k in numbers:
            row = dict(zip(columns, _TOKEN.findall(self.lines[k]), strict=False))
            if tuple(row.get(key, "?").replace(".", "?") for key in keys) in there:
                matches.append(k)
        if matches and len(matches) == len(numbers):
            return iter(range(begin, numbers[-1] + 1))
        return iter(matches)

    def remark(self, text: str) -> str:
        return f"# {text}\n"

    def new_lines(self, one: Insertion, line: int) -> Iterator[str]:
        """Yield the rows of new atoms: what they do not change is that of a row that is there."""
        like = dict(zip(self.columns, _TOKEN.findall(self.lines[line]), strict=True))
        for k, residue in enumerate(one.residues):
            own = {
                "group_PDB": "ATOM",
                "label_alt_id": ".",
                "label_comp_id": residue.name,
                "auth_comp_id": residue.name,
                "label_seq_id": str(one.place + k),
                "auth_seq_id": str(residue.number),
                "pdbx_PDB_ins_code": residue.insertion or "?",
                "occupancy": "1.00",
                "B_iso_or_equiv": f"{residue.b:.2f}",
                "pdbx_formal_charge": "?",
            }
            for name, x in residue.atoms.items():
                self.serial += 1
                atom = {"id": str(self.serial), "type_symbol": name[0], "label_atom_id": name,
                        "auth_atom_id": name}  # fmt: skip
                place = {f"Cartn_{axis}": f"{v:.3f}" for axis, v in zip("xyz", x, strict=True)}
                values = own | atom | place
                yield " ".join(values.get(key, like[key]) for key in self.columns) + "\n"


def _loop(lines: Sequence[str], category: str) -> tuple[int, list[str], list[int]]:
    """Where the table of a category begins, its columns, and the lines of its rows."""
    for k, line in enumerate(lines):
        if line.strip() != "loop_" or not lines[k + 1 : k + 2]:
            continue
        if not lines[k + 1].startswith(category):
            continue
        j = k + 1
        while j < len(lines) and lines[j].startswith(category):
            j += 1
        columns = [one.strip().removeprefix(category) for one in lines[k + 1 : j]]
        numbers = []
        while j < len(lines) and not lines[j].startswith(("#", "_", "loop_", "data_")):
            if lines[j].strip():
                numbers.append(j)
            j += 1
        return k, columns, numbers
    return len(lines), [], []
