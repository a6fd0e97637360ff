"""What is timed: a sampling step and a whole generation of moldiff, a training step; peers.

Every function returns a call without arguments that does the same work each time.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from moldiff.benchmark.pairs import PeerNetwork
from moldiff.benchmark.timing import Work
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.objective import Denoising
from moldiff.diffusion.sampler import Sampler
from moldiff.generation.request import Request
from moldiff.generation.run import generate, sample_batch
from moldiff.generation.sampling import molecules_of, sampled
from moldiff.model import Model
from moldiff.precision import products
from moldiff.registry import build
from moldiff.train import TrainConfig
from moldiff.train.optimizer import Average, Optimizers

__all__ = [
    "as_generated",
    "generation",
    "inference",
    "peer_evaluation",
    "peer_loop",
    "sampling_loop",
    "sampling_step",
    "training_step",
    "typical_size",
    "with_autocast",
]


def typical_size(model: Model) -> int:
    """Return the mean number of atoms of the model's molecules, rounded."""
    sizes = molecules_of(model).sizes
    return round(sum(n * weight for n, weight in sizes.items()) / sum(sizes.values()))


def as_generated(model: Model, precision: torch.dtype | None = None) -> tuple[Denoiser, Sampler]:
    """Return what ``generate`` would use, in a given precision of the network's products."""
    used = model if precision is None else model.replace(precision=precision)
    return sampled(used, used.denoiser, used.sampling)


def sampling_step(model: Model, b: int, n: int, *, precision: torch.dtype | None = None) -> Work:
    """Return a step of the model's own sampler on b graphs of n atoms.

    It is the second step of a trajectory: from there on the network reads its own last
    prediction.
    """
    rng = torch.Generator().manual_seed(0)
    denoiser, sampler = as_generated(model, precision)
    times = sampler.grid.times(sampler.steps).tolist()
    with torch.no_grad():
        states = sampler.trajectory(denoiser, model.denoiser.process.prior(b, n, rng=rng), rng=rng)
        state = next(states)
        if sampler.steps > 1:
            state = next(states)
    target = times[state.step + 1]

    def step() -> object:
        return sampler.stepper.step(denoiser, state, target, rng=rng)

    return step


def sampling_loop(model: Model, b: int, n: int, steps: int) -> Work:
    """Return a whole sampling of b graphs of n atoms in a number of steps."""
    rng = torch.Generator().manual_seed(0)
    denoiser, sampler = as_generated(model)
    sampler = dataclasses.replace(sampler, steps=steps)
    return lambda: sample_batch(model, denoiser, sampler, b, n, rng=rng)


def generation(model: Model, b: int, n: int) -> Work:
    """Return all of ``moldiff.generate`` for b molecules of n atoms: also decoding and checks."""
    return lambda: list(generate(model, Request(b, size=n)))


def training_step(model: Model, recipe: Path, b: int, n: int) -> Work:
    """Return the arithmetic of a training step of a new network of the model's kind.

    The `Trainer`, which ``scripts/benchmark training`` times, also sets the allocator, whose effect
    is measured with this.  ``recipe`` is a training configuration; its objective, without
    self-conditioning, and its optimizer are used.
    """
    config = TrainConfig.from_yaml(recipe)
    rng = torch.Generator().manual_seed(0)
    fresh = Model.from_config(model.config())
    objective: Denoising = build("objective", config.objective)
    objective = dataclasses.replace(objective, self_condition=0.0)
    optimizers = Optimizers(fresh.network, config.optimizer)
    average = Average(fresh.network.parameters(), config.optimizer.ema)
    x_0 = model.denoiser.process.prior(b, n, rng=rng)

    def step() -> float:
        loss, _ = objective(fresh.denoiser, x_0, rng=rng)
        loss.backward()
        norm = optimizers.step(config.optimizer.rate(1000, config.steps))
        average.update(1000)
        return norm

    return step


def peer_evaluation(network: PeerNetwork, b: int, n: int) -> Work:
    """Return one evaluation of a peer's network on b graphs of n atoms."""
    inputs = network.example(b, n, rng=torch.Generator().manual_seed(0))
    return lambda: network(*inputs)


def peer_loop(network: PeerNetwork, b: int, n: int, steps: int) -> Work:
    """Return a sampling of a peer: evaluate, move the positions, add noise, repeat."""
    rng = torch.Generator().manual_seed(0)
    positions, *features = network.example(b, n, rng=rng)

    def loop() -> object:
        x = positions
        for _ in range(steps):
            predicted = network(x, *features)[0]
            x = x - 0.01 * predicted + 0.01 * torch.randn(x.shape, generator=rng)
            x = x - x.mean(1, keepdim=True)
        return x

    return loop


def with_autocast(work: Work, dtype: torch.dtype) -> Work:
    """Return the work with its large products in another precision."""

    def run() -> object:
        with products(dtype, torch.device("cpu")):
            return work()

    return run


def inference(work: Work) -> Work:
    """Return the work without records for gradients, as sampling does it."""

    def run() -> object:
        with torch.inference_mode():
            return work()

    return run
