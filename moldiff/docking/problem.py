"""The input of a docking: a ligand's conformers and rotors, a pocket, and their energies."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rdkit import Chem
from scipy.spatial.distance import pdist

from moldiff.chem.conformers import Ensemble
from moldiff.chem.conformers import conformers as embed
from moldiff.chem.ligand import prepare_ligand
from moldiff.chem.rotors import Rotors, find_rotors, vina_torsion_count
from moldiff.docking.energy.atom_types import AtomTypes, ligand_types, receptor_types
from moldiff.docking.energy.exact import ExactEnergy, Internal, Target
from moldiff.docking.energy.grid import Grid, GridEnergy, build_grid
from moldiff.docking.energy.terms import internal_pairs
from moldiff.docking.ligands import stereo_notes
from moldiff.domain.kinematics import Kinematics
from moldiff.protein.pocket import Box, crop

if TYPE_CHECKING:
    from moldiff.protein.receptor import Receptor

__all__ = ["Pocket", "Problem", "make_problem", "posed_problem"]

_ROOM = 10.0  # Å of a box beyond the ligand's length
_MARGIN = 8.0  # Å around the box in which receptor atoms count


@dataclass(frozen=True, eq=False)
class Pocket:
    """A prepared pocket, shared by all ligands docked into it.

    Attributes
    ----------
    receptor:
        The receptor, cropped to the atoms that interact with the box.
    box:
        The region to search.
    target:
        Positions and types of the receptor's atoms.
    origin:
        The source of the receptor, for the records: its file, and a digest of it.
    notes:
        Remarks about the receptor and the pocket for the user, a sentence each.
    chance:
        The probability that this is where the ligand binds: less than 1 of a cavity that was found.
    others:
        Further cavities of the same receptor, less likely ones, each a pocket of its own.

    The potentials of an atom type are computed on first use and cached.
    """

    receptor: Receptor
    box: Box
    target: Target
    origin: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    chance: float = 1.0
    others: tuple[Pocket, ...] = ()
    _grids: list[Grid] = field(default_factory=list, repr=False)

    @staticmethod
    def of(
        receptor: Receptor,
        box: Box,
        *,
        origin: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
        chance: float = 1.0,
        others: Sequence[Pocket] = (),
    ) -> Pocket:
        """Prepare a pocket of a receptor, which may be cropped already."""
        cropped = crop(receptor, box, margin=_MARGIN)
        positions = torch.as_tensor(np.asarray(cropped.structure.positions, dtype=np.float32))
        target = Target(positions, receptor_types(cropped))
        own, more = dict(origin or {}), tuple(others)
        return Pocket(cropped, box, target, own, tuple(notes), chance, more)

    def grid(self, types: AtomTypes) -> Grid:
        """Return a grid with the potentials of at least these atom types."""
        missing, _ = types.distinct()
        if self._grids:
            available = _keys(self._grids[0].types)
            new = [k for k, key in enumerate(_keys(missing)) if key not in available]
            if not new:
                return self._grids[0]
            missing = missing[new]
        grid = build_grid(self.target, missing, self.box)
        self._grids[:] = [_concatenated(self._grids[0], grid) if self._grids else grid]
        return self._grids[0]

    @cached_property
    def digest(self) -> str:
        """Twelve characters that identify atoms, types and box, and those of other cavities."""
        digest = hashlib.sha256()
        for part in (
            self.receptor.structure.positions,
            self.receptor.structure.numbers,
            self.receptor.donor,
            self.receptor.acceptor,
            self.receptor.hydrophobic,
            np.asarray(self.box.centre, dtype=np.float32),
            np.asarray(self.box.size, dtype=np.float32),
        ):
            digest.update(np.ascontiguousarray(part).tobytes())
        for other in self.others:
            digest.update(other.digest.encode())
        if self.chance < 1:
            digest.update(f"{self.chance:.6f}".encode())
        return digest.hexdigest()[:12]

    def __getstate__(self) -> dict[str, Any]:
        """Omit the potentials: another process computes them faster than it reads them."""
        return {**self.__dict__, "_grids": []}


@dataclass(frozen=True, eq=False)
class Problem:
    """A ligand with n heavy atoms, r rotors and c conformers, and a pocket with m atoms.

    Attributes
    ----------
    ligand:
        Its molecule with all hydrogens, and its conformers.
    rotors:
        Its rotatable bonds.
    kinematics:
        Maps poses to atoms and back.
    types:
        Atom types of its heavy atoms.
    pocket:
        The receptor cropped to the box, and its potentials.
    name:
        The ligand's.
    torsions:
        Number of torsions as Vina counts them, for the affinity.
    seconds:
        CPU-seconds spent so far, by stage.
    notes:
        Remarks about the ligand for the user, a sentence each.
    """

    ligand: Ensemble
    rotors: Rotors
    kinematics: Kinematics
    types: AtomTypes
    pocket: Pocket
    name: str = ""
    torsions: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def receptor(self) -> Receptor:
        """The cropped receptor."""
        return self.pocket.receptor

    @property
    def box(self) -> Box:
        """The region to search."""
        return self.pocket.box

    def places(self, count: int) -> tuple[Problem, ...]:
        """Return the same ligand in each of the first few cavities of the pocket, at least one."""
        pockets = (self.pocket, *self.pocket.others)[:count]
        return (self, *(replace(self, pocket=pocket) for pocket in pockets[1:]))

    def internal(self) -> Internal:
        """Return the ligand's internal energy."""
        pairs = internal_pairs(
            self.ligand.mol, self.rotors.axis, self.rotors.moves, self.ligand.heavy.tolist()
        )
        return Internal.of(self.types, pairs)

    def exact_energy(self) -> ExactEnergy:
        """Return the energy summed over atoms, used in reports."""
        return ExactEnergy(self.pocket.target, self.types, self.internal(), self.box)

    def grid_energy(self) -> GridEnergy:
        """Return the energy interpolated from grids, used in the search."""
        return GridEnergy(self.pocket.grid(self.types), self.types, self.internal())


def make_problem(
    mol: Chem.Mol,
    receptor: Receptor | Pocket,
    box: Box | None = None,
    *,
    conformers: int = 8,
    seed: int = 0,
    name: str = "",
    ph: float | None = None,
) -> Problem | str:
    """Prepare the docking of a ligand.

    Parameters
    ----------
    mol:
        A sanitised molecule of one piece; hydrogens may be implicit, coordinates are not read.
    receptor, box:
        A receptor and the region to search, or a prepared pocket.
    conformers, seed:
        Number of conformers, and their seed.
    name:
        The ligand's, for the records.
    ph:
        7.4 protonates the ligand by rules; None keeps its protonation.

    Returns
    -------
    Problem or str
        The problem, or the reason why the ligand cannot be docked.

    Raises
    ------
    ValueError
        If a receptor is given without a box.
    """
    if not isinstance(receptor, Pocket):
        if box is None:
            raise ValueError("a receptor needs a box")
        receptor = Pocket.of(receptor, box)
    start = time.process_time()
    try:
        prepared = prepare_ligand(mol, ph=ph)
        if isinstance(prepared, str):
            return prepared
        ensemble = embed(prepared.mol, count=conformers, seed=seed)
    except (ValueError, RuntimeError, OverflowError) as error:  # of RDKit, about odd molecules
        return f"RDKit fails: {str(error).strip().partition(chr(10))[0][:100]}"
    if isinstance(ensemble, str):
        return ensemble
    rotors = find_rotors(ensemble.mol, ensemble.heavy)
    kinematics = Kinematics.from_ensemble(ensemble, rotors)
    types = ligand_types(ensemble.mol, ensemble.heavy)
    return Problem(
        ensemble,
        rotors,
        kinematics,
        types,
        receptor,
        name,
        torsions=vina_torsion_count(ensemble.mol),
        seconds={"conformers": time.process_time() - start},
        notes=(*prepared.notes, *stereo_notes(prepared), *_fit(ensemble, receptor.box)),
    )


def posed_problem(mol: Chem.Mol, pocket: Pocket, *, name: str = "") -> Problem | str:
    """Prepare a ligand that has its pose; its only conformer is that of the pose, centred.

    Parameters
    ----------
    mol:
        With coordinates in the pocket's frame; hydrogens that are no atoms are placed.

    Returns
    -------
    Problem or str
        The problem, or the reason why the ligand cannot be docked.
    """
    if not mol.GetNumConformers():
        return "no coordinates"
    prepared = prepare_ligand(mol)
    if isinstance(prepared, str):
        return prepared
    full = Chem.AddHs(prepared.mol, addCoords=True)
    heavy = np.array([a.GetIdx() for a in full.GetAtoms() if a.GetAtomicNum() > 1], np.int64)
    x = full.GetConformer().GetPositions()[heavy].astype(np.float32)
    if not np.isfinite(x).all():
        return "coordinates that are no numbers"
    ensemble = Ensemble(full, heavy, (x - x.mean(0))[None], np.full(1, np.nan, np.float32))
    rotors = find_rotors(full, heavy)
    kinematics = Kinematics.from_ensemble(ensemble, rotors)
    types, torsions = ligand_types(full, heavy), vina_torsion_count(full)
    return Problem(
        ensemble,
        rotors,
        kinematics,
        types,
        pocket,
        name,
        torsions=torsions,
        notes=(*prepared.notes, *stereo_notes(prepared, posed=True)),
    )


def _fit(ensemble: Ensemble, box: Box) -> list[str]:
    """A note if the ligand is longer than the box, however it lies."""
    spans = [float(pdist(x).max(initial=0.0)) for x in ensemble.positions]
    longest, edge = min(spans), float(box.size.max())
    if longest <= edge:
        return []
    return [
        f"the box, {edge:g} Å at most, is shorter than the ligand, {longest:.0f} Å: no pose fits; "
        f"give --box-size {longest + _ROOM:.0f}"
    ]


def _keys(types: AtomTypes) -> list[tuple[float, ...]]:
    """Return the types as comparable values."""
    columns = (types.radius, types.hydrophobic, types.donor, types.acceptor)
    return [tuple(row) for row in torch.stack([c.float() for c in columns], dim=1).tolist()]


def _concatenated(first: Grid, second: Grid) -> Grid:
    """Concatenate two grids of one box that have different types."""
    coefficients = torch.cat((first.coefficients, second.coefficients))
    types = first.types.union(second.types)
    return Grid(types, first.low, first.cells, coefficients, first.spacing)
