"""A model of whole chains for tests that draw with one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from moldiff.model import Model
from tests.contracts.conftest import DOMAINS


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows nothing, but has its opinions."""
    settings = {**DOMAINS["chains"], "domain": "chains", "precondition": "clean"}
    made = Model.from_config(settings | {"sampling": {"steps": 4}}, seed=1)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=rng))
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    made.save(path)
    return path
