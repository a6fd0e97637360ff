"""A model: process + network + vocabulary + size prior, in one safetensors file.

The header of the file carries the configuration and the model card as JSON, so a
checkpoint describes itself and loading it can run no code.  Layout of the header::

    format   "moldiff-model", with a version number
    config   process, precondition, network, vocabulary, sizes, sampling (JSON)
    card     what it was trained on, how, and what was measured (JSON)
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from moldiff.denoiser import NetworkDenoiser
from moldiff.errors import ConfigError, ModelFileError
from moldiff.nn import Network
from moldiff.process import Product
from moldiff.registry import build, describe

__all__ = ["FORMAT", "Model", "read_tensors", "weights_digest", "write_tensors"]

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
    """

    denoiser: NetworkDenoiser
    vocabulary: Mapping[str, Any]
    sizes: Mapping[int, float]
    sampling: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

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

    def config(self) -> dict[str, Any]:
        """Return the plain configuration from which :meth:`from_config` rebuilds this."""
        return {
            "process": self.process.to_config(),
            "precondition": describe(self.denoiser.precondition),
            "network": self.network.to_config(),
            "vocabulary": dict(self.vocabulary),
            "sizes": {str(n): weight for n, weight in self.sizes.items()},
            "sampling": dict(self.sampling),
        }

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
        with torch.random.fork_rng(devices=[]):  # layers draw from torch's global generator
            torch.default_generator.manual_seed(seed)
            network = Network.from_config(config["network"], process.categorical())
        denoiser = NetworkDenoiser(network, build("precondition", config["precondition"]), process)
        sizes = {int(n): float(weight) for n, weight in config["sizes"].items()}
        if not sizes:
            raise ConfigError("The model configuration has no sizes.")
        return cls(denoiser, config["vocabulary"], sizes, config["sampling"], card or {})

    def save(
        self,
        path: Path,
        *,
        card: Mapping[str, Any] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Write the model to one file, atomically; ``dtype`` float16 halves its size."""
        save_network(path, self, FORMAT, card=card, dtype=dtype)

    @classmethod
    def load(cls, path: Path, *, device: str = "cpu") -> Model:
        """Read a model file.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, corrupt or of another format.
        """
        model, digest = load_network(path, FORMAT, cls.from_config)
        model.network.to(device)
        object.__setattr__(model, "digest", digest)
        return model


class Stored(Protocol):
    """What a model file keeps of a model."""

    @property
    def network(self) -> nn.Module:
        """Whose weights are kept."""

    @property
    def card(self) -> Mapping[str, Any]:
        """What is known of the model."""

    def config(self) -> dict[str, Any]:
        """Return the plain configuration the model is built from."""


StoredT = TypeVar("StoredT", bound=Stored)


def save_network(
    path: Path,
    model: Stored,
    format: str,
    *,
    card: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a model to one file, atomically: weights, and in the header all that builds it."""
    tensors = {k: v.to("cpu", dtype) for k, v in model.network.state_dict().items()}
    header = {
        "format": format,
        "config": json.dumps(model.config()),
        "card": json.dumps(dict(model.card if card is None else card)),
        "digest": weights_digest(tensors),
    }
    write_tensors(path, tensors, header)


def load_network(
    path: Path, format: str, make: Callable[[dict[str, Any], dict[str, Any]], StoredT]
) -> tuple[StoredT, str]:
    """Read what :func:`save_network` wrote: the model, ready for use, and its weights' digest.

    ``make`` is called with the configuration and the card.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, corrupt or of another format.
    """
    header, tensors = read_tensors(path, format)
    digest = weights_digest(tensors)
    if header.get("digest", digest) != digest:
        raise ModelFileError(
            f"The weights in '{path}' do not match their checksum.",
            fix="The file is damaged: copy or download it again.",
        )
    try:
        model = make(json.loads(header["config"]), json.loads(header["card"]))
        model.network.load_state_dict({k: v.float() for k, v in tensors.items()})
        if not all(v.isfinite().all() for v in tensors.values()):
            raise ValueError("its weights are not finite numbers")
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, ConfigError) as error:
        raise ModelFileError(
            f"The model file '{path}' does not fit this version of moldiff: {error}",
            fix="Use a model written by the installed version, or train it again.",
        ) from error
    model.network.eval().requires_grad_(False)
    return model, digest


def weights_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of named tensors."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        sha.update(name.encode())
        sha.update(tensors[name].contiguous().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()[:12]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write a safetensors file under a temporary name and rename it over ``path``."""
    path = Path(path)
    # One fixed name: what a kill leaves behind is overwritten by the next write.
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        save_file(plain, part, dict(header))
        with part.open("rb+") as file:  # the rename must not overtake the data
            os.fsync(file.fileno())
        os.replace(part, path)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"Cannot write '{path}': {error}.", fix="Check the free space and the permissions."
        ) from error
    finally:
        part.unlink(missing_ok=True)  # gone already if all went well


def read_tensors(path: Path, expected: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return header and tensors of a file whose header names the ``expected`` format.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, corrupt or of another format.
    """
    if not Path(path).is_file():
        raise ModelFileError(
            f"There is no model file '{path}'.",
            fix="Check the path, or name a bundled model (see 'moldiff info').",
        )
    try:
        with safe_open(str(path), framework="pt") as file:
            header: dict[str, str] = dict(file.metadata() or {})
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(
            f"The file '{path}' is not a readable safetensors file ({error}).",
            fix="It may be truncated or corrupt: copy or download it again.",
        ) from error
    if header.get("format") != expected:
        raise ModelFileError(
            f"The file '{path}' has the format '{header.get('format')}', not '{expected}'.",
            fix="Name a file written by this version of moldiff.",
        )
    return header, tensors
