"""Training a codec, which encodes molecules as latents and reconstructs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.latent import Codec
from moldiff.diffusion.objective import Reconstruction
from moldiff.errors import ConfigError
from moldiff.model import Model
from moldiff.parallel import Progress
from moldiff.precision import products, resolve
from moldiff.registry import build, register
from moldiff.seeds import generator
from moldiff.train.config import TrainConfig
from moldiff.train.data import molecule_store, prepare_molecules
from moldiff.train.loader import SizeBuckets
from moldiff.train.statistics import Statistics
from moldiff.train.workload import (
    Figures,
    Loss,
    Say,
    Workload,
    batches,
    build_objective,
    training_batches,
    validation_sample,
)
from moldiff.train.workloads.check import ANY
from moldiff.train.workloads.latents import codec_config

__all__ = ["CLOSE", "Codecs", "trials"]

CLOSE = 0.05
"""RMSD in Å below which coordinates count as reconstructed."""

_BATCH = 128


@register("task", "codec")
class Codecs(Workload):
    """Reconstruction of molecules: one loss per batch of molecules of one size."""

    score = "graphs"
    unit, samples = "molecule", "molecules"
    options = frozenset({"balance"})
    loader: SizeBuckets
    objective: Reconstruction

    def __init__(self, config: TrainConfig, data: Store) -> None:
        train = data.indices("train")
        self.config, self.data = config, data
        self.precision: torch.dtype = resolve(config.precision, config.device)
        self.loader = training_batches(SizeBuckets, config, data, balance=config.balance)
        vocabulary = data.vocabulary.to_dict()
        self.model = Model.from_config(
            {
                "domain": {"name": "molecules", "vocabulary": vocabulary, "sizes": {}},
                "network": codec_config(config.network, Statistics.of(data, train)),
            },
            seed=generator(config.seed, 0).initial_seed(),
        )
        self.objective = build_objective(config, "codec")

    @classmethod
    def prepare(
        cls, config: TrainConfig, say: Say, *, jobs: int = 1, progress: Progress | None = None
    ) -> None:
        prepare_molecules(config, say, jobs=jobs, progress=progress)

    @classmethod
    def open(cls, config: TrainConfig, say: Say) -> Store:
        return molecule_store(config)

    @classmethod
    def check(cls, config: TrainConfig) -> list[str]:
        if config.codec is not None:
            raise ConfigError(
                "The task 'codec' trains a codec; it cannot work in the latents of another.",
                fix="Leave out 'codec', or set 'task: molecules'.",
            )
        build("codec", codec_config(config.network, ANY))
        build_objective(config, "codec")
        return []

    def identity(self) -> dict[str, Any]:
        return batches(self.config)

    def losses(self, batch: Batch, *, rng: torch.Generator) -> Iterator[Loss]:
        x_0 = batch.to(self.config.device)
        codec = self.model.network
        assert isinstance(codec, Codec)
        with products(self.precision, x_0.device):
            loss, parts = self.objective(codec, x_0, rng=rng)
        yield self.loader.weight(x_0) * loss, parts, x_0.graphs

    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        return trials(
            model,
            self.data,
            molecules=self.config.evaluation.samples,
            rng=rng,
            tick=lambda: progress(1.0),
        )


@torch.no_grad()
def trials(
    model: Model,
    store: Store,
    *,
    molecules: int,
    rng: torch.Generator,
    tick: Callable[[], Any] = lambda: None,
) -> dict[str, float]:
    """Reconstruct up to ``molecules`` validation molecules from the mean of their latents.

    Returns
    -------
    dict
        ``graphs``: share with all elements, charges and bond orders right; ``rmsd``: of all
        atoms without alignment, mean in Å; ``close``: share within `CLOSE`; ``noisy_graphs`` and
        ``noisy_rmsd``: the same from a draw of the latents.
    """
    chosen = validation_sample(store, molecules)
    chosen = chosen[np.asarray(store.sizes)[chosen] > 1]
    if not len(chosen):
        return {}
    batches = SizeBuckets(store, chosen, batch=_BATCH, seed=0)
    codec, device = model.network, model.device
    assert isinstance(codec, Codec)
    errors: dict[str, list[Tensor]] = {}
    for step in range(batches.per_epoch):
        tick()
        x_0 = batches[step].to(device)
        z = codec.latents(x_0)
        for kind, latents in {"": z, "noisy_": codec.perturb(z, rng=rng)}.items():
            graphs, rmsd = _errors(codec.reconstruct(latents), x_0)
            errors.setdefault(f"{kind}graphs", []).append(graphs.float())
            errors.setdefault(f"{kind}rmsd", []).append(rmsd)
    values = {name: torch.cat(parts) for name, parts in errors.items()}
    values["close"] = (values["rmsd"] < CLOSE).float()
    return {"samples": len(chosen)} | {k: round(float(v.mean()), 4) for k, v in values.items()}


def _errors(output: Batch, x_0: Batch) -> tuple[Tensor, Tensor]:
    """Return whether each graph is right, (b,), and the RMSD of coordinates in Å, (b,)."""
    right = torch.stack([(output[f] == x_0[f]).all(1) for f in x_0 if f != "positions"]).all(0)
    return right, (output["positions"] - x_0["positions"]).square().sum(-1).mean(1).sqrt()
