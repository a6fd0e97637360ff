"""Coordinates that are noisier than their time says."""

from __future__ import annotations

import pytest
import torch

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.objective import Denoising
from moldiff.diffusion.objective.distortion import distorted_times
from moldiff.diffusion.process import Product
from moldiff.diffusion.time import Clean, batch_times, field_times
from moldiff.errors import ConfigError
from tests.diffusion.test_time import learned, molecules, product

SCALE = 1.5


def positions_only(b: int) -> tuple[Product, Batch]:
    points = {"name": "gaussian", "schedule": "cosine", "scale": SCALE}
    return Product.from_config({"positions": points}), Batch({"positions": torch.zeros(b, 5, 3)})


def test_the_noise_that_is_added_is_uniform_up_to_the_largest() -> None:
    process, x = positions_only(4000)
    t = torch.full((4000,), 0.05)
    later = distorted_times(process, x, t, 0.5, 0.4, rng=torch.Generator().manual_seed(0))
    at = field_times(later, "positions")
    assert at.shape == (4000,)
    before = SCALE * torch.tan(torch.pi / 2 * t)
    after = SCALE * torch.tan(torch.pi / 2 * at)
    added = (after.square() - before.square()).clamp_min(0).sqrt()
    some = added[at > t]
    assert len(some) / 4000 == pytest.approx(0.5, abs=0.03)
    assert float(some.max()) <= 0.401
    assert float(some.mean()) == pytest.approx(0.2, abs=0.01)


def test_classes_and_clean_sites_keep_their_times() -> None:
    process, x = product(), molecules()
    atoms = torch.zeros(len(x["types"]), x.atoms, dtype=torch.bool)
    atoms[:, :2] = True
    x = x.given(clean=Clean({"atom": atoms}))
    t = batch_times(x, torch.full((x.graphs,), 0.1))
    later = distorted_times(process, x, t, 1.0, 0.4, rng=torch.Generator().manual_seed(1))
    for field in ("types", "charges", "bonds"):
        assert torch.equal(field_times(later, field), field_times(t, field))
    at = field_times(later, "positions")
    assert (at[:, :2] == 0).all()
    assert (at[:, 2:] > 0.1).all()


def test_the_network_is_told_the_earlier_time_and_the_loss_is_weighted_by_the_later_one() -> None:
    denoiser, x = learned(product()), molecules()
    losses = {}
    for distorted in (0.0, 1.0):
        objective = Denoising(self_condition=0.0, distorted=distorted, distortion=0.5)
        rng = torch.Generator().manual_seed(2)
        losses[distorted] = objective(denoiser, x, rng=rng)[1]
    assert losses[0.0]["positions"] != losses[1.0]["positions"]
    x_t = molecules(3)
    early, late = torch.full((x.graphs,), 0.1), torch.full((x.graphs,), 0.4)
    plain = Denoising().regress(denoiser, x_t, early, None, x)[1]["positions"]
    weighed = Denoising().regress(denoiser, x_t, early, None, x, late)[1]["positions"]
    ratio = denoiser.weights(x_t, late)["positions"] / denoiser.weights(x_t, early)["positions"]
    assert float(weighed / plain) == pytest.approx(float(ratio[0]), rel=1e-4)


def test_a_share_is_not_above_one() -> None:
    with pytest.raises(ConfigError, match="distorted"):
        Denoising(distorted=1.5)
