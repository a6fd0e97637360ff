"""The evidence for a pose, by name: the numbers that a ranking weighs.

===========  ===================================================================================
energy       Vina energy, kcal/mol; lower is better
hydrophobic  its hydrophobic part, kcal/mol: the ranking may reweight it
likelihood   log-likelihood ratio of the distances, nats (`moldiff.docking.judge.distances`)
pull         displacement of the pose's centre by the pose network, Å; small is good
turn         remaining displacement of the atoms, Å (root mean square); small is good
===========  ===================================================================================

The pose network judges its own proposals: a pose that it leaves in place looks bound.  It is
evaluated at the noisy time 0.6, although the pose is free of noise, because at small times it was
trained on nearly correct poses only.  Random proposals lack the last two.  ``pull`` partly learns
that a ligand lies near the centre of its box, as in the data; it is less informative for boxes
centred elsewhere.
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
        The source of the first poses, prepared for the problem.
    judge:
        Scores the distances; None leaves that evidence out.
    """
    values = {
        "energy": affinity(terms["inter"], problem.torsions),
        "hydrophobic": affinity(terms["hydrophobic"], problem.torsions),
    }
    score = None if judge is None else distance_score(judge, problem)
    if score is not None:
        values["likelihood"] = score(x)
    moves = proposals.moves(x)
    if moves is not None:
        values["pull"], values["turn"] = moves
    return values
