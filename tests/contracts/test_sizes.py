"""A scale that follows the number of atoms: at each size, the process of that number, to the bit.

Whatever reads the scale is run twice: with the law, and with its value at the size of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff import registry
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import GaussianDenoiser, NetworkDenoiser
from moldiff.diffusion.network import Network, Symmetry
from moldiff.diffusion.objective import Objective
from moldiff.diffusion.objective.bound import elbo, flow_log_likelihood
from moldiff.diffusion.process import Gaussian, PowerLaw, Product
from moldiff.diffusion.sampler import Ancestral, Sampler
from moldiff.diffusion.schedule import Cosine
from moldiff.diffusion.space import ZeroCoM
from moldiff.diffusion.time import Clean, batch_times
from moldiff.errors import ConfigError
from tests.contracts.test_objectives import DENOISING

LAW = PowerLaw(1.9, 9.0, 0.45)
SIZES = (4, 16)
CLASSES = {"types": 3, "bonds": 4}
B = 5


def product(scale: float | Mapping[str, float], schedule: str = "cosine") -> Product:
    space = {k: {"name": "categorical", "probabilities": [1 / k] * k} for k in CLASSES.values()}
    return Product.from_config(
        {
            "positions": {"name": "gaussian", "schedule": schedule, "scale": scale},
            **{
                f: {"name": "jump", "schedule": "rectified", "space": space[k]}
                for f, k in CLASSES.items()
            },
        }
    )


def both(n: int, schedule: str = "cosine") -> tuple[Product, Product]:
    """The process with the law, and that with the number which the law gives for n atoms."""
    return product(vars(LAW), schedule), product(LAW(n), schedule)


class Mixed(Network):
    """Not linear in anything it is shown."""

    symmetry = Symmetry.E3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((), 0.7))

    def forward(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        x = x_t["positions"]
        given = torch.zeros_like(x) if previous is None else previous["positions"]
        logits = {f: self.weight * F.one_hot(x_t[f], k).float() for f, k in CLASSES.items()}
        return Batch({"positions": (self.weight * x).sin() - 0.3 * given, **logits})


def denoisers(n: int, precondition: str = "karras", schedule: str = "cosine") -> list[Any]:
    built, network = registry.build("precondition", precondition), Mixed()
    return [NetworkDenoiser(network, built, process) for process in both(n, schedule)]


def molecules(n: int) -> Batch:
    rng = torch.Generator().manual_seed(7)
    return product(LAW(n)).prior(B, n, rng=rng)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def assert_equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> None:
    assert set(a) == set(b)
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


@pytest.fixture(params=SIZES)
def n(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.parametrize("schedule", registry.names("schedule"))
def test_the_process(n: int, schedule: str) -> None:
    x_0, s, t = molecules(n), torch.full((B,), 0.3), torch.full((B,), 0.6)
    certain = {f: 9.0 * F.one_hot(x_0[f], k) for f, k in CLASSES.items()}
    results = []
    for process in both(n, schedule):
        rng = seeded()
        x_t = process.forward(x_0, s, t, rng=rng)
        guess = x_0.replace(**certain)
        x_s = process.reverse(x_t, guess, t, s, eta=0.7, churn=1.0, rng=rng)
        moved = process.correct(x_t, guess, t, eta=0.2, churn=0.5, rng=rng)
        start = process.start(x_0, rng=rng)
        prior = process.prior(B, n, rng=rng)
        steps = {"x_t": x_t, "x_s": x_s, "moved": moved, "start": start, "prior": prior}
        results.append({f"{k} {f}": x[f] for k, x in steps.items() for f in x})
    assert_equal(*results)


@pytest.mark.parametrize("precondition", registry.names("precondition"))
@pytest.mark.parametrize("some_are_clean", [False, True])
def test_the_denoiser(n: int, precondition: str, some_are_clean: bool) -> None:
    x = molecules(n)
    if some_are_clean:
        x = x.given(clean=Clean({"atom": (torch.arange(n) < 2).unsqueeze(0)}))
    t = batch_times(x, torch.full((B,), 0.6))
    results = []
    for denoiser in denoisers(n, precondition):
        first = denoiser(x, t)
        second = denoiser(x, t, first)
        assert not torch.equal(first["positions"], second["positions"])
        results.append({**second, "weights": denoiser.weights(x, t)["positions"]})
    assert_equal(*results)


@pytest.mark.parametrize("name", DENOISING)
def test_objectives(n: int, name: str, make: Callable[..., Any]) -> None:
    objective: Objective = make("objective", name)
    for seed in range(3):  # with and without self-conditioning
        results = []
        for denoiser in denoisers(n):
            loss, parts = objective(denoiser, molecules(n), rng=torch.Generator().manual_seed(seed))
            loss.backward()
            gradient = denoiser.network.weight.grad
            denoiser.network.weight.grad = None
            results.append({"loss": loss.detach(), "gradient": gradient, **parts})
        assert_equal(*results)


@pytest.mark.parametrize("name", registry.names("stepper"))
def test_samplers(n: int, name: str) -> None:
    sampler = Sampler(4, registry.build("stepper", name))
    schedule = "ve" if name == "annealed" else "cosine"
    results = []
    for denoiser in denoisers(n, schedule=schedule):
        rng = seeded()
        x_1 = denoiser.process.prior(B, n, rng=rng)
        with torch.no_grad():
            results.append(sampler.sample(denoiser, x_1, rng=rng))
    assert_equal(*results)


def test_likelihoods(n: int) -> None:
    x_0, points = molecules(n), []
    bounds = [elbo(d, x_0, steps=6, rng=seeded()) for d in denoisers(n)]
    for field, terms in bounds[0].terms.items():
        assert_equal(terms, bounds[1].terms[field])
    for process in both(n):
        exact = GaussianDenoiser(process.only(["positions"]), 1.3, {})
        x = Batch({"positions": x_0["positions"]})
        points.append(flow_log_likelihood(exact, x, steps=4, rng=seeded()))
    assert torch.equal(*points)


def test_exponent_zero_is_a_number_to_the_bit(n: int) -> None:
    law = {**vars(LAW), "exponent": 0.0}
    x_0, t = molecules(n), torch.full((B,), 0.6)
    noised = [
        process.forward(x_0, 0 * t, t, rng=seeded()) for process in (product(law), product(1.9))
    ]
    assert_equal(*noised)


def test_a_network_that_says_nothing_predicts_normal_data_of_every_size(n: int) -> None:
    """With F = 0 Karras' prediction is E[x_0 | x_t], for data whose spread follows the law."""
    process, _ = both(n)
    silent = NetworkDenoiser(Mixed(), registry.build("precondition", "karras"), process)
    with torch.no_grad():
        silent.network.weight.zero_()
    exact = GaussianDenoiser(process, LAW(n), {f: (1 / k,) * k for f, k in CLASSES.items()})
    x, t = molecules(n), torch.linspace(0.1, 0.9, B)
    torch.testing.assert_close(silent(x, t)["positions"], exact(x, t)["positions"])


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_samples_have_the_spread_of_their_size(n: int, eta: float, rng: torch.Generator) -> None:
    """Normal data a little wider than the law says, from noise of the law."""
    process = Product({"positions": Gaussian(Cosine(), ZeroCoM(), LAW)})
    b, spread = 2000, 1.2 * LAW(n)
    exact = GaussianDenoiser(process, spread, {})
    x = Sampler(100, Ancestral(eta)).sample(exact, process.prior(b, n, rng=rng), rng=rng)
    degrees = 3 * (n - 1) * b
    found = float(x["positions"].square().sum() / degrees) ** 0.5
    assert found == pytest.approx(spread, rel=0.01 + 5 * (0.5 / degrees) ** 0.5)


def test_a_place_that_forgets_the_size_fails() -> None:
    process, t = product(vars(LAW))["positions"], torch.full((B,), 0.5)
    assert isinstance(process, Gaussian)
    with pytest.raises(ValueError, match="sized"):
        process.sigma(t)
    for name in registry.names("precondition"):
        with pytest.raises(ValueError, match="sized"):
            registry.build("precondition", name)(process, t)


@pytest.mark.parametrize(
    ("field", "scale", "told"),
    [
        ("positions", {"spread": 1.9, "atoms": 9.0}, "'exponent' is missing"),
        ("positions", {"spread": 1.9, "atoms": 9.0, "exponnt": 0.4}, "exponnt"),
        ("positions", {"spread": 1.9, "atoms": 0.0, "exponent": 0.4}, "above 0"),
        ("positions", {"spread": 1.9, "atoms": 9.0, "exponent": float("inf")}, "finite"),
        ("translation", dict(vars(LAW)), "value per atom"),
    ],
)
def test_wrong_laws_are_refused(field: str, scale: dict[str, float], told: str) -> None:
    process = {"name": "gaussian", "schedule": "cosine", "space": "euclidean", "scale": scale}
    with pytest.raises(ConfigError, match=told) as caught:
        Product.from_config({field: process})
    assert caught.value.fix


def test_the_law_is_written_and_read() -> None:
    process = product(vars(LAW))
    written = process.to_config()
    assert written["positions"]["scale"] == vars(LAW)
    assert dict(Product.from_config(written).processes) == dict(process.processes)
    assert product(1.9).to_config()["positions"]["scale"] == 1.9
