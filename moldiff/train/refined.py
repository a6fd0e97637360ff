"""Better geometry at low noise: a second set of molecules trains the late steps alone.

Conformers of a force field are cheap, those of quantum chemistry are not, and the two differ in
bond lengths and angles, which noise soon hides.  So the few refined molecules train the times
below ``until``, and the many others those above: the sampler decides on molecule and conformation
by what it saw in the large set, and finishes the geometry by the small one.

Source: two stages over noise levels, Balaji et al., "eDiff-I" (2022), here in one network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from moldiff.configuration import Range, check_fields
from moldiff.errors import ConfigError

__all__ = ["Refined"]


@dataclass(frozen=True)
class Refined:
    """Molecules of refined geometry, and the part that they take in training.

    Attributes
    ----------
    data:
        A prepared store with the vocabulary of the other data; empty: none.
    share:
        Share of the pieces of batches that are refined molecules.
    until:
        They train times below it, the other molecules times above.
    """

    data: str = ""
    share: Annotated[float, Range(0, 1)] = 0.5
    until: Annotated[float, Range(0, 1)] = 0.3

    def __post_init__(self) -> None:
        check_fields(self, "the refined molecules")
        if not (0 < self.share < 1 and 0 < self.until < 1):
            raise ConfigError(
                "The 'share' and 'until' of refined molecules must be between 0 and 1.",
                fix="Write 'refined: {data: data/druglike-gfn2, share: 0.5, until: 0.3}'.",
            )
