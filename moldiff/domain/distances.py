"""What the distance network reads of a complex."""

from __future__ import annotations

import torch
from torch import Tensor

from moldiff.chem.graph import ATOM_CLASSES, PAIR_CLASSES
from moldiff.nn.sites import OWN, Sites, pocket_sites
from moldiff.protein.tokens import SITE_PARTS, TOKENS

__all__ = ["CLASSES", "sites"]

CLASSES = {"atom_classes": ATOM_CLASSES, "pair_classes": PAIR_CLASSES, "token_classes": TOKENS}
"""What the distance network has to know of its inputs: how many classes they have."""

_PARTS = torch.tensor([*SITE_PARTS, *[OWN] * (TOKENS - len(SITE_PARTS))])


def sites(positions: Tensor, tokens: Tensor, residue: Tensor) -> Sites:
    """Divide m >= 2 pocket atoms into sites; arguments as in `moldiff.nn.sites.pocket_sites`."""
    return pocket_sites(positions, tokens, residue, _PARTS[tokens])
