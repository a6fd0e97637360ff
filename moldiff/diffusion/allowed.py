"""The classes that a site may have: between a clean site and an unknown one.

Of an atom that a new bond will be made to, the element is known, but not how many hydrogens are
left on it; a pair of atoms may be known to have no bond, a molecule to have no bromine.  The
context entry ``allowed`` says so, field by field.  What it excludes has probability 0 in the noise,
in the predictions of a network, and so in every step: the process of such a site is the jump
process over its own classes, with the noise distribution pi restricted to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

__all__ = ["Allowed"]


@dataclass(frozen=True, eq=False)
class Allowed:
    """Which classes each site may have.

    Attributes
    ----------
    classes:
        By field, bool (b, sites, k), with 1 in place of b or of the sites for what they share.

    Raises
    ------
    ValueError
        If a site may have no class at all.
    """

    classes: Mapping[str, Bool[Tensor, "_ _ k"]]

    def __post_init__(self) -> None:
        for field, mask in self.classes.items():
            if not mask.any(-1).all():
                raise ValueError(f"a site of '{field}' may have no class at all")

    def to(self, device: torch.device | str) -> Allowed:
        """Return the masks on a device."""
        return Allowed({field: mask.to(device) for field, mask in self.classes.items()})
