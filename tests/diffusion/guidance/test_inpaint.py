"""Inpainting: known classes end as they are, and the rest as if nothing had been said."""

from __future__ import annotations

import pytest
import torch

from moldiff import registry
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser, GaussianDenoiser
from moldiff.diffusion.guidance import Inpaint
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler

FREQUENCIES = {"types": (0.6, 0.3, 0.1), "bonds": (0.7, 0.2, 0.05, 0.05)}
NOISES = {
    "uniform": {"types": [1 / 3] * 3, "bonds": [0.25] * 4},
    "marginal": {name: list(p) for name, p in FREQUENCIES.items()},
    "mask": {"types": [0.0, 0.0, 1.0], "bonds": [0.0, 0.0, 0.0, 1.0]},
}
KNOWN = {
    "types": torch.tensor([0, -1, 1, -1]),
    "bonds": torch.tensor([1, -1, -1, 2, 0, -1]),
}


def truth(noise: str, schedule: str = "cosine") -> GaussianDenoiser:
    jump = {"name": "jump", "schedule": "rectified"}
    process = Product.from_config(
        {
            "positions": {"name": "gaussian", "schedule": schedule},
            **{
                name: {**jump, "space": {"name": "categorical", "probabilities": p}}
                for name, p in NOISES[noise].items()
            },
        }
    )
    return GaussianDenoiser(process, 1.0, FREQUENCIES)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("stepper", registry.names("stepper"))
def test_known_classes_end_exact_and_free_ones_keep_their_frequencies(
    stepper: str, noise: str
) -> None:
    b, rng = 1500, torch.Generator().manual_seed(0)
    chosen = registry.build("stepper", stepper)
    refused = chosen.refusal(truth(noise).process) is not None
    denoiser = Inpaint(truth(noise, "ve" if refused else "cosine"), KNOWN)
    x_1 = denoiser.process.prior(b, 4, rng=rng)
    sampler = Sampler(20, chosen)
    last = None
    for state in sampler.trajectory(denoiser, x_1, rng=rng):
        if state.t > 0:
            last = state
    assert last is not None
    for name, known in KNOWN.items():
        given = known >= 0
        assert (state.x[name][:, given] == known[given]).all()
        # On the way, a known class is noised as it should be: kept with probability 1 - t.
        pi = torch.tensor(NOISES[noise][name])
        kept = (1 - last.t) + last.t * pi[known[given]]
        often = (last.x[name][:, given] == known[given]).float().mean(0)
        assert ((often - kept).abs() <= 5 * (kept * (1 - kept) / b).sqrt() + 1e-6).all()
        p = torch.tensor(FREQUENCIES[name])
        expected = (1 - last.t) * p + last.t * pi
        free = last.x[name][:, ~given].flatten()
        found = free.bincount(minlength=len(p)) / len(free)
        error = 5 * (expected * (1 - expected) / len(free)).sqrt()
        assert ((found - expected).abs() <= error + 1e-6).all()


def test_only_what_is_known_changes() -> None:
    inner = truth("uniform")
    x_t = inner.process.prior(3, 4, rng=torch.Generator().manual_seed(0))
    t = torch.full((3,), 0.5)
    plain, guided = inner(x_t, t), Inpaint(inner, KNOWN)(x_t, t)
    assert torch.equal(plain["positions"], guided["positions"])
    for name, known in KNOWN.items():
        assert torch.equal(plain[name][:, known < 0], guided[name][:, known < 0])
        sure = guided[name][:, known >= 0].softmax(-1).max(-1)
        assert (sure.indices == known[known >= 0]).all() and (sure.values > 0.999999).all()


class Recording(Denoiser):
    """Notes the previous prediction it is given."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser, self.process = denoiser, denoiser.process
        self.previous: list[Batch | None] = []

    def __call__(self, x_t: Batch, t: torch.Tensor, previous: Batch | None = None) -> Batch:
        self.previous.append(previous)
        return self.denoiser(x_t, t, previous)


def test_the_previous_prediction_is_passed_on() -> None:
    inner = Recording(truth("uniform"))
    x_t = inner.process.prior(3, 4, rng=torch.Generator().manual_seed(0))
    denoiser, t = Inpaint(inner, KNOWN), torch.full((3,), 0.5)
    previous = denoiser(x_t, t)
    denoiser(x_t, t, previous)
    assert inner.previous == [None, previous]


def test_knowing_nothing_changes_nothing() -> None:
    inner = truth("uniform")
    x_t = inner.process.prior(3, 4, rng=torch.Generator().manual_seed(0))
    t = torch.full((3,), 0.5)
    for known in ({}, {"types": torch.full((4,), -1)}):
        guided = Inpaint(inner, known)(x_t, t)
        assert all(torch.equal(guided[name], value) for name, value in inner(x_t, t).items())
