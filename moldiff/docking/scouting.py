"""Which of several cavities to search in full: a first look into each, the likeliest in the end.

A look is a survey by few random poses, a short search from the best of them, and the evidence of
what it finds, for a fifth of the time of a docking.  With the score s of the best pose seen in
a cavity, in which the cavity's own chance by the receptor counts (`moldiff.protein.sites`), its
chance after the look is proportional to exp(s / 2); together the cavities keep their chances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.docking.minimise import minimise
from moldiff.docking.ranked import Judged, judged, rank
from moldiff.docking.search import cluster, search
from moldiff.docking.survey import survey

if TYPE_CHECKING:
    from moldiff.docking.judge.evidence import Judges
    from moldiff.docking.judge.ranking import Ranking
    from moldiff.docking.problem import Problem
    from moldiff.docking.proposals import Proposer
    from moldiff.docking.settings import Settings

__all__ = ["choose", "scout"]

_STARTS = 400  # random poses
_CHAINS, _ROUNDS = 40, 5  # of the search
_DISTINCT = 2.0  # smallest RMSD in Å between poses that start chains
_KEPT, _APART = 12, 1.0  # poses judged, and the smallest RMSD in Å between two
_ITERATIONS = 20  # of their minimisation in the exact energy
_SHARPNESS = 0.5  # of the scores between cavities: the inverse of the chance's weight among them


@torch.no_grad()
def scout(
    problems: tuple[Problem, ...],
    cavity: int,
    proposer: Proposer,
    judges: Judges,
    *,
    rng: torch.Generator,
) -> Judged:
    """Return the poses of a first look into one of the cavities of a ligand, with their evidence.

    Parameters
    ----------
    problems:
        The ligand in each cavity.
    cavity:
        Which of them to look into.
    proposer:
        The pose network judges the poses; it proposes none, which takes most of a docking's time.
    """
    problem = problems[cavity]
    kinematics, energy = problem.kinematics, problem.grid_energy()
    seen = survey(problem, energy, _STARTS, rng=rng)
    best = seen.energies.argsort(stable=True)[: 4 * _CHAINS]
    leaders = cluster(kinematics.place(seen.poses[best]), seen.energies[best], _DISTINCT)[:_CHAINS]
    poses, energies = search(kinematics, energy, seen.poses[best[leaders]], rounds=_ROUNDS, rng=rng)
    kept = cluster(kinematics.place(poses), energies, _APART)[:_KEPT]
    exact = problem.exact_energy()
    poses, _ = minimise(kinematics, exact, poses[kept], iterations=_ITERATIONS)
    return judged(problems, cavity, poses, proposer.prepare(problem), judges)


def choose(
    looks: Sequence[Judged], settings: Settings, ranking: Ranking
) -> tuple[int, Float[Tensor, " k"]]:
    """Return which cavity to search in full, and the chance of each after a look into it.

    It is the likeliest, but if interactions are required, that of the first pose of all looks:
    those that have more of them come first.
    """
    scores = [ranking.score(one.measures, one.checks.fraction()).max() for one in looks]
    known = sum(problem.pocket.chance for problem in looks[0].problems)
    chances = known * (_SHARPNESS * torch.stack(scores)).softmax(0)
    if settings.require:
        first = rank(Judged.cat(looks), settings, ranking, chances).poses.cavity[0]
        return int(first), chances
    return int(chances.argmax()), chances
