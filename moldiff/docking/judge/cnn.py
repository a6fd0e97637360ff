"""The score of gnina's small convolutional network: evidence from a network of others.

The network is gnina 1.3's ``all_default_to_default_1_3_1`` (A. McNutt et al., J. Cheminform. 17, 28
(2025)), distilled from an ensemble and trained on the docked poses of CrossDocked2020.  It reads
densities of the atoms, by type, on a grid about the ligand, and returns the probability that a pose
is within 2 Å of the crystal's.  The package ``rustina`` (MIT) holds its parameters (Apache-2.0) and
evaluates them; both read PDBQT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from moldiff.docking.energy.pdbqt import ligand_pdbqt, receptor_pdbqt

if TYPE_CHECKING:
    from moldiff.docking.problem import Problem

__all__ = ["NETWORK", "cnn_evidence", "cnn_scores"]

NETWORK = "gnina 1.3 all_default_to_default_1_3_1"
"""The name of the network, for the records."""
_EDGE = 1e-4  # the score is kept this far from 0 and 1


def cnn_scores(problem: Problem, x: Tensor) -> tuple[Tensor, Tensor] | str:
    """Return the scores of poses (p, n, 3) in Å, (p,), and their affinities, or why there are none.

    The score is the estimate of the probability to be within 2 Å of the crystal's pose, the
    affinity that of pK, (p,).
    """
    import rustina

    receptor = receptor_pdbqt(problem.receptor, aromatic=True)
    rows = []
    for positions in x.numpy():
        ligand = ligand_pdbqt(problem.ligand.mol, problem.rotors, positions)
        if isinstance(ligand, str):
            return ligand
        score = rustina.score_cnn(receptor, ligand.text)
        rows.append((score["cnn_score"], score["cnn_affinity"]))
    scores, affinities = torch.tensor(rows).unbind(1)
    return scores, affinities


def cnn_evidence(problem: Problem, x: Tensor) -> Tensor | str:
    """Return the logit of the score of poses (p, n, 3) in Å, (p,), or why there is none."""
    scores = cnn_scores(problem, x)
    return scores if isinstance(scores, str) else scores[0].clamp(_EDGE, 1 - _EDGE).logit()
