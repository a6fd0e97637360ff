"""One conformation out of a file that may hold several: residues, alternate locations, duplicates.

A residue is what shares chain, number, insertion code and name, in one stretch or (alternate
locations listed later) several.  Of the alternate locations of a residue the one of highest mean
occupancy is taken, the first letter on a tie, for all its atoms; an atom that only the others
have is taken from the fullest of those, so that no residue is torn.  Where two residues share a
place (microheterogeneity), one of them stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moldiff.protein.records import Records

__all__ = ["Conformation", "listed", "one_conformation"]

_SAME_ATOM = 2.5  # Å: a second atom of the same name farther away belongs to another residue
_SAME_PLACE = 0.4  # Å: no two atoms are nearer than this

Index = npt.NDArray[np.intp]
Conformation = tuple[Records, npt.NDArray[np.int32], list[str]]


def listed(items: Sequence[str], limit: int = 8) -> str:
    """Join items for a note, at most ``limit`` of them."""
    text = ", ".join(items[:limit])
    return text if len(items) <= limit else f"{text} and {len(items) - limit} more"


def one_conformation(records: Records) -> Conformation:
    """Choose one position for every atom.

    Returns
    -------
    records, residue, notes:
        The m atoms kept, sorted by residue; the residue's number (m,) from 0; what was chosen.
    """
    residue, duplicates = _residues(records)
    notes = []
    keep = ~duplicates
    if duplicates.any():
        notes.append(f"{duplicates.sum()} duplicate atoms left out (the first is kept)")
    keep, chosen = _choose(records, residue, keep)
    if chosen:
        notes.append(f"alternate locations: the fullest kept in {listed(chosen)}")
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(residue[rows], kind="stable")]
    rows, clashes = _apart(records, rows)
    if clashes:
        notes.append(f"{clashes} atoms on top of others (< {_SAME_PLACE} Å) left out")
    _, compact = np.unique(residue[rows], return_inverse=True)
    return records.take(rows), compact.astype(np.int32), notes


def _codes(*columns: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """One integer (m,) for each distinct combination of the columns' values."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, inverse = np.unique(column, return_inverse=True)
        _, code = np.unique(code * len(values) + inverse, return_inverse=True)
    return code


def _residues(records: Records) -> tuple[Index, npt.NDArray[np.bool_]]:
    """Number the residues in the order of the file; mark repeated atoms, each (m,)."""
    key = _codes(records.chain, records.number, records.insertion, records.residue)
    atom = _codes(records.names, records.altloc)
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    stops = np.r_[starts[1:], len(key)]
    residue = np.zeros(len(key), dtype=np.intp)
    latest: dict[int, tuple[int, set[int]]] = {}
    count = 0
    repeated = len(np.unique(key[starts])) < len(starts)
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        number, names = count, set()
        if repeated:
            here, names = int(key[start]), set(atom[start:stop].tolist())
            known = latest.get(here)
            if known is not None and not known[1] & names:
                number, names = known[0], known[1] | names
            latest[here] = (number, names)
        residue[start:stop] = number
        count += number == count
    return _split(records.positions, residue, atom, count)


def _split(
    positions: npt.NDArray[np.float32], residue: Index, atom: npt.NDArray[np.int64], count: int
) -> tuple[Index, npt.NDArray[np.bool_]]:
    """Tell repeated atoms (duplicates) from repeated residues (too far away to be the same)."""
    code = residue * (int(atom.max()) + 1) + atom
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    original = first[inverse]
    repeats = np.flatnonzero(original != np.arange(len(code)))
    duplicates = np.zeros(len(code), dtype=bool)
    far = np.linalg.norm(positions[repeats] - positions[original[repeats]], axis=1) > _SAME_ATOM
    duplicates[repeats[~far]] = True
    residue = residue.copy()
    seen: Counter[int] = Counter()
    names: dict[tuple[int, int], int] = {}
    for row in repeats[far].tolist():
        place = (int(residue[row]), int(atom[row]))
        seen[int(code[row])] += 1
        copy = (place[0], seen[int(code[row])])
        names.setdefault(copy, count + len(names))
        residue[row] = names[copy]
    return residue, duplicates


def _choose(
    records: Records, residue: Index, keep: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Keep one alternate location per residue; return the mask and the residues concerned."""
    alternate = records.altloc != ""
    keep = keep.copy()
    if not alternate.any():
        return keep, []
    place = _codes(records.chain, records.number, records.insertion)
    concerned = np.unique(place[alternate & keep])
    rows = np.flatnonzero(np.isin(place, concerned) & keep)
    rows = rows[np.argsort(place[rows], kind="stable")]
    chosen = []
    for group in np.split(rows, np.flatnonzero(np.diff(place[rows])) + 1):
        members = [group[residue[group] == number] for number in np.unique(residue[group])]
        # Residues that share their number by accident (no alternate locations) are left alone.
        mixed = [part for part in members if alternate[part].any()]
        shared = np.concatenate(mixed)
        best, label = _fullest(records, shared)
        for part in mixed:
            keep[part] = _consistent(records, part, best)
        first = int(shared[records.altloc[shared] == best][0])
        name = f"{records.chain[first]}:{records.number[first]}{records.insertion[first]}"
        if len(np.unique(records.altloc[shared][alternate[shared]])) > 1:
            chosen.append(f"{name} {records.residue[first]} ({label})")
    return keep, chosen


def _fullest(records: Records, rows: Index) -> tuple[str, str]:
    """The location of highest mean occupancy, and how to call it in a note."""
    locations = records.altloc[rows]
    letters = sorted({str(letter) for letter in locations if letter})
    mean = {k: float(records.occupancy[rows][locations == k].mean()) for k in letters}
    best = min(letters, key=lambda k: (-round(mean[k], 3), k))
    return best, f"{best} of {''.join(letters)}"


def _consistent(records: Records, rows: Index, best: str) -> npt.NDArray[np.bool_]:
    """Which atoms of one residue to keep, (len(rows),)."""
    locations, names = records.altloc[rows], records.names[rows]
    if best not in locations and not (locations == "").any():
        return np.zeros(len(rows), dtype=bool)  # the other residue at this place was chosen
    kept = (locations == "") | (locations == best)
    there = set(names[kept].tolist())
    for i in np.argsort(-records.occupancy[rows], kind="stable"):
        if not kept[i] and str(names[i]) not in there:
            kept[i] = True
            there.add(str(names[i]))
    # An atom given both without and with a location counts once.
    order = np.lexsort((locations == "", names))
    repeated = names[order][1:] == names[order][:-1]
    both = order[1:][repeated & kept[order][1:] & kept[order][:-1]]
    kept[both] = False
    return kept


def _apart(records: Records, rows: Index) -> tuple[Index, int]:
    """Drop atoms that lie on others: the emptier, else the later one."""
    from scipy.spatial import cKDTree

    pairs = cKDTree(records.positions[rows]).query_pairs(_SAME_PLACE, output_type="ndarray")
    if not len(pairs):
        return rows, 0
    occupancy = records.occupancy[rows]
    gone: set[int] = set()
    for a, b in np.sort(pairs, axis=1)[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist():
        if a not in gone and b not in gone:
            gone.add(a if occupancy[a] < occupancy[b] else b)
    return np.delete(rows, sorted(gone)), len(gone)
