"""What can be said about a configuration before any data is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moldiff.denoiser import GaussianDenoiser
from moldiff.guidance import with_settings
from moldiff.objective import Objective
from moldiff.process import Product
from moldiff.registry import build, describe
from moldiff.sampler import Sampler
from moldiff.train.config import TrainConfig
from moldiff.train.statistics import Statistics

__all__ = ["check", "remarks"]

# Data with two classes everywhere: combinations do not depend on what the data are.
_ANY = Statistics(dict.fromkeys(("types", "charges", "bonds"), (0.5, 0.5)), 1.0, {})


def check(config: TrainConfig) -> list[str]:
    """Refuse parts that do not go together; return remarks on those that hardly do.

    Raises
    ------
    ConfigError
        If a part is unknown or misspelt, a schedule is outside its domain, or the sampler
        cannot reverse the process; with what does go.
    """
    process = Product.from_config(_ANY.resolve(config.process))
    process.check()
    build("precondition", config.precondition)
    objective: Objective = build("objective", config.objective)
    _, sampler = with_settings(GaussianDenoiser(process, 1.0, {}), config.sampling)
    return remarks(sampler, describe(objective))


def remarks(sampler: Sampler, objective: Mapping[str, Any]) -> list[str]:
    """Return what is to be said about sampling a model trained with a described ``objective``."""
    found = []
    if "coupling" in objective:
        found.append(sampler.remark(objective["coupling"]["name"]))
    name, stepper = objective["name"], describe(sampler.stepper)["name"]
    if stepper == "consistency" and name != "consistency":
        found.append(
            f"The stepper 'consistency' is for models trained with the objective 'consistency': "
            f"one trained with '{name}' predicts means, not where trajectories end."
        )
    return [remark for remark in found if remark is not None]
