"""What speaks for a pose, by name: the numbers a ranking weighs.

===========  ===================================================================================
energy       Vina energy, kcal/mol; lower is better
hydrophobic  its hydrophobic part, kcal/mol, whose published weight need not be the best
likelihood   log-likelihood ratio of the distances, nats (`moldiff.docking.judge.distances`)
pull         how far the pose network would move the pose's centre, Å; small is good
turn         how far it would move the atoms besides, Å (root mean square)
===========  ===================================================================================

The network is its own judge: a pose that it leaves where it is looks bound to it.  It is asked at
a time of much noise, 0.6, though the pose has none: at small times it has seen nothing but poses
that are nearly right.  It judges only what it proposed itself; of random proposals the last two
are not known.  Part of what ``pull`` knows is that a ligand lies near the centre of its box, as in
the data: in a box about something else it says less.
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
    """Return what is known of poses (p, n, 3) in Å, by name, (p,) each.

    Parameters
    ----------
    terms:
        Parts of their energy, see `moldiff.docking.energy.exact.Energy.terms`.
    proposals:
        Where the first poses come from.
    judge:
        Scores the distances; None leaves that evidence out.
    """
    known = {
        "energy": affinity(terms["inter"], problem.torsions),
        "hydrophobic": affinity(terms["hydrophobic"], problem.torsions),
    }
    score = None if judge is None else distance_score(judge, problem)
    if score is not None:
        known["likelihood"] = score(x)
    moves = proposals.moves(x)
    if moves is not None:
        known["pull"], known["turn"] = moves
    return known
