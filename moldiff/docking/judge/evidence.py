"""Evidence for a pose, by name: the terms of the ranking score.

==============  ================================================================================
energy          Vina energy, kcal/mol; lower is better
hydrophobic     its hydrophobic part, kcal/mol: the ranking may reweight it
distance_score  log-ratio of the probabilities of the distances in a bound pose and in a random one,
                nats (`moldiff.docking.judge.distances`)
pull            how far the pose network would move the pose's centre, Å; small is good
turn            how far it would move the atoms otherwise, Å (root mean square)
rightness       logit of the probability that the pose is within 2 Å of the bound one, by the rank
                network (`moldiff.docking.judge.rightness`)
offset          distance of the pose's middle from the box's centre, Å: where somebody looked
cnn             logit of the score of gnina's network, of the best poses only, and only if that is
                asked for (`moldiff.docking.judge.cnn`)
cavity          logarithm of the chance that the pose's cavity is the ligand's, in place of the
                offset, only to choose between several cavities (`moldiff.docking.scouting`)
==============  ================================================================================

A model of distances gives the distance score, a model of ranks the rightness.  The pose network
gives pull and turn: it predicts small displacements for poses that look bound.  It sees the pocket
about the middle of the pose itself, so the box has no part in them, and it is evaluated at a high
noise level, time 0.6, although the pose has no noise: at small times it was trained only on poses
that are nearly right.
With random proposals there is no pose network, and these two are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from moldiff.docking.energy.exact import affinity
from moldiff.docking.judge.distances import distance_score
from moldiff.docking.judge.rightness import rightness

if TYPE_CHECKING:
    from moldiff.docking.problem import Problem
    from moldiff.docking.proposals import Proposals
    from moldiff.model import Model

__all__ = ["Judges", "evidence"]


@dataclass(frozen=True)
class Judges:
    """The models that judge poses, of the domains "distances" and "ranks"; each may be missing."""

    distances: Model | None = None
    ranks: Model | None = None

    def judged(self, problem: Problem, x: Tensor) -> dict[str, Tensor]:
        """Return ``distance_score`` and ``rightness`` of poses (p, n, 3) in Å, (p,) each.

        What a missing model would say is omitted.
        """
        makers = {
            "distance_score": (self.distances, distance_score),
            "rightness": (self.ranks, rightness),
        }
        values = {}
        for name, (model, prepared) in makers.items():
            score = None if model is None else prepared(model, problem)
            if score is not None:
                values[name] = score(x)
        return values


def evidence(
    problem: Problem,
    x: Tensor,
    terms: Mapping[str, Tensor],
    proposals: Proposals,
    judges: Judges,
) -> dict[str, Tensor]:
    """Return the evidence for poses (p, n, 3) in Å, by name, (p,) each.

    Parameters
    ----------
    terms:
        Parts of the poses' energy, see `moldiff.docking.energy.exact.Energy.terms`.
    proposals:
        The proposals of the problem, which may predict displacements.
    judges:
        What a missing model would say is omitted.
    """
    values = {
        "energy": affinity(terms["inter"], problem.torsions),
        "hydrophobic": affinity(terms["hydrophobic"], problem.torsions),
    }
    values |= judges.judged(problem, x)
    centre = x.new_tensor(problem.box.centre)
    values["offset"] = (x.mean(1) - centre).norm(dim=1)
    moves = proposals.moves(x)
    if moves is not None:
        values["pull"], values["turn"] = moves
    return values
