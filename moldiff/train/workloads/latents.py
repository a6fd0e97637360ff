"""The file of a codec, and what a model of its latents takes from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from moldiff.data.store import Store
from moldiff.diffusion.latent import Codec
from moldiff.errors import ConfigError, InputError
from moldiff.registry import build, describe
from moldiff.seeds import generator
from moldiff.storage import load_network, save_network
from moldiff.train.config import TrainConfig
from moldiff.train.loader import SizeBuckets
from moldiff.train.statistics import Statistics

__all__ = ["FORMAT", "CodecModel", "codec_config", "resolve_latent", "with_width"]

FORMAT = "moldiff-codec-1"
_MEASURED = 40  # batches of molecules on which the spread of the latents is measured
_STREAM = 41  # of random numbers


@dataclass(frozen=True, eq=False)
class CodecModel:
    """A codec with what it was trained on.

    Attributes
    ----------
    network:
        The codec.
    vocabulary:
        Elements and charges the class indices stand for (plain mapping).
    card:
        What it was trained on, how, and what was measured (plain mapping).
    digest:
        First 12 hexadecimal digits of the SHA-256 of the weights; "" if not yet saved.
    """

    network: Codec
    vocabulary: Mapping[str, Any]
    card: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def config(self) -> dict[str, Any]:
        """Return the plain configuration from which :meth:`from_config` rebuilds this."""
        return {"codec": describe(self.network), "vocabulary": dict(self.vocabulary)}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], card: Mapping[str, Any] | None = None, *, seed: int = 0
    ) -> CodecModel:
        """Build an untrained codec; ``seed`` decides its initial weights.

        Raises
        ------
        ConfigError
            If a part is unknown, misspelt or missing.
        """
        with torch.random.fork_rng(devices=[]):  # layers draw from torch's global generator
            torch.default_generator.manual_seed(seed)
            network: Codec = build("codec", config["codec"])
        return cls(network, config["vocabulary"], card or {})

    def save(self, path: Path, *, card: Mapping[str, Any] | None = None) -> None:
        """Write the codec to one file, atomically."""
        save_network(path, self, FORMAT, card=card)

    @classmethod
    def load(cls, path: Path) -> CodecModel:
        """Read the file of a codec.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, corrupt or of another format.
        """
        model, digest = load_network(path, FORMAT, cls.from_config)
        return dataclasses.replace(model, digest=digest)

    @classmethod
    def of_run(cls, config: TrainConfig, store: Store) -> CodecModel:
        """Read the codec a run names, for molecules of the run's data.

        Raises
        ------
        InputError, ModelFileError
            If there is no such file, or it cannot be used.
        ConfigError
            If it encodes molecules of other elements or charges.
        """
        path = Path(str(config.codec))
        if not path.is_file():
            raise InputError(
                f"There is no codec '{path}'.",
                fix="Train one (moldiff train qm9-codec), or name another with --codec.",
            )
        made = cls.load(path)
        if dict(made.vocabulary) != store.vocabulary.to_dict():
            raise ConfigError(
                f"The codec '{config.codec}' has the vocabulary {dict(made.vocabulary)}, the data "
                f"'{config.data}' {store.vocabulary.to_dict()}.",
                fix="Train a codec on this data: moldiff train qm9-codec --data ... --output ...",
            )
        return made


def codec_config(network: Mapping[str, Any], statistics: Statistics) -> dict[str, Any]:
    """Return the settings of a codec with what the data decide: classes, and ``scale: data``."""
    classes = {name: len(known) for name, known in statistics.marginals.items()}
    config = {"scale": "data", **network, "classes": classes}
    return config | ({"scale": statistics.spread} if config["scale"] == "data" else {})


def with_width(process: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Return a process whose spaces of vectors have the width of a codec, if they have none."""
    made = {name: dict(part) for name, part in process.items()}
    for part in made.values():
        space = part.get("space")
        space = {"name": space} if isinstance(space, str) else space
        if isinstance(space, Mapping) and space.get("name") == "vectors":
            part["space"] = {"width": width, **space}
    return made


def resolve_latent(config: TrainConfig, made: CodecModel, store: Store) -> dict[str, Any]:
    """Fill in what the codec decides of a process: the width, and ``scale: data`` by field."""
    process = with_width(config.process, made.network.width)
    spread = _spreads(made.network, store, seed=config.seed)
    for name, part in process.items():
        if part.get("scale") == "data" and name in spread:
            part["scale"] = spread[name]
    return process


@torch.no_grad()
def _spreads(codec: Codec, store: Store, *, seed: int) -> dict[str, float]:
    """Root mean square of every field of the latents of training molecules."""
    batches = SizeBuckets(store, store.indices("train"), batch=64, seed=seed)
    rng = generator(seed, _STREAM)
    squares: dict[str, list[tuple[float, int]]] = {}
    for step in range(min(_MEASURED, batches.per_epoch)):
        latents = codec.perturb(codec.encode(batches[step]), rng=rng)
        for name, value in latents.items():
            squares.setdefault(name, []).append((float(value.square().sum()), value.numel()))
    sums = {
        name: [sum(column) for column in zip(*rows, strict=True)] for name, rows in squares.items()
    }
    return {name: round((total / count) ** 0.5, 4) for name, (total, count) in sums.items()}
