"""Settling: what was added to a part turns in the pocket until the docking energy is least.

Docking's energy knows no bond lengths and angles, so what was added is first relaxed in MMFF94 (or
UFF), a few steps, with the part where it is.  The part has its pose and keeps it, so neither the
molecule as a whole nor a bond inside of the part moves: of its rotors those turn that have the part
on one side only.  Several conformations are minimised together, the one that was generated and
others with torsions drawn at random; the best is minimised in the exact energy, judged by the
evidence of docking, and checked as docked poses are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from rdkit import Chem
from torch import Tensor

from moldiff.chem.conformers import with_positions
from moldiff.chem.force_field import WATER
from moldiff.chem.hydrogens import relax, relax_hydrogens
from moldiff.chem.rotors import Rotors
from moldiff.docking import bundled
from moldiff.docking.energy.exact import affinity
from moldiff.docking.hydrogens import place_all
from moldiff.docking.judge.checks import check_poses
from moldiff.docking.judge.evidence import Judges, evidence
from moldiff.docking.judge.ranking import Ranking
from moldiff.docking.minimise import Motion, minimise
from moldiff.docking.problem import Pocket, Problem, posed_problem
from moldiff.docking.proposals import Proposer
from moldiff.docking.settings import Settings
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.geometry.tensors import uniform_angles, wrap
from moldiff.protein.interactions import Interaction, find_interactions
from moldiff.seeds import generator

__all__ = ["Anchored", "Settled", "Settler", "free_rotors"]

_STARTS = 16  # conformations that are minimised together
_ITERATIONS = 40
_RELAXING = 60  # iterations of the force field: enough for bonds and angles, not for a new shape
_STREAM = 51  # of random numbers, unique in the package
_MOVED = 1e-3  # Å: what moves less has not been turned, but for rounding


@dataclass(frozen=True, eq=False)
class Settled:
    """A molecule in its pose, and what docking says about it.

    Attributes
    ----------
    mol:
        With all hydrogens and one conformer; atoms that did not turn are where they were.
    energy:
        Estimated free energy of binding by the Vina function, in kcal/mol.
    score:
        What designs are put in order by; higher is better: docking's ranking of a molecule that was
        settled, minus the energy of one that was docked.  Minus infinity where a check failed.
    terms:
        The evidence and the parts of the energy, by name; nothing where a check failed.
    checks:
        Name of a check -> whether it passed.
    interactions:
        With the receptor; nothing where a check failed.
    """

    mol: Chem.Mol
    energy: float
    score: float
    terms: Mapping[str, float]
    checks: Mapping[str, bool | None]
    interactions: tuple[Interaction, ...]

    @property
    def failed(self) -> list[str]:
        """The checks that failed."""
        return [name for name, passed in self.checks.items() if passed is False]

    @property
    def reason(self) -> str | None:
        """Why it is rejected: the checks that failed, or None."""
        return f"fails {', '.join(self.failed)}" if self.failed else None


@dataclass(frozen=True, eq=False)
class Settler:
    """Settles molecules in one pocket; the models of docking are loaded once.

    Attributes
    ----------
    pocket:
        Where.
    proposer, judges, ranking:
        Sources of the evidence, as in docking.
    """

    pocket: Pocket
    proposer: Proposer
    judges: Judges
    ranking: Ranking

    @classmethod
    def of(cls, pocket: Pocket) -> Settler:
        """Take the bundled models."""
        proposer, _ = bundled.proposer(Settings())
        return cls(pocket, proposer, bundled.judges(), bundled.ranking())

    @torch.no_grad()
    def __call__(
        self, mol: Chem.Mol, kept: Collection[int] | None = None, *, seed: int = 0
    ) -> Settled | str:
        """Settle a molecule that has its pose.

        Parameters
        ----------
        mol:
            With coordinates in the receptor's frame.
        kept:
            Heavy atoms that stay, counted among the heavy ones; None: the molecule moves as a
            whole, and all of its rotors turn.
        seed:
            Of the torsions that are drawn.

        Returns
        -------
        Settled or str
            Or why it cannot be.
        """
        problem = posed_problem(mol if kept is None else _relaxed(mol, kept), self.pocket)
        if isinstance(problem, str):
            return problem
        start = np.asarray(problem.ligand.mol.GetConformer().GetPositions())
        centre = torch.from_numpy(start[problem.ligand.heavy].mean(0)).float()
        rotors, motion = problem.rotors, _motion(problem, kept, centre)
        if isinstance(motion, Anchored):
            rotors = motion.rotors
        pose = _minimised(problem, motion, _starts(centre, len(rotors), kept is not None, seed))
        x = motion.place(pose)
        shown = pose.replace(centre=x.mean(1))
        moved = place_all(problem.ligand, rotors, shown)[0]
        # On the graph that was given: docking's has aromatic bonds for Kekulé's.
        same = mol.GetNumAtoms() == problem.ligand.mol.GetNumAtoms()
        graph = mol if same else problem.ligand.mol
        return self._judged(problem, x, _completed(graph, start, moved))

    def _judged(self, problem: Problem, x: Tensor, mol: Chem.Mol) -> Settled:
        terms, checks = problem.exact_energy().terms(x), check_poses(problem, x)
        energy = float(affinity(terms["inter"], problem.torsions)[0])
        if not bool(checks.passed.all()):  # the networks take most of the time
            return Settled(mol, energy, -math.inf, {}, checks.row(0), ())
        proposals = self.proposer.prepare(problem)
        measures = evidence(problem, x, terms, proposals, self.judges)
        score = self.ranking.score(measures, checks.fraction())
        values = {name: float(value[0]) for name, value in {**measures, **terms}.items()}
        shown = with_positions(problem.ligand.mol, mol.GetConformer().GetPositions())
        interactions = tuple(find_interactions(shown, problem.receptor))
        return Settled(mol, energy, float(score[0]), values, checks.row(0), interactions)


@dataclass(frozen=True, eq=False)
class Anchored:
    """A motion of torsions alone, in which some atoms stay.

    Attributes
    ----------
    inner:
        Kinematics of the rotors that turn no atom that stays.
    rotors:
        These rotors.
    still:
        (n,) the atoms that stay.
    centre:
        (3,) their centroid in Å.
    """

    inner: Kinematics
    rotors: Rotors
    still: Bool[Tensor, " n"]
    centre: Float[Tensor, "3"]

    @property
    def atoms(self) -> int:
        """Number of heavy atoms n."""
        return self.inner.atoms

    def place(self, pose: Pose) -> Float[Tensor, "p n 3"]:
        """Return the atoms of the poses, in Å."""
        x = self.inner.place(pose)
        return x + (self.centre - x[:, self.still].mean(1, keepdim=True))

    def pull_back(
        self, gradient: Float[Tensor, "p n 3"], x: Float[Tensor, "p n 3"]
    ) -> Float[Tensor, "p d"]:
        """Return an energy's gradient by the torsions."""
        return (self.jacobian(x).mT @ gradient.flatten(1).unsqueeze(-1))[..., 0]

    def jacobian(self, x: Float[Tensor, "p n 3"]) -> Float[Tensor, "p 3*n d"]:
        """Return the derivative of the atoms, flattened, by the torsions."""
        j = self.inner.jacobian(x)[..., 6:].unflatten(1, (self.atoms, 3))
        return (j - j[:, self.still].mean(1, keepdim=True)).flatten(1, 2)

    def retract(self, pose: Pose, tangent: Float[Tensor, "p d"]) -> Pose:
        """Turn the torsions."""
        return pose.replace(torsions=wrap(pose.torsions + tangent))


def free_rotors(rotors: Rotors, kept: Collection[int]) -> Rotors:
    """Return the rotors with kept atoms on one side only, which is the side that stays.

    Rotors nearer to the kept atoms come first.
    """
    still = np.zeros(rotors.moves.shape[1], bool)
    still[list(kept)] = True
    inside = np.asarray((rotors.moves & still).any(1))
    whole = np.asarray((rotors.moves | ~still).all(1))  # all kept atoms on the moving side
    turned = inside & whole
    moves = np.where(turned[:, None], ~rotors.moves, rotors.moves)
    axis = np.where(turned[:, None], rotors.axis[:, ::-1], rotors.axis)
    dihedral = np.where(turned[:, None], rotors.dihedral[:, ::-1], rotors.dihedral)
    free = np.flatnonzero(~inside | whole)
    order = free[np.argsort(-moves[free].sum(1), kind="stable")]
    return Rotors(axis[order], moves[order], dihedral[order])


def _relaxed(mol: Chem.Mol, kept: Collection[int]) -> Chem.Mol:
    """The molecule with what is not kept relaxed; hydrogens of kept atoms stay."""
    heavy = [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() > 1]
    still = {heavy[k] for k in kept}
    bound = (a for i in still for a in mol.GetAtomWithIdx(i).GetNeighbors())
    still |= {a.GetIdx() for a in bound if a.GetAtomicNum() == 1}
    return relax(mol, still, _RELAXING, WATER)


def _motion(problem: Problem, kept: Collection[int] | None, centre: Tensor) -> Motion:
    if kept is None:
        return problem.kinematics
    rotors = free_rotors(problem.rotors, kept)
    still = torch.zeros(problem.kinematics.atoms, dtype=torch.bool)
    still[list(kept)] = True
    inner = Kinematics.from_ensemble(problem.ligand, rotors)
    return Anchored(inner, rotors, still, inner.positions[0, still].mean(0) + centre)


def _starts(centre: Tensor, rotors: int, drawn: bool, seed: int) -> Pose:
    """The pose as it is, and where torsions alone turn others with torsions drawn at random."""
    p = _STARTS if drawn and rotors else 1
    torsions = uniform_angles((p, rotors), rng=generator(seed, _STREAM), device="cpu")
    torsions[0] = 0.0
    return Pose(
        torch.zeros(p, dtype=torch.int64),
        centre.expand(p, 3).clone(),
        torch.eye(3).expand(p, 3, 3).clone(),
        torsions.float(),
    )


def _minimised(problem: Problem, motion: Motion, pose: Pose) -> Pose:
    """The best of some poses, minimised in the energy from grids and then in the exact one."""
    if isinstance(motion, Anchored) and not len(motion.rotors):
        return pose
    pose, energies = minimise(motion, problem.grid_energy(), pose, iterations=_ITERATIONS)
    best = pose[[int(energies.argmin())]]
    return minimise(motion, problem.exact_energy(), best, iterations=_ITERATIONS)[0]


def _completed(mol: Chem.Mol, before: np.ndarray, after: np.ndarray) -> Chem.Mol:
    """The molecule in its new pose; atoms that did not move keep their digits."""
    moved = np.linalg.norm(after - before, axis=1) > _MOVED
    placed = with_positions(mol, np.where(moved[:, None], after, before))
    hydrogens = (a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() == 1)
    still = [i for i in hydrogens if not moved[i]]
    return relax_hydrogens(placed, 100, WATER, fixed=still)
