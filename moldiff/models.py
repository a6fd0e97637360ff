"""Models and configurations: those that come with the package, and files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.bundled import DEFAULT, bundled_configs, bundled_models, find_model
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.diffusion.guidance import Condition
    from moldiff.model import Model

__all__ = [
    "bundled_configs",
    "bundled_models",
    "card_rows",
    "check_device",
    "conditional_models",
    "find_model",
    "load",
]


_DEVICE = re.compile(r"cpu|cuda(:[0-9]{1,3})?|mps|xpu")


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


def load(name_or_path: str | Path = DEFAULT, device: str = "cpu") -> Model:
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
    counted = "hydrogens not counted" if "hydrogens" in model.vocabulary else "hydrogens included"
    card = dict(model.card)
    return {
        "model": {
            "name": card.pop("name", "unnamed"),
            "hash": model.digest,
            "elements": list(dict.fromkeys(model.vocabulary["elements"])),
            "charges": list(model.vocabulary["charges"]),
            "atoms": f"{low} to {high}, {counted}",
            "parameters": sum(p.numel() for p in model.network.parameters()),
        },
        "network": {**network, "symmetry": model.network.symmetry},
        "codec": config.get("codec", {}),
        "conditions": {c.name: _range(c) for c in model.conditions},
        "sampling": dict(model.sampling),
        "card": card,
    }


def _range(condition: Condition) -> str:
    unit = f" {condition.unit}" if condition.unit else ""
    middle = f"mean {condition.mean:.4g}, deviation {condition.std:.4g}"
    return f"{condition.low:.4g} to {condition.high:.4g}{unit} (98 % of the data); {middle}"


def conditional_models() -> dict[str, list[str]]:
    """Return the bundled models that can be asked for properties, with those."""
    import json

    from safetensors import safe_open

    found: dict[str, list[str]] = {}
    for name, path in bundled_models().items():
        with safe_open(str(path), framework="np") as file:
            config = json.loads((file.metadata() or {}).get("config", "{}"))
        if config.get("conditions"):
            found[name] = [condition["name"] for condition in config["conditions"]]
    return found
