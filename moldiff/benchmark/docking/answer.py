"""What a docking method is told, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.docking.problem import Problem

__all__ = ["Docked", "Job", "Posed"]


@dataclass(frozen=True)
class Job:
    """How a ligand is docked: the seed, poses reported at most, and a model file or None."""

    seed: int = 0
    poses: int = 9
    model: str | None = None


@dataclass(frozen=True, eq=False)
class Posed:
    """A pose as a method reports it, None where it does not say; see `rows.Judged`."""

    mol: Chem.Mol
    energy: float
    fraction: float | None = None
    distance_score: float | None = None
    score: float | None = None
    confidence: float | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Docked:
    """What a method gives: poses, best first, and CPU-seconds by stage.

    ``box`` is the centre in Å of the box of the first pose, of a method that chose it.
    """

    problem: Problem
    poses: tuple[Posed, ...]
    seconds: Mapping[str, float]
    proposals: str = ""
    box: tuple[float, ...] = ()
