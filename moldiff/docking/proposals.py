"""Starting poses of a search: drawn at random, or by the diffusion model.

A proposer is prepared once per problem (`Proposer.prepare`); the resulting proposals draw poses.

The pose network sees the pocket about a centre, and was trained on centres within 2 Å of the
ligand's.  A box that somebody draws is farther off, so poses are drawn about several centres
(`moldiff.docking.survey`), and a finished pose is judged in the pocket about its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.chem.graph import molecular_graph
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.guidance import with_settings
from moldiff.domain.kinematics import Pose, random_poses
from moldiff.domain.poses import MARGIN, crop_radius, ligand_input, pocket_input, to_pose
from moldiff.precision import products
from moldiff.protein.tokens import structure_tokens

if TYPE_CHECKING:
    from moldiff.docking.problem import Problem
    from moldiff.model import Model

__all__ = [
    "DiffusionProposer",
    "Proposals",
    "Proposer",
    "RandomProposer",
    "sample_poses",
]

_MOVE_TIME = 0.6  # time at which the network is evaluated to judge poses
_TOGETHER = 1.0  # Å: poses whose middles are this near share one pocket


class Proposals(ABC):
    """Poses for one problem, with everything precomputed that does not depend on a pose."""

    @abstractmethod
    def propose(self, count: int, centres: Float[Tensor, "k 3"], *, rng: torch.Generator) -> Pose:
        """Return ``count`` poses, half of them about the first of the centres, in Å."""

    def moves(self, x: Float[Tensor, "p n 3"]) -> tuple[Tensor, Tensor] | None:
        """Return the predicted displacements of poses, in Å: of their centres, and of the rest.

        (p,) each; None without a prediction.  The box has no part in them.
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

    def propose(self, count: int, centres: Float[Tensor, "k 3"], *, rng: torch.Generator) -> Pose:
        """Return poses drawn evenly from the box, wherever the centres are."""
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
        ensemble, structure = problem.ligand, problem.receptor.structure
        graph = molecular_graph(ensemble.mol, ensemble.heavy)
        return _Diffusion(
            self,
            {
                "kinematics": problem.kinematics,
                "ligand": ligand_input(graph, problem.rotors.moves),
            },
            structure.positions,
            structure_tokens(structure),
            crop_radius(ensemble.positions, MARGIN),
        )


@dataclass(frozen=True, eq=False)
class _Diffusion(Proposals):
    """Proposals for a ligand among atoms (m, 3) with tokens (m,), seen within a radius in Å."""

    proposer: DiffusionProposer
    ligand: Mapping[str, Any]
    atoms: npt.NDArray[np.float32]
    tokens: npt.NDArray[np.int16]
    radius: float

    def propose(self, count: int, centres: Float[Tensor, "k 3"], *, rng: torch.Generator) -> Pose:
        model, steps, batch = self.proposer.model, self.proposer.steps, self.proposer.batch
        poses = []
        for centre, share in zip(centres, _shares(count, len(centres)), strict=True):
            if not share:
                continue
            context = self._about(centre)
            sizes = [min(batch, share - done) for done in range(0, share, batch)]
            poses += [sample_poses(model, context, size, rng=rng, steps=steps) for size in sizes]
        return Pose.cat(poses)

    @torch.no_grad()
    def moves(self, x: Float[Tensor, "p n 3"]) -> tuple[Tensor, Tensor] | None:
        """Return the network's displacement of the centres, and the rms of the rest."""
        displacement = torch.empty_like(x)
        for group in _neighbours(x.mean(1), _TOGETHER):
            context = self._about(x[group].mean((0, 1)))
            for part in group.split(self.proposer.batch):
                displacement[part] = self._displacement(x[part], context)
        shift = displacement.mean(1, keepdim=True)
        turn = (displacement - shift).square().sum(-1).mean(1).sqrt()
        return shift.squeeze(1).norm(dim=-1), turn

    @torch.no_grad()
    def _about(self, centre: Float[Tensor, "3"]) -> Mapping[str, Any]:
        """The context, its pocket cut out about a centre and encoded."""
        pocket = pocket_input(self.atoms, self.tokens, centre.numpy(), self.radius)
        return self.proposer.model.denoiser.encode({**self.ligand, "pocket": pocket})

    def _displacement(self, x: Float[Tensor, "p n 3"], context: Mapping[str, Any]) -> Tensor:
        model = self.proposer.model
        shown = Batch({"positions": x - context["pocket"].centre}, context)
        with products(model.precision, x.device):
            return model.network(shown, x.new_full((len(x),), _MOVE_TIME))["positions"]


def _shares(count: int, centres: int) -> list[int]:
    """How many of some poses to draw about each centre: half about the first."""
    others = max(1, centres - 1)
    first = count if centres == 1 else count - count // 2
    rest = count - first
    return [first, *(rest // others + (k < rest % others) for k in range(centres - 1))]


def _neighbours(points: Float[Tensor, "p 3"], reach: float) -> list[Tensor]:
    """Divide points into groups: of those that are left, the first and all within reach of it."""
    groups, left = [], torch.arange(len(points))
    while len(left):
        near = (points[left] - points[left[0]]).norm(dim=1) < reach
        groups.append(left[near])
        left = left[~near]
    return groups


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
    settings = dict(model.sampling) | ({} if steps is None else {"steps": steps})
    denoiser, sampler = with_settings(model.denoiser, settings)
    kinematics, pocket = context["kinematics"], context["pocket"]
    conformers = len(kinematics.positions)
    order = torch.randperm(conformers, generator=rng, device=rng.device)
    device = pocket.positions.device
    conformer = order.repeat(-(-count // conformers))[:count].to(device)
    noise = denoiser.process.prior(
        count,
        kinematics.atoms,
        kinematics.rotors,
        rng=rng,
        device=device,
        context={**context, "conformer": conformer},
    )
    return to_pose(sampler.sample(denoiser, noise, rng=rng), pocket.centre)
