"""Physical plausibility of poses: fast checks of all poses at once, and PoseBusters itself.

The fast checks mirror PoseBusters (M. Buttenschoen, G. M. Morris, C. M. Deane, Chem. Sci. 15,
3130 (2024); configuration ``dock``) and carry the names of its columns:

- distances to protein, organic cofactors, inorganic cofactors and waters of at least 0.75 times
  the sum of the van der Waals (inorganic: covalent) radii, some protein atom within 5 Å;
- at most 7.5 % of the ligand's volume inside each of these, on RDKit's layered 0.5 Å grid with
  scaled radii: the same function up to the origin of the grid;
- bond lengths and angles within 25 %, other distances in the ligand no shorter than 30 % below
  RDKit's distance-geometry bounds; and, in addition to PoseBusters,
- every atom inside the search box.

Only PoseBusters checks flatness, chirality and the identity of the graph, which rigid motions
and torsions preserve, and the internal energy, which needs an ensemble of conformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from torch import Tensor

from moldiff.chem.quiet import quiet
from moldiff.docking.judge.volume import overlap

if TYPE_CHECKING:
    from moldiff.docking.problem import Problem
    from moldiff.protein.pocket import Box
    from moldiff.protein.structure import Structure

__all__ = ["Checker", "Checks", "check_poses", "posebust"]

_PERIODIC = Chem.GetPeriodicTable()
_CLASH, _FAR, _OVERLAP = 0.75, 5.0, 0.075
_BOND, _ANGLE, _INTERNAL = 0.25, 0.25, 0.3
_SLACK = 0.5  # Å an atom may stand outside the box: the energy's wall there is soft

#: Group -> (kind of radius for distances, scale of the van der Waals radii for volumes).
_GROUPS = {
    "protein": ("vdw", 0.8),
    "organic_cofactors": ("vdw", 0.8),
    "inorganic_cofactors": ("covalent", 0.5),
    "waters": ("vdw", 0.5),
}
_KINDS = {"protein": 0, "nucleic": 0, "cofactor": 1, "metal": 2, "water": 3}
_INORGANIC_NAMES = frozenset(("FES", "MOS", "PO3", "PO4", "PPK", "SO3", "SO4", "VO4"))
_INTERNAL_NAMES = (
    "protein-ligand_maximum_distance",
    "bond_lengths",
    "bond_angles",
    "internal_steric_clash",
)
_NAMES = (
    *(f"minimum_distance_to_{group}" for group in _GROUPS),
    *(f"volume_overlap_with_{group}" for group in _GROUPS),
    *_INTERNAL_NAMES,
    "inside_box",
)


@dataclass(frozen=True, eq=False)
class Checks:
    """The checks that each pose passed.

    Attributes
    ----------
    names:
        The k checks; all except ``inside_box`` are columns of PoseBusters.
    passed:
        (p, k) bool.
    """

    names: tuple[str, ...]
    passed: Tensor

    def fraction(self) -> Tensor:
        """Return the share of checks each pose passed, (p,)."""
        return self.passed.float().mean(1)

    def row(self, pose: int) -> dict[str, bool]:
        """Return the checks of one pose by name."""
        return dict(zip(self.names, self.passed[pose].tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class _Group:
    """Receptor atoms of one group: positions (m, 3), closest distances (n, m), radii (m,), Å."""

    positions: Tensor
    closest: Tensor
    radii: Tensor
    scale: float


@dataclass(frozen=True, eq=False)
class Checker:
    """The checks of one ligand in one pocket, prepared for any number of poses.

    Attributes
    ----------
    groups:
        Receptor atoms by group.
    radii:
        Van der Waals radii of the n ligand atoms in Å, (n,).
    lower, upper:
        Shortest and longest allowed distances between ligand atoms in Å, (n, n).
    bonded, angled:
        Pairs of ligand atoms one and two bonds apart, (n, n) bool.
    low, high:
        Corners of the region allowed to atoms, (3,) Å.
    """

    groups: Mapping[str, _Group]
    radii: Tensor
    lower: Tensor
    upper: Tensor
    bonded: Tensor
    angled: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(
        cls, mol: Chem.Mol, heavy: np.ndarray, structure: Structure, box: Box | None = None
    ) -> Checker:
        """Prepare the checks of the ``heavy`` (n,) atoms of a molecule in a structure."""
        numbers = np.array([mol.GetAtomWithIdx(int(i)).GetAtomicNum() for i in heavy])
        low, high = torch.full((3,), -torch.inf), torch.full((3,), torch.inf)
        if box is not None:
            centre, size = torch.tensor(np.array(box.centre)), torch.tensor(np.array(box.size))
            low, high = centre - size / 2 - _SLACK, centre + size / 2 + _SLACK
        return cls(
            _groups(numbers, structure),
            _radii(numbers, "vdw"),
            *_bounds(mol, heavy),
            low.float(),
            high.float(),
        )

    def __call__(self, x: Tensor) -> Checks:
        """Check poses (p, n, 3) in Å; a pose with a non-finite coordinate fails all."""
        finite = x.isfinite().flatten(1).all(1)
        x = torch.where(finite[:, None, None], x, 0.0).float()
        distant, near, overlaps = {}, torch.zeros(len(x), dtype=torch.bool), {}
        for name, group in self.groups.items():
            distances = torch.cdist(x, group.positions)
            distant[name] = ~(distances < group.closest).flatten(1).any(1)
            if name == "protein":
                near = (distances <= _FAR).flatten(1).any(1)
            share = overlap(x, self.radii, group.positions, group.radii, group.scale)
            overlaps[name] = share <= _OVERLAP
        all_pass = torch.ones(len(x), dtype=torch.bool)
        inside = ((x >= self.low) & (x <= self.high)).flatten(1).all(1)
        columns = (
            *(distant.get(name, all_pass) for name in _GROUPS),
            *(overlaps.get(name, all_pass) for name in _GROUPS),
            near,
            *self._internal(x),
            inside,
        )
        return Checks(_NAMES, torch.stack(columns, 1) & finite[:, None])

    def _internal(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return whether bonds, angles and other distances are within their bounds, each (p,)."""
        distances = torch.cdist(x, x)
        right = (distances >= self.lower) & (distances <= self.upper)
        rest = ~(self.bonded | self.angled)
        bonds, angles, others = (
            (right | ~pairs).flatten(1).all(1) for pairs in (self.bonded, self.angled, rest)
        )
        return bonds, angles, others


def check_poses(problem: Problem, x: Tensor) -> Checks:
    """Check all poses (p, n, 3) in Å of the heavy atoms of a docking problem's ligand."""
    ligand = problem.ligand
    checker = Checker.of(ligand.mol, ligand.heavy, problem.receptor.structure, problem.box)
    return checker(x)


def _groups(numbers: np.ndarray, structure: Structure) -> dict[str, _Group]:
    """Divide the receptor as PoseBusters does; leave out empty groups."""
    residues = structure.residues
    kind = np.array([_KINDS.get(r.kind, 1) for r in residues], dtype=int)
    kind[[r.name in _INORGANIC_NAMES for r in residues]] = 2
    member = kind[structure.residue] if len(residues) else np.zeros(0, int)
    groups = {}
    for index, (name, (radius, scale)) in enumerate(_GROUPS.items()):
        chosen = member == index
        if chosen.any():
            elements = structure.numbers[chosen]
            sums = _radii(numbers, radius)[:, None] + _radii(elements, radius)
            positions = torch.as_tensor(structure.positions[chosen]).float()
            groups[name] = _Group(positions, _CLASH * sums, _radii(elements, "vdw"), scale)
    return groups


def _radii(numbers: np.ndarray, kind: str) -> Tensor:
    radius_of = {"vdw": _PERIODIC.GetRvdw, "covalent": _PERIODIC.GetRcovalent}[kind]
    return torch.tensor([radius_of(int(z)) for z in numbers])


def _bounds(mol: Chem.Mol, heavy: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return shortest and longest distances, bonded and angled pairs of heavy atoms, (n, n)."""
    n = len(heavy)
    bounds = np.triu(np.full((mol.GetNumAtoms(),) * 2, np.inf))
    try:
        with quiet():
            if n > 1:
                bounds = rdDistGeom.GetMoleculeBoundsMatrix(mol, set15bounds=True, scaleVDW=True)
    except RuntimeError:
        pass  # as in PoseBusters: without bounds there are no violations
    adjacency = Chem.GetAdjacencyMatrix(mol)[np.ix_(heavy, heavy)] > 0
    two = (adjacency.astype(int) @ adjacency.astype(int) > 0) & ~np.eye(n, dtype=bool)
    bonded, angled = torch.from_numpy(adjacency), torch.from_numpy(two & ~adjacency)
    low, high = (
        torch.from_numpy((half + half.T)[np.ix_(heavy, heavy)]).float()
        for half in (np.tril(bounds, -1), np.triu(bounds, 1))
    )
    tight = (bonded | angled).fill_diagonal_(False)
    slack = torch.where(bonded, _BOND, torch.where(angled, _ANGLE, _INTERNAL))
    return low * (1 - slack), torch.where(tight, high * (1 + slack), torch.inf), bonded, angled


def posebust(pose: Chem.Mol, receptor: Path) -> dict[str, bool | None] | str:
    """Run PoseBusters on one pose against a receptor file.

    Parameters
    ----------
    pose:
        One conformer in the frame of the receptor; left unchanged.
    receptor:
        A PDB file.

    Returns
    -------
    Each check by name (None: could not be computed), or the reason why none ran.
    """
    if find_spec("posebusters") is None:
        return "posebusters is not installed: pip install 'moldiff[eval]'"
    from moldiff.metrics.poses import bust

    checks = bust(pose, config="dock", receptor=receptor)
    if checks.get("mol_cond_loaded") is not True:
        return f"PoseBusters cannot read '{receptor.name}'"
    return checks
