"""The network around an interaction."""

from __future__ import annotations

import pytest
import torch

from moldiff.diffusion.batch import Batch
from moldiff.errors import ConfigError
from moldiff.nn import GraphNetwork
from moldiff.registry import build, describe

CLASSES = {"types": 3, "bonds": 4}


def test_first_prediction_is_zero() -> None:
    """So the denoiser starts from the optimal linear estimate c_skip x_t."""
    network = GraphNetwork(build("interaction", {"name": "egnn", "width": 8, "layers": 1}), CLASSES)
    x_t = Batch(
        {
            "positions": torch.randn(2, 4, 3),
            "types": torch.zeros(2, 4, dtype=torch.long),
            "bonds": torch.zeros(2, 6, dtype=torch.long),
        }
    )
    raw = network(x_t, torch.tensor([0.2, 0.8]))
    assert not raw["positions"].any()
    assert set(raw) == {"positions", "types", "bonds"}


def test_unknown_interaction_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="tensor_product"):
        GraphNetwork(build("interaction", {"name": "tensorproduct"}), CLASSES)


def test_bad_settings_are_configuration_errors() -> None:
    with pytest.raises(ConfigError, match="multiple of heads"):
        GraphNetwork(
            build("interaction", {"name": "transformer", "width": 30, "heads": 4}), CLASSES
        )
    with pytest.raises(ConfigError, match="message_width"):
        GraphNetwork(build("interaction", {"name": "egnn", "mesage_width": 4}), CLASSES)


def test_config_round_trip() -> None:
    network = GraphNetwork(build("interaction", {"name": "egnn", "width": 8, "layers": 1}), CLASSES)
    again = GraphNetwork(build("interaction", describe(network.interaction)), CLASSES)
    again.load_state_dict(network.state_dict())
    assert describe(again.interaction) == describe(network.interaction)
