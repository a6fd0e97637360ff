r"""The objective of the rank network: which poses of a complex are right.

Of each complex a few poses are drawn, some right and the others wrong, most of the wrong ones with
low energies.  With the logits s, the RMSD r from the bound pose and y = sigmoid((2 - r) / w),

    loss = BCE(s, y) - a ln (sum over right of softmax(s)) + b BCE of the atoms,

so that a pose of 2.1 Å is not wronger than one of 6 Å by much at a stroke, the right poses compete
with the wrong ones of their own complex, and every atom says whether it is within 1 Å of its place
in the nearest image of the bound pose.

The pockets of the data end about 12 Å from the bound ligand, and a pose at the edge of a file sees
that it is off.  A receptor has no such edge.  So most draws cut the pocket once more, about one of
the poses, whether it is right or not: then an edge says less.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from moldiff.chem.graph import MolecularGraph
from moldiff.configuration import Range, check_fields
from moldiff.data.complexes import Complex
from moldiff.data.decoys import Decoys
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.objective import Loss, Objective
from moldiff.domain.poses import ligand_input, pocket_input
from moldiff.errors import ConfigError
from moldiff.nn.inputs import LigandInput, PocketInput
from moldiff.nn.rank import RankNetwork
from moldiff.registry import register
from moldiff.seeds import normal
from moldiff.train.workloads.displacement import nearest

__all__ = ["GOOD", "Rightness", "inputs"]

GOOD = 2.0
"""Å: the largest RMSD of a right pose."""
_AT_PLACE = 1.0  # Å: the largest distance of an atom that is at its place
_LOWEST = 0.5  # share of the wrong poses that are those of the lowest energies
_REACH = (8.0, 16.0)  # Å about the atoms of a pose where the pocket is cut
_FEWEST = 64  # atoms of a pocket after the cut


def inputs(complex_: Complex) -> tuple[LigandInput, PocketInput]:
    """Return a ligand's graph and its pocket, all of it, about the bound ligand's middle."""
    graph = MolecularGraph(complex_.atoms, complex_.pairs)
    middle = complex_.crystal.mean(0)
    return ligand_input(graph, complex_.moves), pocket_input(
        complex_.pocket, complex_.tokens, middle, np.inf
    )


@register(
    "objective",
    "rightness",
    cites={"corso2023": "a confidence model: whether a pose is within 2 Å of the bound one"},
)
@dataclass(frozen=True)
class Rightness(Objective):
    """Cross-entropy of being right: of poses, among those of a complex, and of atoms.

    Parameters
    ----------
    poses:
        Poses of a complex in a step.
    right:
        At most so many of them are right.
    softness:
        RMSD in Å over which the label of a pose falls about 2 Å.
    list_weight, atom_weight:
        Weights of the second and third terms.
    wobble:
        Standard deviation in Å of noise on the pocket's atoms, against memorisation.
    cut:
        Share of the draws in which the pocket ends at 8 to 16 Å from one of the poses, if 64 atoms
        are left.
    """

    trains: ClassVar[str] = "ranker of poses"

    poses: Annotated[int, Range(2)] = 16
    right: Annotated[int, Range(1)] = 6
    softness: Annotated[float, Range(1e-3)] = 0.25
    list_weight: Annotated[float, Range(0)] = 0.5
    atom_weight: Annotated[float, Range(0)] = 0.2
    wobble: Annotated[float, Range(0)] = 0.1
    cut: Annotated[float, Range(0, 1)] = 0.75

    def __post_init__(self) -> None:
        check_fields(self, "the objective")
        if self.right >= self.poses:
            raise ConfigError(
                f"Of {self.poses} poses at most {self.poses - 1} may be right, not {self.right}.",
                fix="Give fewer: objective: {name: rightness, poses: 16, right: 6}.",
            )

    def draw(self, one: Decoys, *, device: torch.device | str, rng: torch.Generator) -> Batch:
        """Return some poses of a complex.

        ``positions`` (p, n, 3) are in Å about the bound ligand's middle; the context holds
        ``ligand`` and ``pocket``, ``deviation`` (p,) in Å, and ``crystal`` (n, 3) with its
        ``symmetry`` (s, n).
        """
        ligand, pocket = inputs(one.complex)
        rows = self.choose(torch.from_numpy(one.deviation), torch.from_numpy(one.energy), rng=rng)
        x = torch.from_numpy(one.pose)[rows] - pocket.centre
        pocket = self.cut_out(pocket, x, rng=rng)
        wobble = self.wobble * normal(pocket.positions.shape, rng=rng)
        context = {
            "ligand": ligand,
            "pocket": dataclasses.replace(pocket, positions=pocket.positions + wobble),
            "deviation": torch.from_numpy(one.deviation)[rows],
            "crystal": torch.from_numpy(one.complex.crystal) - pocket.centre,
            "symmetry": torch.from_numpy(one.complex.symmetry.astype(np.int64)),
        }
        return Batch({"positions": x}, context).to(device)

    def cut_out(
        self, pocket: PocketInput, x: Float[Tensor, "p n 3"], *, rng: torch.Generator
    ) -> PocketInput:
        """Return the pocket, or its atoms about one of the poses x, by chance."""
        chance, amount = torch.rand(2, generator=rng).tolist()
        about = x[int(torch.randint(len(x), (), generator=rng))]
        if chance >= self.cut:
            return pocket
        low, high = _REACH
        near = torch.cdist(pocket.positions, about).amin(1) <= low + (high - low) * amount
        if int(near.sum()) < _FEWEST:
            return pocket
        return dataclasses.replace(
            pocket, positions=pocket.positions[near], tokens=pocket.tokens[near]
        )

    def choose(
        self, deviation: Float[Tensor, " p"], energy: Float[Tensor, " p"], *, rng: torch.Generator
    ) -> Int[Tensor, " k"]:
        """Return which poses to take: right ones by chance, wrong ones of low energy and others."""
        good = (deviation <= GOOD).nonzero()[:, 0]
        bad = (deviation > GOOD).nonzero()[:, 0]
        good = good[torch.randperm(len(good), generator=rng)][: self.right]
        wanted = self.poses - len(good)
        bad = bad[energy[bad].argsort(stable=True)]
        lowest = bad[: int(_LOWEST * wanted)]
        others = bad[len(lowest) :]
        others = others[torch.randperm(len(others), generator=rng)][: wanted - len(lowest)]
        return torch.cat([good, lowest, others])

    def __call__(
        self,
        trained: RankNetwork,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        """Return the loss of poses as `draw` gives them, and its detached parts."""
        context = x_0.context
        deviation = context["deviation"]
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            seed = int(torch.randint(1 << 62, (), generator=rng))
            torch.default_generator.manual_seed(seed)
            logits, atoms = trained.logits(x_0)
        target = ((GOOD - deviation) / self.softness).sigmoid()
        pose = F.binary_cross_entropy_with_logits(logits, target)
        good = deviation <= GOOD
        among = logits.new_zeros(())
        if good.any() and not good.all():
            among = logits.logsumexp(0) - logits[good].logsumexp(0)
        x = x_0["positions"]
        bound = nearest(x, context["crystal"].expand_as(x), context["symmetry"])
        at_place = ((x - bound).norm(dim=-1) <= _AT_PLACE).to(atoms.dtype)
        atom = F.binary_cross_entropy_with_logits(atoms, at_place)
        parts = {"pose": pose.detach(), "among": among.detach(), "atom": atom.detach()}
        return pose + self.list_weight * among + self.atom_weight * atom, parts
