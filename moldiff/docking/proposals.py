"""Where a search begins: poses drawn at random, or by the diffusion model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.chem.graph import molecular_graph
from moldiff.domain.kinematics import Pose, random_poses
from moldiff.domain.poses import MARGIN, crop_radius, ligand_input, pocket_input
from moldiff.protein.tokens import atom_tokens

if TYPE_CHECKING:
    from moldiff.docking.model import PoseModel
    from moldiff.docking.problem import Problem
    from moldiff.nn.inputs import LigandInput, PocketInput

__all__ = [
    "DiffusionProposer",
    "Proposer",
    "RandomProposer",
    "network_inputs",
]

_JUDGED = 0.6  # time at which the network says how far a pose is from where it belongs


class Proposer(ABC):
    """Proposes poses for a problem."""

    @abstractmethod
    def propose(self, problem: Problem, count: int, *, rng: torch.Generator) -> Pose:
        """Return ``count`` poses."""

    def moves(self, problem: Problem, x: Float[Tensor, "p n 3"]) -> tuple[Tensor, Tensor] | None:
        """Return how far poses are from where they belong, Å: their centres, their shapes.

        (p,) each; None by what has no opinion.
        """
        return None


@dataclass(frozen=True)
class RandomProposer(Proposer):
    """Poses drawn evenly from the box: the network's control."""

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

    @torch.no_grad()
    def moves(self, problem: Problem, x: Float[Tensor, "p n 3"]) -> tuple[Tensor, Tensor] | None:
        """Return the network's displacement of the centres, and the rms of what remains."""
        ligand, pocket = network_inputs(problem)
        network = self.model.network
        state = network.encode(pocket)
        moved = torch.cat(
            [
                network(part, torch.full((len(part),), _JUDGED), ligand, state)
                for part in (x - pocket.centre).split(self.batch)
            ]
        )
        centre = moved.mean(1, keepdim=True)
        turn = (moved - centre).square().sum(-1).mean(1).sqrt()
        return centre.squeeze(1).norm(dim=-1), turn


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
