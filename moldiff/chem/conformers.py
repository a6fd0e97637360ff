"""Diverse conformers of a molecule, for docking: ETKDGv3, MMFF94, and a choice among them.

Docking samples the rotors anyway; what an ensemble has to bring is what rotors cannot reach:
ring shapes, cis and trans amides, bond angles.  So conformers are compared with their rotors
set alike, first ring by ring, then as a whole.  Coordinates of the input are never used,
but for the stereochemistry its graph leaves open.

Sources: ETKDGv3, Wang, Witek, Landrum & Riniker, J. Chem. Inf. Model. 60 (2020) 2044; MMFF94,
Halgren, J. Comput. Chem. 17 (1996) 490.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from moldiff.chem.force_field import force_field
from moldiff.chem.geometry import dihedrals, set_torsions
from moldiff.chem.quiet import quiet
from moldiff.chem.rotors import Rotors, find_rotors
from moldiff.geometry.arrays import shape_distances
from moldiff.interrupts import held

__all__ = ["Ensemble", "conformers", "with_positions"]

_SURPLUS = 3  # embedded for each conformer kept, where the molecule has shapes to choose from
_BUDGET = 450  # heavy atoms embedded in all: of a large molecule fewer, as each costs more
_ROUGH, _FINE = 60, 100  # force-field iterations before and after choosing
_WINDOW = 25.0  # kcal/mol above the best that a conformer may lie
_SEED_LIMIT = 2**31 - 1
_TRIES = 60  # for each conformer; a limit in seconds would make the result depend on the machine


@dataclass(frozen=True, eq=False)
class Ensemble:
    """c conformers of a molecule with n heavy atoms.

    Attributes
    ----------
    mol:
        The input's own graph, all hydrogens as atoms (added ones at the end), c conformers.
    heavy:
        (n,) int64, indices in ``mol`` of the heavy atoms, in the input's order.
    positions:
        (c, n, 3) float32, heavy atoms in Å, each conformer's centroid at the origin.
    energies:
        (c,) float32, kcal/mol, ascending; NaN where no force field knows the molecule.
    """

    mol: Chem.Mol
    heavy: npt.NDArray[np.int64]
    positions: npt.NDArray[np.float32]
    energies: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.positions)


def conformers(
    mol: Chem.Mol, *, count: int = 8, seed: int = 0, prune: float = 0.5
) -> Ensemble | str:
    """Build at most ``count`` diverse conformers; the same seed gives the same ones.

    Parameters
    ----------
    mol:
        A molecule of one fragment, with or without hydrogens and coordinates.
    count:
        Conformers wanted; molecules without flexible rings give fewer.
    seed:
        Seed of the embedding.
    prune:
        Smallest heavy-atom RMSD in Å, rotors set alike, between two that are kept; for single
        rings and other rigid fragments half of it.

    Returns
    -------
    Ensemble or str
        Or the reason why there is none.
    """
    with quiet(), held():
        full = _with_hydrogens(mol)
        if isinstance(full, str):
            return full
        heavy = np.array([a.GetIdx() for a in full.GetAtoms() if a.GetAtomicNum() > 1], np.int64)
        if len(heavy) == 0:
            return "no heavy atoms"
        rotors = find_rotors(full, heavy)
        if _impossible(full, _spread(seed)):
            return "no conformer: the stereo as written cannot be built"
        ids = _embed(full, _number_to_embed(full, count, len(heavy)), _spread(seed))
        if not ids:
            return "no conformer: RDKit cannot embed the molecule"
        field = force_field(full)
        energies = {k: _minimise(full, field, k, _ROUGH) for k in ids}
        kept = _choose(full, energies, heavy, rotors, count, prune)
        energies = {k: _minimise(full, field, k, _FINE) for k in kept}
        kept = _choose(full, energies, heavy, rotors, count, prune)
    if not kept:
        return "no conformer: the force field gives no finite energy"
    kept.sort(key=lambda k: (energies[k], k))
    result = _only(full, kept)
    x = _coordinates(result, heavy, range(len(kept)))
    x -= x.mean(1, keepdims=True)
    values = np.array([energies[k] for k in kept], np.float32)
    return Ensemble(result, heavy, x.astype(np.float32), values if field else values * np.nan)


def _with_hydrogens(mol: Chem.Mol) -> Chem.Mol | str:
    """A sanitised copy with all hydrogens and no conformer; open stereo taken from 3D."""
    copy = Chem.Mol(mol)
    try:
        Chem.SanitizeMol(copy)
    except (ValueError, RuntimeError) as error:
        return f"cannot be sanitised: {error}"
    if len(Chem.GetMolFrags(copy)) > 1:
        return "more than one fragment"
    if copy.GetNumConformers() and copy.GetConformer().Is3D():
        stereo = Chem.FindPotentialStereo(copy)
        if any(s.specified == Chem.StereoSpecified.Unspecified for s in stereo):
            Chem.AssignStereochemistryFrom3D(copy)
    copy.RemoveAllConformers()
    return Chem.AddHs(copy)


def _number_to_embed(mol: Chem.Mol, count: int, heavy: int) -> int:
    """How many to embed: no surplus where every conformer is the same but for its rotors."""
    ring = any(
        not bond.GetIsAromatic() and bond.GetBondType() == Chem.BondType.SINGLE and bond.IsInRing()
        for bond in mol.GetBonds()
    )
    amide = mol.HasSubstructMatch(Chem.MolFromSmarts("[#6][NX3]([#6])-!@[CX3]=[O,N,S]"))
    if not ring and not amide:
        return count
    return max(count, min(_SURPLUS * count, _BUDGET // heavy))


def _spread(seed: int) -> int:
    """A seed RDKit can multiply by each conformer's number: not 0, and no neighbours' multiple."""
    state = np.random.SeedSequence(abs(seed)).generate_state(1)[0]
    return int(state) % (_SEED_LIMIT - 1) + 1


def _embed(mol: Chem.Mol, number: int, seed: int) -> list[int]:
    """Embed in place, harder each time; the last resort is the flat drawing, unfolded."""
    for random in (False, True):
        parameters = _parameters(seed, random=random)
        ids = [k for k in rdDistGeom.EmbedMultipleConfs(mol, number, parameters) if k >= 0]
        if ids:
            return ids
        number = min(number, 8)
    return _unfold(mol, seed)


def _parameters(seed: int, *, random: bool) -> Any:
    parameters = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.numThreads = 1
    parameters.maxIterations = _TRIES
    parameters.optimizerForceTol = 0.0135  # a coarse end is enough: the force field follows
    parameters.useRandomCoords = random
    return parameters


def _impossible(mol: Chem.Mol, seed: int) -> bool:
    """Whether it is the stereochemistry of rings that keeps a molecule from being embedded.

    One conformer is tried with it and without it, since a whole ensemble of tries takes long to
    fail.
    """
    rings = mol.GetRingInfo()
    centres = [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if atom.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED
        and rings.NumAtomRings(atom.GetIdx())
    ]
    if len(centres) < 2:
        return False
    trial = Chem.Mol(mol)
    for random in (False, True):
        if rdDistGeom.EmbedMolecule(trial, _parameters(seed, random=random)) >= 0:
            return False
    plain = Chem.Mol(mol)
    Chem.RemoveStereochemistry(plain)
    built = rdDistGeom.EmbedMolecule(plain, _parameters(seed, random=False)) >= 0
    return built and not _unfold(trial, seed)


def _unfold(mol: Chem.Mol, seed: int) -> list[int]:
    """Lift the 2D depiction off its plane and minimise; kept only if the stereo comes out."""
    from rdkit.Chem import rdDepictor

    number = rdDepictor.Compute2DCoords(mol)
    conformer = mol.GetConformer(number)
    flat = conformer.GetPositions()
    lift = np.random.default_rng(seed).normal(scale=0.5, size=len(flat))
    conformer.SetPositions(np.column_stack((flat[:, :2], lift)))
    conformer.Set3D(True)
    _minimise(mol, force_field(mol), number, 2000)
    copy = Chem.Mol(mol)
    Chem.AssignStereochemistryFrom3D(copy, number)
    same = Chem.MolToSmiles(Chem.RemoveHs(copy)) == Chem.MolToSmiles(Chem.RemoveHs(mol))
    return [number] if same else []


def _minimise(mol: Chem.Mol, field: Any, k: int, iterations: int) -> float:
    """Minimise conformer k in place; its energy in kcal/mol, 0 without a force field.

    NaN where the minimiser gives up, as on hydrogen fluoride.
    """
    if field is None or mol.GetNumAtoms() < 2:
        return 0.0
    force = field(k)
    force.Initialize()
    try:
        force.Minimize(maxIts=iterations)
    except RuntimeError:
        return float("nan")
    return float(force.CalcEnergy())


def _choose(
    mol: Chem.Mol,
    energies: dict[int, float],
    heavy: npt.NDArray[np.int64],
    rotors: Rotors,
    count: int,
    prune: float,
) -> list[int]:
    """Ids of conformers that differ, low energies first, new ring shapes before the rest."""
    finite = [k for k, e in energies.items() if np.isfinite(e)]
    lowest = min((energies[k] for k in finite), default=0.0)
    ids = sorted((k for k in finite if energies[k] <= lowest + _WINDOW), key=energies.__getitem__)
    if not ids:
        return []
    x = _coordinates(mol, heavy, ids)
    if len(rotors):
        x, _ = set_torsions(x, rotors, dihedrals(x[:1], rotors.dihedral))
    rigid = [shape_distances(x[:, f]) for f in rotors.fragments() if len(f) > 3]
    fragment = np.max(rigid, axis=0) if rigid else np.zeros((len(ids), len(ids)))
    kept: list[int] = []
    for distance, least in ((fragment, 0.5 * prune), (shape_distances(x), prune)):
        for k in range(len(ids)):
            new = k not in kept and bool((distance[k, kept] >= least).all())
            if new and len(kept) < count:
                kept.append(k)
    return [ids[k] for k in kept]


def _coordinates(
    mol: Chem.Mol, heavy: npt.NDArray[np.int64], ids: Iterable[int]
) -> npt.NDArray[np.float64]:
    return np.stack([mol.GetConformer(int(k)).GetPositions()[heavy] for k in ids])


def _only(mol: Chem.Mol, ids: list[int]) -> Chem.Mol:
    """A copy with these conformers in this order, numbered from 0."""
    result = Chem.Mol(mol)
    result.RemoveAllConformers()
    for k in ids:
        result.AddConformer(Chem.Conformer(mol.GetConformer(k)), assignId=True)
    return result


def with_positions(mol: Chem.Mol, positions: npt.ArrayLike) -> Chem.Mol:
    """Return a copy of a molecule whose one conformer has these positions (n, 3), in Å."""
    result = Chem.Mol(mol)
    result.RemoveAllConformers()
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.Set3D(True)
    conformer.SetPositions(np.ascontiguousarray(positions, dtype=np.float64))
    result.AddConformer(conformer, assignId=True)
    return result
