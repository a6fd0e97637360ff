"""The last stage of a docking: the poses of one or several cavities in one ranking.

Every pose has the evidence for itself (`moldiff.docking.judge.evidence`).  Where the pocket is one
of several cavities with chances P(k),

    ln P(pose) = ln P(k) + ln P(pose | k),    P(pose | k) = exp(s) / sum of exp(s) in k,

so poses of one cavity are ranked as in a docking into it, and the cavities by their chances.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from moldiff.docking.hydrogens import molecules, relax
from moldiff.docking.judge import cnn
from moldiff.docking.judge.checks import Checks, check_poses
from moldiff.docking.judge.evidence import Judges, evidence
from moldiff.docking.requirement import lacking
from moldiff.docking.search import cluster
from moldiff.domain.kinematics import Pose
from moldiff.protein.interactions import find_interactions

if TYPE_CHECKING:
    from moldiff.docking.judge.ranking import Ranking
    from moldiff.docking.problem import Problem
    from moldiff.docking.proposals import Proposals
    from moldiff.docking.settings import Settings

__all__ = ["Judged", "Ranked", "judged", "rank", "rescored"]

_PARTS = ("inter", "intra")  # parts of the energy, for the records
_LEAST = 1e-9  # chance of a cavity
_RESCORED = 9  # poses that are rescored at least, so that the first depends on no number asked for


@dataclass(frozen=True, eq=False)
class Judged:
    """p poses with their evidence and their checks.

    Attributes
    ----------
    problems:
        The same ligand in each of the cavities.
    cavity:
        Which of them each pose is in, (p,).
    pose, measures, checks:
        The poses; their evidence by name, (p,) each; what they pass.
    """

    problems: tuple[Problem, ...]
    cavity: Tensor
    pose: Pose
    measures: Mapping[str, Tensor]
    checks: Checks

    def __getitem__(self, rows: Tensor) -> Judged:
        """Select poses."""
        return Judged(
            self.problems,
            self.cavity[rows],
            self.pose[rows],
            {name: values[rows] for name, values in self.measures.items()},
            Checks(self.checks.names, self.checks.passed[rows]),
        )

    def place(self) -> Tensor:
        """Return the positions of the heavy atoms, (p, n, 3) in Å."""
        return self.problems[0].kinematics.place(self.pose)

    @staticmethod
    def cat(parts: Sequence[Judged]) -> Judged:
        """Join poses of the same ligand in the same cavities."""
        first = parts[0]
        return Judged(
            first.problems,
            torch.cat([part.cavity for part in parts]),
            Pose.cat([part.pose for part in parts]),
            {name: torch.cat([part.measures[name] for part in parts]) for name in first.measures},
            Checks(first.checks.names, torch.cat([part.checks.passed for part in parts])),
        )


def judged(
    problems: tuple[Problem, ...],
    cavity: int,
    poses: Pose,
    proposals: Proposals,
    judges: Judges,
) -> Judged:
    """Return poses in one of some cavities with their evidence, the parts of their energy too."""
    problem = problems[cavity]
    x = problem.kinematics.place(poses)
    terms = problem.exact_energy().terms(x)
    measures = evidence(problem, x, terms, proposals, judges)
    measures |= {name: terms[name] for name in _PARTS}
    if len(problems) > 1:
        measures["cavity"] = x.new_full((len(x),), problem.pocket.chance).log()
    where = torch.full((len(x),), cavity)
    return Judged(problems, where, poses, measures, check_poses(problem, x))


@dataclass(frozen=True, eq=False)
class Ranked:
    """k poses of different clusters, best first; their scores and confidences, (k,) each."""

    poses: Judged
    score: Tensor
    confidence: Tensor | None


def rank(
    poses: Judged, settings: Settings, ranking: Ranking, chances: Float[Tensor, " c"] | None = None
) -> Ranked:
    """Score all poses; keep the best of each cluster, as many as are wanted or rescored.

    ``chances`` are those of the cavities; 1 of the only one if None.
    """
    fraction = poses.checks.fraction()
    score = ranking.score(_within(poses), fraction)
    if chances is not None:
        score = _levelled(score, poses.cavity, chances)
    place = ranking.order(score, fraction).argsort().float()
    place += len(place) * _lacks(poses, settings)
    leaders = cluster(poses.place(), place, threshold=settings.separation)
    confidence = _confidence(poses[leaders], ranking, chances)
    energy = poses.measures["energy"][leaders].nan_to_num(nan=torch.inf)
    near = energy <= energy.min() + settings.window
    near[0] = True  # the first pose is always reported
    at_most = max(settings.poses, _RESCORED) if settings.rescore else settings.poses
    chosen = near.nonzero()[:, 0][:at_most]
    rows = leaders[chosen]
    return Ranked(poses[rows], score[rows], None if confidence is None else confidence[chosen])


def _within(poses: Judged) -> dict[str, Tensor]:
    """The evidence for poses within their cavity."""
    return {name: values for name, values in poses.measures.items() if name != "cavity"}


def _levelled(
    score: Float[Tensor, " p"], cavity: Int[Tensor, " p"], chances: Float[Tensor, " c"]
) -> Float[Tensor, " p"]:
    """Shift the scores of each cavity so that its poses together have its chance.

    Those of the likeliest cavity stay as they are.
    """
    levels = [
        float(chance.clamp(min=_LEAST).log() - score[cavity == k].logsumexp(0))
        for k, chance in enumerate(chances)
    ]
    top = levels[int(chances.argmax())]
    shifts = [level - top if math.isfinite(level - top) else 0.0 for level in levels]
    return score + score.new_tensor(shifts)[cavity]


def _confidence(
    leaders: Judged, ranking: Ranking, chances: Float[Tensor, " c"] | None
) -> Tensor | None:
    """The confidence of the best of each cluster: P(cavity) P(right | cavity)."""
    kinematics = leaders.problems[0].kinematics
    confidence = torch.zeros(len(leaders.pose))
    for k in leaders.cavity.unique().tolist():
        here = leaders.cavity == k
        own = leaders[here]
        within = ranking.confidence(
            _within(own),
            own.checks.fraction(),
            atoms=kinematics.atoms,
            torsions=kinematics.rotors,
        )
        if within is None:
            return None
        confidence[here] = within if chances is None else within * float(chances[k])
    return confidence


def rescored(
    ranked: Ranked,
    settings: Settings,
    ranking: Ranking,
    notes: list[str],
    chances: Float[Tensor, " c"] | None = None,
) -> Ranked:
    """Rank the best poses again with the score of the CNN, or say in the notes why not."""
    poses = ranked.poses
    score = torch.zeros(len(poses.pose))
    for k in poses.cavity.unique().tolist():
        here, problem = poses.cavity == k, poses.problems[k]
        values = cnn.cnn_evidence(problem, problem.kinematics.place(poses.pose[here]))
        if isinstance(values, str):
            notes.append(f"The CNN was left out of the ranking: {values}.")
            break
        score[here] = values
    else:
        poses = replace(poses, measures={**poses.measures, "cnn": score})
    return rank(poses, replace(settings, rescore=None), ranking, chances)


def _lacks(poses: Judged, settings: Settings) -> Tensor:
    """How many of the required interactions each pose lacks, (p,)."""
    if not settings.require:
        return torch.zeros(len(poses.pose))
    problem = poses.problems[0]
    lacks = []
    for mol, k in zip(
        molecules(problem.ligand, problem.rotors, poses.pose), poses.cavity.tolist(), strict=True
    ):
        contacts = find_interactions(relax(mol), poses.problems[k].receptor)
        lacks.append(float(len(lacking(settings.require, contacts) or ())))
    return torch.tensor(lacks)
