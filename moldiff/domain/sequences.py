"""Sequences of backbones: amino acids are hidden, and nothing moves.

The field ``types`` has the amino acids (`moldiff.protein.backbone.LETTERS`); hidden ones are
`UNKNOWN`, which is the mask of the jump process.  The context has ``backbone``, where the residues
are, in one row for all copies of a backbone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import SURE
from moldiff.diffusion.process import Product
from moldiff.diffusion.readout import Readout
from moldiff.diffusion.space import Categorical
from moldiff.domain.backbones import CLASSES
from moldiff.domain.base import Domain
from moldiff.errors import ConfigError
from moldiff.nn.residues import BackboneInput
from moldiff.protein.backbone import AMINO_ACIDS, C_BETA, IDEAL, UNKNOWN, frames_of
from moldiff.registry import register

__all__ = ["APART", "Sequences", "backbone_input", "sequence_batch"]

APART = 1000
"""Places between residues of different chains."""

_MASK = (0.0,) * AMINO_ACIDS + (1.0,)  # noise hides, and does nothing else


@dataclass(frozen=True)
class _Kept(Readout):
    """Is certain of every residue that is not hidden.

    A mask hides what it covers and changes nothing else (Sahoo et al., "Simple and Effective Masked
    Diffusion Language Models", 2024, section 3: carry-over unmasking).
    """

    def show(self, x_t: Batch) -> Batch:
        return x_t

    def read(self, raw: Batch, shown: Batch, x_t: Batch) -> Batch:
        types, logits = x_t["types"], raw["types"]
        known = SURE * F.one_hot(types, logits.shape[-1]).to(logits)
        return raw.replace(types=torch.where((types == UNKNOWN).unsqueeze(-1), logits, known))


@register("domain", "sequences")
@dataclass(frozen=True)
class Sequences(Domain):
    """Sequences of protein backbones; its network may begin with that of `Backbones`."""

    noun: ClassVar[str] = "sequences"
    use: ClassVar[str] = "moldiff sequence BACKBONE.pdb --model {model}"
    readout: ClassVar[Readout] = _Kept()
    inputs: ClassVar[Mapping[str, Any]] = {**CLASSES, "designs": True}

    def check(self, process: Product | None, *, coded: bool = False) -> None:
        if process is None or tuple(process.processes) != ("types",):
            raise ConfigError("A sequence model's process needs exactly types.")
        space = process["types"].space
        if not (isinstance(space, Categorical) and space.mask and space.probabilities == _MASK):
            raise ConfigError(
                "The amino acids of a sequence model are hidden by a mask, the last class.",
                fix="Take the process of the bundled configuration 'sequence'.",
            )


def backbone_input(
    atoms: npt.NDArray[np.float32], places: npt.NDArray[np.int64] | None = None
) -> BackboneInput:
    """Return what the network is shown of g backbones of n residues each.

    Parameters
    ----------
    atoms:
        (g, n, 4, 3) N, CA, C and O in Å.
    places:
        (g, n) places in the chain, at least `APART` for another chain; by default one chain
        without gaps.
    """
    centred = torch.from_numpy(atoms - atoms[:, :, 1:2].mean(1, keepdims=True))
    if places is None:
        places = np.tile(np.arange(atoms.shape[1]), (len(atoms), 1))
    positions, oxygens = centred[:, :, 1], centred[:, :, 3:]
    frames = torch.from_numpy(frames_of(centred.numpy()))
    # All but O are placed by the frames: bond lengths and angles tell some amino acids by how a
    # structure was refined, and glycine gets a C-beta as well.
    ideal = torch.from_numpy(np.concatenate([IDEAL, C_BETA[None]]))
    placed = positions.unsqueeze(2) + ideal @ frames.mT
    shown = torch.cat([placed, oxygens], 2)
    return BackboneInput(positions.contiguous(), frames, shown, torch.from_numpy(places))


def sequence_batch(
    atoms: Sequence[npt.NDArray[np.float32]],
    types: Sequence[npt.NDArray[np.integer]],
    copies: int,
    *,
    places: npt.NDArray[np.int64] | None = None,
) -> Batch:
    """Return copies of backbones of one length with their amino acids, (n, 4, 3) and (n,) each.

    ``places`` are those of `backbone_input`.
    """
    known = torch.from_numpy(np.stack(types).astype(np.int64)).repeat_interleave(copies, 0)
    return Batch({"types": known}, {"backbone": backbone_input(np.stack(atoms), places)})
