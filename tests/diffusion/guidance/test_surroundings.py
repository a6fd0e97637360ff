"""Predicted points move out of a wall by bounded steps; clean ones are let alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser, GaussianDenoiser
from moldiff.diffusion.guidance import Surrounded, Surroundings
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.diffusion.time import Clean, batch_times
from moldiff.errors import ConfigError


@dataclass(frozen=True)
class Wall(Surroundings):
    """A wall at x = 0: the potential rises steeply for x > 0."""

    steepness: float = 1e6

    def gradient(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack((self.steepness * (x[..., 0] > 0), 0 * x[..., 1], 0 * x[..., 2]), -1)

    def to(self, device: torch.device | str) -> Wall:
        return self


def truth(space: str = "euclidean") -> Denoiser:
    positions = {"name": "gaussian", "schedule": "cosine", "space": space}
    return GaussianDenoiser(Product.from_config({"positions": positions}), 1.0, {})


def pushed(time: float, *, clean: bool = False, around: bool = True) -> torch.Tensor:
    """How far a prediction is moved, (b, n, 3)."""
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))
    batch = Batch({"positions": x}).given(surroundings=Wall() if around else None)
    if clean:
        batch = batch.given(clean=Clean({"atom": torch.ones(4, 6, dtype=torch.bool)}))
    inner = truth()
    t = batch_times(batch, torch.full((4,), time))
    guided = Surrounded(inner, most=0.1, rounds=1, below=0.8, above=0.1)
    moved: torch.Tensor = guided(batch, t)["positions"] - inner(batch, t)["positions"]
    return moved


def test_a_step_is_bounded_and_leads_out() -> None:
    moved = pushed(0.5)
    assert moved[..., 0].min() == pytest.approx(-0.1, abs=1e-6)
    assert (moved[..., 0] <= 0).all() and not moved[..., 1:].any()
    assert ((moved[..., 0] == 0) | ((moved[..., 0] + 0.1).abs() < 1e-6)).all()


def test_other_times_clean_sites_and_empty_surroundings_are_let_alone() -> None:
    assert not pushed(0.9).any() and not pushed(0.05).any()
    assert not pushed(0.5, clean=True).any() and not pushed(0.5, around=False).any()


def test_samples_avoid_the_wall() -> None:
    def beyond(**settings: float) -> float:
        inner = truth()
        rng = torch.Generator().manual_seed(0)
        x_1 = inner.process.prior(200, 4, rng=rng).given(surroundings=Wall())
        sampler = Sampler.from_config({"steps": 20})
        (*_, last) = sampler.trajectory(Surrounded(inner, **settings), x_1, rng=rng)
        return float((last.x["positions"][..., 0] > 0).float().mean())

    assert beyond(most=0.0) == pytest.approx(0.5, abs=0.06)
    assert beyond(most=0.3) < 0.3


@pytest.mark.parametrize("settings", [{"most": -1.0}, {"below": 0.1, "above": 0.2}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="surroundings"):
        Surrounded(truth(), **settings)
