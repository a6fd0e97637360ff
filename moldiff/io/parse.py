"""The text formats, one parser each: lines in, parsed records out.

A parser never raises for bad content: it yields a record with the reason and goes on with
the next one (for SDF from the next ``$$$$``, for XYZ from the next atom count).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.vocabulary import BOND_INDEX

__all__ = ["PARSERS", "Parsed"]

_MAX_LINES = 1_000_000
_BONDS = {order: kind for kind, order in BOND_INDEX.items()}
_MAX_DIGITS = 9  # int() refuses thousands of digits with an exception
_SYMBOLS = {Chem.GetPeriodicTable().GetElementSymbol(z): z for z in range(1, 119)}


@dataclass(frozen=True)
class Parsed:
    """A record before it knows its file: a molecule, or None and the reason."""

    mol: Chem.Mol | None
    name: str = ""
    reason: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def _checked(mol: Chem.Mol | None, name: str, reason: str, tags: Mapping[str, str]) -> Parsed:
    """Refuse what RDKit refused (``reason``), and atoms that are no element."""
    if mol is None:
        return Parsed(None, name, reason, tags)
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 0:
            return Parsed(None, name, f"atom {atom.GetIdx() + 1} is no element", tags)
    return Parsed(mol, name, None, tags)


# --- SDF and MOL -----------------------------------------------------------------------------


def _sdf(lines: Iterator[str]) -> Iterator[Parsed]:
    block: list[str] = []
    for line in lines:
        if line.startswith("$$$$"):
            yield from _sdf_record(block)
            block = []
        elif len(block) <= _MAX_LINES:  # beyond that it is no record: keep memory bounded
            block.append(line)
    if any(line.strip() for line in block):
        yield from _sdf_record(block)


def _sdf_record(block: Sequence[str]) -> Iterator[Parsed]:
    ends = [k for k, line in enumerate(block) if line.startswith("M  END")]
    end = ends[0] + 1 if ends else len(block)
    name = block[0].strip() if block else ""
    tags = _sdf_tags(block[end:])
    text = "\n".join(block[:end]) + "\n"
    try:
        with quiet():
            mol = Chem.MolFromMolBlock(text, sanitize=False, removeHs=False, strictParsing=False)
    except (ValueError, RuntimeError):
        mol = None
    yield _checked(mol, name, _sdf_problem(block[:end]) if mol is None else "", tags)
    for _ in ends[1:]:
        yield Parsed(None, "", "a record without its $$$$ line hides in the one before")


def _sdf_tags(lines: Sequence[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    key: str | None = None
    for line in lines:
        if line.startswith(">") and "<" in line:
            key = line[line.index("<") + 1 : line.rindex(">")]
            tags[key] = ""
        elif not line.strip():
            key = None
        elif key is not None:
            tags[key] = f"{tags[key]}\n{line}" if tags[key] else line
    return tags


def _sdf_problem(block: Sequence[str]) -> str:
    """Name what a human would see first in a block RDKit refuses."""
    if len(block) < 4:
        return "not an SDF record: fewer than 4 lines"
    if "V3000" in block[3]:
        return "RDKit cannot parse the V3000 block"
    try:
        atoms = int(block[3][:3])
        bonds = int(block[3][3:6])
    except ValueError:
        return "not an SDF record: line 4 is no counts line"
    body = [line for line in block[4:] if not line.startswith("M  ")]
    if len(body) < atoms + bonds:
        return f"{atoms} atoms and {bonds} bonds announced, {len(body)} lines found"
    if any(word in line.lower() for line in body[:atoms] for word in ("nan", "inf")):
        return "non-finite coordinates"
    return "RDKit cannot parse the atom or bond lines"


# --- MOL2 ------------------------------------------------------------------------------------


def _mol2(lines: Iterator[str]) -> Iterator[Parsed]:
    block: list[str] = []
    for line in lines:
        if line.startswith("@<TRIPOS>MOLECULE") and block:
            yield from _mol2_record(block)
            block = []
        if len(block) <= _MAX_LINES:
            block.append(line)
    yield from _mol2_record(block)


def _mol2_record(block: Sequence[str]) -> Iterator[Parsed]:
    if not any(line.strip() and not line.startswith("#") for line in block):
        return
    name = block[1].strip() if len(block) > 1 else ""
    try:
        with quiet():
            mol = Chem.MolFromMol2Block("\n".join(block) + "\n", sanitize=False, removeHs=False)
    except (ValueError, RuntimeError):
        mol = None
    yield _checked(mol, name, "RDKit cannot parse the MOL2 block", {})


# --- XYZ -------------------------------------------------------------------------------------


def _xyz(lines: Iterator[str]) -> Iterator[Parsed]:
    """A frame is a count, a comment, and the atom lines up to the next count or blank line."""
    pending: str | None = next(lines, None)
    while pending is not None:
        if not pending.strip():
            pending = next(lines, None)
            continue
        count = pending.strip()
        if not _is_number(count):
            yield Parsed(None, "", f"'{count[:40]}' stands where an atom count should")
            while pending is not None and not _is_number(pending.strip()):
                pending = next(lines, None)
            continue
        comment = next(lines, "").strip()
        atoms: list[str] = []
        pending = next(lines, None)
        while pending is not None and pending.strip() and not _is_number(pending.strip()):
            atoms.append(pending)
            pending = next(lines, None)
        yield _xyz_frame(int(count), comment, atoms)


def _is_number(word: str) -> bool:
    return word.isdecimal() and len(word) <= _MAX_DIGITS


def _xyz_frame(count: int, comment: str, lines: Sequence[str]) -> Parsed:
    if len(lines) != count:
        return Parsed(None, comment, f"{count} atoms announced, {len(lines)} found")
    elements, positions = [], []
    for k, line in enumerate(lines):
        words = line.split()
        symbol = words[0].capitalize()
        number = int(symbol) if _is_number(symbol) else _SYMBOLS.get(symbol, 0)
        if not 1 <= number <= 118:
            return Parsed(None, comment, f"atom {k + 1}: '{words[0][:10]}' is no element")
        try:
            x, y, z = (float(word) for word in words[1:4])
        except ValueError:
            return Parsed(None, comment, f"atom {k + 1} has no three coordinates")
        elements.append(number)
        positions.append((x, y, z))
    return Parsed(_assemble(elements, positions), comment)


def _assemble(
    elements: Sequence[int | str],
    positions: Sequence[Sequence[float]] | None,
    charges: Sequence[int] = (),
    bonds: Iterable[Sequence[int]] = (),
) -> Chem.Mol:
    """Build the unsanitised molecule that says exactly this, ``NoImplicit`` on every atom."""
    mol = Chem.RWMol()
    for k, element in enumerate(elements):
        atom = Chem.Atom(element)
        atom.SetNoImplicit(True)
        atom.SetFormalCharge(charges[k] if charges else 0)
        mol.AddAtom(atom)
    for i, j, order in bonds:
        mol.AddBond(i, j, _BONDS[order])
    if positions is not None:
        conformer = Chem.Conformer(len(elements))
        conformer.Set3D(True)
        for k, position in enumerate(positions):
            conformer.SetAtomPosition(k, tuple(position))
        mol.AddConformer(conformer, assignId=True)
    return mol.GetMol()


# --- SMILES ----------------------------------------------------------------------------------


def _smi(lines: Iterator[str]) -> Iterator[Parsed]:
    for number, line in enumerate(lines):
        words = line.split(None, 1)
        header = number == 0 and bool(words) and words[0].lower() == "smiles"
        if not words or words[0].startswith("#") or header:
            continue
        name = words[1].strip() if len(words) > 1 else ""
        yield _checked(_from_smiles(words[0]), name, f"'{words[0][:40]}' is no SMILES", {})


def _from_smiles(smiles: str) -> Chem.Mol | None:
    """A SMILES implies its hydrogens: they become atoms where the string is a valid molecule."""
    with quiet():
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
        if mol is None:
            return None
        complete = Chem.Mol(mol)
        try:
            Chem.SanitizeMol(complete)
        except (ValueError, RuntimeError):
            return mol
        return Chem.AddHs(complete)


# --- JSON ------------------------------------------------------------------------------------


# What a document of another structure raises on being read as a molecule (RecursionError is
# a RuntimeError).
_NO_MOLECULE = (
    AttributeError,
    LookupError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


def _json(lines: Iterator[str]) -> Iterator[Parsed]:
    try:
        document = json.loads("\n".join(lines))
    except ValueError as error:
        yield Parsed(None, "", f"not JSON: {error}")
        return
    except RecursionError:
        yield Parsed(None, "", "not a molecule written by moldiff: nested too deeply")
        return
    for entry in document if isinstance(document, list) else [document]:
        try:
            yield _json_entry(entry)
        except _NO_MOLECULE as error:
            yield Parsed(None, "", f"not a molecule written by moldiff: {error}")


def _json_entry(entry: Any) -> Parsed:
    if not isinstance(entry, dict):
        raise ValueError("an object is needed")
    positions = entry.get("positions")
    if positions is not None:
        # JSON knows no NaN: a coordinate that was not finite was written as null.
        positions = [[float("nan") if x is None else float(x) for x in p] for p in positions]
        if len(positions) != len(entry["elements"]):
            raise ValueError("as many positions as elements are needed")
    mol = _assemble(entry["elements"], positions, entry["charges"], entry["bonds"])
    tags = {str(key): str(value) for key, value in entry.get("tags", {}).items()}
    return Parsed(mol, str(entry.get("name", "")), None, tags)


#: Suffix -> parser.
PARSERS: dict[str, Callable[[Iterator[str]], Iterator[Parsed]]] = {
    ".sdf": _sdf,
    ".mol": _sdf,
    ".mol2": _mol2,
    ".xyz": _xyz,
    ".smi": _smi,
    ".json": _json,
}
