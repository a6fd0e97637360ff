"""Restriction: what is forbidden never comes, and the rest as often as the data have it."""

from __future__ import annotations

import pytest
import torch

from moldiff import registry
from moldiff.diffusion.denoiser import GaussianDenoiser
from moldiff.diffusion.guidance import Restrict, Temperature
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.diffusion.time import Clean, batch_times
from moldiff.errors import ConfigError

FREQUENCIES = {"types": (0.2, 0.5, 0.3, 0.0)}
NOISES = {
    "uniform": [0.25] * 4,
    "forbidden": [0.1, 0.8, 0.05, 0.05],  # noise is mostly what is forbidden
    "mask": [0.0, 0.0, 0.0, 1.0],
}


def truth(noise: str = "uniform", schedule: str = "cosine") -> GaussianDenoiser:
    space = {"name": "categorical", "probabilities": NOISES[noise], "mask": noise == "mask"}
    process = Product.from_config(
        {
            "positions": {"name": "gaussian", "schedule": schedule},
            "types": {"name": "jump", "schedule": "rectified", "space": space},
        }
    )
    return GaussianDenoiser(process, 1.0, FREQUENCIES)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("stepper", registry.names("stepper"))
@pytest.mark.parametrize("steps", [1, 15])
def test_no_sampler_ends_in_a_forbidden_class(stepper: str, noise: str, steps: int) -> None:
    rng = torch.Generator().manual_seed(0)
    settings = {"churn": 1.0} if stepper not in ("consistency",) else {}
    chosen = registry.build("stepper", {"name": stepper, **settings})
    refused = chosen.refusal(truth().process) is not None
    inner = truth(noise, "ve" if refused else "cosine")
    x_1 = inner.process.prior(400, 5, rng=rng)
    free = Sampler(steps, chosen).sample(inner, x_1, rng=rng)
    assert (free["types"] == 1).any()  # without it there are some
    held = Sampler(steps, chosen).sample(Restrict(inner, {"types": [0, 2]}), x_1, rng=rng)
    assert ((held["types"] == 0) | (held["types"] == 2)).all()
    if steps > 1:  # in one step the most probable class is taken everywhere
        assert float((held["types"] == 0).float().mean()) == pytest.approx(0.4, abs=0.06)


def test_probabilities_are_those_of_the_allowed_classes() -> None:
    inner = truth()
    x = inner.process.prior(3, 4, rng=torch.Generator().manual_seed(1))
    t = torch.full((3,), 0.6)
    plain, held = inner(x, t), Restrict(inner, {"types": [2, 0]})(x, t)
    assert torch.equal(plain["positions"], held["positions"])
    expected = plain["types"].softmax(-1) * torch.tensor([1.0, 0.0, 1.0, 0.0])
    expected = expected / expected.sum(-1, keepdim=True)
    torch.testing.assert_close(held["types"].softmax(-1), expected)
    softened = Temperature(Restrict(inner, {"types": [2, 0]}), 12.0)(x, t)["types"].softmax(-1)
    assert (softened[..., [1, 3]] == 0).all()


def test_the_only_class_wins_however_improbable() -> None:
    inner = truth()
    x = inner.process.prior(3, 4, rng=torch.Generator().manual_seed(1))
    held = Restrict(inner, {"types": [3]})  # never in the data
    assert (Sampler(5).sample(held, x, rng=torch.Generator())["types"] == 3).all()


def test_clean_sites_keep_a_forbidden_class() -> None:
    inner = truth()
    x = inner.process.prior(2, 4, rng=torch.Generator().manual_seed(1))
    x = x.replace(types=torch.ones_like(x["types"]))
    atoms = torch.tensor([[True, False, False, False]])
    x = x.given(clean=Clean({"atom": atoms}))
    t = batch_times(x, torch.full((2,), 0.5))
    held = Restrict(inner, {"types": [0, 2]})(x, t)["types"].argmax(-1)
    assert (held[:, 0] == 1).all() and (held[:, 1:] != 1).all()


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        ({"charges": [0]}, "not a field of classes"),
        ({"positions": [0]}, "not a field of classes"),
        ({"types": []}, "one or more of 0 to 3"),
        ({"types": [4]}, "one or more of 0 to 3"),
        ({"types": [-1]}, "one or more of 0 to 3"),
    ],
)
def test_what_cannot_be_restricted(classes: dict[str, list[int]], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Restrict(truth(), classes)
