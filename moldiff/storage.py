"""Model files: named tensors in safetensors, with all that builds the model in the header.

What is read is checked (format, checksum, finite numbers), what is written is written under
another name first; neither runs code from a file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from moldiff.errors import ConfigError, ModelFileError
from moldiff.text import share

__all__ = [
    "Stored",
    "load_network",
    "read_tensors",
    "save_network",
    "weights_digest",
    "write_tensors",
]

# What else a file may be, and what it is for.
_OTHERWISE = {
    "moldiff-codec-1": "It is a codec: train a model with --method latent --codec FILE.",
}


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
    kept: nn.Module | None = None,
) -> None:
    """Write a model to one file, atomically: weights, and in the header all that builds it.

    ``kept`` holds the weights, where they are more than the network's.
    """
    kept = model.network if kept is None else kept
    tensors = {k: v.to("cpu", dtype) for k, v in kept.state_dict().items()}
    header = {
        "format": format,
        "config": json.dumps(model.config()),
        "card": json.dumps(dict(model.card if card is None else card)),
        "digest": weights_digest(tensors),
    }
    write_tensors(path, tensors, header)


def load_network(
    path: Path,
    format: str,
    make: Callable[[dict[str, Any], dict[str, Any]], StoredT],
    *,
    kept: Callable[[StoredT], nn.Module] = lambda made: made.network,
) -> tuple[StoredT, str]:
    """Read what :func:`save_network` wrote: the model, ready for use, and its weights' digest.

    ``make`` is called with the configuration and the card; ``kept`` says what of the model
    holds the weights.

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
        kept(model).load_state_dict({k: v.float() for k, v in tensors.items()})
        if not all(v.isfinite().all() for v in tensors.values()):
            raise ValueError("its weights are not finite numbers")
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, ConfigError) as error:
        raise ModelFileError(
            f"The model file '{path}' does not fit this version of moldiff: {error}",
            fix="Use a model written by the installed version, or train it again.",
        ) from error
    kept(model).eval().requires_grad_(False)
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
        share(part)
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
            fix=_OTHERWISE.get(
                header.get("format", ""), "Name a file written by this version of moldiff."
            ),
        )
    return header, tensors
