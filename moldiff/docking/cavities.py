"""What the cavities of a receptor got, where a docking had several to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from moldiff.docking.judge.ranking import Ranking
    from moldiff.docking.ranked import Judged
    from moldiff.protein.pocket import Box

__all__ = ["SearchedCavity", "best_of", "outcome", "searched"]


@dataclass(frozen=True, eq=False)
class SearchedCavity:
    """A cavity that a ligand was docked into.

    Attributes
    ----------
    box:
        The region.
    before, after:
        The chance that it is the ligand's: by the receptor alone, and after a first look at the
        ligand's poses in each cavity.
    full:
        Whether it was then searched in full.
    energy, score:
        Of its best pose: kcal/mol, and the score among the poses of this cavity.
    """

    box: Box
    before: float
    after: float
    full: bool
    energy: float
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, JSON-ready."""
        return {
            "center": [round(float(v), 3) for v in self.box.centre],
            "size": [round(float(v), 3) for v in self.box.size],
            "chance_before": round(self.before, 4),
            "chance": round(self.after, 4),
            "searched_in_full": self.full,
            "energy": round(self.energy, 4),
            "score": round(self.score, 5),
        }


def searched(
    poses: Judged, chances: Tensor, chosen: int, ranking: Ranking
) -> tuple[SearchedCavity, ...]:
    """Return what each cavity got of the poses of all; nothing where there was but one."""
    if len(poses.problems) < 2:
        return ()
    within = {name: values for name, values in poses.measures.items() if name != "cavity"}
    score = ranking.score(within, poses.checks.fraction())
    cavities = []
    for k, problem in enumerate(poses.problems):
        here = (poses.cavity == k).nonzero()[:, 0]
        best = here[score[here].argmax()]
        cavities.append(
            SearchedCavity(
                problem.box,
                problem.pocket.chance,
                float(chances[k]),
                k == chosen,
                float(poses.measures["energy"][best]),
                float(score[best]),
            )
        )
    return tuple(cavities)


def best_of(results: Sequence[tuple[SearchedCavity, ...]]) -> tuple[SearchedCavity, ...]:
    """Return what each cavity got of the forms of one ligand: the best of any."""
    merged = []
    for same in zip(*results, strict=True):
        best = max(same, key=lambda one: one.score)
        after = sum(one.after for one in same) / len(same)
        merged.append(replace(best, after=after, full=any(one.full for one in same)))
    return tuple(merged)


def outcome(cavities: Sequence[SearchedCavity], chosen: int) -> str:
    """A sentence on the cavity of the first pose, number ``chosen`` from 1, and on the others."""
    if not cavities:
        return ""
    words = [
        f"cavity {k} at {','.join(f'{v:.1f}' for v in one.box.centre)}: chance "
        f"{100 * one.before:.0f} % by the receptor, {100 * one.after:.0f} % by the poses seen in "
        f"it, best {one.energy:.2f} kcal/mol{'' if one.full else ' at first sight'}"
        for k, one in enumerate(cavities, start=1)
    ]
    first = words.pop(chosen - 1)
    return f"the first pose is in {first}; {'; '.join(words)}"
