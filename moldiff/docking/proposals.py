"""Starting poses of a search: drawn at random, or by the diffusion model.

A proposer is prepared once per problem (`Proposer.prepare`); the resulting proposals draw poses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.chem.graph import molecular_graph
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.guidance import with_settings
from moldiff.domain.kinematics import Pose, random_poses
from moldiff.domain.poses import MARGIN, crop_radius, ligand_input, pocket_input, to_pose
from moldiff.precision import products
from moldiff.protein.tokens import atom_tokens

if TYPE_CHECKING:
    from moldiff.docking.problem import Problem
    from moldiff.model import Model

__all__ = [
    "DiffusionProposer",
    "Proposals",
    "Proposer",
    "RandomProposer",
    "pose_context",
    "sample_poses",
]

_MOVE_TIME = 0.6  # time at which the network is evaluated to judge poses


class Proposals(ABC):
    """Poses for one problem, with everything precomputed that does not depend on a pose."""

    @abstractmethod
    def propose(self, count: int, *, rng: torch.Generator) -> Pose:
        """Return ``count`` poses."""

    def moves(self, x: Float[Tensor, "p n 3"]) -> tuple[Tensor, Tensor] | None:
        """Return the predicted displacements of poses, in Å: of their centres, and of the rest.

        (p,) each; None without a prediction.
        """
        return None


class Proposer(ABC):
    """A source of poses, prepared once per problem."""

    @abstractmethod
    def prepare(self, problem: Problem) -> Proposals:
        """Compute once the part that all poses of a problem share."""


@dataclass(frozen=True)
class RandomProposer(Proposer):
    """Poses drawn uniformly from the box: the control for the network."""

    def prepare(self, problem: Problem) -> Proposals:
        return _Random(problem)


@dataclass(frozen=True, eq=False)
class _Random(Proposals):
    problem: Problem

    def propose(self, count: int, *, rng: torch.Generator) -> Pose:
        return random_poses(self.problem.kinematics, self.problem.box, count, rng=rng)


@dataclass(frozen=True, eq=False)
class DiffusionProposer(Proposer):
    """Poses drawn by a pose model.

    Attributes
    ----------
    model:
        The trained model, of the domain "poses".
    steps:
        Sampling steps; the model's default if None.
    batch:
        Poses per pass, which bounds the memory.
    """

    model: Model
    steps: int | None = None
    batch: int = 64

    def prepare(self, problem: Problem) -> Proposals:
        with torch.no_grad():
            context = self.model.denoiser.encode(pose_context(problem))
        return _Diffusion(self, context)


@dataclass(frozen=True, eq=False)
class _Diffusion(Proposals):
    proposer: DiffusionProposer
    context: Mapping[str, Any]

    def propose(self, count: int, *, rng: torch.Generator) -> Pose:
        model, steps, batch = self.proposer.model, self.proposer.steps, self.proposer.batch
        sizes = [min(batch, count - done) for done in range(0, count, batch)]
        return Pose.cat(
            [sample_poses(model, self.context, size, rng=rng, steps=steps) for size in sizes]
        )

    @torch.no_grad()
    def moves(self, x: Float[Tensor, "p n 3"]) -> tuple[Tensor, Tensor] | None:
        """Return the network's displacement of the centres, and the rms of the rest."""
        model, centre = self.proposer.model, self.context["pocket"].centre
        with products(model.precision, x.device):
            parts = [
                model.network(
                    Batch({"positions": part}, self.context),
                    part.new_full((len(part),), _MOVE_TIME),
                )
                for part in (x - centre).split(self.proposer.batch)
            ]
        displacement = torch.cat([part["positions"] for part in parts])
        shift = displacement.mean(1, keepdim=True)
        turn = (displacement - shift).square().sum(-1).mean(1).sqrt()
        return shift.squeeze(1).norm(dim=-1), turn


@torch.no_grad()
def sample_poses(
    model: Model,
    context: Mapping[str, Any],
    count: int,
    *,
    rng: torch.Generator,
    steps: int | None = None,
) -> Pose:
    """Draw ``count`` poses at absolute positions; each conformer is used equally often.

    ``context`` holds kinematics, ligand and pocket, see `moldiff.domain.poses`; it may be encoded
    already.
    """
    kinematics, pocket, process = context["kinematics"], context["pocket"], model.denoiser.process
    conformers = len(kinematics.positions)
    order = torch.randperm(conformers, generator=rng, device=rng.device)
    device = pocket.positions.device
    conformer = order.repeat(-(-count // conformers))[:count].to(device)
    noise = process.prior(
        count,
        kinematics.atoms,
        kinematics.rotors,
        rng=rng,
        device=device,
        context={**context, "conformer": conformer},
    )
    settings = dict(model.sampling) | ({} if steps is None else {"steps": steps})
    denoiser, sampler = with_settings(model.denoiser, settings)
    return to_pose(sampler.sample(denoiser, noise, rng=rng), pocket.centre)


def pose_context(problem: Problem) -> dict[str, Any]:
    """Return the context of a problem for the pose model: kinematics, ligand and pocket."""
    ensemble, structure = problem.ligand, problem.receptor.structure
    graph = molecular_graph(ensemble.mol, ensemble.heavy)
    residues = [structure.residues[k].name for k in structure.residue.tolist()]
    tokens = atom_tokens(residues, structure.names, structure.numbers)
    radius = crop_radius(ensemble.positions, MARGIN)
    centre = np.asarray(problem.box.centre, dtype=np.float32)
    return {
        "kinematics": problem.kinematics,
        "ligand": ligand_input(graph, problem.rotors.moves),
        "pocket": pocket_input(structure.positions, tokens, centre, radius),
    }
