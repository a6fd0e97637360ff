r"""The objective of backbone models: residues as seen from one another.

The main terms compare atoms in two views: in space, where the surroundings of a gap are fixed, and
from the frame of every predicted residue (frame-aligned point error; Jumper et al., AlphaFold 2,
2021, supplement, algorithm 28), which a mirror image does not satisfy.  Near the data, distances
along the chain hold bonds and angles, and a hinge keeps atoms apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.coupling import Coupling, Independent
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.objective import (
    Kumaraswamy,
    Loss,
    Objective,
    Times,
    coupled,
    own_prediction,
)
from moldiff.diffusion.time import batch_times, map_times
from moldiff.domain.backbones import backbone_atoms, shown
from moldiff.nn.residues import Surroundings
from moldiff.protein.gap import FLANK
from moldiff.registry import register

__all__ = ["FrameAligned"]

_SPAN = 12  # bonds over which distances along the chain are held
_APART = 3.0  # Å, least distance of backbone atoms that are not bonded
_NEAR = 0.25  # time below which atoms are kept apart
_MET = 9.0  # Å between C-alpha of residues that meet


@register(
    "objective",
    "frame_aligned",
    cites={
        "jumper2021": "supplement, algorithm 28",
        "yim2023": "the losses of atoms and distances near the data",
    },
)
@dataclass(frozen=True)
class FrameAligned(Objective):
    """Errors of backbone atoms in space and from frames, of rotations, distances and clashes.

    Parameters
    ----------
    times:
        Distribution of the noise level.
    levels:
        Noise levels of each gap, which share one encoding of its surroundings; of whole chains
        each has its own.
    self_condition:
        Probability with which the network sees its own first prediction; of whole chains only.
    coupling:
        How the noise of C-alpha is turned towards whole chains, which have no place of their own;
        gaps have one.
    clamp:
        Largest error of an atom that counts, Å.
    early:
        Errors at time t are divided by ``early`` + t: small errors near the data count too.
    seen, rotation, distances, clashes, contacts:
        Weights of these parts; that of the atoms in space is 1.  Seen from a frame, an error of
        its rotation has a lever, so the weight of ``seen`` is small.  Contacts are the distances
        of atoms of residues that meet, far along the chain: the hydrogen bonds of strands hang on
        tenths of an ångström, which the other parts hardly see.
    """

    trains: ClassVar[str] = "denoiser of backbones"

    times: Times = Kumaraswamy()
    levels: int = 4
    self_condition: float = 0.0
    coupling: Coupling = Independent()
    clamp: float = 15.0
    early: float = 0.4
    seen: float = 0.25
    rotation: float = 0.5
    distances: float = 2.0
    clashes: float = 1.0
    contacts: float = 0.0

    def __call__(
        self,
        trained: NetworkDenoiser,
        x_0: Batch,
        *,
        rng: torch.Generator,
        noise: Batch | None = None,
    ) -> Loss:
        """Return the loss, and its detached parts.

        ``error`` is the mean distance in Å of the predicted atoms from the true ones.
        """
        around = x_0.context.get("surroundings")
        x_0 = trained.encoded(x_0)
        level = self.times.sample(x_0.graphs, rng=rng).to(x_0.device)
        t = batch_times(x_0, level)
        noise = coupled(trained.process, x_0, self.coupling, noise, rng=rng)
        start = map_times(t, torch.zeros_like)
        x_t = trained.process.forward(x_0, start, t, rng=rng, noise=noise)
        previous = own_prediction(trained, x_t, t, self.self_condition, rng=rng)
        hat, true = (shown(x) for x in (trained(x_t, t, previous), x_0))
        clean = x_0.context.get("clean")
        given = None if clean is None else clean.of("frames")
        return self.compare(hat, true, around, level, given)

    def compare(
        self,
        hat: Batch,
        true: Batch,
        around: Surroundings | None,
        t: Float[Tensor, " b"],
        given: Bool[Tensor, "b n"] | None = None,
    ) -> Loss:
        """Return the loss of predicted ``positions`` and ``frames`` made at times t.

        Residues that are ``given`` have no errors, and do not count; among others they are seen.
        """
        atoms, wanted = (backbone_atoms(x["positions"], x["frames"]) for x in (hat, true))
        others = atoms[:, :0]
        if around is not None:
            others = backbone_atoms(around.positions, around.frames)
            others = others.repeat_interleave(len(t) // len(others), 0)
        weight = 1 / (self.early + t)
        error = _length(atoms - wanted)
        seen = _length(_seen(hat, atoms, others) - _seen(true, wanted, others))
        late = (1 - t).square()
        drawn = error.new_ones(error.shape[:2]) if given is None else (~given).to(error)
        share = drawn / drawn.sum(1, keepdim=True)
        turned = (hat["frames"] - true["frames"]).square().sum((2, 3))
        parts = {
            "atoms": ((error.clamp_max(self.clamp).mean(2) * share).sum(1) * weight).mean(),
            "seen": (seen.clamp_max(self.clamp).mean((1, 2)) * weight).mean(),
            "rotation": (turned * share).sum(1).mean(),
            "distances": (_along(atoms, wanted, others) * late).mean(),
            "clashes": (_overlap(atoms, others) * (t < _NEAR)).mean(),
        }
        if self.contacts:
            parts["contacts"] = (_meeting(atoms, wanted) * late).mean()
        total = parts["atoms"]
        for name in ("seen", "rotation", "distances", "clashes", "contacts"):
            if name in parts:
                total = total + getattr(self, name) * parts[name]
        figures = {name: value.detach() for name, value in parts.items()}
        return total, figures | {"error": (error.detach().mean(2) * share).sum(1).mean()}


def _length(v: Float[Tensor, "*s 3"]) -> Float[Tensor, "*s"]:
    return (v.square().sum(-1) + 1e-4).sqrt() - 1e-2


def _seen(
    x: Batch, own: Float[Tensor, "b n 3 3"], others: Float[Tensor, "b m 3 3"]
) -> Float[Tensor, "b n _ 3"]:
    """All atoms in the frame of each residue, Å."""
    points = torch.cat([own.flatten(1, 2), others.flatten(1, 2)], 1)
    return (points.unsqueeze(1) - x["positions"].unsqueeze(2)) @ x["frames"]


def _along(
    atoms: Float[Tensor, "b n 3 3"],
    wanted: Float[Tensor, "b n 3 3"],
    others: Float[Tensor, "b m 3 3"],
) -> Float[Tensor, " b"]:
    """The mean error of distances over few bonds, between atoms of the gap and of its flanks, Å."""
    before, after = others[:, :FLANK], others[:, FLANK : 2 * FLANK]
    hat, true = (torch.cat([before, x, after], 1).flatten(1, 2) for x in (atoms, wanted))
    count, flank = hat.shape[1], 3 * before.shape[1]
    i, j = torch.triu_indices(count, count, 1, device=hat.device)
    inside = torch.arange(count, device=hat.device)
    inside = (inside >= flank) & (inside < count - flank)
    kept = (j - i <= _SPAN) & (inside[i] | inside[j])
    i, j = i[kept], j[kept]
    return (_length(hat[:, i] - hat[:, j]) - _length(true[:, i] - true[:, j])).abs().mean(1)


def _meeting(
    atoms: Float[Tensor, "b n 3 3"], wanted: Float[Tensor, "b n 3 3"]
) -> Float[Tensor, " b"]:
    """The mean error of distances between atoms of residues that meet, Å."""
    n = atoms.shape[1]
    i, j = torch.triu_indices(n, n, 3, device=atoms.device)
    ca = wanted[:, :, 1]
    met = (ca[:, i] - ca[:, j]).square().sum(-1) < _MET**2

    def apart(x: Float[Tensor, "b n 3 3"]) -> Float[Tensor, "b m 9"]:
        return _length(x[:, i].unsqueeze(3) - x[:, j].unsqueeze(2)).flatten(2)

    error = (apart(atoms) - apart(wanted)).abs().mean(-1)
    return (error * met).sum(1) / met.sum(1).clamp_min(1)


def _overlap(
    atoms: Float[Tensor, "b n 3 3"], others: Float[Tensor, "b m 3 3"]
) -> Float[Tensor, " b"]:
    """How deep atoms lie in those of residues that are no neighbours in the chain, Å a residue."""
    n, m = atoms.shape[1], others.shape[1]
    points = torch.cat([atoms, others], 1).flatten(1, 2)
    square = (atoms.flatten(1, 2).unsqueeze(2) - points.unsqueeze(1)).square().sum(-1)
    depth = (_APART - (square + 1e-4).sqrt()).clamp_min(0)
    place = torch.arange(n, device=atoms.device)
    far = torch.ones(n, n + m, dtype=torch.bool, device=atoms.device)
    far[:, :n] = (place.unsqueeze(1) - place).abs() > 1
    if m:
        far[0, n + FLANK - 1] = far[-1, n + FLANK] = False  # bonded to the anchors
    mask = far.repeat_interleave(3, 0).repeat_interleave(3, 1)
    return (depth * mask).sum((1, 2)) / n
