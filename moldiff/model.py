"""A model: a domain, a network and a process, in one safetensors file.

The header of the file carries the configuration and the model card as JSON, so a checkpoint
describes itself and loading it can run no code.  Layout of the header::

    format   "moldiff-model-2"
    config   domain (its subject) and network (JSON); for denoising models also process,
             precondition, sampling, and codec, if the process is one of latents
    card     the data, the training, and the measured results (JSON)
    digest   of the weights

Files of earlier versions, with one format per domain, can still be read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.denoiser.precondition import Clean, Precondition
from moldiff.diffusion.latent import Codec
from moldiff.diffusion.network import Network
from moldiff.diffusion.process import Product
from moldiff.domain import Domain, domain_from_config
from moldiff.errors import ConfigError, ModelFileError
from moldiff.registry import build, describe
from moldiff.storage import read_metadata, read_tensors, weights_digest, write_tensors

__all__ = ["FORMAT", "FORMATS", "Model", "check_domain", "read_header"]

FORMAT = "moldiff-model-2"
_DENOISING = ("process", "precondition", "sampling")
_CODEC_USE = "moldiff train CONFIG --method latent --codec {model}"
"""The command that uses a codec."""
_MOLECULES = ("vocabulary", "sizes", "conditions")
_POSES = {"domain": {"name": "poses"}, "precondition": "clean"}
_MISFITS = (KeyError, ValueError, TypeError, AttributeError, RuntimeError, ConfigError)


def _of_molecules(config: dict[str, Any]) -> dict[str, Any]:
    domain = {k: config[k] for k in _MOLECULES if k in config}
    rest = {k: v for k, v in config.items() if k not in _MOLECULES}
    return {"domain": {"name": "molecules", "sizes": {}, **domain}, **rest}


def _of_codec(config: dict[str, Any]) -> dict[str, Any]:
    return _of_molecules({"vocabulary": config["vocabulary"], "network": config["codec"]})


#: Format -> conversion of its configuration to the current form.
FORMATS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    FORMAT: dict,
    "moldiff-model-1": _of_molecules,
    "moldiff-codec-1": _of_codec,
    "moldiff-pose-model-1": lambda config: {**_POSES, **config},
    "moldiff-likelihood-1": lambda config: {"domain": {"name": "distances"}, **config},
}


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network and everything needed to use it.

    Attributes
    ----------
    domain:
        The model's subject: molecules, poses, distances, backbones or sequences.
    network:
        The trained network: it denoises, or is a codec, or judges distances.
    process:
        The noising process to reverse; None for models that do not denoise.
    precondition:
        How raw coordinates become predictions.
    sampling:
        Default sampler settings (plain mapping).
    card:
        Model card: name, data, training, measured results (plain mapping).
    digest:
        First 12 hexadecimal digits of the SHA-256 of the weights; "" if not yet saved.
    codec:
        Converts between the domain's batches and the latents that the process noises; None if
        the process noises the domain's batches themselves.
    precision:
        Type of the network's large products.
    """

    domain: Domain
    network: Network
    process: Product | None = None
    precondition: Precondition = Clean()
    sampling: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    codec: Codec | None = None
    precision: torch.dtype = torch.float32

    def __repr__(self) -> str:
        """What it is, in a line; `card` and ``print(model.network)`` say the rest."""
        name = self.card.get("name", "")
        size = sum(parameter.numel() for parameter in self.network.parameters())
        known = " ".join(word for word in (str(name), self.digest) if word)
        return f"<Model{f' {known}' if known else ''} of {self.domain.noun}, {size:,} parameters>"

    @property
    def denoiser(self) -> NetworkDenoiser:
        """The network behind its precondition.

        Raises
        ------
        ConfigError
            If the model does not denoise: a codec, or a judge of distances.
        """
        if self.process is None:
            raise ConfigError(f"This model of {self.domain.noun} does not denoise anything.")
        return NetworkDenoiser(
            self.network, self.precondition, self.process, self.domain.readout, self.precision
        )

    @property
    def weights(self) -> nn.Module:
        """All weights of the model file: the network's, and the codec's if there is one."""
        if self.codec is None:
            return self.network
        return nn.ModuleDict({"network": self.network, "codec": self.codec})

    @property
    def use(self) -> str:
        """The command that uses it; ``{model}`` stands for its file."""
        return _CODEC_USE if self.is_codec else self.domain.use

    @property
    def is_codec(self) -> bool:
        """Whether the network is a codec, which serves other models that work on its latents."""
        return isinstance(self.network, Codec)

    @property
    def subject(self) -> str:
        """What the model is of: the name of its domain, or "codec"."""
        name: str = self.domain.config()["name"]
        return "codec" if self.is_codec else name

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.network.parameters()).device

    def replace(self, **changes: Any) -> Model:
        """Return a model with some attributes replaced; weights are shared."""
        return dataclasses.replace(self, **changes)

    def encode(self, x: Batch, *, rng: torch.Generator) -> Batch:
        """Return the batch that the process noises: x itself, or a draw of its latents."""
        if self.codec is None:
            return x
        with torch.no_grad():
            return Batch(self.codec.perturb(self.codec.latents(x), rng=rng), x.context)

    def decode(self, x: Batch) -> Batch:
        """Return the domain's batch for a clean batch of the process."""
        if self.codec is None:
            return x
        with torch.no_grad():
            return Batch(self.codec.reconstruct(x), x.context)

    def config(self) -> dict[str, Any]:
        """Return the plain configuration from which :meth:`from_config` rebuilds this."""
        config = {
            "domain": self.domain.config(),
            "network": self.domain.network_config(self.network),
        }
        if self.process is None:
            return config
        codec = {} if self.codec is None else {"codec": describe(self.codec)}
        denoising = {
            "process": self.process.to_config(),
            "precondition": describe(self.precondition),
            "sampling": dict(self.sampling),
        }
        return config | codec | denoising

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
        denoising = set(_DENOISING) & set(config)
        needed = ("domain", "network", *(_DENOISING if denoising else ()))
        missing = [key for key in needed if key not in config]
        if missing:
            raise ConfigError(f"The model configuration lacks {', '.join(missing)}.")
        domain = domain_from_config(config["domain"])
        process = Product.from_config(config["process"]) if "process" in config else None
        domain.check(process, coded="codec" in config)
        with torch.random.fork_rng(devices=[]):  # layers draw from torch's global generator
            torch.default_generator.manual_seed(seed)
            codec = build("codec", config["codec"]) if "codec" in config else None
            network = domain.network(config["network"], process)
        if codec is not None:
            codec.eval().requires_grad_(False)
            _check_width(process, codec)
        precondition = build("precondition", config.get("precondition", "clean"))
        sampling = config.get("sampling", {})
        return cls(domain, network, process, precondition, sampling, card or {}, codec=codec)

    def save(
        self,
        path: Path,
        *,
        card: Mapping[str, Any] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Write the model to one file, atomically; ``dtype`` float16 halves its size.

        The card records if the network is not equivariant.
        """
        card = dict(self.card if card is None else card)
        if not self.network.symmetry.equivariant:
            card["symmetry"] = self.network.symmetry.label
        tensors = {k: v.to("cpu", dtype) for k, v in self.weights.state_dict().items()}
        header = {"format": FORMAT, "config": json.dumps(self.config()), "card": json.dumps(card)}
        write_tensors(path, tensors, header | {"digest": weights_digest(tensors)})

    @classmethod
    def load(cls, path: Path, *, device: str = "cpu", domain: str | None = None) -> Model:
        """Read a model file; the model is ready for use, with gradients off.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, corrupt or of another format, or the model's domain
            is not ``domain`` ("codec" for a codec, which is no model of molecules).
        """
        header, tensors = read_tensors(path, *FORMATS)
        digest = weights_digest(tensors)
        if header.get("digest", digest) != digest:
            raise ModelFileError(
                f"The weights in '{path}' do not match their checksum.",
                fix="The file is damaged: copy or download it again.",
            )
        with _fitting(path):
            model = cls.from_config(*_content(header))
            check_domain(path, model, domain)
            model.weights.load_state_dict({k: v.float() for k, v in tensors.items()})
            if not all(v.isfinite().all() for v in tensors.values()):
                raise ValueError("its weights are not finite numbers")
        model.weights.eval().requires_grad_(False).to(device)
        return model.replace(digest=digest)


def _check_width(process: Product | None, codec: Codec) -> None:
    if process is None:
        raise ConfigError("A model that is itself a codec cannot have a 'codec'.")
    width = process.vectors()["features"]
    if width != codec.width:
        raise ConfigError(
            f"The process has {width} features, the codec {codec.width}.",
            fix="Leave out 'width' in the process to use the codec's.",
        )


def check_domain(path: Path, model: Model, domain: str | None) -> None:
    """Raise ``ModelFileError`` unless the model has the domain ``domain``."""
    if domain in (None, model.subject):
        return
    what = "a codec" if model.is_codec else f"a model of {model.domain.noun}"
    wanted = "a codec" if domain == "codec" else f"a model of {domain}"
    raise ModelFileError(
        f"The file '{path}' holds {what}, not {wanted}.",
        fix=f"It is for: {model.use.format(model=path)}",
    )


def read_header(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return configuration and card of a model file without building the model.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, corrupt or of another format.
    """
    with _fitting(path):
        return _content(read_metadata(path, *FORMATS))


def _content(header: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and card of a header; raises one of `_MISFITS` if they are none."""
    config = FORMATS[header["format"]](json.loads(header["config"]))
    card, domain = json.loads(header["card"]), config.get("domain")
    if not isinstance(card, dict) or not isinstance(domain, dict) or "network" not in config:
        raise TypeError("its header lacks a domain, a network or a card")
    return config, card


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """Raise ``ModelFileError`` for what is in a model file and does not fit."""
    try:
        yield
    except _MISFITS as error:
        raise ModelFileError(
            f"The model file '{path}' does not fit this version of moldiff: {error}",
            fix="Use a model written by the installed version, or train it again.",
        ) from error
