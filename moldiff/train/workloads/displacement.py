"""The objective of the pose model: displacements from a noised pose to the bound pose.

A bound pose is noised in translation, rotation and torsions; the network predicts the displacement
of each atom back to the bound pose.  The target is the image of the bound pose, under the
symmetries of the ligand's graph, that is nearest to the noised pose, so that a flipped phenyl ring
is not an error and the paths do not cross.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from moldiff.chem.graph import MolecularGraph
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.objective import Kumaraswamy, Loss, Objective, Times
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.domain.poses import crop_radius, ligand_input, pocket_input, to_batch
from moldiff.nn.inputs import LigandInput, PocketInput
from moldiff.registry import register
from moldiff.seeds import normal

if TYPE_CHECKING:
    from moldiff.data.complexes import Complex

__all__ = ["Displacement", "Example", "example", "nearest"]


@dataclass(frozen=True, eq=False)
class Example:
    """A complex as tensors.

    Attributes
    ----------
    kinematics, ligand, pocket:
        The ligand's kinematics and graph; the pocket cropped about the box's centre.
    bound:
        The bound pose on each of c conformers, at absolute positions.
    crystal:
        (n, 3) crystal positions in Å.
    symmetry:
        (s, n) relabelings of the ligand's atoms.
    """

    kinematics: Kinematics
    ligand: LigandInput
    pocket: PocketInput
    bound: Pose
    crystal: Float[Tensor, "n 3"]
    symmetry: Int[Tensor, "s n"]

    def context(self) -> dict[str, Any]:
        """Return the context of a pose model's batch, see `moldiff.domain.poses`."""
        return {"kinematics": self.kinematics, "ligand": self.ligand, "pocket": self.pocket}

    def to(self, device: torch.device | str) -> Example:
        """Return the example on a device."""
        parts = (getattr(self, field.name) for field in dataclasses.fields(self))
        return Example(*(part.to(device) for part in parts))


def example(
    complex_: Complex, *, jitter: float, margin: tuple[float, float], rng: torch.Generator
) -> Example:
    """Return a complex as tensors, the box's centre drawn up to ``jitter`` Å off the ligand's.

    The pocket is cropped at the reach of the ligand's *conformers* and a margin drawn from a
    range in Å, so the crop does not reveal the ligand's pose.
    """
    direction = torch.randn(3, generator=rng)
    u, share = torch.rand(2, generator=rng).tolist()
    offset = jitter * u ** (1 / 3) * direction / direction.norm()
    centre = (complex_.crystal.mean(0) + offset.numpy()).astype(np.float32)
    radius = crop_radius(complex_.conformers, margin[0] + share * (margin[1] - margin[0]))
    conformers = torch.from_numpy(complex_.conformers)
    return Example(
        Kinematics(
            conformers,
            torch.from_numpy(complex_.axis.astype(np.int64)),
            torch.from_numpy(complex_.moves),
        ),
        ligand_input(MolecularGraph(complex_.atoms, complex_.pairs), complex_.moves),
        pocket_input(complex_.pocket, complex_.tokens, centre, radius),
        Pose(
            torch.arange(len(conformers)),
            torch.from_numpy(complex_.centre),
            torch.from_numpy(complex_.rotation),
            torch.from_numpy(complex_.torsions),
        ),
        torch.from_numpy(complex_.crystal),
        torch.from_numpy(complex_.symmetry.astype(np.int64)),
    )


def nearest(
    x: Float[Tensor, "p n 3"], target: Float[Tensor, "p n 3"], symmetry: Int[Tensor, "s n"]
) -> Float[Tensor, "p n 3"]:
    """Return the image of each target (p, n, 3) that is nearest to x."""
    if len(symmetry) == 1:
        return target
    candidates = target[:, symmetry]
    square = (candidates - x.unsqueeze(1)).square().sum((2, 3))
    return candidates[torch.arange(len(x)), square.argmin(1)]


@register(
    "objective",
    "displacement",
    cites={
        "corso2023": "conformer matching and noise on translation, rotation and torsions",
        "charbonnier1994": "the pseudo-Huber loss",
    },
)
@dataclass(frozen=True)
class Displacement(Objective):
    """Pseudo-Huber loss (Charbonnier et al. 1994) of displacements and of their mean.

    Parameters
    ----------
    times:
        Distribution of the noise level.
    poses:
        Noised poses of each complex, which share one encoding of ligand and pocket.
    jitter:
        Largest distance of the box's centre from the ligand's, Å.
    margin:
        Range of the crop's margin, Å (see :func:`example`).
    wobble:
        Standard deviation in Å of noise on the pocket's atoms, against memorisation.
    centre:
        Weight of the error of the centroid.
    knee:
        Error in Å at which the loss changes from quadratic to linear.
    early:
        The loss at time t is divided by ``early`` + t: small errors near the data count too.
    """

    trains: ClassVar[str] = "denoiser of poses"

    times: Times = Kumaraswamy()
    poses: int = 16
    jitter: float = 2.0
    margin: tuple[float, float] = (5.0, 9.0)
    wobble: float = 0.1
    centre: float = 0.3
    knee: float = 1.0
    early: float = 0.4

    def draw(self, complex_: Complex, *, device: torch.device | str, rng: torch.Generator) -> Batch:
        """Return bound poses of a complex as a clean batch, in a box and a pocket drawn for it.

        Its context holds ``kinematics``, ``ligand``, ``pocket`` and ``symmetry``.
        """
        drawn = example(complex_, jitter=self.jitter, margin=self.margin, rng=rng).to(device)
        pocket = drawn.pocket
        wobble = normal(pocket.positions.shape, rng=rng, device=device)
        perturbed = pocket.positions + self.wobble * wobble
        conformer = torch.randint(len(drawn.bound), (self.poses,), generator=rng).to(device)
        x_0 = to_batch(drawn.bound[conformer], pocket.centre)
        context = drawn.context() | {
            "pocket": dataclasses.replace(pocket, positions=perturbed),
            "symmetry": drawn.symmetry,
        }
        return x_0.given(**context)

    def __call__(
        self,
        trained: NetworkDenoiser,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        """Return the loss of the predicted displacements, and its detached parts.

        ``error`` is the mean distance in Å of the predicted atoms from the bound ones.
        """
        x_0 = trained.encoded(x_0)
        t = self.times.sample(x_0.graphs, rng=rng).to(x_0.device)
        noise = trained.process.noise_like(x_0, rng=rng) if noise is None else noise
        x_t = trained.process.forward(x_0, torch.zeros_like(t), t, rng=rng, noise=noise)
        bound = trained.readout.show(x_0)["positions"]
        shown, raw = trained.raw(x_t, t)
        x = shown["positions"]
        miss = x + raw["positions"] - nearest(x, bound, x_0.context["symmetry"])
        weight = 1 / (self.early + t)
        atoms = (self._huber(miss).mean(1) * weight).mean()
        centre = (self._huber(miss.mean(1)) * weight).mean()
        with torch.no_grad():
            error = miss.norm(dim=-1).mean()
        parts = {"displacement": atoms.detach(), "centre": centre.detach(), "error": error}
        return atoms + self.centre * centre, parts

    def _huber(self, miss: Float[Tensor, "*s 3"]) -> Float[Tensor, "*s"]:
        square = miss.square().sum(-1) / self.knee**2
        return self.knee**2 * ((1 + square).sqrt() - 1)
