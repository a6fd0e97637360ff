"""Bond lengths, angles, torsions and counts of one molecule: what the distributions are of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.metrics.sample import Sample

__all__ = ["Features", "features"]

_SYMBOLS = {"SINGLE": "-", "DOUBLE": "=", "TRIPLE": "#", "AROMATIC": ":"}
# A torsion about nearly straight atoms is noise.
_STRAIGHT = 175.0

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Measured features of one molecule.

    Attributes
    ----------
    continuous:
        Name -> values: "bond_length" (Å), "angle" (degrees), "torsion" (absolute, degrees),
        and per class "bond_length/C=O" (":" aromatic) and "angle/C" (central element).
    counts:
        Name -> {count: how often}: "atom_count", "ring_count", "ring_size", and per element
        "element_count/C".
    """

    continuous: dict[str, Array] = field(default_factory=dict)
    counts: dict[str, Counter[int]] = field(default_factory=dict)


def features(sample: Sample) -> Features | None:
    """Measure one molecule; None if it is empty or lacks a graph or finite coordinates.

    Bond classes come from the sanitised molecule, so that the choice of a Kekulé structure
    plays no part; a molecule that cannot be sanitised counts as it stands.
    """
    if sample.mol is None or not sample.symbols or sample.positions is None:
        return None
    if not np.isfinite(sample.positions).all():
        return None
    mol = sanitised(sample.mol)
    if mol is None:
        mol = Chem.Mol(sample.mol)
        with quiet():
            mol.UpdatePropertyCache(strict=False)
            Chem.FastFindRings(mol)
    neighbours: list[list[int]] = [[] for _ in sample.symbols]
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        neighbours[i].append(j)
        neighbours[j].append(i)
    continuous = _lengths(mol, sample) | _angles(neighbours, sample)
    continuous["torsion"] = _torsions(mol, neighbours, sample.positions)
    return Features(continuous, _counts(mol, sample.symbols))


def _lengths(mol: Chem.Mol, sample: Sample) -> dict[str, Array]:
    positions = sample.positions
    assert positions is not None
    bonds = list(mol.GetBonds())
    ends = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in bonds], dtype=np.int64)
    if not bonds:
        return {"bond_length": np.zeros(0)}
    lengths = np.linalg.norm(positions[ends[:, 0]] - positions[ends[:, 1]], axis=1)
    kinds = []
    for bond, (i, j) in zip(bonds, ends.tolist(), strict=True):
        a, b = sorted((sample.symbols[i], sample.symbols[j]))
        kinds.append(f"bond_length/{a}{_SYMBOLS.get(bond.GetBondType().name, '~')}{b}")
    return {"bond_length": lengths, **_grouped(kinds, lengths)}


def _grouped(kinds: list[str], values: Array) -> dict[str, Array]:
    labels = np.array(kinds)
    return {str(kind): values[labels == kind] for kind in np.unique(labels)}


def _angles(neighbours: list[list[int]], sample: Sample) -> dict[str, Array]:
    triples = [
        (a, centre, b)
        for centre, around in enumerate(neighbours)
        for k, a in enumerate(around)
        for b in around[k + 1 :]
    ]
    if not triples:
        return {"angle": np.zeros(0)}
    assert sample.positions is not None
    degrees = _angle(sample.positions, np.array(triples))
    kinds = [f"angle/{sample.symbols[centre]}" for _, centre, _ in triples]
    return {"angle": degrees, **_grouped(kinds, degrees)}


def _angle(positions: Array, triples: npt.NDArray[np.int64]) -> Array:
    """(k,) angles in degrees at the middle atoms of (k, 3) triples."""
    a = positions[triples[:, 0]] - positions[triples[:, 1]]
    b = positions[triples[:, 2]] - positions[triples[:, 1]]
    # atan2 keeps its precision at 0 and 180 degrees, where arccos loses it.
    sine = np.linalg.norm(np.cross(a, b), axis=1)
    degrees: Array = np.degrees(np.arctan2(sine, np.sum(a * b, axis=1)))
    return degrees


def _torsions(mol: Chem.Mol, neighbours: list[list[int]], positions: Array) -> Array:
    """Absolute torsions in degrees, [0, 180]: mirror images count the same."""
    quads = [
        (a, i, j, b)
        for bond in mol.GetBonds()
        for i, j in [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())]
        for a in neighbours[i]
        for b in neighbours[j]
        if a != j and b != i and a != b
    ]
    if not quads:
        return np.zeros(0)
    index = np.array(quads)
    bent = (_angle(positions, index[:, :3]) < _STRAIGHT) & (
        _angle(positions, index[:, 1:]) < _STRAIGHT
    )
    a, i, j, b = positions[index[bent]].transpose(1, 0, 2)
    axis = j - i
    left, right = np.cross(i - a, axis), np.cross(axis, b - j)
    sine = np.linalg.norm(np.cross(left, right), axis=1)
    degrees: Array = np.degrees(np.arctan2(sine, np.sum(left * right, axis=1)))
    return degrees


def _counts(mol: Chem.Mol, symbols: tuple[str, ...]) -> dict[str, Counter[int]]:
    with quiet():
        rings = [len(ring) for ring in Chem.GetSymmSSSR(mol)]
    counts = {
        "atom_count": Counter([len(symbols)]),
        "ring_count": Counter([len(rings)]),
        "ring_size": Counter(rings),
    }
    for element, number in Counter(symbols).items():
        counts[f"element_count/{element}"] = Counter([number])
    return counts
