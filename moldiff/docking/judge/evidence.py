"""Evidence for a pose, by name: the terms of the ranking score.

==============  ================================================================================
energy          Vina energy, kcal/mol; lower is better
hydrophobic     its hydrophobic part, kcal/mol: the ranking may reweight it
distance_score  log-ratio of the probabilities of the distances in a bound pose and in a random one,
                nats (`moldiff.docking.judge.distances`)
pull            how far the pose network would move the pose's centre, Å; small is good
turn            how far it would move the atoms otherwise, Å (root mean square)
offset          distance of the pose's middle from the box's centre, Å: where somebody looked
cnn             logit of the score of gnina's network, of the best poses only, and only if that is
                asked for (`moldiff.docking.judge.cnn`)
cavity          logarithm of the chance that the pose's cavity is the ligand's, in place of the
                offset, only to choose between several cavities (`moldiff.docking.scouting`)
==============  ================================================================================

The judge, a model of distances, gives the distance score.  The pose network gives pull and turn: it
predicts small displacements for poses that look bound.  It sees the pocket about the middle of the
pose itself, so the box has no part in them, and it is evaluated at a high noise level, time 0.6,
although the pose has no noise: at small times it was trained only on poses that are nearly right.
With random proposals there is no pose network, and these two are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from moldiff.docking.energy.exact import affinity
from moldiff.docking.judge.distances import distance_score

if TYPE_CHECKING:
    from moldiff.docking.problem import Problem
    from moldiff.docking.proposals import Proposals
    from moldiff.model import Model

__all__ = ["evidence"]


def evidence(
    problem: Problem,
    x: Tensor,
    terms: Mapping[str, Tensor],
    proposals: Proposals,
    judge: Model | None,
) -> dict[str, Tensor]:
    """Return the evidence for poses (p, n, 3) in Å, by name, (p,) each.

    Parameters
    ----------
    terms:
        Parts of the poses' energy, see `moldiff.docking.energy.exact.Energy.terms`.
    proposals:
        The proposals of the problem, which may predict displacements.
    judge:
        The model of distances; None omits the distance score.
    """
    values = {
        "energy": affinity(terms["inter"], problem.torsions),
        "hydrophobic": affinity(terms["hydrophobic"], problem.torsions),
    }
    score = None if judge is None else distance_score(judge, problem)
    if score is not None:
        values["distance_score"] = score(x)
    centre = x.new_tensor(problem.box.centre)
    values["offset"] = (x.mean(1) - centre).norm(dim=1)
    moves = proposals.moves(x)
    if moves is not None:
        values["pull"], values["turn"] = moves
    return values
