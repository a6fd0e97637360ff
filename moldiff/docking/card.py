"""What the model files of a docking say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

__all__ = ["docking_card_rows"]


def docking_card_rows(path: str | Path) -> dict[str, Mapping[str, Any]] | None:
    """Return what is known of a pose or likelihood model, by section: for ``moldiff info``.

    None for any other file, and for what is no file.

    Raises
    ------
    ModelFileError
        If the file is one of these, but damaged.
    """
    found = _format(Path(path))
    if found is None or not found.startswith("moldiff-"):
        return None
    from moldiff.docking import model
    from moldiff.docking.judge import distances

    kinds: dict[str, tuple[str, Any]] = {
        model.FORMAT: ("poses, by diffusion", model.PoseModel),
        distances.FORMAT: ("likelihood of poses", distances.LikelihoodModel),
    }
    if found not in kinds:
        return None
    purpose, kind = kinds[found]
    loaded = kind.load(Path(path))
    config, card = loaded.config(), dict(loaded.card)
    return {
        "model": {
            "name": card.pop("name", "unnamed"),
            "purpose": purpose,
            "hash": loaded.digest,
            "parameters": sum(p.numel() for p in loaded.network.parameters()),
        },
        **config,
        "card": card,
    }


def _format(path: Path) -> str | None:
    """The format a safetensors file says it has; None without one."""
    if not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="np") as file:
            return (file.metadata() or {}).get("format")
    except (SafetensorError, OSError, ValueError):
        return None
