"""The denoiser of poses: the network's displacements, fitted by a pose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.nn.contacts import PoseNetwork
from moldiff.nn.inputs import LigandInput, PocketState

__all__ = ["PoseDenoiser", "to_batch", "to_pose"]

_RIDGE = 0.3  # Å^2, the first damping of the fit
_FITS = 3  # Levenberg-Marquardt steps: far from the data the target itself is a mean


def to_batch(pose: Pose, centre: Float[Tensor, " 3"]) -> Batch:
    """Return poses as a batch, translations relative to the box's centre in Å."""
    return Batch(
        {
            "translation": pose.centre - centre,
            "rotation": pose.rotation,
            "torsions": pose.torsions,
        }
    )


def to_pose(x: Batch, conformer: Tensor, centre: Float[Tensor, " 3"] | float = 0.0) -> Pose:
    """Return a batch as poses on the given conformers (p,), at absolute positions."""
    return Pose(conformer, x["translation"] + centre, x["rotation"], x["torsions"])


@dataclass(frozen=True, eq=False)
class PoseDenoiser(Denoiser):
    """Predicts bound poses of one ligand in one pocket.

    A batch is p poses: translation relative to the box's centre, rotation, torsions.

    Attributes
    ----------
    process:
        Noising of translation, rotation and torsions.
    network:
        Displacements of the atoms.
    kinematics, conformer:
        The ligand's, and on which conformer each pose is, (p,).
    ligand, pocket:
        What the network reads; the pocket encoded once.
    precision:
        Type of the network's large products.
    """

    process: Product
    network: PoseNetwork
    kinematics: Kinematics
    conformer: Tensor
    ligand: LigandInput
    pocket: PocketState
    precision: torch.dtype = torch.float32

    def __call__(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        pose = to_pose(x_t, self.conformer)
        x, moved = self.displaced(pose, t)
        fitted = self.kinematics.fit(x + moved, pose, ridge=_RIDGE, iterations=_FITS)
        return to_batch(fitted, x.new_zeros(3))

    def displaced(self, pose: Pose, t: Float[Tensor, " p"]) -> tuple[Tensor, Tensor]:
        """Return the atoms (p, n, 3) of poses and their predicted displacements, Å."""
        x = self.kinematics.place(pose)
        lower = self.precision is not torch.float32
        with torch.autocast(x.device.type, dtype=self.precision, enabled=lower):
            moved: Tensor = self.network(x, t, self.ligand, self.pocket)
        return x, moved.float()
