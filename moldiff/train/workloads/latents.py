"""Loading the codec of a run, and the settings that a model of its latents takes from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from moldiff.data.store import Store
from moldiff.diffusion.latent import Codec
from moldiff.errors import ConfigError, InputError, ModelFileError
from moldiff.model import Model
from moldiff.registry import settings
from moldiff.seeds import generator
from moldiff.train.config import TrainConfig
from moldiff.train.loader import SizeBuckets
from moldiff.train.statistics import Spread, Statistics

__all__ = ["codec_config", "load_codec", "resolve_latent", "with_width"]

_MEASURED = 40  # batches of molecules for the spread of the latents
_STREAM = 41  # of random numbers


def load_codec(config: TrainConfig, store: Store) -> Codec:
    """Load the codec of a run, checked against the run's data.

    Raises
    ------
    InputError, ModelFileError
        If the file is missing or is not a codec.
    ConfigError
        If the codec has another vocabulary than the data.
    """
    path = Path(str(config.codec))
    if not path.is_file():
        raise InputError(
            f"There is no codec '{path}'.",
            fix="Train one (moldiff train qm9-codec), or name another with --codec.",
        )
    model = Model.load(path)
    if not isinstance(model.network, Codec):
        raise ModelFileError(
            f"The file '{path}' holds a model of {model.domain.noun}, not a codec.",
            fix="Train a codec (moldiff train qm9-codec), or name another with --codec.",
        )
    vocabulary = model.domain.config()["vocabulary"]
    if vocabulary != store.vocabulary.to_dict():
        raise ConfigError(
            f"The codec '{config.codec}' has the vocabulary {vocabulary}, the data "
            f"'{config.data}' {store.vocabulary.to_dict()}.",
            fix="Train a codec on this data: moldiff train qm9-codec --data ... --output ...",
        )
    return model.network


def codec_config(network: Mapping[str, Any] | str, statistics: Statistics) -> dict[str, Any]:
    """Return the settings of a codec with those from the data: classes, and ``scale: data``."""
    classes = {name: len(frequencies) for name, frequencies in statistics.marginals.items()}
    config = {"scale": "data", **settings(network), "classes": classes}
    return config | ({"scale": statistics.spread} if config["scale"] == "data" else {})


def with_width(process: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Return a process whose spaces of vectors without a width have that of a codec."""
    resolved = {name: dict(part) for name, part in process.items()}
    for part in resolved.values():
        space = settings(part.get("space", {}))
        if isinstance(space, Mapping) and space.get("name") == "vectors":
            part["space"] = {"width": width, **space}
    return resolved


def resolve_latent(config: TrainConfig, codec: Codec, store: Store) -> dict[str, Any]:
    """Fill in the settings of a process from the codec: the width, the scale of each field."""
    process = with_width(config.process, codec.width)
    spread = _spreads(codec, store, seed=config.seed)
    for name, part in process.items():
        if "scale" in part and name in spread:
            part["scale"] = spread[name].fill(part["scale"])
    return process


@torch.no_grad()
def _spreads(codec: Codec, store: Store, *, seed: int) -> dict[str, Spread]:
    """Measure the root mean square of each field of the latents of training molecules."""
    batches = SizeBuckets(store, store.indices("train"), batch=64, seed=seed)
    rng = generator(seed, _STREAM)
    spreads: dict[str, Spread] = {}
    for step in range(min(_MEASURED, batches.per_epoch)):
        latents = codec.perturb(codec.latents(batches[step]), rng=rng)
        for name, value in latents.items():
            spread = spreads.setdefault(name, Spread())
            spread.add(latents.atoms, len(value), float(value.square().sum()), value.numel())
    return spreads
