"""Known classes end as they are, sets of classes hold, and the rest is as if nothing was said."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from moldiff import registry
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser, GaussianDenoiser
from moldiff.diffusion.guidance import Keep
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.diffusion.time import Clean, batch_times

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


def kept(inner: Denoiser, known: Mapping[str, torch.Tensor] = KNOWN) -> Keep:
    """Keep to known classes, (sites,) per field; -1 is free."""
    allowed = {}
    for name, values in known.items():
        classes = torch.arange(len(FREQUENCIES[name]))
        allowed[name] = ((values[:, None] == classes) | (values[:, None] < 0)).unsqueeze(0)
    return Keep(inner, allowed)


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
    denoiser = kept(truth(noise, "ve" if refused else "cosine"))
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
        stays = (1 - last.t) + last.t * pi[known[given]]
        often = (last.x[name][:, given] == known[given]).float().mean(0)
        assert ((often - stays).abs() <= 5 * (stays * (1 - stays) / b).sqrt() + 1e-6).all()
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
    plain, guided = inner(x_t, t), kept(inner)(x_t, t)
    assert torch.equal(plain["positions"], guided["positions"])
    for name, known in KNOWN.items():
        free = [x[name][:, known < 0].softmax(-1) for x in (plain, guided)]
        torch.testing.assert_close(*free)
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
    denoiser, t = kept(inner), torch.full((3,), 0.5)
    previous = denoiser(x_t, t)
    denoiser(x_t, t, previous)
    assert inner.previous == [None, previous]


def test_knowing_nothing_changes_nothing() -> None:
    inner = truth("uniform")
    x_t = inner.process.prior(3, 4, rng=torch.Generator().manual_seed(0))
    t = torch.full((3,), 0.5)
    for known in ({}, {"types": torch.full((4,), -1)}):
        guided = kept(inner, known)(x_t, t)
        for name, value in inner(x_t, t).items():
            same = guided[name].softmax(-1), value.softmax(-1)
            torch.testing.assert_close(*(same if name in known else (guided[name], value)))


def test_a_set_of_classes_keeps_their_proportions() -> None:
    """An attachment may be one of several classes: their odds are the denoiser's own."""
    b, rng = 4000, torch.Generator().manual_seed(0)
    allowed = torch.ones(1, 4, 3, dtype=torch.bool)
    allowed[:, 0, 0] = False  # the first atom: class 1 or 2
    denoiser = Keep(truth("marginal"), {"types": allowed})
    x = Sampler(20).sample(denoiser, denoiser.process.prior(b, 4, rng=rng), rng=rng)
    shares = x["types"][:, 0].bincount(minlength=3) / b
    assert shares[0] == 0 and abs(float(shares[1]) - 0.75) < 0.03


def test_graphs_may_differ_and_clean_sites_stay() -> None:
    inner = truth("uniform")
    allowed = torch.zeros(2, 1, 3, dtype=torch.bool)
    allowed[0, :, 1] = allowed[1, :, 2] = True
    x = inner.process.prior(2, 4, rng=torch.Generator().manual_seed(0))
    x = x.replace(types=torch.zeros_like(x["types"]))
    clean = torch.tensor([[True, False, False, False]])
    x = x.given(clean=Clean({"types": clean}))
    predicted = Keep(inner, {"types": allowed})(x, batch_times(x, torch.full((2,), 0.5)))
    assert predicted["types"].argmax(-1).tolist() == [[0, 1, 1, 1], [0, 2, 2, 2]]


def test_a_site_without_any_class_is_an_error() -> None:
    with pytest.raises(ValueError, match="no class at all"):
        Keep(truth("uniform"), {"types": torch.zeros(1, 1, 3, dtype=torch.bool)})
