"""Likelihoods of data whose density is known."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser, GaussianDenoiser
from moldiff.diffusion.objective.bound import elbo, flow_log_likelihood
from moldiff.diffusion.process import Gaussian, Geodesic, Jump, PowerLaw, Product
from moldiff.diffusion.schedule import Rectified, Schedule
from moldiff.diffusion.space import Categorical, Euclidean, Torus, ZeroCoM
from moldiff.diffusion.time import Clean, Time
from moldiff.errors import ConfigError

SPREAD, SCALE, N = 1.3, 1.7, 5
FREQUENCIES = {"types": (0.6, 0.3, 0.1), "bonds": (0.7, 0.2, 0.07, 0.03)}
SCHEDULES = registry.names("schedule")
SCALES = {"number": SCALE, "size": PowerLaw(SCALE, 2.0, 0.3)}  # 2 is not N
SPACES = {"euclidean": (Euclidean(), 3 * N), "zero_com": (ZeroCoM(), 3 * (N - 1))}


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(11)


def normal(x: Tensor, spread: float, d: int) -> Tensor:
    """Exact log-density of independent normal coordinates in d dimensions, (b,)."""
    square = x.double().square().flatten(1).sum(1)
    return -0.5 * (d * math.log(2 * math.pi * spread**2) + square / spread**2)


def coordinates(schedule: str, space: str, scale: str = "number") -> GaussianDenoiser:
    made: Schedule = registry.build("schedule", schedule)
    process = Product({"positions": Gaussian(made, SPACES[space][0], SCALES[scale])})
    return GaussianDenoiser(process, SPREAD, {})


def model_spread(schedule: Schedule, scale: str) -> float:
    """The flow carries its prior, which has no data in it, to a slightly different normal."""
    one = torch.ones((), dtype=torch.float64)
    at_n = SCALE * (N / 2) ** 0.3 if scale == "size" else SCALE
    noise = (at_n * schedule.sigma(one)) ** 2
    return SPREAD * float(noise / (noise + (SPREAD * schedule.alpha(one)) ** 2)) ** 0.5


@pytest.mark.parametrize(
    ("schedule", "space", "scale"), list(itertools.product(SCHEDULES, SPACES, SCALES))
)
def test_the_flow_knows_a_normal_density(
    schedule: str, space: str, scale: str, rng: torch.Generator
) -> None:
    denoiser = coordinates(schedule, space, scale)
    x_0 = 1.4 * SPACES[space][0].prior((7, N, 3), rng=rng)
    found = flow_log_likelihood(denoiser, Batch({"positions": x_0}), steps=32, rng=rng)
    spread = model_spread(denoiser.process["positions"].schedule, scale)
    exact = normal(x_0, spread, SPACES[space][1])
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-3)


def test_the_flow_converges_at_fourth_order(rng: torch.Generator) -> None:
    denoiser = coordinates("rectified", "zero_com")
    x_0 = ZeroCoM().prior((3, N, 3), rng=rng).double()
    exact = normal(x_0, SPREAD, 3 * (N - 1))
    errors = [
        (flow_log_likelihood(denoiser, Batch({"positions": x_0}), steps=k, rng=rng) - exact)
        .abs()
        .max()
        for k in (2, 4)
    ]
    assert errors[0] / errors[1] > 8


def test_probes_are_unbiased(rng: torch.Generator) -> None:
    """Where the Jacobian is not isotropic, many probes are needed, and right on average."""

    class Squashed(GaussianDenoiser):
        def __call__(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
            spread = torch.tensor([0.5, 1.0, 2.0])
            part = self.process.gaussian()["positions"]
            alpha, sigma = (f(t).view(-1, 1, 1) for f in (part.schedule.alpha, part.sigma))
            gain = alpha * spread**2 / (alpha**2 * spread**2 + sigma**2)
            return Batch({"positions": gain * x_t["positions"]})

    process = Product({"positions": Gaussian(Rectified(), ZeroCoM(), 1.0)})
    spread = torch.tensor([0.5, 1.0, 2.0])
    x_0 = spread * ZeroCoM().prior((1, N, 3), rng=rng)
    exact = sum(normal(x_0[..., k : k + 1], float(spread[k]), N - 1) for k in range(3))
    found = flow_log_likelihood(
        Squashed(process, 1.0, {}),
        Batch({"positions": x_0.expand(400, -1, -1)}),
        steps=24,
        rng=rng,
    )
    error = found.std() / 400**0.5
    assert found.std() > 0.1
    assert abs(found.mean() - exact) < 5 * error


def molecules(schedule: str, scale: str = "number") -> Product:
    made: Schedule = registry.build("schedule", schedule)
    jumps = made if made.alpha(torch.ones(1)) < 0.01 else Rectified()
    return Product(
        {
            "positions": Gaussian(made, ZeroCoM(), SCALES[scale]),
            "types": Jump(jumps, Categorical((0.2, 0.3, 0.5))),
            "bonds": Jump(jumps, Categorical((0.25, 0.25, 0.25, 0.25))),
        }
    )


def drawn(b: int, rng: torch.Generator) -> tuple[Batch, Tensor]:
    """b molecules of the known distribution, and their exact log-probabilities, (b,)."""
    fields = {"positions": SPREAD * ZeroCoM().prior((b, N, 3), rng=rng)}
    exact = normal(fields["positions"], SPREAD, 3 * (N - 1))
    for name, sites in (("types", N), ("bonds", N * (N - 1) // 2)):
        p = torch.tensor(FREQUENCIES[name])
        fields[name] = torch.multinomial(p, b * sites, True, generator=rng).view(b, sites)
        exact = exact + p.log()[fields[name]].sum(1)
    return Batch(fields), exact


@pytest.mark.parametrize(("schedule", "scale"), list(itertools.product(SCHEDULES, SCALES)))
def test_the_bound_is_below_the_truth_and_near_it(
    schedule: str, scale: str, rng: torch.Generator
) -> None:
    denoiser = GaussianDenoiser(molecules(schedule, scale), SPREAD, FREQUENCIES)
    x_0, exact = drawn(100, rng)
    gaps = []
    for steps in (16, 96):
        bound = elbo(denoiser, x_0, steps=steps, rng=rng)
        assert set(bound.terms) == set(x_0)
        gap = exact - bound.nats
        error = 5 * gap.std() / len(gap) ** 0.5
        assert gap.mean() > -error  # a bound: below on average over the noise
        gaps.append(float(gap.mean()))
    assert gaps[1] < 0.5 * gaps[0] + float(error)
    assert gaps[1] < 0.3 + float(error)
    worse = GaussianDenoiser(molecules(schedule, scale), 4 * SPREAD, FREQUENCIES)
    loss = exact - elbo(worse, x_0, steps=16, rng=rng).nats
    assert loss.mean() > 5 * loss.std() / len(loss) ** 0.5


def test_terms_are_those_of_the_bound(rng: torch.Generator) -> None:
    denoiser = GaussianDenoiser(molecules("cosine"), SPREAD, FREQUENCIES)
    x_0, _ = drawn(20, rng)
    bound = elbo(denoiser, x_0, steps=16, rng=rng)
    names = ["prior", "diffusion", "reconstruction"]
    assert all(sorted(terms) == sorted(names) for terms in bound.terms.values())
    total = sum(bound.terms[f][name] for f in bound.terms for name in names)
    torch.testing.assert_close(bound.nats, -total)
    for field, terms in bound.terms.items():
        assert all(v.shape == (20,) and v.isfinite().all() for v in terms.values())
        assert (terms["prior"] > -1e-5).all() and (terms["diffusion"] > -1e-4).all()
        assert field == "positions" or (terms["reconstruction"] >= 0).all()


@pytest.mark.parametrize("pi", [(0.0, 0.0, 1.0), (1 / 3, 1 / 3, 1 / 3)], ids=["mask", "uniform"])
def test_classes_alone(pi: tuple[float, ...], rng: torch.Generator) -> None:
    """Under mask noise every number of steps gives the exact probability, on average."""
    process = Product({"types": Jump(Rectified(), Categorical(pi))})
    p = torch.tensor([0.7, 0.3, 0.0])
    denoiser = GaussianDenoiser(process, SPREAD, {"types": (0.7, 0.3, 0.0)})
    x_0 = torch.multinomial(p, 4000 * 3, True, generator=rng).view(4000, 3)
    exact = p.log()[x_0].sum(1)
    bound = elbo(denoiser, Batch({"types": x_0}), steps=12, rng=rng)
    gap = exact - bound.nats
    error = 5 * gap.std() / len(gap) ** 0.5
    assert gap.mean() > -error
    if pi[2] == 1:
        assert gap.mean() < error


def test_what_has_no_likelihood_is_refused(rng: torch.Generator) -> None:
    denoiser = GaussianDenoiser(molecules("cosine"), SPREAD, FREQUENCIES)
    x_0, _ = drawn(2, rng)
    with pytest.raises(ConfigError, match="elbo"):
        flow_log_likelihood(denoiser, x_0, rng=rng)
    with pytest.raises(ConfigError, match="2"):
        elbo(denoiser, x_0, steps=1, rng=rng)
    turns = Product({"torsions": Geodesic(Rectified(), Torus())})
    angles = Batch({"torsions": torch.zeros(2, 3)})
    with pytest.raises(ConfigError, match="torsions"):
        elbo(GaussianDenoiser(turns, SPREAD, {}), angles, rng=rng)


def test_inputs_and_inference_mode(rng: torch.Generator) -> None:
    denoiser = coordinates("cosine", "zero_com")
    with torch.inference_mode():
        x_0 = Batch({"positions": ZeroCoM().prior((2, N, 3), rng=rng)})
        held = x_0["positions"].clone()
        found = flow_log_likelihood(denoiser, x_0, steps=8, rng=rng)
        bound = elbo(denoiser, x_0, steps=8, rng=rng).nats
    assert found.isfinite().all() and bound.isfinite().all()
    assert not found.requires_grad and not bound.requires_grad
    assert torch.equal(x_0["positions"], held)


def test_the_context_is_read_and_a_part_of_a_graph_has_no_likelihood() -> None:
    """The data are wider where the context says so, and so is the bound."""
    process = Product.from_config({"positions": {"name": "gaussian", "schedule": "cosine"}})

    class Asked(Denoiser):
        def __init__(self) -> None:
            self.process = process

        def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
            spread = 2.0 if "conditions" in x_t.context else 0.5
            return GaussianDenoiser(process, spread, {})(x_t, t)

    x = torch.randn(20, 4, 3, generator=torch.Generator().manual_seed(0))
    plain = Batch({"positions": 2 * (x - x.mean(1, keepdim=True))})
    asked = plain.given(conditions=torch.zeros(1, 1))
    for likelihood in (
        lambda x_0: elbo(Asked(), x_0, steps=16, rng=torch.Generator().manual_seed(1)).nats,
        lambda x_0: flow_log_likelihood(
            Asked(), x_0, steps=8, rng=torch.Generator().manual_seed(1)
        ),
    ):
        assert likelihood(asked).mean() > likelihood(plain).mean() + 5
        with pytest.raises(ConfigError, match="clean sites"):
            likelihood(plain.given(clean=Clean({"atom": torch.ones(1, 4, dtype=torch.bool)})))
