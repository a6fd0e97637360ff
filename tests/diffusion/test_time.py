"""Times of sites: a part of a batch is clean while the rest is noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.diffusion.batch import Batch, pair_count
from moldiff.diffusion.denoiser import Denoiser, GaussianDenoiser, NetworkDenoiser
from moldiff.diffusion.guidance import Temperature, Valence
from moldiff.diffusion.objective import Consistency, Denoising, Endpoint, Objective, Reflow
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.diffusion.time import Clean, SiteTimes, Time, batch_times, field_times
from moldiff.nn import GraphNetwork

B, N = 4, 6
CLASSES = {"types": 3, "charges": 2, "bonds": 4}
KEPT = torch.tensor([True, True, False, True, False, False])


def product(coordinates: str = "cosine", mask: bool = False) -> Product:
    def space(k: int) -> dict[str, Any]:
        if mask:
            return {"name": "categorical", "probabilities": [0.0] * k + [1.0], "mask": True}
        return {"name": "categorical", "probabilities": [1 / k] * k}

    jumps = {
        f: {"name": "jump", "schedule": "rectified", "space": space(k)} for f, k in CLASSES.items()
    }
    points = {"name": "gaussian", "schedule": coordinates, "scale": 1.5}
    return Product.from_config({"positions": points, **jumps})


def exact(process: Product) -> GaussianDenoiser:
    frequencies = {f: (1 / k,) * k for f, k in process.categorical().items()}
    return GaussianDenoiser(process, 1.5, frequencies)


def learned(process: Product, precondition: str = "karras") -> NetworkDenoiser:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        interaction = registry.build(
            "interaction",
            {"name": "transformer", "width": 16, "pair_width": 8, "layers": 2, "heads": 2},
        )
        network = GraphNetwork(interaction, process.categorical())
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return NetworkDenoiser(network, registry.build("precondition", precondition), process)


def test_the_times_of_a_field_go_before_those_of_its_scope() -> None:
    graph, atoms, types = (
        torch.tensor([0.5]),
        torch.tensor([[0.1, 0.2]]),
        torch.tensor([[0.3, 0.4]]),
    )
    t = SiteTimes(graph, {"atom": atoms, "types": types})
    assert torch.equal(field_times(t, "types"), types)
    assert torch.equal(field_times(t, "positions"), atoms)
    assert torch.equal(field_times(t, "bonds"), graph)
    assert field_times(graph, "types") is graph
    halved = t.map(lambda x: x / 2)
    assert torch.equal(halved.graph, graph / 2)
    assert torch.equal(field_times(halved, "types"), types / 2)
    assert torch.equal(field_times(halved, "positions"), atoms / 2)


def clean(shared: bool = False) -> Clean:
    """Some atoms and the pairs between them; of the last graph nothing, unless all share it."""
    i, j = torch.triu_indices(N, N, 1)
    atoms = KEPT.repeat(1 if shared else B, 1)
    pairs = (KEPT[i] & KEPT[j]).repeat(1 if shared else B, 1)
    if not shared:
        atoms[-1], pairs[-1] = False, False
    return Clean({"atom": atoms, "pair": pairs})


def molecules(seed: int = 1) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(B, N, 3, generator=rng) * 1.5
    sites = {"types": N, "charges": N, "bonds": pair_count(N)}
    classes = {f: torch.randint(CLASSES[f], (B, n), generator=rng) for f, n in sites.items()}
    return Batch({"positions": x - x.mean(1, keepdim=True), **classes})


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def still(batch: Batch, field: str) -> Tensor:
    """Which sites of a field its context says are clean, (b, sites)."""
    scope = "pair" if field == "bonds" else "atom"
    mask: Tensor = batch.context["clean"][scope]
    return mask.expand(B, -1)


def untouched(new: Batch, old: Batch) -> bool:
    return all(torch.equal(new[f][still(old, f)], old[f][still(old, f)]) for f in old)


def everywhere(x: Batch, t: float) -> SiteTimes:
    """One time, written down for every site."""
    graph = torch.full((B,), t)
    return SiteTimes(
        graph, {"atom": graph[:, None].expand(B, N), "pair": graph[:, None].expand(B, 15)}
    )


def steps(process: Product, x: Batch) -> dict[str, Callable[[Time, Time, torch.Generator], Batch]]:
    x0_hat = exact(process)(x, torch.full((B,), 0.9))
    return {
        "forward": lambda t, s, rng: process.forward(x, s, t, rng=rng),
        "reverse": lambda t, s, rng: process.reverse(x, x0_hat, t, s, eta=0.7, churn=0.5, rng=rng),
        "correct": lambda t, s, rng: process.correct(x, x0_hat, t, eta=0.3, churn=0.4, rng=rng),
    }


@pytest.mark.parametrize("what", ["forward", "reverse", "correct"])
@pytest.mark.parametrize("schedule", registry.names("schedule"))
@pytest.mark.parametrize("mask", [False, True])
def test_processes_leave_clean_sites_untouched_and_move_the_others(
    what: str, schedule: str, mask: bool, rng: torch.Generator
) -> None:
    process, x = product(schedule, mask), molecules().given(clean=clean())
    t, s = (batch_times(x, torch.full((B,), time)) for time in (0.9, 0.4))
    moved = steps(process, x)[what](t, s, rng)
    assert untouched(moved, x) and moved.context is not None
    assert moved.context["clean"] is x.context["clean"]
    free = ~still(x, "positions")
    assert all(v.isfinite().all() for v in moved.values() if v.is_floating_point())
    assert (moved["positions"][free] != x["positions"][free]).any(-1).float().mean() > 0.9


@pytest.mark.parametrize("what", ["forward", "reverse", "correct"])
def test_one_time_at_all_sites_is_that_time_to_the_bit(what: str) -> None:
    process, x = product(), molecules()
    step = steps(process, x)[what]
    results = [
        step(t, s, torch.Generator().manual_seed(3))
        for t, s in (
            (torch.full((B,), 0.9), torch.full((B,), 0.4)),
            (everywhere(x, 0.9), everywhere(x, 0.4)),
        )
    ]
    assert all(torch.equal(results[0][f], results[1][f]) for f in x)


@pytest.mark.parametrize("precondition", registry.names("precondition"))
def test_a_network_with_one_time_at_all_sites_predicts_the_same_to_the_bit(
    precondition: str,
) -> None:
    denoiser, x = learned(product(), precondition), molecules()
    with torch.no_grad():
        previous = denoiser(x, torch.full((B,), 0.8))
        one, each = (denoiser(x, t, previous) for t in (torch.full((B,), 0.6), everywhere(x, 0.6)))
    assert all(torch.equal(one[f], each[f]) for f in x)
    assert torch.equal(
        denoiser.weights(x, torch.full((B,), 0.6))["positions"],
        denoiser.weights(x, everywhere(x, 0.6))["positions"][:, 0],
    )


@pytest.mark.parametrize("make", [exact, learned])
def test_denoisers_predict_clean_sites_as_they_are(make: Callable[[Product], Denoiser]) -> None:
    process, x = product(), molecules().given(clean=clean())
    denoiser = make(process)
    if make is learned:
        allowed = torch.ones(3, 2, 7, dtype=torch.bool)
        denoiser = Valence(Temperature(denoiser, 0.5, 3.0), allowed)
    with torch.no_grad():
        prediction = denoiser(x, batch_times(x, torch.full((B,), 0.7)))
    assert untouched(process.mode(prediction), x)
    assert prediction["positions"][~still(x, "positions")].isfinite().all()


def test_a_network_knows_which_atoms_are_clean() -> None:
    """The time of one atom changes what is predicted for the others, and for its own graph only."""
    denoiser, x = learned(product()), molecules()
    times = everywhere(x, 0.7)
    atoms = times.sites["atom"].clone()
    atoms[0, 2] = 0.1
    other = SiteTimes(times.graph, {**times.sites, "atom": atoms})
    with torch.no_grad():
        before, after = denoiser(x, times), denoiser(x, other)
    change = (after["positions"] - before["positions"]).abs().amax((1, 2))
    assert change[0] > 1e-4 and (change[1:] < 1e-6).all()


@pytest.mark.parametrize("stepper", registry.names("stepper"))
def test_samplers_keep_clean_sites_and_sample_the_others(
    stepper: str, rng: torch.Generator
) -> None:
    process = product("ve" if stepper == "annealed" else "cosine")
    x_0 = molecules().given(clean=clean())
    x_1 = process.start(x_0, rng=rng)
    sampler = Sampler.from_config({"steps": 6, "stepper": stepper})
    states = list(sampler.trajectory(exact(process), x_1, rng=rng))
    for state in states:
        assert untouched(state.x, x_0)
    free = ~still(x_0, "positions")
    assert all(v.isfinite().all() for v in states[-1].x.values() if v.is_floating_point())
    assert not torch.equal(states[-1].x["types"][free], x_1["types"][free])


@pytest.mark.thorough
def test_given_the_rest_the_other_sites_have_the_exact_distribution() -> None:
    """Coordinates of independent atoms, some of them given: normal in all of R^3, wherever."""
    count = 1500
    process = product()
    x_0 = Batch(
        {
            "positions": torch.full((count, N, 3), 5.0),
            **{
                f: torch.zeros(count, n, dtype=torch.long)
                for f, n in {"types": N, "charges": N, "bonds": pair_count(N)}.items()
            },
        }
    ).given(clean=clean(shared=True))
    rng = torch.Generator().manual_seed(0)
    x_1 = process.start(x_0, rng=rng)
    sampler = Sampler.from_config({"steps": 300, "stepper": {"name": "ancestral", "eta": 1.0}})
    x = sampler.sample(exact(process), x_1, rng=rng)
    free = x["positions"][:, ~KEPT]
    assert torch.equal(x["positions"][:, KEPT], x_0["positions"][:, KEPT])
    # No centre of mass is taken off: 1.5 Å of spread per axis, about the origin of the process.
    assert free.std().item() == pytest.approx(1.5, rel=0.02)
    assert free.mean().item() == pytest.approx(0.0, abs=0.03)


OBJECTIVES: dict[str, Callable[[Denoiser], Objective]] = {
    "denoising": lambda teacher: Denoising(self_condition=1.0),
    "consistency": lambda teacher: Consistency(self_condition=1.0),
    "distillation": lambda teacher: Consistency(guide=teacher),
    "endpoint": lambda teacher: Endpoint(share=1.0),
    "reflow": lambda teacher: Reflow(),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_leave_clean_sites_out(name: str) -> None:
    process = product()
    denoiser, x_0 = learned(process), molecules().given(clean=clean())
    objective = OBJECTIVES[name](exact(process))
    loss, parts = objective(denoiser, x_0, rng=torch.Generator().manual_seed(5))
    assert loss.isfinite() and all(v.isfinite() and v > 0 for v in parts.values())
    loss.backward()
    gradients = [p.grad for p in denoiser.network.parameters() if p.grad is not None]
    assert gradients and all(g.isfinite().all() for g in gradients)
    # With every site clean there is nothing to learn.
    ones = Clean({k: torch.ones_like(v) for k, v in x_0.context["clean"].items()})
    nothing, _ = objective(denoiser, x_0.given(clean=ones), rng=torch.Generator().manual_seed(5))
    assert nothing.item() == 0.0


def test_the_loss_of_the_rest_is_that_of_the_rest() -> None:
    process, x_0 = product(), molecules()
    part = process["positions"]
    other = x_0["positions"] + torch.randn(B, N, 3, generator=torch.Generator().manual_seed(2))
    weight = (~KEPT).float().expand(B, N)
    chosen = part.loss(other[:, ~KEPT], x_0["positions"][:, ~KEPT])
    torch.testing.assert_close(part.loss(other, x_0["positions"], weight), chosen)


def test_a_mask_for_all_graphs_is_a_mask_for_each(rng: torch.Generator) -> None:
    x = molecules()
    one = batch_times(x.given(clean=clean(shared=True)), torch.full((B,), 0.5))
    repeated = Clean({k: v.expand(B, -1) for k, v in clean(shared=True).items()})
    each = batch_times(x.given(clean=repeated), torch.full((B,), 0.5))
    assert torch.equal(field_times(one, "bonds"), field_times(each, "bonds"))
    assert torch.equal(field_times(one, "positions"), field_times(each, "types"))


def test_the_network_and_its_context_move_together() -> None:
    x = molecules().given(clean=clean(), conditions=torch.zeros(1, 2), words="kept")
    there = x.to("meta")
    assert there.device.type == "meta" and there.context["conditions"].device.type == "meta"
    assert there.context["clean"]["atom"].device.type == "meta"
    assert there.context["words"] == "kept" and x.device.type == "cpu"


def test_noise_is_centred_where_nothing_is_clean(rng: torch.Generator) -> None:
    process, x_0 = product(), molecules()
    nothing = Clean({k: torch.zeros_like(v) for k, v in clean().items()})
    bonds = Clean({"pair": clean()["pair"]})
    for sites, centred in ((nothing, True), (bonds, True), (clean(), False)):
        noise = process.noise_like(x_0.given(clean=sites), rng=rng)
        assert (noise["positions"].mean(1).abs().max() < 1e-5) == centred


def test_pure_noise_has_no_clean_sites(rng: torch.Generator) -> None:
    with pytest.raises(ValueError, match="start"):
        product().prior(B, N, rng=rng, context={"clean": clean()})


def test_weights_of_clean_sites_are_finite() -> None:
    x = molecules().given(clean=clean())
    denoiser = learned(product(), "noise")
    weights = denoiser.weights(x, batch_times(x, torch.full((B,), 0.5)))["positions"]
    assert weights.isfinite().all()
