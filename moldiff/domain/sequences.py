"""Batches of backbones whose amino acids are noised: nothing moves, types are hidden.

The field ``types`` has the amino acids (`moldiff.protein.backbone.LETTERS`); hidden ones are
`UNKNOWN`, which is the mask of the jump process.  The context has ``backbone``, where the residues
are, in one row for all copies of a backbone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import SURE
from moldiff.nn.residues import BackboneInput
from moldiff.protein.backbone import C_BETA, IDEAL, UNKNOWN, frames_of

__all__ = ["APART", "backbone_input", "kept_types", "sequence_batch"]

APART = 1000
"""Places between residues of different chains."""


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
    atoms: Sequence[npt.NDArray[np.float32]], types: Sequence[npt.NDArray[np.integer]], copies: int
) -> Batch:
    """Return copies of backbones of one length with their amino acids, (n, 4, 3) and (n,) each."""
    known = torch.from_numpy(np.stack(types).astype(np.int64)).repeat_interleave(copies, 0)
    return Batch({"types": known}, {"backbone": backbone_input(np.stack(atoms))})


def kept_types(logits: Float[Tensor, "b n k"], x_t: Batch) -> Float[Tensor, "b n k"]:
    """Return logits that are certain of every residue that is not hidden.

    A mask hides what it covers and changes nothing else (Sahoo et al., "Simple and Effective Masked
    Diffusion Language Models", 2024, section 3: carry-over unmasking).
    """
    types = x_t["types"]
    known = SURE * F.one_hot(types, logits.shape[-1]).to(logits)
    return torch.where((types == UNKNOWN).unsqueeze(-1), logits, known)
