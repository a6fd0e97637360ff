"""A field at another pace: settled before the others move."""

from __future__ import annotations

import pytest
import torch

from moldiff.diffusion.denoiser import GaussianDenoiser
from moldiff.diffusion.guidance import Pace, with_settings
from moldiff.diffusion.process import Product
from moldiff.diffusion.schedule import VE
from moldiff.errors import ConfigError

FAST = VE(sigma_min=2e-9, sigma_max=1.0)


@pytest.fixture
def exact() -> GaussianDenoiser:
    space = {"name": "categorical", "probabilities": [0.2, 0.3, 0.5]}
    jump = {"name": "jump", "schedule": "rectified", "space": space}
    process = Product.from_config(
        {"positions": {"name": "gaussian", "schedule": "rectified"}, "types": jump, "bonds": jump}
    )
    sure = (1.0 - 2e-6, 1e-6, 1e-6)
    return GaussianDenoiser(process, 1.0, {"types": sure, "bonds": sure})


def test_the_schedule_of_that_field_alone_is_another(exact: GaussianDenoiser) -> None:
    paced = Pace(exact, "types", FAST)
    assert paced.process["types"].schedule == FAST
    assert paced.process["bonds"] == exact.process["bonds"]
    assert paced.process["positions"] == exact.process["positions"]
    assert paced.process["types"].space == exact.process["types"].space


@pytest.mark.parametrize("field", ["positions", "frames"])
def test_points_and_what_is_not_there_have_no_pace(exact: GaussianDenoiser, field: str) -> None:
    with pytest.raises(ConfigError, match="Those that have are types, bonds"):
        Pace(exact, field, FAST)


def test_a_fast_field_is_settled_half_way(exact: GaussianDenoiser) -> None:
    wrong = []
    for power in (0.2, 8.0):
        part = {"name": "pace", "field": "types"}
        part["schedule"] = {"name": "polynomial", "power": power}  # type: ignore[assignment]
        denoiser, sampler = with_settings(exact, {"steps": 20, "guidance": [part]})
        rng = torch.Generator().manual_seed(0)
        x = denoiser.process.prior(40, 6, rng=rng)
        states = list(sampler.trajectory(denoiser, x, rng=rng))
        half = min(states, key=lambda state: abs(state.t - 0.5))
        wrong.append(float((half.x["types"] != 0).double().mean()))
    assert wrong[1] < 0.1 < 0.4 < wrong[0]
