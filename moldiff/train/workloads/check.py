"""Checks of a configuration before any data is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from moldiff.chem.properties import PROPERTIES, check_properties
from moldiff.data.fields import columns
from moldiff.data.store import Store
from moldiff.diffusion.denoiser import GaussianDenoiser
from moldiff.diffusion.guidance import guidances, with_settings
from moldiff.diffusion.objective import Denoising, Objective
from moldiff.diffusion.process import Product
from moldiff.diffusion.process.latent import check_classless, check_latent
from moldiff.errors import ConfigError
from moldiff.io import read_molecules
from moldiff.methods import sampler_remarks
from moldiff.nn import Interaction
from moldiff.registry import build, describe, names, registered, settings
from moldiff.train.config import TrainConfig
from moldiff.train.statistics import Spread, Statistics
from moldiff.train.workloads.latents import with_width

__all__ = ["ANY", "check"]

ANY = Statistics(
    dict.fromkeys(("types", "charges", "bonds"), (0.5, 0.5)), Spread([(2, 1, 1.0, 1)]), {}
)
"""Stand-in data with two classes per field: compatibility does not depend on the data."""


def check(config: TrainConfig) -> list[str]:
    """Refuse incompatible parts; return remarks on doubtful combinations.

    Raises
    ------
    ConfigError
        If a part is unknown or misspelt, a schedule is outside its domain, the sampler cannot
        reverse the process, or there is guidance without conditions or 'reflow' with batches by
        cost; it lists what works.
    """
    process = Product.from_config(ANY.resolve(with_width(config.process, 1)))
    check_latent(process, coded=config.codec is not None)
    check_classless(process, config.sampling)
    process.check()
    build("precondition", config.precondition)
    objective: Objective = build("objective", config.objective)
    exact = GaussianDenoiser(process, 1.0, {})
    _check_guidance(config)
    _check_balance(config, describe(objective))
    if config.refined.data and not isinstance(objective, Denoising):
        raise ConfigError(
            "Molecules of refined geometry are for the objective 'denoising'.",
            fix="Leave out 'refined', or choose that objective.",
        )
    if config.conditions.properties:
        _check_conditions(config, describe(objective))
    # The data's table of valences is not known yet; a stand-in suffices to check the setting.
    context = {"allowed": torch.ones(1, 1, 1, dtype=torch.bool), "conditions": 1}
    _, sampler = with_settings(exact, config.sampling, context)
    return [
        *_symmetry(config.network),
        *sampler_remarks(describe(sampler.stepper), describe(objective)),
    ]


def _symmetry(network: Mapping[str, Any] | str) -> list[str]:
    """Warn about a network that is not equivariant."""
    name = str(settings(network).get("name"))
    if name not in names("interaction"):
        return []
    kind: type[Interaction] = registered("interaction", name)
    if kind.symmetry.equivariant:
        return []
    return [
        f"The network '{name}' is not equivariant: every example is rotated and reflected at "
        "random in training."
    ]


def _check_guidance(config: TrainConfig) -> None:
    """Refuse guidance for which the model is not trained."""
    if "classifier_free" not in {part["name"] for part in guidances(config.sampling)}:
        return
    if not config.conditions.properties:
        raise ConfigError(
            "'sampling' asks for guidance, but the model would have no conditions.",
            fix="Add 'conditions: {properties: [logp]}' (or others: tpsa, rings, ...), or leave "
            "out 'guidance'.",
        )
    if not config.conditions.drop:
        raise ConfigError(
            "Guidance compares with a prediction without conditions, which 'drop: 0' never trains.",
            fix="Set 'drop' of the conditions to 0.1, or leave out 'guidance'.",
        )


def _check_balance(config: TrainConfig, objective: Mapping[str, Any]) -> None:
    """Refuse batches by cost with an objective that makes its own."""
    if config.balance == "cost" and objective["name"] == "reflow":
        raise ConfigError(
            "The objective 'reflow' makes batches of equally many samples of its teacher.",
            fix="Leave out 'balance: cost', or choose another objective.",
        )


def _check_conditions(config: TrainConfig, objective: Mapping[str, Any]) -> None:
    """Refuse unknown conditions, and those the objective or its coupling does not preserve."""
    data, wanted = Path(config.data), config.conditions.properties
    if (data / "store.json").is_file():
        own = Store.open(data).property_names
    else:  # a file that will be prepared, or nothing yet
        own = _fields(data, set(wanted) - PROPERTIES.keys())
    check_properties(wanted, own)
    if objective["name"] == "reflow":
        raise ConfigError(
            "The objective 'reflow' trains on a teacher's molecules, whose properties it does not "
            "keep: it does not go with 'conditions'.",
            fix=f"Objectives that do: {', '.join(n for n in names('objective') if n != 'reflow')}.",
        )
    inner = objective.get("objective", objective)  # the one inside `endpoint`
    coupling = inner.get("coupling", {"name": "independent"})["name"]
    if registered("coupling", coupling).across:  # type: ignore[attr-defined]
        keeps = (n for n in names("coupling") if not registered("coupling", n).across)  # type: ignore[attr-defined]
        raise ConfigError(
            f"The coupling '{coupling}' chooses noise by the molecule, and so by its conditions: "
            "in sampling the noise would be another.",
            fix=f"Couplings that go with 'conditions': {', '.join(keeps)}.",
        )


def _fields(path: Path, wanted: Collection[str]) -> tuple[str, ...]:
    """Names of the fields of a file of molecules that have numbers; read until all are found.

    Those of properties are left out, as `moldiff.data.fields` leaves them.
    """
    fields = dict[str, None]()
    if wanted and path.is_file():
        for record in read_molecules(path):
            fields |= dict.fromkeys(columns([record.tags])[0])
            if fields.keys() >= set(wanted):
                break
    return tuple(name for name in fields if name not in PROPERTIES)
