"""What the pose network reads of a ligand and of a pocket, as tensors.

Neither depends on the pose, so each is made once for a ligand and once for a box.  The crop of
the pocket is a sphere about the box's centre whose radius comes from the ligand's conformers:
a crop shaped by the bound ligand would give the answer away.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from moldiff.chem.graph import ATOM_CLASSES, PAIR_CLASSES, MolecularGraph
from moldiff.nn.inputs import LigandInput, PocketInput
from moldiff.protein.tokens import TOKENS

__all__ = [
    "CLASSES",
    "MARGIN",
    "PAIR_KINDS",
    "crop_radius",
    "ligand_input",
    "pocket_input",
]

MARGIN = 7.0
"""Å of protein seen beyond the longest reach of the ligand from the box's centre."""

_FEWEST = 32  # atoms a crop holds at least, where the pocket has so many
_TURNS = 4  # rotors between two atoms from here on are one class
PAIR_KINDS = PAIR_CLASSES * (_TURNS + 1)
"""Number of classes of ``LigandInput.pairs``."""

CLASSES = {"atom_classes": ATOM_CLASSES, "pair_classes": PAIR_KINDS, "token_classes": TOKENS}
"""What the pose network has to know of its inputs: how many classes they have."""


def ligand_input(graph: MolecularGraph, moves: npt.NDArray[np.bool_]) -> LigandInput:
    """Return the network's view of a molecular graph whose rotors move ``moves`` (r, n)."""
    apart = (moves[:, :, None] != moves[:, None, :]).sum(0).clip(max=_TURNS)
    pairs = graph.pairs.astype(np.int64) * (_TURNS + 1) + apart
    return LigandInput(
        torch.from_numpy(graph.atoms.astype(np.int64)), torch.from_numpy(pairs.astype(np.int64))
    )


def crop_radius(conformers: npt.NDArray[np.float32], margin: float = MARGIN) -> float:
    """Return the radius in Å to crop at: the reach of centred conformers (c, n, 3) and a margin."""
    reach = float(np.sqrt(np.square(conformers).sum(-1).max()))
    return min(max(reach, 4.0), 11.0) + margin


def pocket_input(
    positions: npt.NDArray[np.float32],
    tokens: npt.NDArray[np.int16],
    centre: npt.NDArray[np.float32],
    radius: float,
) -> PocketInput:
    """Return the pocket atoms (m, 3) with their tokens (m,) within ``radius`` of ``centre``, Å.

    At least the nearest 32 atoms are kept, so that an ill-placed box is no error.
    """
    offset = positions - centre
    square = np.square(offset).sum(1)
    order = np.argsort(square)
    count = max(min(_FEWEST, len(order)), int((square <= radius**2).sum()))
    chosen = order[:count]
    return PocketInput(
        torch.from_numpy(offset[chosen].astype(np.float32)),
        torch.from_numpy(tokens[chosen].astype(np.int64)),
        torch.from_numpy(np.array(centre, dtype=np.float32)),
    )
