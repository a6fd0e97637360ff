"""Models of few steps against problems whose answer is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from moldiff import registry
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.coupling import Independent
from moldiff.diffusion.denoiser import Denoiser, GaussianDenoiser, NetworkDenoiser
from moldiff.diffusion.guidance import with_settings
from moldiff.diffusion.network import Network, Symmetry
from moldiff.diffusion.objective import Consistency, Denoising, Endpoint, Objective, Reflow
from moldiff.diffusion.objective.endpoint import advanced
from moldiff.diffusion.process import Gaussian, Jump, Product
from moldiff.diffusion.sampler import Ancestral, Sampler, State
from moldiff.diffusion.space import Categorical, Euclidean
from moldiff.errors import ConfigError
from tests.shapes import unchecked

SPREAD, SCALE = 1.3, 1.7  # Å; different on purpose
FREQUENCIES, NOISE = (0.6, 0.3, 0.1), (0.2, 0.3, 0.5)
BINS = 40
EDGES = torch.linspace(0, 1, 33)


def product(schedule: str = "cosine") -> Product:
    coordinates = Gaussian(registry.build("schedule", schedule), Euclidean(), SCALE)
    jumps = registry.build("schedule", "rectified")
    return Product({"positions": coordinates, "types": Jump(jumps, Categorical(NOISE))})


def truth(process: Product) -> GaussianDenoiser:
    return GaussianDenoiser(process, SPREAD, {"types": FREQUENCIES})


def data(b: int, n: int, rng: torch.Generator) -> Batch:
    p = torch.tensor(FREQUENCIES).expand(b, n, 3)
    types = Categorical(FREQUENCIES).draw(p, rng=rng)
    return Batch({"positions": SPREAD * torch.randn(b, n, 3, generator=rng), "types": types})


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(20240607)


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with unchecked():
        yield


class Table(Network):
    """All a linear problem needs: a gain and 3 x 3 logits for each of some intervals of time."""

    symmetry = Symmetry.E3

    def __init__(self, edges: Tensor) -> None:
        super().__init__()
        self.edges = edges
        self.gain = nn.Parameter(torch.zeros(len(edges)))
        self.logits = nn.Parameter(torch.zeros(len(edges), 3, 3))

    def forward(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        row = torch.bucketize(t - 1e-6, self.edges).clamp_max(len(self.edges) - 1)
        positions = self.gain[row][:, None, None] * x_t["positions"]
        return Batch({"positions": positions, "types": self.logits[row[:, None], x_t["types"]]})


def trained(
    objective: Objective, process: Product, edges: Tensor, *, steps: int, rate: float = 0.05
) -> NetworkDenoiser:
    """Train a table, on fresh data at every step."""
    rng = torch.Generator().manual_seed(8)
    table = Table(edges)
    denoiser = NetworkDenoiser(table, registry.build("precondition", "clean"), process)
    optimizer = torch.optim.Adam(table.parameters(), lr=rate)
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 - k / steps)
    for _ in range(steps):
        x_0 = data(128, 12, rng)
        noise = None
        if isinstance(objective, Reflow) and objective.guide is not None:
            x_1 = process.noise_like(x_0, rng=rng)
            x_0, noise = objective.pair(x_1, rng=rng)
        optimizer.zero_grad()
        objective(denoiser, x_0, rng=rng, noise=noise)[0].backward()
        optimizer.step()
        falling.step()
    return denoiser


def one_step(denoiser: Denoiser, x_1: Batch) -> Batch:
    with torch.no_grad():
        return Sampler(1, Ancestral()).sample(denoiser, x_1, rng=torch.Generator())


def consistent(process: Product, ladder: Tensor) -> Tensor:
    """Gains whose predictions at neighbouring times agree, from 1 at t = 0, in closed form."""
    gaussian = process.gaussian()["positions"]
    signal, noise = gaussian.schedule.alpha(ladder) * SPREAD, gaussian.sigma(ladder)
    both = signal[1:] * signal[:-1] + noise[1:] * noise[:-1]
    return torch.cat([torch.ones(1), (both / (signal**2 + noise**2)[1:]).cumprod(0)])


@pytest.mark.parametrize("taught", [False, True], ids=["training", "distillation"])
def test_consistency_is_exact_in_one_step(taught: bool) -> None:
    """The end of the probability-flow equation of normal data is SPREAD / SCALE times x_1."""
    process, levels = product(), 12
    objective: Objective = Consistency(
        levels=levels, rho=2.0, coupling=Independent(), self_condition=0.0, huber=1.0
    )
    if taught:
        objective = dataclasses.replace(objective, guide=truth(process))
    ladder = torch.linspace(0, 1, levels + 1) ** 2
    denoiser = trained(objective, process, ladder, steps=300)
    x_1 = process.prior(400, 12, rng=torch.Generator().manual_seed(1))
    gain = (one_step(denoiser, x_1)["positions"] / x_1["positions"]).mean().item()
    assert gain == pytest.approx(consistent(process, ladder)[-1].item(), rel=0.05)
    # Its limit is the equation's: the rest is the length of the steps.
    limit = consistent(process, torch.linspace(0, 1, 2001) ** 2)[-1].item()
    assert limit == pytest.approx(SPREAD / SCALE, rel=2e-3)
    mean = one_step(truth(process), x_1)["positions"]
    assert mean.abs().max() < 1e-3  # what the mean of all data is instead


@pytest.mark.parametrize("taught", [False, True], ids=["training", "distillation"])
def test_classes_are_consistent_at_the_posterior(taught: bool) -> None:
    """Bayes' p(x_0 | x_t) is learned at every level, although the lowest is hardly ever drawn."""
    process, levels = product(), 20
    ladder = torch.linspace(0, 1, levels + 1)
    objective: Objective = Consistency(
        levels=levels,
        rho=1.0,
        coupling=Independent(),
        self_condition=0.0,
        weights={"types": 4.0},
    )
    if taught:
        objective = dataclasses.replace(objective, guide=truth(process))
    denoiser = trained(objective, process, ladder, steps=300)
    for t in ladder[1:]:
        x_t = Batch({"positions": torch.zeros(1, 3, 3), "types": torch.arange(3).expand(1, 3)})
        found, exact = (
            torch.softmax(d(x_t, t.expand(1))["types"], -1) for d in (denoiser, truth(process))
        )
        assert (found - exact).abs().max() < 0.08


def test_a_consistency_loss_tells_the_end_from_the_mean() -> None:
    process, levels = product(), 200
    ladder = torch.linspace(0, 1, levels + 1) ** 2
    gaussian = process.gaussian()["positions"]
    level = (gaussian.schedule.alpha(ladder) * SPREAD).square() + gaussian.sigma(ladder).square()
    objective = Consistency(
        coupling=Independent(), levels=levels, rho=2.0, huber=1e-3, guide=truth(process)
    )
    x_0, losses = data(256, 12, torch.Generator().manual_seed(1)), []
    for gain in (SPREAD / level.sqrt(), gaussian.schedule.alpha(ladder) * SPREAD**2 / level):
        table = Table(ladder)
        table.gain.data = gain
        denoiser = NetworkDenoiser(table, registry.build("precondition", "clean"), process)
        made = objective(denoiser, x_0, rng=torch.Generator().manual_seed(2))[1]
        losses.append(float(made["positions"]))
    assert losses[0] < 0.01 * losses[1] and losses[1] > 1e-3


@pytest.mark.parametrize("schedule", registry.names("schedule"))
def test_the_boundary_condition(schedule: str) -> None:
    made = Gaussian(registry.build("schedule", schedule), Euclidean(), SCALE)
    c = registry.build("precondition", {"name": "consistency", "t_min": 0.01})(
        made, torch.tensor([0.01, 0.5], dtype=torch.float64)
    )
    assert c.c_skip[0] == pytest.approx(1, abs=1e-12) and c.c_out[0] == pytest.approx(0, abs=1e-12)
    assert c.c_out[1] > 0.01


def straightness(denoiser: Denoiser, x_0: Tensor, x_1: Tensor) -> float:
    """Liu et al. (2023), section 2.1: 0 where the velocity is that of the straight way."""
    off = []
    for t in torch.linspace(0.2, 0.95, 16):
        x_t = (1 - t) * x_0 + t * x_1
        batch = Batch({"positions": x_t, "types": torch.zeros(x_t.shape[:2], dtype=torch.long)})
        with torch.no_grad():
            found = denoiser(batch, t.expand(len(x_t)))["positions"]
        off.append(((x_1 - x_0) - (x_t - found) / t).square().mean())
    return float(torch.stack(off).mean() / (x_1 - x_0).square().mean())


@pytest.mark.slow
def test_reflow_straightens_a_known_coupling() -> None:
    """The teacher's coupling of normal data is x_0 = k x_1: after reflow one step follows it."""
    process, edges = product("rectified"), torch.linspace(0, 1, BINS + 1)
    teaching = {"steps": 30, "stepper": "ancestral", "grid": "power"}
    plain = Denoising(coupling=Independent(), self_condition=0.0)
    first = Reflow(objective=plain)
    second = Reflow(objective=plain, teaching=teaching, guide=truth(process))
    rng = torch.Generator().manual_seed(2)
    x_1 = process.prior(200, 12, rng=rng)
    x_0, noise = second.pair(x_1, rng=rng)
    assert set(noise) == {"positions"} and torch.equal(noise["positions"], x_1["positions"])
    errors, bends = [], []
    for objective in (first, second):
        denoiser = trained(objective, process, edges, steps=250)
        error = one_step(denoiser, x_1)["positions"] - x_0["positions"]
        errors.append(float(error.std() / x_0["positions"].std()))
        bends.append(straightness(denoiser, x_0["positions"], x_1["positions"]))
    assert errors[0] > 0.8 and bends[0] > 0.05  # the first flow: in one step everything to the mean
    assert errors[1] < 0.05 and bends[1] < 0.1 * bends[0]


@pytest.mark.slow
@pytest.mark.parametrize("every", [False, True])
def test_endpoint_follows_the_teacher_in_four_steps(every: bool) -> None:
    process = product()
    rollout = {"steps": 4, "stepper": {"name": "ancestral", "churn": 1.0}, "grid": "power"}
    teaching = {**rollout, "steps": 60}
    objective = Endpoint(
        every=every,
        rollout=rollout,
        teaching=teaching,
        objective=Denoising(coupling=Independent(), self_condition=0.0),
        guide=truth(process),
    )
    student = trained(objective, process, EDGES, steps=200)
    x_1 = process.prior(400, 12, rng=torch.Generator().manual_seed(3))

    def gain(denoiser: Denoiser, settings: Mapping[str, object]) -> float:
        made, sampler = with_settings(denoiser, settings)
        with torch.no_grad():
            x_0 = sampler.sample(made, x_1, rng=torch.Generator().manual_seed(0))
        return (x_0["positions"] / x_1["positions"]).mean().item()

    wanted = gain(truth(process), teaching)
    before, after = gain(truth(process), rollout), gain(student, rollout)
    assert abs(before / wanted - 1) > 0.15
    assert abs(after / wanted - 1) < 0.4 * abs(before / wanted - 1)


def test_one_state_is_trained_on_or_every_one_from_where_the_teacher_starts(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    totals: list[float] = []
    ends: list[Batch] = []
    regress = Denoising.regress

    def noted(objective: Denoising, denoiser: Any, x: Batch, t: Any, *given: Any) -> Any:
        loss = regress(objective, denoiser, x, t, *given)
        seen.append(float(t[0]))
        totals.append(loss[0].item())
        ends.append(given[-1])
        return loss

    monkeypatch.setattr(Denoising, "regress", noted)
    process = product()
    student = NetworkDenoiser(Table(EDGES), registry.build("precondition", "clean"), process)
    settings = {"steps": 4, "stepper": "ancestral", "grid": {"name": "power", "exponent": 1.0}}
    firsts, single = set(), set()
    for every in (False, True) * 12:
        seen.clear(), totals.clear(), ends.clear()
        objective = Endpoint(rollout=settings, share=1.0, every=every, guide=truth(process))
        loss, parts = objective(student, data(20, 6, rng), rng=rng)
        weighted = sum(objective.objective.weights[f] * part for f, part in parts.items())
        assert loss.item() == pytest.approx(float(weighted), rel=1e-5)
        assert loss.item() == pytest.approx(sum(totals) / len(totals), rel=1e-5)
        assert all(end is ends[0] for end in ends)
        if every:
            assert seen == [0.75, 0.5, 0.25][-len(seen) :] and len(seen) > 1
            firsts.add(seen[0])
        else:
            single.add(tuple(seen))
    assert firsts == {0.75, 0.5} and single == {(0.75,), (0.5,), (0.25,)}


def test_a_few_step_model_is_taught_from_the_noise_of_its_own_guidance(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guidance may replace the prior: the states are then those that its draws pass."""
    begun: list[Tensor] = []
    whole = Sampler.trajectory

    def noted(sampler: Sampler, denoiser: Denoiser, x: Batch, **given: Any) -> Iterator[State]:
        begun.append(x["positions"])
        return whole(sampler, denoiser, x, **given)

    monkeypatch.setattr(Sampler, "trajectory", noted)
    process, less = product(), [{"name": "noise_scale", "field": "positions", "scale": 0.1}]
    student = NetworkDenoiser(Table(EDGES), registry.build("precondition", "clean"), process)
    for guidance in ([], less):
        settings = {"steps": 4, "stepper": "ancestral", "grid": "power", "guidance": guidance}
        objective = Endpoint(rollout=settings, share=1.0, guide=truth(process))
        objective(student, data(50, 12, rng), rng=rng)
    spreads = [float(x.std()) for x in (begun[0], begun[-1])]
    assert spreads[0] == pytest.approx(SCALE, rel=0.1)
    assert spreads[1] == pytest.approx(0.1 * SCALE, rel=0.1)


def test_a_led_state_holds_the_end_but_its_prediction_does_not(rng: torch.Generator) -> None:
    process = product()
    x = process.prior(300, 8, rng=rng)
    end = x.replace(types=torch.zeros_like(x["types"]))
    state = advanced(truth(process), State(x, None, 0.6), 0.1, end, rng=rng)
    kept = (state.x["types"] == 0).float().mean().item()
    assert kept == pytest.approx(0.9 + 0.1 * NOISE[0], abs=0.02)  # the end's classes, noised
    own = truth(process)(x, torch.full((300,), 0.6))
    assert state.prediction is not None and state.t == 0.1 and state.made_at == 0.6
    assert all(torch.equal(state.prediction[f], own[f]) for f in own)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="levels"):
        Consistency(levels=0)
    with pytest.raises(ConfigError, match="pairs"):
        Reflow(pairs=0)
    with pytest.raises(ConfigError, match="rollout"):
        Endpoint(rollout={"steps": 1})
    with pytest.raises(ConfigError, match="teacher"):
        Reflow().pair(product().prior(2, 3, rng=torch.Generator()), rng=torch.Generator())
