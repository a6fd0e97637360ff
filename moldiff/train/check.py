"""What can be said about a configuration before any data is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moldiff.chem.properties import check_properties
from moldiff.data.store import Store
from moldiff.diffusion.denoiser import GaussianDenoiser
from moldiff.diffusion.guidance import ClassifierFree, with_settings
from moldiff.diffusion.latent import check_classless, check_latent
from moldiff.diffusion.objective import Objective
from moldiff.diffusion.process import Product
from moldiff.errors import ConfigError
from moldiff.methods import sampler_remarks
from moldiff.registry import build, describe, names, registered
from moldiff.train.config import TrainConfig
from moldiff.train.statistics import Statistics
from moldiff.train.workloads.latents import codec_config, with_width

__all__ = ["check"]

# Data with two classes everywhere: combinations do not depend on what the data are.
_ANY = Statistics(dict.fromkeys(("types", "charges", "bonds"), (0.5, 0.5)), 1.0, {})


def check(config: TrainConfig) -> list[str]:
    """Refuse parts that do not go together; return remarks on those that hardly do.

    Raises
    ------
    ConfigError
        If a part is unknown or misspelt, a schedule is outside its domain, the sampler cannot
        reverse the process, or there is guidance without conditions; with what does go.
    """
    if config.task == "codec":
        _check_codec(config)
        return []
    process = Product.from_config(_ANY.resolve(with_width(config.process, 1)))
    check_latent(process, coded=config.codec is not None)
    check_classless(process, config.sampling)
    process.check()
    build("precondition", config.precondition)
    objective: Objective = build("objective", config.objective)
    exact = GaussianDenoiser(process, 1.0, {})
    _check_guidance(config, exact)
    if config.conditions.properties:
        _check_conditions(config, describe(objective))
    settings = {key: value for key, value in config.sampling.items() if key != "guidance"}
    any_valence = [[[True]]]  # the data's table is not known yet; the setting can be judged
    _, sampler = with_settings(exact, settings, any_valence)
    return [
        *_symmetry(config.network),
        *sampler_remarks(describe(sampler.stepper), describe(objective)),
    ]


def _symmetry(network: Mapping[str, Any]) -> list[str]:
    """What is to be said about a network that is not equivariant."""
    name = network.get("name")
    if name not in names("interaction") or registered("interaction", str(name)).equivariant:  # type: ignore[attr-defined]
        return []
    return [
        f"The network '{name}' is not equivariant: every example is rotated and reflected at "
        "random in training."
    ]


def _check_codec(config: TrainConfig) -> None:
    """Refuse a codec's settings where they are wrong."""
    if config.codec is not None:
        raise ConfigError(
            "The task 'codec' trains a codec; it cannot work in the latents of another.",
            fix="Leave out 'codec', or set 'task: molecules'.",
        )
    build("codec", codec_config(config.network, _ANY))
    build("codec_objective", config.objective)


def _check_guidance(config: TrainConfig, denoiser: GaussianDenoiser) -> None:
    """Refuse guidance of a model that will not have learned what it needs."""
    guidance, conditions = config.sampling.get("guidance"), config.conditions
    if guidance is None:
        return
    if isinstance(guidance, bool) or not isinstance(guidance, int | float):
        raise ConfigError(f"'guidance' is a number, not {guidance!r}.", fix="Try 2.")
    ClassifierFree(denoiser, denoiser, guidance)
    if not conditions.properties:
        raise ConfigError(
            "'sampling' asks for guidance, but the model would have no conditions.",
            fix="Add 'conditions: {properties: [logp]}' (or others: tpsa, rings, ...), or leave "
            "out 'guidance'.",
        )
    if not conditions.drop:
        raise ConfigError(
            "Guidance compares with a prediction without conditions, which 'drop: 0' never trains.",
            fix="Set 'drop' of the conditions to 0.1, or leave out 'guidance'.",
        )


def _check_conditions(config: TrainConfig, objective: Mapping[str, Any]) -> None:
    """Refuse conditions that are unknown, or that the objective or its coupling cannot keep."""
    data = Path(config.data)
    stored = Store.open(data).property_names if (data / "store.json").is_file() else ()
    check_properties(config.conditions.properties, stored)
    if objective["name"] == "reflow":
        raise ConfigError(
            "The objective 'reflow' trains on a teacher's molecules, whose properties it does not "
            "keep: it does not go with 'conditions'.",
            fix=f"Objectives that do: {', '.join(n for n in names('objective') if n != 'reflow')}.",
        )
    inner = objective.get("objective", objective)  # that of `endpoint`
    coupling = inner.get("coupling", {"name": "independent"})["name"]
    if registered("coupling", coupling).across:  # type: ignore[attr-defined]
        keeps = (n for n in names("coupling") if not registered("coupling", n).across)  # type: ignore[attr-defined]
        raise ConfigError(
            f"The coupling '{coupling}' chooses noise by the molecule, and so by its conditions: "
            "in sampling the noise would be another.",
            fix=f"Couplings that go with 'conditions': {', '.join(keeps)}.",
        )
