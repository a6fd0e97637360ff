"""Made-up backbones: ideal peptides with drawn torsions, built atom by atom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff.backbones.quality import Quality, quality
from moldiff.data.backbones import BackboneStore, write
from moldiff.protein.backbone import AMINO_ACIDS, Backbone
from moldiff.protein.secondary import secondary

HELIX, STRAND = (-63.0, -42.0), (-120.0, 130.0)


def placed(
    a: npt.NDArray[np.float64],
    b: npt.NDArray[np.float64],
    c: npt.NDArray[np.float64],
    bond: float,
    angle: float,
    torsion: float,
) -> npt.NDArray[np.float64]:
    """The atom at a bond (Å) from c, an angle with b and a torsion with a (degrees)."""
    angle, torsion = np.radians(angle), np.radians(torsion)
    u = (c - b) / np.linalg.norm(c - b)
    n = np.cross(b - a, u)
    n /= np.linalg.norm(n)
    along = -np.cos(angle) * u
    across = np.sin(angle) * (np.cos(torsion) * np.cross(n, u) + np.sin(torsion) * n)
    atom: npt.NDArray[np.float64] = c + bond * (along + across)
    return atom


def of_torsions(
    pairs: Sequence[tuple[float, float]], *, cis: tuple[int, ...] = ()
) -> npt.NDArray[np.float32]:
    """N, CA, C and O (n, 4, 3) of a chain of phi and psi in degrees; ``cis`` follow a cis bond."""
    atoms = [np.array(x) for x in ([0.0, 0.0, 0.0], [1.458, 0.0, 0.0])]
    atoms.append(placed(np.array([0.0, 1.0, 0.0]), *atoms, 1.525, 111.2, 60.0))
    n = len(pairs)
    for k in range(1, n + 1):  # one more, for the last oxygen
        psi, phi = pairs[k - 1][1], pairs[min(k, n - 1)][0]
        atoms.append(placed(*atoms[-3:], 1.329, 117.2, psi))
        atoms.append(placed(*atoms[-3:], 1.458, 121.7, 0.0 if k in cis else 180.0))
        atoms.append(placed(*atoms[-3:], 1.525, 111.2, phi))
    traced = np.stack(atoms).reshape(n + 1, 3, 3)
    oxygen = [
        placed(traced[k + 1, 0], traced[k, 1], traced[k, 2], 1.231, 120.5, 180.0) for k in range(n)
    ]
    return np.concatenate([traced[:n], np.array(oxygen)[:, None]], 1).astype(np.float32)


def backbone(n: int, seed: int = 0, *, cis: tuple[int, ...] = ()) -> Backbone:
    """A chain of n residues, helices, strands and loops in turn; ``cis`` come after a cis bond."""
    rng = np.random.default_rng(seed)
    pairs: list[tuple[float, float]] = [(0.0, 120.0)]
    regular = np.zeros(n, bool)
    for k in range(1, n + 1):
        part = k // 6 % 3
        pairs.append((HELIX, STRAND, tuple(rng.uniform(-180, 180, 2)))[part])
        if k < n:
            regular[k] = part < 2
    types = rng.integers(AMINO_ACIDS, size=n).astype(np.int8)
    return Backbone(of_torsions(pairs[:n], cis=cis), types, regular)


def figures_of(atoms: npt.NDArray[np.floating]) -> Quality:
    """The figures of a backbone, N, CA, C and O (n, 4, 3) in Å."""
    return quality(atoms, secondary(atoms))


def write_backbones(path: Path, count: int = 6) -> BackboneStore:
    """A store of made-up chains, every other one held out."""
    chains = [(f"chain{k}", backbone(50 + k, seed=k)) for k in range(count)]
    numbers = np.arange(count)
    split = (numbers % 2).astype(np.int8)
    write(path, chains, [], clusters=numbers, split=split, source="made up")
    return BackboneStore.open(path)
