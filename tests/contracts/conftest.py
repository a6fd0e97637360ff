"""What the contract tests share: every registered class can be made here by its name.

The contract tests enumerate the registry, so a new schedule, stepper or coupling is tested
the minute it is registered.  Only a class that has settings without defaults needs a line
in `EXAMPLES`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch

from moldiff import registry
from moldiff.citing import PARTS
from moldiff.domain import distances, poses

for _module in PARTS:  # to import a part is to register it
    import_module(f"moldiff.{_module}")

EXAMPLES: dict[tuple[str, str], dict[str, Any]] = {
    ("space", "categorical"): {"probabilities": [0.5, 0.3, 0.2]},
    ("space", "vectors"): {"width": 3},
    ("codec", "autoencoder"): {
        "classes": {"types": 3, "bonds": 2},
        "encoder": {"name": "transformer", "layers": 1},
        "decoder": {"name": "egnn", "layers": 1},
    },
    ("process", "geodesic"): {"schedule": "rectified", "space": "torus"},
    ("process", "gaussian"): {"schedule": "cosine", "scale": 1.7},
    ("process", "jump"): {
        "schedule": "rectified",
        "space": {"name": "categorical", "probabilities": [0.5, 0.3, 0.2]},
    },
    ("pose_network", "contacts"): {"layers": 1, **poses.CLASSES},
    ("distance_network", "mixture"): {"pocket_layers": 1, **distances.CLASSES},
    **{("interaction", name): {"layers": 1} for name in registry.names("interaction")},
}


@pytest.fixture
def examples() -> dict[tuple[str, str], dict[str, Any]]:
    """The settings of what cannot be made without; kind and name -> settings."""
    return EXAMPLES


@pytest.fixture
def make() -> Callable[..., Any]:
    """``make(kind, name, **settings)``: a registered object with its example settings."""

    def made(kind: str, name: str, **settings: Any) -> Any:
        return registry.build(kind, {"name": name, **EXAMPLES.get((kind, name), {}), **settings})

    return made


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(20240607)
