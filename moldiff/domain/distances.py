"""Distances between ligand atoms and pocket sites, as in crystal structures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from moldiff.chem.graph import ATOM_CLASSES, PAIR_CLASSES
from moldiff.domain.base import Domain
from moldiff.nn.sites import OWN, Sites, pocket_sites
from moldiff.protein.tokens import SITE_PARTS, TOKENS
from moldiff.registry import register

__all__ = ["CLASSES", "Distances", "sites"]

CLASSES = {"atom_classes": ATOM_CLASSES, "pair_classes": PAIR_CLASSES, "token_classes": TOKENS}
"""The numbers of classes of the distance network's inputs."""

_PARTS = torch.tensor([*SITE_PARTS, *[OWN] * (TOKENS - len(SITE_PARTS))])


@register("domain", "distances")
@dataclass(frozen=True)
class Distances(Domain):
    """Distances in complexes, for models that judge poses."""

    noun: ClassVar[str] = "distances"
    use: ClassVar[str] = "moldiff dock --judge {model} --receptor protein.pdb --ligand ligand.sdf"
    inputs: ClassVar[Mapping[str, Any]] = CLASSES


def sites(positions: Tensor, tokens: Tensor, residue: Tensor) -> Sites:
    """Divide m >= 2 pocket atoms into sites; arguments as in `moldiff.nn.sites.pocket_sites`."""
    return pocket_sites(positions, tokens, residue, _PARTS.to(tokens.device)[tokens])
