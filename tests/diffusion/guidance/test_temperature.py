"""Temperature sharpens or flattens classes and leaves coordinates alone."""

from __future__ import annotations

import pytest
import torch

from moldiff.diffusion.denoiser import GaussianDenoiser
from moldiff.diffusion.guidance import Keep, Temperature, with_settings
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.errors import ConfigError

FREQUENCIES = {"types": (0.6, 0.3, 0.1)}


def truth() -> GaussianDenoiser:
    space = {"name": "categorical", "probabilities": [0.2, 0.3, 0.5]}
    process = Product.from_config(
        {
            "positions": {"name": "gaussian", "schedule": "cosine"},
            "types": {"name": "jump", "schedule": "rectified", "space": space},
        }
    )
    return GaussianDenoiser(process, 1.0, FREQUENCIES)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_logits_are_divided(temperature: float) -> None:
    inner = truth()
    x_t = inner.process.prior(5, 4, rng=torch.Generator().manual_seed(0))
    held = x_t["types"].clone()
    t = torch.full((5,), 0.5)
    plain, changed = inner(x_t, t), Temperature(inner, temperature)(x_t, t)
    assert torch.equal(plain["positions"], changed["positions"])
    expected = plain["types"].softmax(-1) ** (1 / temperature)
    expected = expected / expected.sum(-1, keepdim=True)
    torch.testing.assert_close(changed["types"].softmax(-1), expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(x_t["types"], held)


def test_one_changes_nothing() -> None:
    samples = []
    for denoiser in (truth(), Temperature(truth(), 1.0)):
        rng = torch.Generator().manual_seed(0)
        x_1 = denoiser.process.prior(10, 4, rng=rng)
        samples.append(Sampler(5).sample(denoiser, x_1, rng=rng))
    assert all(torch.equal(samples[0][name], samples[1][name]) for name in samples[0])


def test_wrappers_compose() -> None:
    classes = torch.ones(1, 4, 3, dtype=torch.bool)
    classes[:, [0, 3], :2] = False
    known = {"types": classes}
    for denoiser in (
        Temperature(Keep(truth(), known), 0.1),
        Keep(Temperature(truth(), 0.1), known),
    ):
        rng = torch.Generator().manual_seed(0)
        x = Sampler(20).sample(denoiser, denoiser.process.prior(50, 4, rng=rng), rng=rng)
        assert (x["types"][:, [0, 3]] == 2).all()


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_no_temperature_at_all_is_refused(temperature: float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        Temperature(truth(), temperature)


def test_early_temperature_falls_to_the_late_one() -> None:
    inner = truth()
    x = inner.process.prior(3, 4, rng=torch.Generator().manual_seed(0))
    t = torch.tensor([1.0, 0.5, 0.0])
    plain, changed = inner(x, t), Temperature(inner, 0.5, 3.0)(x, t)
    for graph, temperature in enumerate((3.0, 1.125, 0.5)):
        torch.testing.assert_close(changed["types"][graph], plain["types"][graph] / temperature)
    assert torch.equal(changed["positions"], plain["positions"])


@pytest.mark.parametrize("early", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_early_temperature_is_refused(early: float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        Temperature(truth(), 0.7, early)


@pytest.mark.parametrize("value", [None, True, "hot", [1.0]])
def test_an_early_temperature_of_a_field_must_be_a_number(value: object) -> None:
    with pytest.raises(ConfigError, match="temperature is a number"):
        with_settings(truth(), {"early_temperature": {"types": value}})


def test_an_early_temperature_of_one_field_leaves_the_others() -> None:
    process = Product.from_config(
        {
            field: {
                "name": "jump",
                "schedule": "rectified",
                "space": {"name": "categorical", "probabilities": [0.2, 0.3, 0.5]},
            }
            for field in ("types", "charges")
        }
    )
    inner = GaussianDenoiser(process, 1.0, dict.fromkeys(("types", "charges"), (0.6, 0.3, 0.1)))
    x_t = process.prior(5, 4, rng=torch.Generator().manual_seed(0))
    t = torch.full((5,), 0.5)
    plain, changed = inner(x_t, t), Temperature(inner, 0.5, {"types": 4.5})(x_t, t)
    torch.testing.assert_close(changed["types"], plain["types"] / 1.5)  # 0.5 + 4.0 / 4
    torch.testing.assert_close(changed["charges"], plain["charges"] / 0.5)
    with pytest.raises(ConfigError, match="'bonds' has no temperature"):
        Temperature(inner, 0.5, {"bonds": 2.0})
