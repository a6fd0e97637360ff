"""Points that begin with less noise, or more, on one scale or on one by the number of atoms."""

from __future__ import annotations

import pytest
import torch

from moldiff.diffusion.denoiser import GaussianDenoiser
from moldiff.diffusion.guidance import NoiseScale, with_settings
from moldiff.diffusion.process import Product
from moldiff.errors import ConfigError

SCALES = (1.7, {"spread": 2.0, "atoms": 20.0, "exponent": 0.4})


def exact(scale: object, spread: float = 1.0) -> GaussianDenoiser:
    space = {"name": "categorical", "probabilities": [0.4, 0.6]}
    jump = {"name": "jump", "schedule": "rectified", "space": space}
    points = {"name": "gaussian", "schedule": "rectified", "scale": scale}
    process = Product.from_config({"positions": points, "types": jump})
    return GaussianDenoiser(process, spread, {"types": (0.5, 0.5)})


@pytest.mark.parametrize("scale", SCALES)
def test_noise_is_less_and_else_nothing_is_changed(scale: object) -> None:
    denoiser = exact(scale)
    part = [{"name": "noise_scale", "field": "positions", "scale": 0.5}]
    narrow, _ = with_settings(denoiser, {"steps": 4, "guidance": part})
    priors = [
        one.process.prior(3, 40, rng=torch.Generator().manual_seed(0)) for one in (denoiser, narrow)
    ]
    assert torch.allclose(0.5 * priors[0]["positions"], priors[1]["positions"])
    assert torch.equal(priors[0]["types"], priors[1]["types"])
    t = torch.full((3,), 0.6)
    one, other = (d(priors[0], t) for d in (denoiser, narrow))
    assert all(torch.equal(one[field], other[field]) for field in one)


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_samples_are_nearer_to_the_middle_or_wider(factor: float) -> None:
    """Of normal data the flow only scales: what begins at half the scale ends there."""
    spreads = []
    for scale in (1.0, factor):
        part = [{"name": "noise_scale", "field": "positions", "scale": scale}]
        denoiser, sampler = with_settings(exact(1.0), {"steps": 100, "guidance": part})
        rng = torch.Generator().manual_seed(0)
        x = denoiser.process.prior(60, 30, rng=rng)
        spreads.append(float(sampler.sample(denoiser, x, rng=rng)["positions"].std()))
    assert spreads[1] == pytest.approx(factor * spreads[0], rel=0.02)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"field": "types", "scale": 0.5}, "no field of points.*positions"),
        ({"field": "positions", "scale": 0.0}, "Without noise"),
        ({"field": "positions", "scale": 2.5}, "from 0 to 2"),
    ],
)
def test_scales_that_cannot_be(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        NoiseScale(exact(1.0), **settings)  # type: ignore[arg-type]
