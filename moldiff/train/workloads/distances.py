"""Training the distance network (`moldiff.nn.distances`) on crystal poses.

The loss is the negative log-likelihood of the crystal poses' distances per ligand atom, in
nats: - sum log p(d) over the pairs nearer than 8 Å, - sum log P(beyond) over the others.  Far pairs
vastly outnumber near ones; as many are sampled as there are near ones and reweighted, which keeps
the loss unbiased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from moldiff.data.complexes import Complex, ComplexStore
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.objective import Loss as ObjectiveLoss
from moldiff.diffusion.objective import Objective
from moldiff.domain.distances import sites
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.geometry.tensors import symmetric_rmsd
from moldiff.model import Model
from moldiff.nn.distances import DistanceNetwork
from moldiff.nn.inputs import LigandInput
from moldiff.nn.mixture import REACH
from moldiff.nn.sites import Sites, join, nearest
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

__all__ = ["DistanceLoss", "Distances", "decoys", "make_batch", "pair_loss", "trials"]

DECOYS = 40
"""Perturbed poses per validation complex, from which the best is chosen."""

_GOOD = 2.0  # Å
# Largest standard deviations of a decoy: Å along an axis, radians about one, radians of a rotor.
_SHIFT, _TURN, _TWIST = 2.5, 1.0, 1.5


@dataclass(frozen=True, eq=False)
class PairsOfInterest:
    """The pairs of ligand atoms and sites in a loss.

    Attributes
    ----------
    near, distances:
        (2, e) padded atom and site of the pairs within reach, (e,) their distances in Å.
    far, weight:
        (2, f) sampled pairs out of reach, and how many pairs each represents, (f,).
    """

    near: Tensor
    distances: Tensor
    far: Tensor
    weight: Tensor

    def to(self, device: torch.device | str) -> PairsOfInterest:
        """Return them on a device."""
        parts = (self.near, self.distances, self.far, self.weight)
        return PairsOfInterest(*(part.to(device) for part in parts))


@register(
    "objective",
    "pairs",
    cites={"mendezlucio2021": "negative log-likelihood of the crystal poses' distances"},
)
@dataclass(frozen=True)
class DistanceLoss(Objective):
    """Negative log-likelihood of distances, with pockets cropped to a random sphere.

    Parameters
    ----------
    jitter:
        Standard deviation of the sphere's centre along an axis, Å, so that the
        ligand is not always in the middle of its pocket.
    beyond:
        Range of the sphere's radius, added to the ligand's, Å.
    """

    trains: ClassVar[str] = "judge of distances"

    jitter: float = 1.5
    beyond: tuple[float, float] = (7.0, 12.0)

    def batch(self, complexes: list[Complex], *, rng: torch.Generator) -> Batch:
        """Collate complexes with pockets cropped to random spheres."""
        return make_batch([self.crop(c, rng=rng) for c in complexes], rng=rng)

    def __call__(
        self,
        trained: DistanceNetwork,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> ObjectiveLoss:
        """Return the loss in nats per ligand atom, and its parts ``near`` and ``far``."""
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            seed = int(torch.randint(1 << 62, (), generator=rng))
            torch.default_generator.manual_seed(seed)
            return pair_loss(trained, x_0)

    def crop(self, c: Complex, *, rng: torch.Generator) -> Complex:
        """Return the complex with only the residues that have an atom in the sphere."""
        middle = c.crystal.mean(0)
        centre = middle + self.jitter * torch.randn(3, generator=rng).numpy()
        low, high = self.beyond
        radius = np.linalg.norm(c.crystal - middle, axis=1).max()
        radius += low + (high - low) * float(torch.rand((), generator=rng))
        inside = np.linalg.norm(c.pocket - centre, axis=1) < radius
        mask = np.isin(c.residue, c.residue[inside])
        if mask.sum() < 2:
            return c
        return replace(c, pocket=c.pocket[mask], tokens=c.tokens[mask], residue=c.residue[mask])


def make_batch(complexes: list[Complex], *, rng: torch.Generator) -> Batch:
    """Collate b complexes; ``rng`` samples the pairs out of reach.

    The ligands are padded to n atoms, with crystal ``positions`` (b, n, 3) in Å.  The context holds
    ``ligand`` (a `LigandInput` with b rows), ``real`` (b, n), true for atoms and false for padding,
    ``pocket``, the s sites of all pockets, and ``pairs`` (`PairsOfInterest`).
    """
    b, n = len(complexes), max(len(c.atoms) for c in complexes)
    atoms = torch.zeros(b, n, complexes[0].atoms.shape[1], dtype=torch.int64)
    pairs = torch.zeros(b, n, n, dtype=torch.int64)
    real = torch.zeros(b, n, dtype=torch.bool)
    positions = torch.zeros(b, n, 3)
    pockets: list[Sites] = []
    near, far, distances, weights = [], [], [], []
    start = 0
    for k, c in enumerate(complexes):
        size = len(c.atoms)
        atoms[k, :size] = torch.from_numpy(c.atoms)
        pairs[k, :size, :size] = torch.from_numpy(c.pairs)
        real[k, :size] = True
        positions[k, :size] = x = torch.from_numpy(c.crystal)
        pocket = pocket_of(c)
        distance = nearest(x, pocket, REACH)
        inside = (distance < REACH).nonzero()
        outside = (distance >= REACH).nonzero()
        sample = torch.randint(len(outside), (min(len(inside), len(outside)),), generator=rng)
        offset = torch.tensor([k * n, start])
        near.append(inside + offset)
        far.append(outside[sample] + offset)
        distances.append(distance[tuple(inside.T)])
        weights.append(torch.full((len(sample),), len(outside) / max(1, len(sample))))
        pockets.append(pocket)
        start += len(pocket)
    selection = PairsOfInterest(
        torch.cat(near).T, torch.cat(distances), torch.cat(far).T, torch.cat(weights)
    )
    context = {"ligand": LigandInput(atoms, pairs), "real": real, "pocket": join(pockets)}
    return Batch({"positions": positions}, {**context, "pairs": selection})


def pocket_of(c: Complex) -> Sites:
    """Return the sites of a complex."""
    return sites(
        torch.from_numpy(c.pocket),
        torch.from_numpy(c.tokens).long(),
        torch.from_numpy(c.residue).long(),
    )


def pair_loss(network: DistanceNetwork, batch: Batch) -> ObjectiveLoss:
    """Return the loss in nats per ligand atom, and its parts."""
    ligand, real, pairs = (batch.context[key] for key in ("ligand", "real", "pairs"))
    atoms = network.encode_ligand(ligand.atoms, ligand.pairs, real).flatten(0, 1)
    places = network.encode_pocket(batch.context["pocket"])
    (i, j), (k, m) = pairs.near, pairs.far
    atom, site = torch.cat([i, k]), torch.cat([j, m])
    mixtures = network.mixtures(atoms.index_select(0, atom), places.index_select(0, site))
    count = real.sum()
    near = -mixtures[: len(i)].log_density(pairs.distances).sum() / count
    far = -(pairs.weight * mixtures[len(i) :].log_far()).sum() / count
    return near + far, {"near": near.detach(), "far": far.detach()}


@register("task", "distances")
class Distances(Workload):
    """The judge of poses: distances in crystal structures, one loss per batch of complexes."""

    score = "top1"
    unit, samples = "complex", "complexes"
    store = ComplexStore
    loader: ComplexBatches
    objective: DistanceLoss

    def __init__(self, config: TrainConfig, data: ComplexStore) -> None:
        self.config, self.data = config, data
        self.loader = training_batches(ComplexBatches, config, data)
        self.model = Model.from_config(
            {"domain": {"name": "distances"}, "network": config.network},
            seed=generator(config.seed, 0).initial_seed(),
        )
        self.objective = build_objective(config, "judge of distances")

    def losses(self, batch: list[Complex], *, rng: torch.Generator) -> Iterator[Loss]:
        x_0 = self.objective.batch(batch, rng=rng).to(self.config.device)
        network = self.model.network
        assert isinstance(network, DistanceNetwork)
        yield *self.objective(network, x_0, rng=rng), x_0.graphs

    def judge(
        self, model: Model, rng: torch.Generator, progress: Callable[[float], None]
    ) -> Figures:
        complexes = self.config.evaluation.samples
        return trials(model, self.data, complexes=complexes, tick=lambda: progress(1.0))


def decoys(c: Complex, count: int, *, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return crystal poses with growing perturbations, (count, n, 3) Å, and their RMSD in Å.

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
    model: Model,
    store: ComplexStore,
    *,
    complexes: int,
    tick: Callable[[], Any] = lambda: None,
) -> dict[str, float]:
    """Rank `DECOYS` perturbed poses of each of up to ``complexes`` validation complexes.

    Returns
    -------
    dict
        ``top1``: share of complexes whose best decoy by likelihood is within 2 Å; ``rmsd``: its
        median RMSD in Å; ``oracle``: share with any such decoy; ``nats``: the loss.
    """
    chosen = validation_sample(store, complexes)
    network = model.network
    assert isinstance(network, DistanceNetwork)
    network.eval()
    best, lowest, nats = [], [], []
    for index in chosen.tolist():
        tick()
        c, rng = store[index], generator(0, index)
        x, rmsd = decoys(c, DECOYS, rng=rng)
        atoms, pairs = torch.from_numpy(c.atoms).long(), torch.from_numpy(c.pairs).long()
        context = {"ligand": LigandInput(atoms, pairs), "pocket": pocket_of(c)}
        poses = Batch({"positions": x}, context).to(model.device)
        scores = network(poses, poses["positions"].new_zeros(len(x))).cpu()
        best.append(rmsd[scores.argmax()])
        lowest.append(rmsd.min())
        nats.append(pair_loss(network, make_batch([c], rng=rng).to(model.device))[0].cpu())
    if not best:
        return {}
    top = torch.stack(best)
    figures = {
        "top1": (top <= _GOOD).float().mean(),
        "rmsd": top.median(),
        "oracle": (torch.stack(lowest) <= _GOOD).float().mean(),
        "nats": torch.stack(nats).mean(),
    }
    return {"samples": len(best)} | {k: round(float(v), 4) for k, v in figures.items()}
