"""Biological assemblies: which copies of which chains make up what the experiment is about.

mmCIF has them as ``pdbx_struct_assembly_gen`` and ``pdbx_struct_oper_list``, the PDB format as
REMARK 350 (wwPDB format 3.3).  The first copy of a chain keeps its name; the others get free ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError
from moldiff.protein.records import Records
from moldiff.text import counted

__all__ = ["Assembly", "Copy", "build", "from_remarks", "from_tables"]

_MOST = 3_000_000  # atoms of an assembly that fit into memory and into a docking
_LETTERS = ascii_uppercase + ascii_lowercase + digits
_BIOMT = re.compile(r"BIOMT([123])\s+(\d+)((?:\s+[-+.\dEe]+){4})\s*$")


@dataclass(frozen=True, eq=False)
class Copy:
    """One operator on some chains: ``matrix`` (3, 4) is rotation and shift in Å.

    ``units`` are chains as the file's table names them: of mmCIF the label's, not the author's.
    """

    operator: str
    matrix: npt.NDArray[np.float64]
    units: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Assembly:
    """An assembly: its number in the file, and the copies it consists of."""

    name: str
    copies: tuple[Copy, ...]


def build(records: Records, assembly: Assembly) -> tuple[Records, list[str]]:
    """Return the atoms of an assembly, and notes on what became of the chains.

    Raises
    ------
    InputError
        None of its chains is there, or it has more atoms than can be worked with.
    """
    rows = [np.flatnonzero(np.isin(records.unit, copy.units)) for copy in assembly.copies]
    total = sum(map(len, rows))
    if not 0 < total <= _MOST:
        reason = "none of its chains is in the file" if not total else f"it has {total:,} atoms"
        raise InputError(
            f"Assembly {assembly.name} cannot be built: {reason}.",
            fix="Take another one, or leave --assembly out.",
        )
    names = _names(records, assembly, rows)
    parts = []
    for copy, index in zip(assembly.copies, rows, strict=True):
        part = records.take(index)
        moved = part.positions @ copy.matrix[:, :3].T + copy.matrix[:, 3]
        chain = np.array([names[c, copy.operator] for c in part.chain.tolist()], dtype=np.str_)
        parts.append(replace(part, positions=moved.astype(np.float32), chain=chain))
    whole = Records.joined(parts)
    return whole, _notes(records, assembly, names)


def _names(
    records: Records, assembly: Assembly, rows: Sequence[npt.NDArray[np.intp]]
) -> dict[tuple[str, str], str]:
    """(chain, operator) -> the chain's name in the assembly."""
    used = set(records.chain.tolist())
    names: dict[tuple[str, str], str] = {}
    copies: dict[str, int] = {}
    for copy, index in zip(assembly.copies, rows, strict=True):
        for chain in dict.fromkeys(records.chain[index].tolist()):
            if (chain, copy.operator) in names:
                continue
            copies[chain] = copies.get(chain, 0) + 1
            name = chain
            if copies[chain] > 1:
                free = (letter for letter in _LETTERS if letter not in used)
                name = next(free, f"{chain}{copies[chain]}")
                used.add(name)
            names[chain, copy.operator] = name
    return names


def _notes(records: Records, assembly: Assembly, names: Mapping[tuple[str, str], str]) -> list[str]:
    chains = dict.fromkeys(records.chain.tolist())
    there = {chain for chain, _ in names}
    renamed = [
        f"{name} is {chain or '(blank)'} moved by operator {operator}"
        for (chain, operator), name in names.items()
        if name != chain
    ]
    left = [chain or "(blank)" for chain in chains if chain not in there]
    notes = [f"assembly {assembly.name} has {counted(len(names), 'chain')}"]
    if renamed:
        more = f" and {len(renamed) - 8} more" if len(renamed) > 8 else ""
        notes[0] += f"; copies: {', '.join(renamed[:8])}{more}"
    if left:
        notes.append(f"chains that are not in assembly {assembly.name} left out: {', '.join(left)}")
    return notes


def from_remarks(content: bytes) -> tuple[Assembly, ...]:
    """Return the assemblies of the REMARK 350 lines of a PDB file."""
    copies: dict[str, list[Copy]] = {}
    current: list[str] = []
    units: tuple[str, ...] = ()
    rows: dict[str, list[list[float]]] = {}
    for raw in re.findall(rb"^REMARK 350(.*)$", content, re.M):
        line = raw.decode("latin-1").strip()
        if line.startswith("BIOMOLECULE:"):
            current = [name.strip() for name in line[12:].split(",") if name.strip()]
            units, rows = (), {}
        elif "CHAINS:" in line:
            chains = line.split("CHAINS:")[1].replace("NULL", " ").split(",")
            named = tuple(chain.strip() for chain in chains if chain.strip() or chain == " ")
            units = named if line.startswith("APPLY") else units + named
        elif match := _BIOMT.match(line):
            row = rows.setdefault(match[2], [])
            row.append([float(word) for word in match[3].split()])
            if match[1] == "3" and len(row) == 3:
                copy = Copy(match[2], np.array(rows.pop(match[2])), units)
                for name in current:
                    copies.setdefault(name, []).append(copy)
    return tuple(Assembly(name, tuple(group)) for name, group in copies.items())


def from_tables(tables: Mapping[str, Sequence[str]]) -> tuple[Assembly, ...]:
    """Return the assemblies of an mmCIF file; those with an unknown operator are left out."""
    generated = "_pdbx_struct_assembly_gen."
    columns = [tables.get(generated + key, ()) for key in ("assembly_id", "oper_expression")]
    units = tables.get(f"{generated}asym_id_list", ())
    operators = _operators(tables)
    copies: dict[str, list[Copy]] = {}
    for name, expression, chains in zip(*columns, units, strict=False):
        own = copies.setdefault(name, [])
        for steps in _expanded(expression):
            if not operators.keys() >= set(steps):
                copies[name] = []
                break
            matrix = reduce(_after, (operators[step] for step in steps))
            members = tuple(chain.strip() for chain in chains.split(","))
            own.append(Copy("*".join(steps), matrix, members))
    return tuple(Assembly(name, tuple(group)) for name, group in copies.items() if group)


def _operators(tables: Mapping[str, Sequence[str]]) -> dict[str, npt.NDArray[np.float64]]:
    """Operator -> matrix (3, 4)."""
    table = "_pdbx_struct_oper_list."
    keys = [
        table + key
        for i in (1, 2, 3)
        for key in (*(f"matrix[{i}][{j}]" for j in (1, 2, 3)), f"vector[{i}]")
    ]
    names = tables.get(f"{table}id", ())
    try:
        numbers = np.array([[float(word) for word in tables[key]] for key in keys])
    except (KeyError, ValueError):
        return {}
    if numbers.shape != (12, len(names)):
        return {}
    return {name: numbers[:, k].reshape(3, 4) for k, name in enumerate(names)}


def _after(
    second: npt.NDArray[np.float64], first: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The operator that does the first, then the second: of (X0)(1-60) X0 is the second."""
    shift = second[:, :3] @ first[:, 3] + second[:, 3]
    return np.column_stack((second[:, :3] @ first[:, :3], shift))


def _expanded(expression: str) -> Iterator[tuple[str, ...]]:
    """The products of operators that an expression such as ``(1,2,6-10)(P)`` stands for."""
    groups = [inner or bare for inner, bare in re.findall(r"\(([^()]*)\)|([^()]+)", expression)]
    yield from product(*(_listed(group) for group in groups))


def _listed(group: str) -> list[str]:
    names: list[str] = []
    for word in filter(None, (part.strip() for part in group.split(","))):
        low, dash, high = word.partition("-")
        if dash and low.isdigit() and high.isdigit() and int(high) - int(low) < _MOST:
            names += map(str, range(int(low), int(high) + 1))
        else:
            names.append(word)
    return names
