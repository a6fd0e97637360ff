"""What the contract tests share: every registered class can be made here by its name.

The contract tests enumerate the registry, so a new schedule, stepper or coupling is tested
the minute it is registered.  Only a class that has settings without defaults needs a line
in `EXAMPLES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from moldiff import registry
from moldiff.diffusion.denoiser import GaussianDenoiser
from moldiff.diffusion.process import Product
from moldiff.domain import backbones, distances, poses

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
    ("guidance", "noise_scale"): {"field": "positions", "scale": 0.8},
    ("guidance", "pace"): {"field": "types", "schedule": "rectified"},
    ("guidance", "restrict"): {"classes": {"types": [0, 2], "bonds": [1]}},
    ("network", "contacts"): {"layers": 1},
    ("network", "frames"): {"blocks": 1, "layers": 1},
    ("network", "mixture"): {"pocket_layers": 1},
    **{("interaction", name): {"layers": 1} for name in registry.names("interaction")},
}


_JUMP = {"name": "jump", "schedule": "rectified"}
_FLOW = {"name": "geodesic", "schedule": "rectified"}
_FLAT = {"name": "gaussian", "schedule": "rectified", "scale": 3.0}
_CLASSES = {"types": 3, "charges": 3, "bonds": 4}

#: The process of the amino acids of sequences.
MASKED = {
    **_JUMP,
    "space": {"name": "categorical", "probabilities": [0.0] * 20 + [1.0], "mask": True},
}

#: Domain -> its own settings, and those of a network and of a process for it, if it has one.
DOMAINS: dict[str, dict[str, Any]] = {
    "molecules": {
        "domain": {
            "vocabulary": {"elements": ["H", "C", "O"], "charges": [-1, 0, 1]},
            "sizes": {"3": 0.25, "5": 0.75},
        },
        "network": {"name": "transformer", "layers": 1},
        "process": {
            "positions": {"name": "gaussian", "schedule": "cosine", "space": "zero_com"},
            **{
                f: {**_JUMP, "space": {"name": "categorical", "probabilities": [1 / k] * k}}
                for f, k in _CLASSES.items()
            },
        },
    },
    "poses": {
        "network": {
            "name": "contacts", "width": 32, "channels": 8, "layers": 1, "heads": 2,
            "pair_width": 16, "neighbours": 8, "pocket_channels": 4, "pocket_layers": 1,
            "pocket_neighbours": 8,
        },
        "process": {
            "translation": {**_FLAT, "space": "euclidean"},
            "rotation": {**_FLOW, "space": "so3"},
            "torsions": {**_FLOW, "space": "torus"},
        },
    },
    "backbones": {
        "network": {
            "name": "frames", "width": 32, "pair_width": 16, "blocks": 2, "layers": 1, "heads": 2,
            "points": 2,
        },
        "process": {
            "trace": {**_FLAT, "space": "euclidean"},
            "frames": {**_FLOW, "space": "so3"},
        },
    },
    "chains": {
        "network": {
            "name": "frames", "width": 32, "pair_width": 16, "blocks": 2, "layers": 1, "heads": 2,
            "points": 2,
        },
        "process": {
            "trace": {**_FLAT, "space": "zero_com"},
            "frames": {**_FLOW, "space": "so3"},
        },
    },
    "sequences": {
        "network": {
            "name": "frames", "width": 32, "pair_width": 16, "blocks": 2, "layers": 1, "heads": 2,
            "points": 2, "neighbours": 8,
        },
        "process": {"types": MASKED},
    },
    "ranks": {
        "network": {
            "name": "rank", "width": 32, "channels": 8, "layers": 1, "heads": 2,
            "pair_width": 16, "neighbours": 8, "pocket_channels": 4, "pocket_layers": 1,
            "pocket_neighbours": 8,
        },
    },
    "distances": {
        "network": {
            "name": "mixture", "width": 32, "ligand_layers": 1, "pocket_layers": 1, "hidden": 16,
            "components": 3,
        },
    },
}  # fmt: skip


def exact() -> GaussianDenoiser:
    """A denoiser of molecules for guidances to hold."""
    process = Product.from_config(DOMAINS["molecules"]["process"])
    return GaussianDenoiser(process, 1.0, {f: (1 / k,) * k for f, k in _CLASSES.items()})


#: What whoever builds a class supplies, where it has no default.
CONTEXTS: dict[tuple[str, str], dict[str, Any]] = {
    ("network", "contacts"): poses.CLASSES,
    ("network", "rank"): poses.CLASSES,
    ("network", "frames"): backbones.CLASSES,
    ("network", "mixture"): distances.CLASSES,
    **{
        ("guidance", name): {
            "denoiser": exact(),
            "allowed": torch.ones(3, 3, 5, dtype=torch.bool),
            "conditions": 2,
        }
        for name in registry.names("guidance")
    },
}


@pytest.fixture
def context() -> Callable[[str, str], dict[str, Any]]:
    """``context(kind, name)``: what the builder of a class supplies."""
    return lambda kind, name: CONTEXTS.get((kind, name), {})


@pytest.fixture
def examples() -> dict[tuple[str, str], dict[str, Any]]:
    """The settings of what cannot be made without; kind and name -> settings."""
    return EXAMPLES


@pytest.fixture
def make() -> Callable[..., Any]:
    """``make(kind, name, **settings)``: a registered object with its example settings."""

    def made(kind: str, name: str, **settings: Any) -> Any:
        config = {"name": name, **EXAMPLES.get((kind, name), {}), **settings}
        return registry.build(kind, config, **CONTEXTS.get((kind, name), {}))

    return made


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(20240607)
