"""What is timed: steps of the real trainer on synthetic molecules, also with earlier settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from moldiff.benchmark.peers import Peer
from moldiff.benchmark.timing import Work, flops
from moldiff.chem import Encoded, Vocabulary
from moldiff.data.store import Entry, Store
from moldiff.diffusion.objective import Denoising
from moldiff.errors import ConfigError
from moldiff.model import Model
from moldiff.precision import Precision, products
from moldiff.registry import build, describe
from moldiff.seeds import generator
from moldiff.train import TrainConfig, Trainer
from moldiff.train.config import OptimizerConfig
from moldiff.train.muon import Muon
from moldiff.train.optimizer import Average, Optimizers

__all__ = ["VOCABULARY", "Training", "configuration", "peer_training_step", "share", "training"]

# Element -> most hydrogens folded into it, as in sets of drug-like molecules.
_KINDS = {"C": 4, "N": 3, "O": 2, "F": 0, "P": 1, "S": 1, "Cl": 0, "Br": 0, "I": 0}
VOCABULARY = Vocabulary(
    tuple(e for e, most in _KINDS.items() for _ in range(most + 1)),
    (-1, 0, 1),
    tuple(h for most in _KINDS.values() for h in range(most + 1)),
)
"""Heavy-atom skeletons of drug-like molecules: 20 classes of atoms, 3 charges, 4 bonds."""

_ENDLESS = 10**8  # steps of the run, of which some are timed
_BATCHES = 4  # of synthetic molecules
_BOND = 1.5  # Å


@dataclass(frozen=True)
class Training:
    """A run of the trainer.

    Attributes
    ----------
    step:
        Takes the next batch and trains on it.
    gflop:
        Counts the GFLOP of the network's matrix products in a step, forward and backward.
    model:
        The model in training.
    """

    step: Work
    gflop: Callable[[], float]
    model: Model


@contextmanager
def training(
    recipe: Path,
    batch: int,
    sites: int,
    *,
    precision: Precision,
    self_condition: float,
    threads: int = 1,
    earlier: bool = False,
) -> Iterator[Training]:
    """Give a run of a configuration on synthetic molecules, for the duration of a ``with`` block.

    Parameters
    ----------
    recipe:
        File of the configuration.
    batch, sites:
        Molecules per step, and their size.
    self_condition:
        Fraction of steps with self-conditioning, instead of the configuration's.
    earlier:
        Update the weights as at commit dfa4b98.
    """
    with TemporaryDirectory() as folder:
        config = configuration(
            recipe,
            data=str(Path(folder) / "data"),
            output=str(Path(folder) / "run"),
            batch=batch,
            precision=precision,
            threads=threads,
            self_condition=self_condition,
        )
        trainer = Trainer(config, _molecules(Path(config.data), _BATCHES * batch, sites))
        if earlier:
            _as_earlier(trainer.optimizers, config.optimizer)
        with closing(trainer.fit()) as steps:
            yield Training(
                lambda: next(steps), lambda: flops(lambda: _gradients(trainer)) / 1e9, trainer.model
            )


def configuration(
    recipe: Path, *, self_condition: float | None = None, **changes: object
) -> TrainConfig:
    """Read a configuration for a run without end, judging or saving.

    Raises
    ------
    ConfigError, InputError
        If it cannot be read.
    """
    endless = {
        "pieces": 1,
        "steps": _ENDLESS,
        "checkpoint_minutes": 1e9,
        "evaluation": {"every": 0},
    }
    config = TrainConfig.from_yaml(recipe, **(endless | changes))
    if self_condition is None:
        return config
    given = config.objective
    objective = {"name": given} if isinstance(given, str) else dict(given)
    return dataclasses.replace(config, objective=objective | {"self_condition": self_condition})


def share(config: TrainConfig) -> float:
    """Return the share of a configuration's steps that have self-conditioning.

    Raises
    ------
    ConfigError
        If it trains something else than a denoiser of molecules.
    """
    objective = build("objective", config.objective)
    if config.task != "molecules" or not isinstance(objective, Denoising):
        raise ConfigError(
            f"The benchmark times the objective 'denoising' of molecules, not "
            f"'{describe(objective)['name']}' of the task '{config.task}'.",
            fix="Give another --recipe, e.g. qm9-skeleton.",
        )
    return objective.self_condition


def _as_earlier(optimizers: Optimizers, config: OptimizerConfig) -> None:
    """Exchange the optimizers for those of commit dfa4b98.

    These are torch's own Muon, which orthogonalises in bfloat16 whatever the precision, and an
    AdamW that loops over the parameters in Python.
    """
    parts: list[torch.optim.Optimizer] = []
    for part in optimizers.parts:
        parameters = [p for group in part.param_groups for p in group["params"]]
        rates: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay}
        parts.append(
            torch.optim.Muon(parameters, **rates, adjust_lr_fn="match_rms_adamw")
            if isinstance(part, Muon)
            else torch.optim.AdamW(parameters, **rates, betas=config.betas)
        )
    optimizers.parts = parts


def peer_training_step(
    peer: Peer, b: int, n: int, *, precision: torch.dtype, config: OptimizerConfig
) -> Work:
    """Return a training step of a peer's network on b graphs of n atoms.

    It is optimised as this package optimises: a fused AdamW, clipping and a moving average.
    """
    network = peer.build().train().requires_grad_(True)
    optimizers = Optimizers(network, dataclasses.replace(config, name="adamw"))
    average = Average(network.parameters(), config.ema)
    inputs = network.example(b, n, rng=torch.Generator().manual_seed(0))

    def step() -> float:
        with products(precision, inputs[0].device):
            outputs = network(*inputs)
        loss = torch.stack([output.float().square().mean() for output in outputs]).sum()
        loss.backward()
        norm = optimizers.step(config.lr)
        average.update(1000)
        return norm

    return step


def _gradients(trainer: Trainer) -> None:
    for loss, _, _ in trainer.work.losses(trainer.loader[0], rng=generator(0, 0)):
        loss.backward()
    trainer.network.zero_grad(set_to_none=True)


def _molecules(path: Path, count: int, sites: int) -> Store:
    """Chains of bonds of usual length that go at random, of random classes."""
    random = np.random.default_rng(0)
    pairs = np.triu_indices(sites, 1)
    bonds = (pairs[1] - pairs[0] == 1).astype(np.int8)

    def entry(index: int) -> Entry:
        steps = random.normal(size=(sites, 3))
        steps *= _BOND / np.linalg.norm(steps, axis=1, keepdims=True)
        types, charges = (
            random.integers(VOCABULARY.classes[f], size=sites).astype(np.int8)
            for f in ("types", "charges")
        )
        encoded = Encoded(steps.cumsum(0).astype(np.float32), types, charges, bonds)
        return Entry(encoded, "", 0, index)

    entries = (entry(index) for index in range(count))
    return Store.write(path, entries, vocabulary=VOCABULARY, source="synthetic chains")
