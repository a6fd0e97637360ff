"""Where a search begins: poses drawn at random, or by the diffusion model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.chem.graph import molecular_graph
from moldiff.dock.features import MARGIN, crop_radius, ligand_input, pocket_input
from moldiff.dock.pose import Pose, random_poses
from moldiff.protein.tokens import atom_tokens

if TYPE_CHECKING:
    from moldiff.dock.features import LigandInput, PocketInput
    from moldiff.dock.model import PoseModel
    from moldiff.dock.problem import Problem

__all__ = ["DiffusionProposer", "Proposer", "RandomProposer", "consensus", "network_inputs"]

_NEAR, _FEW = 2.0, 0.05  # Å; the share of draws from which on they count


class Proposer(ABC):
    """Proposes poses for a problem; ``informed`` if they say something about where it binds."""

    informed: ClassVar[bool]

    @abstractmethod
    def propose(self, problem: Problem, count: int, *, rng: torch.Generator) -> Pose:
        """Return ``count`` poses."""


@dataclass(frozen=True)
class RandomProposer(Proposer):
    """Poses drawn evenly from the box: the network's control."""

    informed = False

    def propose(self, problem: Problem, count: int, *, rng: torch.Generator) -> Pose:
        return random_poses(problem.kinematics, problem.box, count, rng=rng)


@dataclass(frozen=True, eq=False)
class DiffusionProposer(Proposer):
    """Poses drawn by a pose model.

    Attributes
    ----------
    model:
        The trained model.
    steps:
        Sampling steps; the model's own number by default.
    batch:
        Poses per pass, to bound the memory.
    """

    informed = True

    model: PoseModel
    steps: int | None = None
    batch: int = 64

    def propose(self, problem: Problem, count: int, *, rng: torch.Generator) -> Pose:
        ligand, pocket = network_inputs(problem)
        sizes = [min(self.batch, count - done) for done in range(0, count, self.batch)]
        return Pose.cat(
            [
                self.model.sample(
                    problem.kinematics, ligand, pocket, size, rng=rng, steps=self.steps
                )
                for size in sizes
            ]
        )


def consensus(x: Float[Tensor, "p n 3"], drawn: Float[Tensor, "d n 3"]) -> Float[Tensor, " p"]:
    """Return how many of the draws agree with each pose, on a scale of logarithms.

    ``log(1 + K / 0.05)``, K being the mean over the draws of ``exp(-RMSD^2 / 2 (2 Å)^2)``: zero
    where no draw is near, 3 where all are.  Draws of a diffusion model are samples of its
    belief about the bound pose, so their density is evidence that neither energy nor
    likelihood has.  RMSD atom by atom, without symmetry.
    """
    away = torch.cdist(x.flatten(1), drawn.flatten(1)) / x.shape[1] ** 0.5
    return (torch.exp(-0.5 * (away / _NEAR).square()).mean(1) / _FEW).log1p()


def network_inputs(problem: Problem) -> tuple[LigandInput, PocketInput]:
    """Return what the network reads of a problem's ligand and pocket."""
    ensemble, structure = problem.ligand, problem.receptor.structure
    graph = molecular_graph(ensemble.mol, ensemble.heavy)
    residues = [structure.residues[k].name for k in structure.residue.tolist()]
    tokens = atom_tokens(residues, structure.names, structure.numbers)
    radius = crop_radius(ensemble.positions, MARGIN)
    centre = np.asarray(problem.box.centre, dtype=np.float32)
    return (
        ligand_input(graph, problem.rotors.moves),
        pocket_input(structure.positions, tokens, centre, radius),
    )
