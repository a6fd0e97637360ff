"""Poses of a ligand in a pocket: translation, rotation and torsions on a conformer.

The context of a batch of p poses holds ``kinematics`` and ``conformer`` (p,), which place the
atoms, and ``ligand`` and ``pocket``, which the network reads.  The network moves atoms; a fit of
the kinematics converts them back to a pose.

Ligand and pocket do not depend on the pose, so each is built once (per ligand, per box) and encoded
once.  The crop of the pocket is a sphere about the box's centre whose radius comes from the
ligand's conformers: a crop shaped by the bound ligand would leak the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.chem.graph import ATOM_CLASSES, PAIR_CLASSES, MolecularGraph
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.process import Product
from moldiff.diffusion.readout import Readout
from moldiff.domain.base import Domain
from moldiff.domain.kinematics import Pose
from moldiff.errors import ConfigError
from moldiff.nn.inputs import LigandInput, PocketInput
from moldiff.protein.tokens import TOKENS
from moldiff.registry import register

__all__ = [
    "CLASSES",
    "MARGIN",
    "PAIR_KINDS",
    "Poses",
    "crop_radius",
    "ligand_input",
    "pocket_input",
    "to_batch",
    "to_pose",
]

MARGIN = 7.0
"""Å of protein included beyond the longest reach of the ligand from the box's centre."""

_FEWEST = 32  # smallest number of atoms in a crop, if the pocket has as many
_TURNS = 4  # this many rotors between two atoms, or more, are one class
PAIR_KINDS = PAIR_CLASSES * (_TURNS + 1)
"""Number of classes of ``LigandInput.pairs``."""

CLASSES = {"atom_classes": ATOM_CLASSES, "pair_classes": PAIR_KINDS, "token_classes": TOKENS}
"""The numbers of classes of the pose network's inputs."""


_FIELDS = ("translation", "rotation", "torsions")
_RIDGE = 0.3  # Å^2, the first damping of the fit
_FITS = 3  # Levenberg-Marquardt steps; few, as far from the data the target itself is a mean


def to_batch(pose: Pose, centre: Float[Tensor, " 3"]) -> Batch:
    """Return poses as a batch, translations relative to the box's centre in Å."""
    return Batch(
        {
            "translation": pose.centre - centre,
            "rotation": pose.rotation,
            "torsions": pose.torsions,
        },
        {"conformer": pose.conformer},
    )


def to_pose(x: Batch, centre: Float[Tensor, " 3"] | float = 0.0) -> Pose:
    """Return a batch as poses on the conformers of its context, at absolute positions."""
    conformer = x.context["conformer"]
    return Pose(conformer, x["translation"] + centre, x["rotation"], x["torsions"])


@dataclass(frozen=True)
class _Fitted(Readout):
    """Shows the atoms to the network, and fits a pose to the atoms that it moves."""

    def show(self, x_t: Batch) -> Batch:
        positions = x_t.context["kinematics"].place(to_pose(x_t))
        return Batch({"positions": positions}, x_t.context)

    def read(self, raw: Batch, shown: Batch, x_t: Batch) -> Batch:
        target = shown["positions"] + raw["positions"]
        kinematics = x_t.context["kinematics"]
        pose = kinematics.fit(target, to_pose(x_t), ridge=_RIDGE, iterations=_FITS)
        return x_t.replace(translation=pose.centre, rotation=pose.rotation, torsions=pose.torsions)


@register("domain", "poses")
@dataclass(frozen=True)
class Poses(Domain):
    """Poses of flexible ligands."""

    noun: ClassVar[str] = "poses"
    use: ClassVar[str] = "moldiff dock --model {model} --receptor protein.pdb --ligand ligand.sdf"
    readout: ClassVar[Readout] = _Fitted()
    inputs: ClassVar[Mapping[str, Any]] = CLASSES

    def check(self, process: Product | None, *, coded: bool = False) -> None:
        if process is None or tuple(process.processes) != _FIELDS:
            raise ConfigError(f"A pose model's process needs exactly {', '.join(_FIELDS)}.")


def ligand_input(graph: MolecularGraph, moves: npt.NDArray[np.bool_]) -> LigandInput:
    """Return the network's input for a molecular graph whose rotors move ``moves`` (r, n)."""
    rotors = (moves[:, :, None] != moves[:, None, :]).sum(0).clip(max=_TURNS)
    pairs = graph.pairs.astype(np.int64) * (_TURNS + 1) + rotors
    return LigandInput(
        torch.from_numpy(graph.atoms.astype(np.int64)), torch.from_numpy(pairs.astype(np.int64))
    )


def crop_radius(conformers: npt.NDArray[np.float32], margin: float = MARGIN) -> float:
    """Return the crop radius in Å: the reach of centred conformers (c, n, 3) plus a margin."""
    reach = float(np.sqrt(np.square(conformers).sum(-1).max()))
    return min(max(reach, 4.0), 11.0) + margin


def pocket_input(
    positions: npt.NDArray[np.float32],
    tokens: npt.NDArray[np.int16],
    centre: npt.NDArray[np.float32],
    radius: float,
) -> PocketInput:
    """Return the pocket atoms (m, 3) with their tokens (m,) within ``radius`` of ``centre``, Å.

    The nearest 32 atoms are always included, so that a badly placed box is not an error.
    """
    offset = positions - centre
    square = np.square(offset).sum(1)
    order = np.argsort(square)
    count = max(min(_FEWEST, len(order)), int((square <= radius**2).sum()))
    nearest = order[:count]
    return PocketInput(
        torch.from_numpy(offset[nearest].astype(np.float32)),
        torch.from_numpy(tokens[nearest].astype(np.int64)),
        torch.from_numpy(np.array(centre, dtype=np.float32)),
    )
