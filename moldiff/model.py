"""A model: process + network + vocabulary + size prior, in one safetensors file.

The header of the file carries the configuration and the model card as JSON, so a
checkpoint describes itself and loading it can run no code.  Layout of the header::

    format   "moldiff-model", with a version number
    config   process, precondition, network, vocabulary, sizes, sampling (JSON);
             codec, if the process is one of latents; conditions, if there are any
    card     what it was trained on, how, and what was measured (JSON)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.guidance.condition import Condition
from moldiff.diffusion.latent import Codec, check_latent
from moldiff.diffusion.process import Product
from moldiff.errors import ConfigError
from moldiff.nn import Network
from moldiff.registry import build, describe
from moldiff.storage import load_network, save_network

__all__ = ["FORMAT", "Model"]

FORMAT = "moldiff-model-1"
_CONFIG_KEYS = ("process", "precondition", "network", "vocabulary", "sizes", "sampling")


@dataclass(frozen=True, eq=False)
class Model:
    """Everything needed to generate, and nothing else.

    Attributes
    ----------
    denoiser:
        The network behind its precondition; knows the process.
    vocabulary:
        Elements and charges the class indices stand for (plain mapping).
    sizes:
        Frequency of each number of atoms in the training data.
    sampling:
        Default sampler settings (plain mapping).
    card:
        Model card: name, data, training, measured results (plain mapping).
    digest:
        First 12 hexadecimal digits of the SHA-256 of the weights; "" if not yet saved.
    codec:
        Between molecules and the latents the process is about; None where it is about
        molecules themselves.
    conditions:
        What it can be asked for, in the order of the network's inputs.
    """

    denoiser: NetworkDenoiser
    vocabulary: Mapping[str, Any]
    sizes: Mapping[int, float]
    sampling: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    codec: Codec | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def process(self) -> Product:
        """The noising process the model reverses."""
        return self.denoiser.process

    @property
    def network(self) -> Network:
        """The network."""
        network = self.denoiser.network
        assert isinstance(network, Network)
        return network

    @property
    def kept(self) -> nn.Module:
        """All weights of the model file: the network's, and the codec's if there is one."""
        if self.codec is None:
            return self.network
        return nn.ModuleDict({"network": self.network, "codec": self.codec})

    def encode(self, x: Batch, *, rng: torch.Generator) -> Batch:
        """Return what the process is about: molecules themselves, or a draw of their latents."""
        if self.codec is None:
            return x
        with torch.no_grad():
            return self.codec.perturb(self.codec.encode(x), rng=rng)

    def decode(self, x: Batch) -> Batch:
        """Return the molecules that a clean batch of the process stands for."""
        if self.codec is None:
            return x
        with torch.no_grad():
            return self.codec.reconstruct(x)

    def config(self) -> dict[str, Any]:
        """Return the plain configuration from which :meth:`from_config` rebuilds this."""
        codec = {} if self.codec is None else {"codec": describe(self.codec)}
        # Absent without any, as in files and runs from before there were conditions.
        given = {"conditions": [c.to_config() for c in self.conditions]} if self.conditions else {}
        return (
            codec
            | given
            | {
                "process": self.process.to_config(),
                "precondition": describe(self.denoiser.precondition),
                "network": self.network.to_config(),
                "vocabulary": dict(self.vocabulary),
                "sizes": {str(n): weight for n, weight in self.sizes.items()},
                "sampling": dict(self.sampling),
            }
        )

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], card: Mapping[str, Any] | None = None, *, seed: int = 0
    ) -> Model:
        """Build an untrained model; ``seed`` decides its initial weights.

        Raises
        ------
        ConfigError
            If a part is unknown, misspelt or missing.
        """
        missing = [key for key in _CONFIG_KEYS if key not in config]
        if missing:
            raise ConfigError(f"The model configuration lacks {', '.join(missing)}.")
        process = Product.from_config(config["process"])
        check_latent(process, coded="codec" in config)
        conditions = tuple(Condition.from_config(c) for c in config.get("conditions", ()))
        with torch.random.fork_rng(devices=[]):  # layers draw from torch's global generator
            torch.default_generator.manual_seed(seed)
            codec = build("codec", config["codec"]) if "codec" in config else None
            classes, vectors = process.categorical(), process.vectors()
            network = Network.from_config(config["network"], classes, vectors, len(conditions))
        if codec is not None:
            codec.eval().requires_grad_(False)
            if vectors["features"] != codec.width:
                raise ConfigError(
                    f"The process has {vectors['features']} features, the codec {codec.width}.",
                    fix="Leave out 'width' in the process: the codec's is taken.",
                )
        denoiser = NetworkDenoiser(network, build("precondition", config["precondition"]), process)
        sizes = {int(n): float(weight) for n, weight in config["sizes"].items()}
        if not sizes:
            raise ConfigError("The model configuration has no sizes.")
        sampling = config["sampling"]
        return cls(
            denoiser,
            config["vocabulary"],
            sizes,
            sampling,
            card or {},
            codec=codec,
            conditions=conditions,
        )

    def save(
        self,
        path: Path,
        *,
        card: Mapping[str, Any] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Write the model to one file, atomically; ``dtype`` float16 halves its size.

        The card says so if the network is not equivariant.
        """
        card = dict(self.card if card is None else card)
        if not self.network.equivariant:
            card["symmetry"] = self.network.symmetry
        save_network(path, self, FORMAT, card=card, dtype=dtype, kept=self.kept)

    @classmethod
    def load(cls, path: Path, *, device: str = "cpu") -> Model:
        """Read a model file.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, corrupt or of another format.
        """
        model, digest = load_network(path, FORMAT, cls.from_config, kept=lambda made: made.kept)
        model.kept.to(device)
        object.__setattr__(model, "digest", digest)
        return model
