"""The bundled models of docking, each of which may be missing.

Without the diffusion model, poses start at random; without the judges (models of distances and of
ranks), the energy and the checks rank alone; without the fitted ranking, there is no confidence.
Every result records the models used.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from moldiff.docking.judge.evidence import Judges
from moldiff.docking.judge.ranking import Ranking
from moldiff.errors import InputError
from moldiff.precision import resolve

if TYPE_CHECKING:
    from moldiff.docking.proposals import Proposer
    from moldiff.docking.settings import Settings
    from moldiff.model import Model

__all__ = ["bundled", "judge", "judges", "proposer", "ranker", "ranking"]

# Purpose of a file -> its name among the bundled weights.
_NAMES = {
    "proposals": "proposals.safetensors",
    "distances": "distances.safetensors",
    "ranks": "ranks.safetensors",
    "ranking": "ranking.json",
}


def bundled(purpose: str) -> Path | None:
    """Return the bundled file for a purpose, a key of ``_NAMES``, if any."""
    path = Path(str(files("moldiff") / "weights" / "docking" / _NAMES[purpose]))
    return path if path.is_file() else None


def proposer(settings: Settings) -> tuple[Proposer, str]:
    """Return the proposer of poses, and its name: "diffusion" with the model's hash, or "random".

    Raises
    ------
    InputError
        If diffusion is requested and there is no model.
    ModelFileError
        If the model's file cannot be used.
    """
    from moldiff.docking.proposals import DiffusionProposer, RandomProposer

    path = bundled("proposals") if settings.model is None else _file(settings.model)
    if settings.proposals == "random":
        return RandomProposer(), "random"
    if path is None:
        if settings.proposals == "diffusion":
            raise InputError(
                "No docking model is bundled with this version.",
                fix="Give one with --model, or use --proposals random.",
            )
        return RandomProposer(), "random (no docking model is bundled)"
    model = _model(path, "poses").replace(precision=resolve(settings.precision))
    return DiffusionProposer(model, steps=settings.steps), f"diffusion {model.digest}"


def judge(file: str | None = None) -> Model | None:
    """Return the judge of poses, a model of distances: from a file, or the bundled one if any.

    Raises
    ------
    InputError, ModelFileError
        If the file is missing, or holds something other than a model of distances.
    """
    path = bundled("distances") if file is None else _file(file)
    return None if path is None else _model(path, "distances")


def ranker(file: str | None = None) -> Model | None:
    """Return the model of ranks: from a file, or the bundled one if any.

    Raises
    ------
    InputError, ModelFileError
        If the file is missing, or holds something other than a model of ranks.
    """
    path = bundled("ranks") if file is None else _file(file)
    return None if path is None else _model(path, "ranks")


def judges(settings: Settings | None = None) -> Judges:
    """Return the models that judge poses; errors are those of `judge` and `ranker`.

    Without settings: the bundled ones.
    """
    if settings is None:
        return Judges(judge(), ranker())
    return Judges(judge(settings.judge), ranker(settings.ranker))


def _file(name: str) -> Path:
    if not Path(name).is_file():
        raise InputError(f"There is no model file {name}.", fix="Check the path.")
    return Path(name)


def ranking() -> Ranking:
    """Return the bundled ranking, or one with default weights and no confidence."""
    path = bundled("ranking")
    return Ranking() if path is None else _ranking(path)


@lru_cache(maxsize=4)
def _model(path: Path, domain: str) -> Model:
    from moldiff.model import Model

    return Model.load(path, domain=domain)


@lru_cache(maxsize=2)
def _ranking(path: Path) -> Ranking:
    return Ranking.load(path)
