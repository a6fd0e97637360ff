"""Optimizers: what they update, that bad steps are left out, and that their state is all."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from moldiff import registry
from moldiff.domain import distances, poses
from moldiff.errors import ConfigError
from moldiff.nn import GraphNetwork
from moldiff.train.config import OptimizerConfig
from moldiff.train.optimizer import Average, Optimizers

NAMES = ("adamw", "muon")


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.embedding = nn.Parameter(torch.randn(32, 32, generator=rng))
        self.interaction = nn.Module()
        self.interaction.weight = nn.Parameter(torch.randn(40, 32, generator=rng))
        self.interaction.bias = nn.Parameter(torch.randn(40, generator=rng))
        self.interaction.small = nn.Parameter(torch.randn(8, 40, generator=rng))

    def matrices(self) -> Iterator[nn.Parameter]:
        return self.interaction.parameters()

    def loss(self, step: int) -> torch.Tensor:
        x = torch.randn(16, 32, generator=torch.Generator().manual_seed(step))
        hidden = torch.tanh(x @ self.embedding @ self.interaction.weight.T + self.interaction.bias)
        return (hidden @ self.interaction.small.T - 1).square().mean()


def train(network: Small, optimizers: Optimizers, steps: range) -> list[float]:
    norms = []
    for step in steps:
        network.loss(step).backward()
        norms.append(optimizers.step(0.01))
    return norms


@pytest.mark.parametrize("name", NAMES)
def test_loss_falls(name: str) -> None:
    network = Small()
    before = network.loss(99).item()
    train(network, Optimizers(network, OptimizerConfig(name=name, clip=100.0)), range(60))
    assert network.loss(99).item() < 0.5 * before


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_updated_once(name: str) -> None:
    network = Small()
    optimizers = Optimizers(network, OptimizerConfig(name=name))
    assert len({id(p) for p in optimizers.parameters}) == len(list(network.parameters())) == 4
    held = {k: p.detach().clone() for k, p in network.named_parameters()}
    train(network, optimizers, range(1))
    assert all(not torch.equal(p, held[k]) for k, p in network.named_parameters())
    assert all(p.grad is None for p in network.parameters())


def test_muon_takes_the_large_matrices_of_the_interaction() -> None:
    network = Small()
    parts = Optimizers(network, OptimizerConfig(name="muon")).parts
    assert [p is network.interaction.weight for p in parts[1].param_groups[0]["params"]] == [True]


class Wrapper(nn.Module):
    """As the parallel wrappers of torch: parameters are called ``module.*``."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


def compiled(network: nn.Module) -> nn.Module:
    """What torch.compile returns; nothing is compiled before the first call."""
    from torch._dynamo.eval_frame import OptimizedModule

    return OptimizedModule(network, torch._dynamo.disable)


@pytest.mark.parametrize(
    "wrap",
    [Wrapper, nn.DataParallel, compiled, lambda network: Wrapper(compiled(network))],
    ids=["wrapper", "parallel", "compiled", "both"],
)
def test_wrapping_a_network_does_not_change_what_muon_takes(
    wrap: Callable[[nn.Module], nn.Module],
) -> None:
    network = Small()
    parts = Optimizers(wrap(network), OptimizerConfig(name="muon")).parts
    assert [p is network.interaction.weight for p in parts[1].param_groups[0]["params"]] == [True]
    assert len(parts[0].param_groups[0]["params"]) == 3


def settings(kind: str, name: str) -> dict[str, Any]:
    """Small, but wide enough that there are matrices."""
    known = inspect.signature(registry.registered(kind, name)).parameters
    return {"name": name} | {k: v for k, v in {"width": 32, "layers": 1}.items() if k in known}


NETWORKS = {
    **{
        name: lambda name=name: GraphNetwork(
            registry.build("interaction", settings("interaction", name)), {"types": 3, "bonds": 4}
        )
        for name in registry.names("interaction")
    },
    "autoencoder": lambda: registry.build(
        "codec", {"name": "autoencoder", "classes": {"types": 3, "bonds": 2}}
    ),
    "contacts": lambda: registry.build("network", settings("network", "contacts"), **poses.CLASSES),
    "mixture": lambda: registry.build(
        "network", settings("network", "mixture"), **distances.CLASSES
    ),
}
INSIDE = {
    "autoencoder": ("read.interaction.", "write.interaction."),
    "contacts": ("stack.", "encoder.layers."),
    "mixture": ("ligand.", "pocket."),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_muon_takes_the_inner_matrices_of_every_network(name: str) -> None:
    """In the order of the parameters, by which checkpoints name their states."""
    with torch.random.fork_rng():
        network = NETWORKS[name]()
    tables = [m.weight for m in network.modules() if isinstance(m, nn.Embedding)]
    expected = [
        key
        for key, p in network.named_parameters()
        if key.startswith(INSIDE.get(name, ("interaction.",)))
        and p.ndim == 2
        and min(p.shape) >= 32
        and not any(p is table for table in tables)
    ]
    known = {id(p): key for key, p in network.named_parameters()}
    for given in (network, Wrapper(network)):
        muon = Optimizers(given, OptimizerConfig(name="muon")).parts[1]
        assert [known[id(p)] for p in muon.param_groups[0]["params"]] == expected != []


def test_muon_says_so_where_it_finds_no_matrix() -> None:
    sizes = dict.fromkeys(("width", "pair_width", "message_width", "context_width"), 16)
    narrow = GraphNetwork(registry.build("interaction", {"name": "egnn", **sizes}), {"types": 3})
    with pytest.raises(ConfigError, match="no matrix of 32 x 32"):
        Optimizers(narrow, OptimizerConfig(name="muon"))
    with pytest.raises(ConfigError, match="matrices of 'Linear'"):
        Optimizers(nn.Linear(64, 64), OptimizerConfig(name="muon"))
    assert len(Optimizers(narrow, OptimizerConfig(name="adamw")).parts) == 1


@pytest.mark.parametrize("name", NAMES)
def test_state_is_everything(name: str) -> None:
    whole, first = Small(), Small()
    train(whole, Optimizers(whole, OptimizerConfig(name=name)), range(8))
    optimizers = Optimizers(first, OptimizerConfig(name=name))
    train(first, optimizers, range(4))
    second = Small()
    second.load_state_dict(first.state_dict())
    resumed = Optimizers(second, OptimizerConfig(name=name))
    resumed.load({k: v.clone() for k, v in optimizers.state().items()})
    train(second, resumed, range(4, 8))
    for ours, theirs in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_step_without_a_finite_gradient_is_left_out(name: str, bad: float) -> None:
    network = Small()
    optimizers = Optimizers(network, OptimizerConfig(name=name))
    train(network, optimizers, range(2))
    held = [p.detach().clone() for p in network.parameters()]
    (network.loss(3) * bad).backward()
    assert not torch.isfinite(torch.tensor(optimizers.step(0.01)))
    assert all(torch.equal(p, h) for p, h in zip(network.parameters(), held, strict=True))
    assert all(torch.isfinite(torch.tensor(n)) for n in train(network, optimizers, range(4, 6)))


def test_gradients_are_clipped() -> None:
    steps = []
    for factor in (1.0, 1e6):
        network = Small()
        optimizers = Optimizers(network, OptimizerConfig(clip=1e-3))
        (network.loss(0) * factor).backward()
        assert optimizers.step(0.01) > 1e-3
        steps.append([p.detach().clone() for p in network.parameters()])
    for a, b in zip(*steps, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_unknown_optimizer() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'adamw'"):
        Optimizers(Small(), OptimizerConfig(name="adam"))


@pytest.mark.parametrize(("before", "after"), [("adamw", "muon"), ("muon", "adamw")])
def test_the_state_of_another_optimizer_is_refused(before: str, after: str) -> None:
    network = Small()
    optimizers = Optimizers(network, OptimizerConfig(name=before))
    train(network, optimizers, range(2))
    with pytest.raises((KeyError, RuntimeError, ValueError)):
        Optimizers(Small(), OptimizerConfig(name=after)).load(optimizers.state())


def test_average_follows_the_formula() -> None:
    live = torch.tensor([0.0])
    average = Average([live], decay=0.9)
    expected = 0.0
    for step in range(200):
        live.fill_(float(step % 7))
        average.update(step)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * (step % 7)
    assert average.values[0].item() == pytest.approx(expected, rel=1e-5)


def test_swapping_twice_changes_nothing() -> None:
    network = Small()
    average = Average(network.parameters(), 0.9)
    train(network, Optimizers(network, OptimizerConfig()), range(2))
    average.update(0)
    live = [p.detach().clone() for p in network.parameters()]
    mean = [v.clone() for v in average.values]
    average.swap()
    assert all(torch.equal(p, m) for p, m in zip(network.parameters(), mean, strict=True))
    assert all(torch.equal(v, p) for v, p in zip(average.values, live, strict=True))
    average.swap()
    assert all(torch.equal(p, h) for p, h in zip(network.parameters(), live, strict=True))
    assert all(torch.equal(v, m) for v, m in zip(average.values, mean, strict=True))
