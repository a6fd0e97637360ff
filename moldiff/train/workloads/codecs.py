"""Training a codec: molecules through their latents and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.objective import Reconstruction
from moldiff.registry import build
from moldiff.seeds import generator
from moldiff.train.config import TrainConfig
from moldiff.train.loader import SizeBuckets
from moldiff.train.statistics import Statistics
from moldiff.train.workloads.base import Loss, Workload, load_weights
from moldiff.train.workloads.latents import CodecModel, codec_config

__all__ = ["CLOSE", "Codecs", "trials"]

CLOSE = 0.05
"""RMSD in Å within which coordinates count as reconstructed."""

_BATCH = 128


class Codecs(Workload):
    """Reconstruction of molecules: one loss per batch of molecules of one size."""

    score = "graphs"
    model: CodecModel
    loader: SizeBuckets

    def __init__(self, config: TrainConfig, store: Store) -> None:
        train = store.indices("train")
        self.device = config.device
        self.precision: torch.dtype = getattr(torch, config.precision)
        self.loader = SizeBuckets(store, train, batch=config.batch, seed=config.seed)
        self.model = CodecModel.from_config(
            {
                "codec": codec_config(config.network, Statistics.of(store, train)),
                "vocabulary": store.vocabulary.to_dict(),
            },
            seed=generator(config.seed, 0).initial_seed(),
        )
        if config.init is not None:
            load_weights(self.model, CodecModel.load(Path(config.init)), config.init)
        self.objective: Reconstruction = build("codec_objective", config.objective)

    def losses(self, batch: Batch, *, rng: torch.Generator) -> Iterator[Loss]:
        x_0 = batch.to(self.device)
        lower = self.precision is not torch.float32
        with torch.autocast(x_0.device.type, dtype=self.precision, enabled=lower):
            loss, parts = self.objective(self.model.network, x_0, rng=rng)
        yield loss, parts, x_0.graphs


@torch.no_grad()
def trials(
    model: CodecModel,
    store: Store,
    *,
    molecules: int,
    rng: torch.Generator,
    tick: Callable[[], Any] = lambda: None,
) -> dict[str, float]:
    """Reconstruct some validation molecules from the mean of their latents.

    Returns
    -------
    dict
        ``graphs``: share whose elements, charges and bond orders are all right; ``rmsd``: of all
        atoms without alignment, mean in Å; ``close``: share within `CLOSE`; ``noisy_graphs`` and
        ``noisy_rmsd``: the same from a draw of the latents.
    """
    held = store.indices("validation")
    chosen = np.random.default_rng(0).permutation(held)[:molecules]
    chosen = chosen[np.asarray(store.sizes)[chosen] > 1]
    if not len(chosen):
        return {}
    batches = SizeBuckets(store, chosen, batch=_BATCH, seed=0)
    codec, device = model.network, next(model.network.parameters()).device
    found: dict[str, list[Tensor]] = {}
    for step in range(batches.per_epoch):
        tick()
        x_0 = batches[step].to(device)
        z = codec.encode(x_0)
        for kind, latents in {"": z, "noisy_": codec.perturb(z, rng=rng)}.items():
            graphs, rmsd = _errors(codec.reconstruct(latents), x_0)
            found.setdefault(f"{kind}graphs", []).append(graphs.float())
            found.setdefault(f"{kind}rmsd", []).append(rmsd)
    values = {name: torch.cat(parts) for name, parts in found.items()}
    values["close"] = (values["rmsd"] < CLOSE).float()
    return {"samples": len(chosen)} | {k: round(float(v.mean()), 4) for k, v in values.items()}


def _errors(made: Batch, x_0: Batch) -> tuple[Tensor, Tensor]:
    """Return which graphs are right, (b,), and the RMSD of coordinates in Å, (b,)."""
    right = torch.stack([(made[f] == x_0[f]).all(1) for f in x_0 if f != "positions"]).all(0)
    return right, (made["positions"] - x_0["positions"]).square().sum(-1).mean(1).sqrt()
