"""Backbones of proteins: C-alpha positions and the rotations of residues.

A batch for a gap holds copies of its n residues, each with noise of its own.  Its context has
``residues``, which amino acids they are and where in the chain; ``surroundings``, the residues
around, which stay; and ``chord`` (b, n, 3), points evenly spaced between the anchors.  The field
``trace`` is where C-alpha is relative to the chord, so pure noise lies about the way that the chain
has to take, and needs no other prior.  All is centred between the anchors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import Batch, Field, register_field
from moldiff.diffusion.process import Gaussian, Product
from moldiff.diffusion.readout import Readout
from moldiff.diffusion.space import Euclidean
from moldiff.domain.base import Domain
from moldiff.errors import ConfigError
from moldiff.nn.residues import Residues, Surroundings
from moldiff.protein.backbone import AMINO_ACIDS, IDEAL, frames_of
from moldiff.protein.gap import Gap
from moldiff.registry import register

__all__ = [
    "CLASSES",
    "FIELDS",
    "LONGEST",
    "NEIGHBOURS",
    "Backbones",
    "Placed",
    "backbone_atoms",
    "gap_batch",
    "gap_context",
    "placed",
    "shown",
]

register_field("trace", Field("atom", (3,), "C-alpha in Å, relative to the context's chord"))
register_field("frames", Field("atom", (3, 3), "rotation of a residue: axes of N, CA and C"))

CLASSES = {"type_classes": AMINO_ACIDS + 1}
"""The numbers of classes of the backbone network's inputs."""

LONGEST = 15
"""Residues of the longest gap."""
NEIGHBOURS = 48
"""Residues around a gap that the network is shown."""

FIELDS = ("trace", "frames")
"""The fields of a backbone."""


def shown(x: Batch) -> Batch:
    """Return a batch with ``positions`` of C-alpha in Å for its trace."""
    return Batch({"positions": x["trace"] + x.context["chord"], "frames": x["frames"]}, x.context)


@dataclass(frozen=True)
class Placed(Readout):
    """Shows positions in space to the network, and reads them back."""

    def show(self, x_t: Batch) -> Batch:
        return shown(x_t)

    def read(self, raw: Batch, shown: Batch, x_t: Batch) -> Batch:
        trace = raw["positions"] - x_t.context["chord"]
        return x_t.replace(trace=trace, frames=raw["frames"])


@register("domain", "backbones")
@dataclass(frozen=True)
class Backbones(Domain):
    """Backbones of proteins, or of their missing parts."""

    noun: ClassVar[str] = "backbones"
    use: ClassVar[str] = "moldiff complete STRUCTURE --model {model}"
    readout: ClassVar[Readout] = Placed()
    inputs: ClassVar[Mapping[str, Any]] = CLASSES

    def check(self, process: Product | None, *, coded: bool = False) -> None:
        if process is None or tuple(process.processes) != FIELDS:
            raise ConfigError(f"A backbone model's process needs exactly {', '.join(FIELDS)}.")
        trace = process["trace"]
        if not (isinstance(trace, Gaussian) and isinstance(trace.space, Euclidean)):
            raise ConfigError(
                "A gap has its place between anchors: the space of its trace is euclidean.",
                fix="Take the process of the bundled configuration 'backbones'.",
            )


def gap_context(gaps: Sequence[Gap], copies: int) -> dict[str, Any]:
    """Return the context of a batch of copies of gaps, all of the same length.

    Of the residues around them as many are shown as every gap has.
    """
    m = min(len(gap.around) for gap in gaps)
    around = np.stack([(gap.around - _centre(gap))[:m] for gap in gaps])
    residues = Residues(
        _stacked([gap.around_types[:m] for gap in gaps]),
        _stacked([gap.around_places[:m] for gap in gaps]),
    )
    own = _stacked([gap.types for gap in gaps])
    return {
        "residues": Residues(own, torch.arange(own.shape[1]).expand(own.shape)),
        "surroundings": Surroundings(
            residues, torch.from_numpy(around[:, :, 1]), torch.from_numpy(frames_of(around))
        ),
        "chord": _repeated([_chord(gap) for gap in gaps], copies),
    }


def gap_batch(gaps: Sequence[Gap], atoms: Sequence[npt.NDArray[np.float32]], copies: int) -> Batch:
    """Return clean copies of what was cut out of gaps: ``atoms`` (n, 4, 3) of each, in Å."""
    centred = [a - _centre(gap) for gap, a in zip(gaps, atoms, strict=True)]
    context = gap_context(gaps, copies)
    fields = {
        "trace": _repeated([a[:, 1] for a in centred], copies) - context["chord"],
        "frames": _repeated([frames_of(a) for a in centred], copies),
    }
    return Batch(fields, context)


def backbone_atoms(
    positions: Float[Tensor, "*s 3"], frames: Float[Tensor, "*s 3 3"]
) -> Float[Tensor, "*s 3 3"]:
    """Return N, CA and C (..., 3, 3) of residues, in Å."""
    return positions.unsqueeze(-2) + torch.from_numpy(IDEAL).to(positions) @ frames.mT


def placed(x: Batch, gap: Gap) -> npt.NDArray[np.float32]:
    """Return the atoms N, CA and C (b, n, 3, 3) of a batch of one gap, in the gap's own place."""
    seen = shown(x)
    atoms: npt.NDArray[np.float32] = backbone_atoms(
        seen["positions"], seen["frames"]
    ).cpu().numpy() + _centre(gap)
    return atoms


def _centre(gap: Gap) -> npt.NDArray[np.float32]:
    centre: npt.NDArray[np.float32] = gap.anchors[:, 1].mean(0)
    return centre


def _chord(gap: Gap) -> npt.NDArray[np.float32]:
    """Points evenly spaced between the anchors, (n, 3) in Å about their centre."""
    before, after = gap.anchors[:, 1] - _centre(gap)
    share = np.arange(1, len(gap) + 1, dtype=np.float32)[:, None] / np.float32(len(gap) + 1)
    chord: npt.NDArray[np.float32] = before + share * (after - before)
    return chord


def _stacked(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def _repeated(arrays: Sequence[np.ndarray], copies: int) -> Tensor:
    return _stacked(arrays).repeat_interleave(copies, 0)
