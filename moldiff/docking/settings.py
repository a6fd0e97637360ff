"""What can be set in a docking; the defaults are what the benchmark uses."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass

from moldiff.errors import ConfigError, did_you_mean

__all__ = ["PROPOSALS", "Settings"]

#: Where the first poses come from; "auto" is diffusion where its weights are there.
PROPOSALS = ("auto", "diffusion", "random")
_PH = 7.4  # the one there are rules for

# setting -> smallest and largest value that makes sense
_LIMITS = {
    "draws": (1, 10_000),
    "steps": (1, 1_000),
    "conformers": (1, 300),
    "poses": (1, 1_000),
    "starts": (0, 100_000),
    "chains": (1, 10_000),
    "rounds": (0, 1_000),
    "shortlist": (1, 10_000),
    "iterations": (1, 10_000),
}


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
        One of `PROPOSALS`.
    separation:
        Smallest RMSD between two poses that are reported, in Å.
    window:
        Poses this much worse in energy than the best are not reported, in kcal/mol.
    ph:
        7.4: protonate the ligand by rules (`moldiff.chem.protonate`); None leaves it as given.
    posebusters:
        Run PoseBusters on the poses that are reported, beside the fast checks.
    model:
        File of a docking model; None takes the bundled one.
    """

    draws: int = 40
    starts: int = 1000
    chains: int = 100
    shortlist: int = 60
    steps: int = 10
    conformers: int = 8
    poses: int = 9
    rounds: int = 20
    iterations: int = 40
    seed: int = 0
    proposals: str = "auto"
    separation: float = 1.0
    window: float = 5.0
    ph: float | None = None
    posebusters: bool = False
    model: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that make no sense (``ConfigError``)."""
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(
                    f"The docking setting '{name}' is {value}.",
                    fix=f"Give a whole number from {low} to {high}.",
                )
        if self.ph not in (None, _PH):
            raise ConfigError(
                f"There are no rules of protonation for pH {self.ph:g}.",
                fix=f"Give pH {_PH}, or none and the ligand in the state wanted.",
            )
        if self.proposals not in PROPOSALS:
            raise ConfigError(
                f"There are no proposals '{self.proposals}'.",
                fix=did_you_mean(self.proposals, PROPOSALS),
            )

    def as_dict(self) -> dict[str, int | float | str | None]:
        """Return the settings by name, JSON-ready."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """Return twelve characters that differ where any setting does."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
