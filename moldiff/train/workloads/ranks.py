"""Training the rank network on right and wrong poses of complexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from moldiff.data.decoys import Decoys, DecoyStore
from moldiff.diffusion.batch import Batch
from moldiff.model import Model
from moldiff.models import find_model
from moldiff.nn.rank import RankNetwork
from moldiff.registry import register
from moldiff.seeds import generator
from moldiff.train.config import TrainConfig
from moldiff.train.workload import (
    Figures,
    Loss,
    Workload,
    build_objective,
    training_batches,
    validation_sample,
)
from moldiff.train.workloads.poses import ComplexBatches
from moldiff.train.workloads.rightness import GOOD, Rightness, inputs

__all__ = ["Ranks", "trials"]

_NEAR = 4.0  # Å from the bound ligand's atoms: contacts reach 8 Å, and the pockets' files 12 Å


@register("task", "ranks")
class Ranks(Workload):
    """The ranker of finished poses: some poses of several complexes per step."""

    score = "auc_near"
    unit, samples = "complex", "poses"
    store = DecoyStore
    relatives = frozenset({"poses"})
    loader: ComplexBatches
    objective: Rightness

    def __init__(self, config: TrainConfig, data: DecoyStore) -> None:
        self.config, self.data = config, data
        self.loader = training_batches(ComplexBatches, config, data)
        self.model = Model.from_config(
            {"domain": {"name": "ranks"}, "network": config.network},
            seed=generator(config.seed, 0).initial_seed(),
        )
        self.objective = build_objective(config, "ranker of poses")

    def initialise(self) -> None:
        """Start from the weights of a ranker, or from those that a pose model shares with it."""
        if (name := self.config.init) is None:
            return
        first = Model.load(find_model(name))
        if first.subject not in self.relatives:
            super().initialise()
            return
        own = self.model.network.state_dict()
        fitting = {
            key: value
            for key, value in first.network.state_dict().items()
            if key in own and own[key].shape == value.shape
        }
        self.model.network.load_state_dict({**own, **fitting})

    def losses(self, batch: list[Decoys], *, rng: torch.Generator) -> Iterator[Loss]:
        network = self.model.network
        assert isinstance(network, RankNetwork)
        for one in batch:
            x_0 = self.objective.draw(one, device=self.config.device, rng=rng)
            loss, parts = self.objective(network, x_0, rng=rng)
            yield loss / len(batch), parts, len(x_0["positions"])

    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        complexes = self.config.evaluation.samples
        return trials(model, self.data, complexes=complexes, tick=lambda: progress(1.0))


@torch.no_grad()
def trials(
    model: Model,
    store: DecoyStore,
    *,
    complexes: int,
    tick: Callable[[], Any] = lambda: None,
) -> dict[str, float]:
    """Rank the poses of up to ``complexes`` validation complexes.

    The pose that began as the crystal's (the first of each) is left out.

    Returns
    -------
    dict
        ``top1``: share of complexes whose best pose is within 2 Å; ``oracle``: share with any such
        pose; ``auc``: the mean, over complexes with both, of the share of pairs of a right and a
        wrong pose in the right order; ``auc_near``: the same of wrong poses of which every atom is
        within 4 Å of one of the bound ligand, where the pocket's file is whole; ``top1_energy``,
        ``auc_energy`` and ``auc_near_energy``: the same by the energy.  What no complex tells is
        omitted.
    """
    network = model.network
    assert isinstance(network, RankNetwork)
    network.eval()
    top, lowest, oracle = [], [], []
    orders: dict[str, list[Tensor]] = {f"auc{kind}": [] for kind in ("", "_near")}
    orders |= {f"{name}_energy": [] for name in orders}
    for index in validation_sample(store, complexes).tolist():
        tick()
        one = store[index]
        if len(one.pose) < 2:
            continue
        ligand, pocket = inputs(one.complex)
        x = torch.from_numpy(one.pose[1:]) - pocket.centre
        poses = Batch({"positions": x}, {"ligand": ligand, "pocket": pocket}).to(model.device)
        logits = network(poses).cpu()
        good = torch.from_numpy(one.deviation[1:]) <= GOOD
        top.append(good[logits.argmax()])
        energy = torch.from_numpy(one.energy[1:])
        lowest.append(good[energy.argmin()])
        oracle.append(good.any())
        apart = torch.cdist(x, torch.from_numpy(one.complex.crystal) - pocket.centre)
        wrong = {"auc": ~good, "auc_near": ~good & (apart.amin(2).amax(1) <= _NEAR)}
        for name, rows in wrong.items():
            if good.any() and rows.any():
                orders[name].append(_ordered(logits[good], logits[rows]))
                orders[f"{name}_energy"].append(_ordered(-energy[good], -energy[rows]))
    if not top:
        return {}
    shares = {"top1": top, "oracle": oracle, "top1_energy": lowest} | orders
    figures = {
        name: round(float(torch.stack(values).float().mean()), 4)
        for name, values in shares.items()
        if values
    }
    return {"samples": len(top)} | figures


def _ordered(right: Tensor, wrong: Tensor) -> Tensor:
    """The share of pairs in which the right one is higher; ties count half."""
    above, level = right[:, None] > wrong, right[:, None] == wrong
    return (above.float() + 0.5 * level.float()).mean()
