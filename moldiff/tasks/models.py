"""Models and configurations: those that come with the package, and files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from moldiff.model import Model

__all__ = [
    "bundled_configs",
    "bundled_models",
    "card_rows",
    "check_device",
    "find_model",
    "load",
]


_DEVICE = re.compile(r"cpu|cuda(:[0-9]{1,3})?|mps|xpu")


def _bundled(folder: str, suffix: str) -> dict[str, Path]:
    directory = Path(str(files("moldiff") / folder))
    return {path.stem: path for path in sorted(directory.glob(f"*{suffix}"))}


def bundled_models() -> dict[str, Path]:
    """Return the model files that come with the package, by name."""
    return _bundled("weights", ".safetensors")


def bundled_configs() -> dict[str, Path]:
    """Return the training configurations that come with the package, by name."""
    return _bundled("configs", ".yaml")


def find_model(name_or_path: str | Path) -> Path:
    """Return the file of a bundled model, or the path itself if it is one.

    Raises
    ------
    InputError
        If there is neither; it lists the bundled names.
    """
    known = bundled_models()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = Path(name_or_path)
    if path.is_file():
        return path
    names = did_you_mean(str(name_or_path), known) if known else "None is bundled here."
    raise InputError(
        f"There is no model file '{name_or_path}' and no bundled model of that name.",
        fix=f"Check the path, or name a bundled model. {names}",
    )


def check_device(device: str) -> None:
    """Raise ``InputError`` unless torch can compute on ``device``: cpu, cuda, cuda:1, mps."""
    import torch

    try:
        # torch takes more ("meta", devices of accelerators nobody has tried), which compute
        # nothing or fail later.
        if not _DEVICE.fullmatch(device):
            raise RuntimeError("it is no device moldiff knows")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        usable = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        usable += ["mps"] if torch.backends.mps.is_available() else []
        reason = str(error).splitlines()[0][:80].rstrip(". ")
        raise InputError(
            f"The device '{device}' is not available: {reason}.",
            fix=f"Devices of this machine: {', '.join(usable)}.",
        ) from error


def load(name_or_path: str | Path = "qm9", device: str = "cpu") -> Model:
    """Load a bundled model by its name, or any model by its path.

    Raises
    ------
    InputError
        If there is no such model, or the device is not available.
    ModelFileError
        If the file is truncated, corrupt or of another format.
    """
    path = find_model(name_or_path)
    check_device(device)
    from moldiff.model import Model

    return Model.load(path, device=device)


def card_rows(model: Model) -> dict[str, Mapping[str, Any]]:
    """Return what is known of a model, by section: for ``moldiff info``."""
    config = model.config()
    network = config["network"]
    low, high = min(model.sizes), max(model.sizes)
    card = dict(model.card)
    return {
        "model": {
            "name": card.pop("name", "unnamed"),
            "hash": model.digest,
            "elements": list(model.vocabulary["elements"]),
            "charges": list(model.vocabulary["charges"]),
            "atoms": f"{low} to {high}, hydrogens included",
            "parameters": sum(p.numel() for p in model.network.parameters()),
        },
        "network": network if isinstance(network, Mapping) else {"name": network},
        "sampling": dict(model.sampling),
        "card": card,
    }
