"""Is a part kept? Read from the text of two SDF records, sharing no code with the package.

Coordinates are compared as they are written.  The part's heavy atoms are the molecule's first ones,
in the same order; hydrogens may come anywhere.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass
class Table:
    """Atoms and bonds of a V2000 record, numbered from 1."""

    symbols: dict[int, str] = field(default_factory=dict)
    places: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    charges: dict[int, int] = field(default_factory=dict)
    bonds: dict[frozenset[int], int] = field(default_factory=dict)

    def heavy(self) -> list[int]:
        return [i for i, symbol in self.symbols.items() if symbol != "H"]

    def neighbours(self, atom: int) -> set[int]:
        return {j for pair in self.bonds if atom in pair for j in pair if j != atom}

    def hydrogens(self, atom: int) -> set[int]:
        return {j for j in self.neighbours(atom) if self.symbols[j] == "H"}


def parse(record: str) -> Table:
    """Read one record."""
    lines, table = record.split("\n"), Table()
    atoms, bonds = int(lines[3][:3]), int(lines[3][3:6])
    for number, line in enumerate(lines[4 : 4 + atoms], start=1):
        table.places[number] = (line[:10], line[10:20], line[20:30])
        table.symbols[number] = line[31:34].strip()
    for line in lines[4 + atoms : 4 + atoms + bonds]:
        table.bonds[frozenset((int(line[:3]), int(line[3:6])))] = int(line[6:9])
    for line in lines[4 + atoms + bonds :]:
        if line.startswith("M  CHG"):
            words = line.split()[3:]
            table.charges |= {int(a): int(q) for a, q in zip(words[::2], words[1::2], strict=True)}
        if line.startswith("M  END"):
            break
    return table


def records(text: str) -> list[str]:
    """Split a file."""
    return [part for part in text.split("$$$$\n") if part.strip()]


def faults(part: str, whole: str, points: Collection[int]) -> list[str]:
    """Say what of a part a molecule does not keep; nothing if it keeps all.

    ``points`` are the numbers of the atoms, in the part's file, where new bonds begin.
    """
    old, new = parse(part), parse(whole)
    if len(new.heavy()) < len(old.heavy()):
        return ["too few atoms"]
    match = dict(zip(old.heavy(), new.heavy(), strict=False))
    found = [f for i, j in match.items() for f in _of_atom(old, new, i, j)]
    for i, j in match.items():
        before, after = old.hydrogens(i), new.hydrogens(j)
        grown = new.neighbours(j) - after - set(match.values())
        if i in points:
            if not grown or len(after) >= len(before):
                found.append(f"point {i} is not used")
        elif grown or sorted(map(old.places.get, before)) != sorted(map(new.places.get, after)):
            found.append(f"the hydrogens or bonds of atom {i} changed")
    pairs = [(i, k) for i in match for k in match if i < k]
    return found + [
        f"bond {i}-{k} changed"
        for i, k in pairs
        if old.bonds.get(frozenset((i, k))) != new.bonds.get(frozenset((match[i], match[k])))
    ]


def _of_atom(old: Table, new: Table, i: int, j: int) -> list[str]:
    found = []
    if old.symbols[i] != new.symbols[j] or old.charges.get(i, 0) != new.charges.get(j, 0):
        found.append(f"atom {i} is another")
    if old.places[i] != new.places[j]:
        found.append(f"atom {i} moved")
    return found
