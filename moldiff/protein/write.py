"""PDB files of a prepared receptor, for viewers and for checks by other programs."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moldiff.protein.columns import remarks
from moldiff.protein.elements import SYMBOLS
from moldiff.protein.receptor import Receptor
from moldiff.protein.residues import BACKBONE, FOUR_LETTERS
from moldiff.protein.structure import Structure
from moldiff.text import replace_text

__all__ = ["SideAtom", "backbone_pdb", "pdb_text", "receptor_pdb", "seqres", "write_pdb"]

_CHAINS = ascii_uppercase + ascii_lowercase + digits
_SERIALS, _NUMBERS = 100_000, 10_000  # the format's columns: counting starts again after these


def write_pdb(
    receptor: Receptor, path: str | Path, hydrogens: bool = True, *, remark: str = ""
) -> None:
    """Write a receptor as a PDB file, complete or not at all.

    Parameters
    ----------
    receptor:
        The atoms.
    path:
        The file; an older one is replaced.
    hydrogens:
        Whether to write the polar hydrogens.
    remark:
        A line to say at the top; empty: none.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    replace_text(Path(path), receptor_pdb(receptor, hydrogens=hydrogens, remark=remark))


def receptor_pdb(receptor: Receptor, *, hydrogens: bool = True, remark: str = "") -> str:
    """Return what `write_pdb` writes."""
    text = remarks(remark) + pdb_text(receptor, hydrogens=hydrogens)
    return text.encode("ascii", "replace").decode()  # columns count bytes


def pdb_text(receptor: Receptor, *, hydrogens: bool = True) -> str:
    """Return a receptor in the PDB format; hydrogens stand after the atoms of their residue."""
    structure = receptor.structure
    chains = _chain_letters(structure)
    renamed = [f"{letter} = {chain}" for chain, letter in chains.items() if letter != chain.strip()]
    lines = [f"REMARK   3 CHAIN {text}" for text in renamed if not text.endswith("= ")]
    previous = ""
    rows = _rows(receptor, hydrogens=hydrogens)
    for serial, (index, name, symbol, x) in enumerate(rows, start=1):
        residue = structure.residues[index]
        polymer = residue.kind in ("protein", "nucleic")
        if previous and previous != (residue.chain if polymer else None):
            lines.append("TER")
        previous = residue.chain if polymer else ""
        label = f" {name:<3}" if len(name) < 4 and len(symbol) == 1 else f"{name:<4}"
        lines.append(
            f"{'ATOM' if polymer else 'HETATM':<6}{serial % _SERIALS:5d} {label[:4]} "
            f"{_name(residue.name)}{chains[residue.chain]}{_number(residue.number):4d}"
            f"{residue.insertion[:1] or ' '}   {x[0]:8.3f}{x[1]:8.3f}{x[2]:8.3f}"
            f"{1:6.2f}{0:6.2f}          {symbol.upper():>2}"
        )
    return "\n".join((*lines, "END", ""))


class SideAtom(NamedTuple):
    """An atom of a side chain: its name, the symbol of its element, and its place in Å."""

    name: str
    symbol: str
    position: tuple[float, ...]


def backbone_pdb(
    atoms: npt.NDArray[np.floating],
    names: Sequence[str],
    *,
    sides: Mapping[int, Sequence[SideAtom]] = MappingProxyType({}),
    about: Sequence[str] = (),
    absent: Container[int] = (),
) -> str:
    """Return a chain A of n residues in the PDB format, numbered from 1.

    Parameters
    ----------
    atoms:
        (n, 4, 3) N, CA, C and O in Å.
    names:
        Three-letter names of the residues.
    sides:
        The side chains of some residues, by index from 0.
    about:
        What to say at the top, each beginning on a line of its own.
    absent:
        Residues, by index from 0, that are left out: only their names are told (SEQRES).
    """
    lines: list[str] = []
    serial = 0
    for k, (name, four) in enumerate(zip(names, atoms.tolist(), strict=True)):
        backbone = [SideAtom(one, one[0], x) for one, x in zip(BACKBONE, four, strict=True)]
        for atom, symbol, x in () if k in absent else (*backbone, *sides.get(k, ())):
            serial += 1
            label = f" {atom:<3}" if len(atom) < 4 and len(symbol) == 1 else f"{atom:<4}"
            place = "".join(f"{value:8.3f}" for value in x)
            lines.append(
                f"ATOM  {serial % _SERIALS:5d} {label} {_name(name)}A{_number(k + 1):4d}"
                f"    {place}{1:6.2f}{0:6.2f}          {symbol.upper():>2}"
            )
    head = "".join(map(remarks, about)) + (seqres("A", names) if absent else "")
    return head + "\n".join((*lines, "TER", "END", ""))


def seqres(chain: str, names: Sequence[str]) -> str:
    """Return the SEQRES records of a chain: the three-letter names of all its residues."""
    lines = []
    for k in range(0, len(names), 13):
        row = " ".join(f"{name:>3}" for name in names[k : k + 13])
        lines.append(f"SEQRES {k // 13 + 1:3d} {chain:1} {len(names):4d}  {row}\n")
    return "".join(lines)


def _name(name: str) -> str:
    """Columns 18-21; protonation states of four letters reach into the last, as CHARMM has them."""
    return f"{name:<4}" if name in FOUR_LETTERS else f"{name[:3]:>3} "


def _number(number: int) -> int:
    return number if -1000 < number < _NUMBERS else number % _NUMBERS


def _chain_letters(structure: Structure) -> dict[str, str]:
    """Chain -> its one letter; longer names get a free one, or share the last."""
    chains = dict.fromkeys(residue.chain for residue in structure.residues)
    free = [letter for letter in _CHAINS if letter not in chains]
    letters = {}
    for chain in chains:
        if len(chain) < 2:
            letters[chain] = chain or " "
        else:
            letters[chain] = free.pop(0) if free else _CHAINS[-1]
    return letters


def _rows(receptor: Receptor, *, hydrogens: bool) -> Iterator[tuple[int, str, str, np.ndarray]]:
    """Residue, name, element and position of each atom, residue by residue."""
    structure = receptor.structure
    parents = receptor.hydrogen_parent if hydrogens else receptor.hydrogen_parent[:0]
    where = np.r_[structure.residue, structure.residue[parents]]
    siblings = np.bincount(parents, minlength=len(structure))
    seen = np.zeros(len(structure), dtype=int)
    for i in np.argsort(where, kind="stable").tolist():
        if i < len(structure):
            symbol = SYMBOLS[structure.numbers[i]]
            yield int(where[i]), structure.names[i], symbol, structure.positions[i]
            continue
        h = i - len(structure)
        parent = int(parents[h])
        seen[parent] += 1
        suffix = str(seen[parent]) if siblings[parent] > 1 else ""
        name = f"H{structure.names[parent][1 : 4 - len(suffix)]}{suffix}"
        yield int(where[i]), name, "H", receptor.hydrogens[h]
