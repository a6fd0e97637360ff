"""Which pairs of atoms count as clashes: all but those of neighbours in the chain."""

from __future__ import annotations

import numpy as np
import pytest

from moldiff.completion.relief import Obstacles
from moldiff.protein.backbone import C_BETA, frames_of
from moldiff.protein.contacts import BACKBONE_RADII, Solid
from moldiff.protein.gap import cut
from tests.backbones import backbone

LENGTH = 4


@pytest.mark.parametrize("start", range(20, 28))  # where the made-up chain crosses no other part
def test_an_anchor_and_the_residue_beside_it_are_neighbours_and_no_others(start: int) -> None:
    chain, after = backbone(40), start + LENGTH
    gap, frames = cut(chain, start, LENGTH, neighbours=20), frames_of(chain.atoms)
    given = np.r_[:start, after : len(chain)]
    # An atom that is bonded to an anchor's C-alpha belongs to it.
    beta = (chain.atoms[:, 1] + frames @ C_BETA)[[start - 1, after]]
    around = Solid(
        np.concatenate([chain.atoms[given].reshape(-1, 3), beta]).astype(np.float64),
        np.concatenate([np.tile(BACKBONE_RADII, len(given)), [1.7, 1.7]]),
    )
    own = np.repeat(np.arange(start, after), 4)
    other = np.concatenate([np.repeat(given, 4), [start - 1, after]])
    counted = Obstacles(gap, ["ALA"] * LENGTH, around)._counted(around, own - start)
    assert (counted == (np.abs(own[:, None] - other) > 1)).all()
