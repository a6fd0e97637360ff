"""The settings of a docking; the benchmark uses the defaults."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from moldiff.configuration import Range, check_fields
from moldiff.errors import ConfigError, MissingExtraError
from moldiff.precision import Precision, recorded, resolve

__all__ = ["Proposals", "Rescore", "Settings"]

#: Source of the first poses; "auto" is diffusion if its weights are available.
Proposals = Literal["auto", "diffusion", "random"]
#: What judges the best poses once more.
Rescore = Literal["cnn"]
_PH = 7.4  # the only pH with protonation rules
# Settings of later versions: their usual values.
_LATER = {
    "judge": None,
    "ranker": None,
    "precision": "float32",
    "require": (),
    "rescore": None,
    "cavities": 1,
}


@dataclass(frozen=True)
class Settings:
    """The settings of a docking.

    Attributes
    ----------
    draws:
        Poses proposed; each starts a chain of the search.
    starts:
        Random poses that survey the box: for centres to draw poses about, and for further starts.
    chains:
        Chains of the search; those without a proposal start from the best random poses.
    shortlist:
        Maximum number of poses minimised in the exact energy and ranked.
    steps:
        Denoising steps of a proposal by diffusion.
    conformers:
        Maximum number of conformers of the ligand.
    poses:
        Maximum number of poses reported.
    rounds:
        Rounds of the search (basin hopping) after the first minimisation.
    iterations:
        Maximum number of steps of a minimisation.
    seed:
        Same input, settings and seed: same poses (on the same kind of machine).
    proposals:
        Source of the first poses: "diffusion" by the network, "random", or "auto", which is
        diffusion where its weights are.
    separation:
        Smallest RMSD between two reported poses, in Å; those that are refined are 1 Å apart.  The
        confidence is calibrated for the default.
    window:
        Largest energy above the best of a reported pose, in kcal/mol.
    ph:
        7.4 protonates the ligand by rules (`moldiff.chem.protonate`); None keeps it as given.
    posebusters:
        How many of the reported poses, from the first, are shown to PoseBusters too (0.5 to 7
        CPU-seconds each); 0 leaves it out.
    model:
        File of a model of poses; None takes the bundled one.
    judge:
        File of a model of distances, which scores poses; None takes the bundled one.
    ranker:
        File of a model of ranks, which tells right poses from wrong ones; None takes the bundled
        one.
    precision:
        Type of the large products of the model of poses: ``float32``, ``bfloat16``, or ``auto``,
        the faster one by measurement (`moldiff.precision`).  Same seed, same poses only in the
        same type.
    require:
        Interactions that poses should have, as ``A:611:hbond`` or ``A:611`` (of any kind).  Poses
        that have more of them come first, whatever their score; nothing is left out.
    rescore:
        "cnn" ranks the best poses once more, with the score of gnina's network as evidence
        (`moldiff.docking.judge.cnn`); needs the extra ``cnn``.
    cavities:
        Where the pocket is to be found: how many of the receptor's cavities are looked into, at
        most.  1 docks into the likeliest, which looking into more did not improve upon
        (``datasets/complexes/README.md``).
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
    separation: float = 1.5
    window: float = 5.0
    ph: float | None = None
    posebusters: Annotated[int, Range(0, 1_000)] = 0
    model: str | None = None
    judge: str | None = None
    ranker: str | None = None
    precision: Precision = "float32"
    require: tuple[str, ...] = ()
    rescore: Rescore | None = None
    cavities: Annotated[int, Range(1, 5)] = 1

    def __post_init__(self) -> None:
        """Refuse invalid values (``ConfigError``), and what is not installed."""
        given: Any = self.require
        words = [given] if isinstance(given, str) else given
        object.__setattr__(self, "require", tuple(words) if isinstance(words, list) else words)
        check_fields(self, "the settings of a docking")
        if self.ph not in (None, _PH):
            raise ConfigError(
                f"There are no rules of protonation for pH {self.ph:g}.",
                fix=f"Give pH {_PH}, or omit it and give the ligand in the wanted state.",
            )
        if self.rescore == "cnn" and find_spec("rustina") is None:
            raise MissingExtraError("rustina", "cnn", "Rescoring by the CNN")

    def as_dict(self) -> dict[str, Any]:
        """Return the settings by name, JSON-ready."""
        values = dataclasses.asdict(self)
        # Omitted if usual, so that results of earlier versions keep their digest.
        return {k: v for k, v in values.items() if k not in _LATER or v != _LATER[k]}

    def resolved(self) -> Settings:
        """Return the settings with the type that ``precision: auto`` stands for here.

        Raises
        ------
        ConfigError
            If this device lacks the precision.
        """
        chosen: Any = recorded(resolve(self.precision)) or "float32"
        return dataclasses.replace(self, precision=chosen)

    def digest(self) -> str:
        """Return twelve characters that identify the settings."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
