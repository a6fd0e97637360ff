"""Bond lengths, angles, torsions and counts of one molecule: what the distributions are of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.metrics.internal import Internal, angles, bent, dihedrals, lengths
from moldiff.metrics.sample import Sample

__all__ = ["Features", "features"]

_SYMBOLS = {"SINGLE": "-", "DOUBLE": "=", "TRIPLE": "#", "AROMATIC": ":"}

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
    internal = Internal.of(mol)
    continuous = _lengths(mol, sample, internal) | _angles(sample, internal)
    quads = internal.torsions[bent(sample.positions, internal.torsions)]
    # Absolute: mirror images count the same.
    continuous["torsion"] = np.abs(dihedrals(sample.positions, quads))
    return Features(continuous, _counts(mol, sample.symbols))


def _lengths(mol: Chem.Mol, sample: Sample, internal: Internal) -> dict[str, Array]:
    assert sample.positions is not None
    distances = lengths(sample.positions, internal.bonds)
    kinds = []
    for bond, (i, j) in zip(mol.GetBonds(), internal.bonds.tolist(), strict=True):
        a, b = sorted((sample.symbols[i], sample.symbols[j]))
        kinds.append(f"bond_length/{a}{_SYMBOLS.get(bond.GetBondType().name, '~')}{b}")
    return {"bond_length": distances, **_grouped(kinds, distances)}


def _grouped(kinds: list[str], values: Array) -> dict[str, Array]:
    labels = np.array(kinds)
    return {str(kind): values[labels == kind] for kind in np.unique(labels)}


def _angles(sample: Sample, internal: Internal) -> dict[str, Array]:
    assert sample.positions is not None
    degrees = angles(sample.positions, internal.angles)
    kinds = [f"angle/{sample.symbols[centre]}" for centre in internal.angles[:, 1].tolist()]
    return {"angle": degrees, **_grouped(kinds, degrees)}


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
