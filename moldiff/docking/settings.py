"""What can be set in a docking; the defaults are what the benchmark uses."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Literal

from moldiff.configuration import Range, check_fields
from moldiff.errors import ConfigError

__all__ = ["Proposals", "Settings"]

#: Where the first poses come from; "auto" is diffusion where its weights are there.
Proposals = Literal["auto", "diffusion", "random"]
_PH = 7.4  # the one there are rules for


@dataclass(frozen=True)
class Settings:
    """The settings of a docking.

    Attributes
    ----------
    draws:
        Poses proposed; each begins a chain of the search.
    starts:
        Random poses that are looked at for more beginnings.
    chains:
        Chains of the search; those that no proposal begins take the best random poses.
    shortlist:
        Poses minimised in the exact energy and ranked, at most.
    steps:
        Denoising steps of a proposal by diffusion.
    conformers:
        Conformers of the ligand at most.
    poses:
        Poses reported at most.
    rounds:
        Rounds of the search (basin hopping) after the first minimisation.
    iterations:
        Steps of a minimisation at most.
    seed:
        Same input, settings and seed: same poses (on the same kind of machine).
    proposals:
        One of `Proposals`.
    separation:
        Smallest RMSD between two poses that are reported, in Å.
    window:
        Poses this much worse in energy than the best are not reported, in kcal/mol.
    ph:
        7.4: protonate the ligand by rules (`moldiff.chem.protonate`); None leaves it as given.
    posebusters:
        Run PoseBusters on the poses that are reported, beside the fast checks.
    model:
        File of a model of poses; None takes the bundled one.
    judge:
        File of a model of distances, which judges poses; None takes the bundled one.
    """

    draws: Annotated[int, Range(1, 10_000)] = 40
    starts: Annotated[int, Range(0, 100_000)] = 1000
    chains: Annotated[int, Range(1, 10_000)] = 100
    shortlist: Annotated[int, Range(1, 10_000)] = 60
    steps: Annotated[int, Range(1, 1_000)] = 10
    conformers: Annotated[int, Range(1, 300)] = 8
    poses: Annotated[int, Range(1, 1_000)] = 9
    rounds: Annotated[int, Range(0, 1_000)] = 20
    iterations: Annotated[int, Range(1, 10_000)] = 40
    seed: int = 0
    proposals: Proposals = "auto"
    separation: float = 1.0
    window: float = 5.0
    ph: float | None = None
    posebusters: bool = False
    model: str | None = None
    judge: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that make no sense (``ConfigError``)."""
        check_fields(self, "the settings of a docking")
        if self.ph not in (None, _PH):
            raise ConfigError(
                f"There are no rules of protonation for pH {self.ph:g}.",
                fix=f"Give pH {_PH}, or none and the ligand in the state wanted.",
            )

    def as_dict(self) -> dict[str, int | float | str | None]:
        """Return the settings by name, JSON-ready."""
        values = dataclasses.asdict(self)
        # Absent unless given: results of earlier versions keep their digest.
        return {k: v for k, v in values.items() if k != "judge" or v is not None}

    def digest(self) -> str:
        """Return twelve characters that differ where any setting does."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
