"""Models and configurations, bundled with the package or in files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.bundled import DEFAULT, bundled_configs, bundled_models, find_model
from moldiff.errors import InputError
from moldiff.verbs import verb

if TYPE_CHECKING:
    from moldiff.model import Model

__all__ = [
    "bundled_configs",
    "bundled_models",
    "card_rows",
    "check_device",
    "conditional_models",
    "find_model",
    "load",
    "required",
]


_DEVICE = re.compile(r"cpu|cuda(:[0-9]{1,3})?|mps|xpu")


def check_device(device: str) -> None:
    """Raise ``InputError`` unless torch can compute on ``device``: cpu, cuda, cuda:1, mps."""
    import torch

    try:
        # torch accepts more ("meta", untested accelerators), which compute nothing or fail
        # later.
        if not _DEVICE.fullmatch(device):
            raise RuntimeError("moldiff does not know this device")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        usable = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        usable += ["mps"] if torch.backends.mps.is_available() else []
        reason = str(error).splitlines()[0][:80].rstrip(". ")
        raise InputError(
            f"The device '{device}' is not available: {reason}.",
            fix=f"Devices of this machine: {', '.join(usable)}.",
        ) from error


@verb
def load(
    name_or_path: str | Path = DEFAULT, device: str = "cpu", *, domain: str | None = "molecules"
) -> Model:
    """Load a bundled model by its name, or any model by its path.

    Parameters
    ----------
    name_or_path:
        "druglike", "qm9" or another of ``moldiff info``; or a file (.safetensors).
    device:
        Where it computes: "cpu", "cuda", "cuda:1", "mps".
    domain:
        The domain that the model must have; None accepts any.

    Raises
    ------
    InputError
        If there is no such model, or the device is not available.
    ModelFileError
        If the file is truncated, corrupt or of another format, or has another domain.
    """
    path = find_model(name_or_path)
    check_device(device)
    from moldiff.model import Model

    return Model.load(path, device=device, domain=domain)


def required(model: str | Path, usual: str, task: str) -> str | Path:
    """Return a model's name or file.

    Raises
    ------
    InputError
        If it is the ``usual`` one, and that is not bundled; the error says how to train one.
    """
    if str(model) == usual and usual not in bundled_models():
        raise InputError(
            f"The model '{usual}' is not bundled here.",
            fix=f"Train one: moldiff train {task}; then give its file as --model.",
        )
    return model


def card_rows(model: Model) -> dict[str, Mapping[str, Any]]:
    """Return the facts about a model, by section, for ``moldiff info``."""
    config, card = model.config(), dict(model.card)
    identity = {
        "name": card.pop("name", "unnamed"),
        "about": model.domain.noun,
        "hash": model.digest,
    }
    conditions = config["domain"].get("conditions", ())
    sections = {k: v for k, v in config.items() if k in ("codec", "sampling")}
    network = {**config["network"], "symmetry": model.network.symmetry.label}
    return {
        "model": {
            **identity,
            **_molecules(config["domain"]),
            "parameters": sum(p.numel() for p in model.network.parameters()),
        },
        "network": network,
        **sections,
        "conditions": {c["name"]: _range(c) for c in conditions},
        "card": card,
    }


def _molecules(domain: Mapping[str, Any]) -> dict[str, Any]:
    """The vocabulary and sizes of a model of molecules; for other models, nothing."""
    if "vocabulary" not in domain:
        return {}
    vocabulary, sizes = domain["vocabulary"], [int(n) for n in domain["sizes"]]
    counted = "hydrogens not counted" if "hydrogens" in vocabulary else "hydrogens included"
    facts = {
        "elements": list(dict.fromkeys(vocabulary["elements"])),
        "charges": list(vocabulary["charges"]),
    }
    return facts | ({"atoms": f"{min(sizes)} to {max(sizes)}, {counted}"} if sizes else {})


def _range(condition: Mapping[str, Any]) -> str:
    unit = f" {condition['unit']}" if condition["unit"] else ""
    middle = f"mean {condition['mean']:.4g}, deviation {condition['std']:.4g}"
    return f"{condition['low']:.4g} to {condition['high']:.4g}{unit} (98 % of the data); {middle}"


def conditional_models() -> dict[str, list[str]]:
    """Return the bundled models with conditions, and the names of their conditions."""
    from moldiff.model import read_header

    models: dict[str, list[str]] = {}
    for name, path in bundled_models().items():
        conditions = read_header(path)[0]["domain"].get("conditions")
        if conditions:
            models[name] = [condition["name"] for condition in conditions]
    return models
