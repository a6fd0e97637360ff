"""Training the distance likelihood (`moldiff.docking.judge.distances`) on crystal poses.

The loss is the negative log-likelihood of the crystal poses' distances per ligand atom, in
nats: - sum log p(d) over the pairs nearer than 8 Å, - sum log P(beyond) over the others.  There
are many times more of the others, so as many as there are near ones are drawn at random, and
weighted so that the expectation is that of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moldiff.data.complexes import Complex, ComplexStore
from moldiff.docking.judge.distances import LikelihoodModel
from moldiff.domain.distances import sites
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.geometry.tensors import symmetric_rmsd
from moldiff.nn.distances import DistanceNetwork
from moldiff.nn.mixture import REACH
from moldiff.nn.sites import Sites, join, nearest
from moldiff.registry import build, register
from moldiff.seeds import generator
from moldiff.train.config import TrainConfig
from moldiff.train.workloads.base import Loss, Workload, load_weights
from moldiff.train.workloads.poses import ComplexBatches

__all__ = ["ComplexBatch", "Likelihoods", "Pairs", "decoys", "make_batch", "pair_loss", "trials"]

DECOYS = 40
"""Perturbed poses of each validation complex among which the best is looked for."""

_GOOD = 2.0  # Å
# Largest standard deviations of a decoy: Å along an axis, radians about one, radians of a rotor.
_SHIFT, _TURN, _TWIST = 2.5, 1.0, 1.5


@dataclass(frozen=True, eq=False)
class ComplexBatch:
    """b ligands padded to n atoms, their pockets joined to s sites, and the pairs of interest.

    Attributes
    ----------
    atoms, pairs, real:
        (b, n, a) and (b, n, n) classes, and (b, n) which atoms are no padding.
    sites:
        All pockets.
    near, distances:
        (2, e) padded atom and site of the pairs within reach, (e,) their distances in Å.
    far, weight:
        (2, f) pairs out of reach, and how many each stands for, (f,).
    """

    atoms: Tensor
    pairs: Tensor
    real: Tensor
    sites: Sites
    near: Tensor
    distances: Tensor
    far: Tensor
    weight: Tensor


@register(
    "likelihood_objective",
    "pairs",
    cites={"mendezlucio2021": "negative log-likelihood of the crystal poses' distances"},
)
@dataclass(frozen=True)
class Pairs:
    """Negative log-likelihood of distances, with pockets cut at a random sphere.

    Parameters
    ----------
    jitter:
        Standard deviation of the sphere's centre along an axis, Å: the ligand must not always
        be in the middle of what is given.
    beyond:
        Range of the sphere's radius, added to the ligand's, Å.
    """

    jitter: float = 1.5
    beyond: tuple[float, float] = (7.0, 12.0)

    def crop(self, c: Complex, *, rng: torch.Generator) -> Complex:
        """Return the complex with the residues that have an atom in the sphere."""
        middle = c.crystal.mean(0)
        centre = middle + self.jitter * torch.randn(3, generator=rng).numpy()
        low, high = self.beyond
        radius = np.linalg.norm(c.crystal - middle, axis=1).max()
        radius += low + (high - low) * float(torch.rand((), generator=rng))
        inside = np.linalg.norm(c.pocket - centre, axis=1) < radius
        kept = np.isin(c.residue, c.residue[inside])
        if kept.sum() < 2:
            return c
        return replace(c, pocket=c.pocket[kept], tokens=c.tokens[kept], residue=c.residue[kept])


def make_batch(complexes: list[Complex], *, rng: torch.Generator) -> ComplexBatch:
    """Collate complexes; ``rng`` draws the pairs that are out of reach."""
    b, n = len(complexes), max(len(c.atoms) for c in complexes)
    atoms = torch.zeros(b, n, complexes[0].atoms.shape[1], dtype=torch.int64)
    pairs = torch.zeros(b, n, n, dtype=torch.int64)
    real = torch.zeros(b, n, dtype=torch.bool)
    pockets: list[Sites] = []
    near, far, distances, weights = [], [], [], []
    start = 0
    for k, c in enumerate(complexes):
        size = len(c.atoms)
        atoms[k, :size] = torch.from_numpy(c.atoms)
        pairs[k, :size, :size] = torch.from_numpy(c.pairs)
        real[k, :size] = True
        x = torch.from_numpy(c.crystal)
        pocket = pocket_of(c)
        distance = nearest(x, pocket, REACH)
        inside = (distance < REACH).nonzero()
        outside = (distance >= REACH).nonzero()
        drawn = torch.randint(len(outside), (min(len(inside), len(outside)),), generator=rng)
        offset = torch.tensor([k * n, start])
        near.append(inside + offset)
        far.append(outside[drawn] + offset)
        distances.append(distance[tuple(inside.T)])
        weights.append(torch.full((len(drawn),), len(outside) / max(1, len(drawn))))
        pockets.append(pocket)
        start += len(pocket)
    return ComplexBatch(
        atoms,
        pairs,
        real,
        join(pockets),
        torch.cat(near).T,
        torch.cat(distances),
        torch.cat(far).T,
        torch.cat(weights),
    )


def pocket_of(c: Complex) -> Sites:
    """Return the sites of a complex."""
    return sites(
        torch.from_numpy(c.pocket),
        torch.from_numpy(c.tokens).long(),
        torch.from_numpy(c.residue).long(),
    )


def pair_loss(network: DistanceNetwork, batch: ComplexBatch) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss in nats per ligand atom, and its parts."""
    ligand = network.encode_ligand(batch.atoms, batch.pairs, batch.real).flatten(0, 1)
    places = network.encode_pocket(batch.sites)
    (i, j), (k, m) = batch.near, batch.far
    atom, site = torch.cat([i, k]), torch.cat([j, m])
    mixtures = network.mixtures(ligand.index_select(0, atom), places.index_select(0, site))
    count = batch.real.sum()
    near = -mixtures[: len(i)].log_density(batch.distances).sum() / count
    far = -(batch.weight * mixtures[len(i) :].log_far()).sum() / count
    return near + far, {"near": near.detach(), "far": far.detach()}


class Likelihoods(Workload):
    """Distances in crystal structures: one loss per batch of complexes."""

    score = "top1"
    model: LikelihoodModel
    objective: Pairs

    def __init__(self, config: TrainConfig, store: ComplexStore) -> None:
        train = store.indices("train")
        self.loader = ComplexBatches(store, train, batch=config.batch, seed=config.seed)
        self.model = LikelihoodModel.from_config(
            {"network": config.network}, seed=generator(config.seed, 0).initial_seed()
        )
        if config.init is not None:
            load_weights(self.model, LikelihoodModel.load(Path(config.init)), config.init)
        self.objective = build("likelihood_objective", config.objective)

    def losses(self, batch: list[Complex], *, rng: torch.Generator) -> Iterator[Loss]:
        made = make_batch([self.objective.crop(c, rng=rng) for c in batch], rng=rng)
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            seed = int(torch.randint(1 << 62, (), generator=rng))
            torch.default_generator.manual_seed(seed)
            yield *pair_loss(self.model.network, made), len(batch)


def decoys(c: Complex, count: int, *, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the crystal pose moved by more and more, (count, n, 3) Å, and its RMSD in Å.

    RMSD is symmetry-corrected, heavy atoms, no alignment.
    """
    crystal = torch.from_numpy(c.crystal)
    centre = crystal.mean(0)
    kinematics = Kinematics(
        (crystal - centre)[None],
        torch.from_numpy(c.axis.astype(np.int64)),
        torch.from_numpy(c.moves),
    )
    rotors = len(c.axis)
    start = Pose(
        torch.zeros(count, dtype=torch.int64),
        centre.expand(count, 3),
        torch.eye(3).expand(count, 3, 3),
        torch.zeros(count, rotors),
    )
    spread = torch.tensor([_SHIFT] * 3 + [_TURN] * 3 + [_TWIST] * rotors)
    amount = torch.linspace(1 / count, 1, count)[:, None]
    tangent = amount * spread * torch.randn(count, 6 + rotors, generator=rng)
    x = kinematics.place(kinematics.retract(start, tangent))
    return x, symmetric_rmsd(x, crystal, torch.from_numpy(c.symmetry.astype(np.int64)))


@torch.no_grad()
def trials(
    model: LikelihoodModel,
    store: ComplexStore,
    *,
    complexes: int,
    tick: Callable[[], Any] = lambda: None,
) -> dict[str, float]:
    """Rank `DECOYS` perturbed poses of each of some validation complexes.

    Returns
    -------
    dict
        ``top1``: share of complexes whose best decoy by likelihood is within 2 Å; ``rmsd``: its
        median RMSD in Å; ``oracle``: share with such a decoy at all; ``nats``: the loss.
    """
    chosen = np.random.default_rng(0).permutation(store.indices("validation"))[:complexes]
    best, least, nats = [], [], []
    for index in chosen.tolist():
        tick()
        c, rng = store[index], generator(0, index)
        x, rmsd = decoys(c, DECOYS, rng=rng)
        atoms, pairs = torch.from_numpy(c.atoms).long(), torch.from_numpy(c.pairs).long()
        scores = model.encode(atoms, pairs, pocket_of(c))(x)
        best.append(rmsd[scores.argmax()])
        least.append(rmsd.min())
        nats.append(pair_loss(model.network, make_batch([c], rng=rng))[0])
    if not best:
        return {}
    found = torch.stack(best)
    figures = {
        "top1": (found <= _GOOD).float().mean(),
        "rmsd": found.median(),
        "oracle": (torch.stack(least) <= _GOOD).float().mean(),
        "nats": torch.stack(nats).mean(),
    }
    return {"samples": len(best)} | {k: round(float(v), 4) for k, v in figures.items()}
