"""Every objective and every distribution of training times."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff import registry
from moldiff.bundled import bundled_models
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.denoiser.precondition import Precondition
from moldiff.diffusion.network import Network, Symmetry
from moldiff.diffusion.objective import Denoising, Objective, Times
from moldiff.diffusion.process import Product
from moldiff.model import read_header

SITES = {"types": 3, "bonds": 4}


def product(schedule: str = "cosine", scale: float = 1.3) -> Product:
    jump = {"name": "jump", "schedule": "rectified"}
    return Product.from_config(
        {
            "positions": {"name": "gaussian", "schedule": schedule, "scale": scale},
            **{
                name: {**jump, "space": {"name": "categorical", "probabilities": [1 / k] * k}}
                for name, k in SITES.items()
            },
        }
    )


@pytest.fixture
def x_0(rng: torch.Generator) -> Batch:
    positions = torch.randn(6, 5, 3, generator=rng)
    return Batch(
        {
            "positions": positions - positions.mean(1, keepdim=True),
            "types": torch.randint(3, (6, 5), generator=rng),
            "bonds": torch.randint(4, (6, 10), generator=rng),
        }
    )


class Linear(Network):
    """A network of one number per field, which notes what it was shown."""

    symmetry = Symmetry.E3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.ParameterDict({k: torch.full((), 0.5) for k in ("positions", *SITES)})
        self.shown: list[bool] = []

    def forward(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        self.shown.append(previous is not None)
        logits = {k: self.weight[k] * F.one_hot(x_t[k], c).float() for k, c in SITES.items()}
        return Batch({"positions": self.weight["positions"] * x_t["positions"], **logits})


class Oracle(Network):
    """Knows x_0 and says what makes the prediction miss it by ``miss`` (Å; nats)."""

    symmetry = Symmetry.NONE

    def __init__(
        self, x_0: Batch, precondition: Precondition, process: Product, miss: float
    ) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))
        self.x_0, self.precondition, self.process, self.miss = x_0, precondition, process, miss

    def forward(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        c = self.precondition(self.process.gaussian()["positions"], t)
        skip, out, inp = (v[:, None, None] for v in (c.c_skip, c.c_out, c.c_in))
        error = torch.zeros_like(self.x_0["positions"])
        error[:, 0, 0], error[:, 1, 0] = self.miss, -self.miss
        target = (self.x_0["positions"] + error - skip * x_t["positions"] / inp) / out
        sure = {k: (50 - self.miss) * F.one_hot(self.x_0[k], n) for k, n in SITES.items()}
        return Batch({"positions": target, **{k: v.float() for k, v in sure.items()}})


@dataclass(frozen=True)
class At(Times):
    """Always the same time."""

    time: float

    def quantile(self, u: Tensor) -> Tensor:
        return torch.full_like(u, self.time)


# Others train a codec, or a judge of distances: their own tests say what is true of them.
DENOISING = [
    name
    for name in registry.names("objective")
    if registry.registered("objective", name).trains == "denoiser"  # type: ignore[attr-defined]
]


@pytest.fixture(params=DENOISING)
def objective(request: pytest.FixtureRequest, make: Callable[..., Any]) -> Objective:
    built: Objective = make("objective", request.param)
    return built


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_loss_and_parts(objective: Objective, x_0: Batch) -> None:
    held = x_0.map(Tensor.clone)
    denoiser = NetworkDenoiser(Linear(), registry.build("precondition", "karras"), product())
    loss, parts = objective(denoiser, x_0, rng=seeded())
    assert loss.shape == () and loss.requires_grad and loss.isfinite()
    assert set(parts) == set(x_0)
    assert all(v.shape == () and v >= 0 and not v.requires_grad for v in parts.values())
    assert all(torch.equal(x_0[name], held[name]) for name in held)


def test_loss_is_a_function_of_its_generator(objective: Objective, x_0: Batch) -> None:
    denoiser = NetworkDenoiser(Linear(), registry.build("precondition", "karras"), product())
    first, again, other = (objective(denoiser, x_0, rng=seeded(k))[0] for k in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


# Their target is made of predictions: see tests/test_few_step.py for what is true of them.
SELF_TAUGHT = {"consistency", "endpoint"}


@pytest.mark.parametrize("name", registry.names("precondition"))
def test_the_truth_has_the_least_loss(objective: Objective, x_0: Batch, name: str) -> None:
    if registry.describe(objective)["name"] in SELF_TAUGHT:
        return _the_truth_has_no_loss(objective, x_0, name)
    precondition, process = registry.build("precondition", name), product()
    losses = []
    for miss in (0.0, 1.0, 2.0):
        network = Oracle(x_0, precondition, process, miss)
        losses.append(
            objective(NetworkDenoiser(network, precondition, process), x_0, rng=seeded())[1]
        )
    assert losses[0]["positions"] < 1e-5 and losses[1]["positions"] > 1e-3
    assert losses[2]["positions"] == pytest.approx(4 * losses[1]["positions"].item(), rel=1e-2)
    assert losses[0]["types"] < 1e-6 < losses[2]["types"] + 1
    return None


def _the_truth_has_no_loss(objective: Objective, x_0: Batch, name: str) -> None:
    precondition, process = registry.build("precondition", name), product()
    denoiser = NetworkDenoiser(Oracle(x_0, precondition, process, 0.0), precondition, process)
    for seed in range(4):
        losses = objective(denoiser, x_0, rng=seeded(seed))[1]
        assert losses["positions"] < 1e-4 and losses["types"] < 1e-6


@pytest.mark.parametrize("time", [1e-4, 1e-3, 0.5, 0.999, 1 - 1e-4])
@pytest.mark.parametrize(
    ("precondition", "schedule"),
    list(itertools.product(registry.names("precondition"), registry.names("schedule"))),
)
def test_losses_and_gradients_are_finite(
    precondition: str, schedule: str, time: float, x_0: Batch, rng: torch.Generator
) -> None:
    network = Linear()
    denoiser = NetworkDenoiser(
        network, registry.build("precondition", precondition), product(schedule)
    )
    loss, _ = Denoising(times=At(time))(denoiser, x_0, rng=rng)
    loss.backward()
    assert 0 < loss < 1e5
    for weight in network.weight.values():
        assert weight.grad is not None and weight.grad.isfinite()


def test_the_coordinate_loss_is_the_error_of_the_network(x_0: Batch) -> None:
    """|F - F_target|^2, whatever the scale, until the cap on the weight sets in."""
    precondition, miss, scale, time = registry.build("precondition", "karras"), 0.3, 1.3, 0.4
    process = product("cosine", scale)
    denoiser = NetworkDenoiser(Oracle(x_0, precondition, process, miss), precondition, process)
    found = Denoising(times=At(time))(denoiser, x_0, rng=seeded())[1]["positions"].item()
    c_out = precondition(process.gaussian()["positions"], torch.tensor([time])).c_out.item()
    plain = 2 * miss**2 / (3 * 5)
    assert found == pytest.approx(plain / c_out**2, rel=1e-3)
    capped = Denoising(times=At(time), snr_cap=0.5)(denoiser, x_0, rng=seeded())[1]["positions"]
    assert capped.item() == pytest.approx(plain * 0.5 / scale**2, rel=1e-3)


def test_fields_are_weighed(x_0: Batch) -> None:
    denoiser = NetworkDenoiser(Linear(), registry.build("precondition", "karras"), product())
    weights = {"positions": 2.0, "types": 0.5, "bonds": 0.0}
    loss, parts = Denoising(weights=weights)(denoiser, x_0, rng=seeded())
    assert loss.item() == pytest.approx(sum(weights[k] * parts[k].item() for k in parts), rel=1e-5)


@pytest.mark.parametrize(("share", "shown"), [(0.0, [False]), (1.0, [False, True])])
def test_self_conditioning(share: float, shown: list[bool], x_0: Batch) -> None:
    network = Linear()
    denoiser = NetworkDenoiser(network, registry.build("precondition", "karras"), product())
    Denoising(self_condition=share)(denoiser, x_0, rng=seeded())
    assert network.shown == shown


def test_self_conditioning_is_as_frequent_as_it_says(x_0: Batch, rng: torch.Generator) -> None:
    network, count = Linear(), 150
    denoiser = NetworkDenoiser(network, registry.build("precondition", "karras"), product())
    for _ in range(count):
        Denoising(self_condition=0.25)(denoiser, x_0, rng=rng)
    assert abs(sum(network.shown) / count - 0.25) < 5 * (0.25 * 0.75 / count) ** 0.5


@pytest.fixture(params=registry.names("times"))
def times(request: pytest.FixtureRequest) -> Times:
    built: Times = registry.build("times", request.param)
    return built


def test_quantiles_rise_within_the_interval(times: Times) -> None:
    u = torch.linspace(0, 1, 1001)
    t = times.quantile(u)
    assert t.shape == u.shape and t.isfinite().all()
    assert t.min() >= 0 and t.max() <= 1 and (t.diff() >= 0).all()


def test_times_are_stratified(times: Times, rng: torch.Generator) -> None:
    b = 64
    edges = times.quantile(torch.linspace(0, 1, b + 1))
    for _ in range(20):
        t = times.sample(b, rng=rng)
        assert t.min() >= 1e-4 and t.max() <= 1 - 1e-4
        ordered = t.sort().values
        assert (ordered >= edges[:-1] - 1e-4).all() and (ordered <= edges[1:] + 1e-4).all()
    assert not torch.equal(t, ordered)  # size of a molecule and time stay independent


def test_settings_of_times_mean_what_they_say(rng: torch.Generator) -> None:
    u = torch.rand(20_000, generator=rng)
    uniform = registry.build("times", {"name": "kumaraswamy", "a": 1.0, "b": 1.0})
    torch.testing.assert_close(uniform.quantile(u), u, rtol=1e-4, atol=1e-6)
    data = registry.build("times", {"name": "kumaraswamy", "a": 1.0, "b": 3.0}).quantile(u)
    error = 5 * (3 / 80 / len(u)) ** 0.5  # Beta(1, 3) has mean 1/4 and variance 3/80
    assert abs(data.mean().item() - 0.25) < error
    normal = registry.build("times", {"name": "logit_normal", "mean": -0.3, "std": 0.8})
    logits = normal.quantile(u).logit()
    assert abs(logits.mean().item() + 0.3) < 5 * 0.8 / len(u) ** 0.5
    assert abs(logits.std().item() / 0.8 - 1) < 5 / (2 * len(u)) ** 0.5


@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_the_objective_that_a_bundled_model_names_is_there(name: str) -> None:
    """A card names how the model was trained in words that a configuration would take."""
    _, card = read_header(bundled_models()[name])
    registry.build("objective", card["training"]["objective"])
