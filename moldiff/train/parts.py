"""Clean parts: training to complete molecules of which a part is given.

A part is what chemists keep: a ring system, what is left when a molecule is cut at bonds outside
of its rings, or any connected set of atoms.  Its atoms and the bonds among them are clean and have
no loss.  An attachment, an atom of the part that is bonded to the rest, keeps its position and
charge; its class is noised among those of its element, because hydrogens folded into it give way
to the new bond.

The frame is that of the part: coordinates are centred on it, as they will be when the rest is not
known yet.

Sources: parts as conditions, Igashov et al., "Equivariant 3D-conditional diffusion model for
molecular linker design" (2024); cuts at acyclic bonds, as in matched molecular pairs (Hussain &
Rea, 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool
from torch import Tensor

from moldiff.configuration import Range, check_fields
from moldiff.diffusion.allowed import Allowed
from moldiff.diffusion.batch import Batch, pair_indices
from moldiff.diffusion.time import Clean
from moldiff.errors import ConfigError
from moldiff.seeds import uniform

__all__ = ["Parts"]

_TRIES = 8
_LEAST = 2  # atoms of each of two parts

Labels = npt.NDArray[np.int64]
"""The part of each atom, from 1; 0 for atoms outside, (n,)."""


@dataclass(frozen=True)
class Parts:
    """How often a part of a molecule is given in training, and how large it is.

    Attributes
    ----------
    share:
        Share of the batches in which every molecule has a clean part; 0: none.
    two:
        Share of the molecules with two parts, if they can be cut so: the rest links them.
    smallest, largest:
        Range of the share of the atoms that are given.
    """

    share: Annotated[float, Range(0, 1)] = 0.0
    two: Annotated[float, Range(0, 1)] = 0.2
    smallest: Annotated[float, Range(0, 1)] = 0.2
    largest: Annotated[float, Range(0, 1)] = 0.8

    def __post_init__(self) -> None:
        check_fields(self, "the parts")
        if self.smallest >= self.largest:
            raise ConfigError(
                f"The parts' 'smallest' {self.smallest} is not below their 'largest' "
                f"{self.largest}.",
                fix="Write 'parts: {share: 0.5, smallest: 0.2, largest: 0.8}'.",
            )

    def given(
        self, x_0: Batch, *, alike: Bool[Tensor, "k k"] | None = None, rng: torch.Generator
    ) -> Batch:
        """Return a clean batch with parts drawn for it, or, in 1 - ``share`` of the cases, as is.

        Parameters
        ----------
        x_0:
            Molecules with ``positions``, ``types`` and ``bonds``; class 0 is no bond.
        alike:
            Which types an attachment may be in place of which: those of its element.  None: all.
        """
        if float(uniform((), rng=rng)) >= self.share:
            return x_0
        random = np.random.default_rng(int(torch.randint(1 << 62, (), generator=rng)))
        n = x_0.atoms
        i, j = (k.cpu().numpy() for k in pair_indices(n, x_0.device))
        bonded = np.zeros((x_0.graphs, n, n), bool)
        bonded[:, i, j] = bonded[:, j, i] = x_0["bonds"].cpu().numpy() > 0
        labels = np.stack([self.draw(graph, random) for graph in bonded])
        inside = labels > 0
        attached = inside & (bonded & (labels[:, None] != labels[:, :, None])).any(2)
        together = inside[:, i] & (labels[:, i] == labels[:, j])
        masks = {"atom": inside, "types": inside & ~attached, "pair": together}
        clean = Clean({k: torch.from_numpy(v).to(x_0.device) for k, v in masks.items()})
        centred = x_0["positions"] - _centroid(x_0["positions"], clean["atom"])
        given = x_0.replace(positions=centred).given(clean=clean)
        if alike is None:
            return given
        fixed = torch.from_numpy(attached).unsqueeze(-1).to(x_0.device)
        allowed = ~fixed | alike.to(x_0.device)[x_0["types"]]
        return given.given(allowed=Allowed({"types": allowed}))

    def draw(self, bonded: npt.NDArray[np.bool_], random: np.random.Generator) -> Labels:
        """Return a part, or two, of a molecule whose n atoms are bonded as in (n, n)."""
        n = len(bonded)
        bridges = _bridges(bonded)
        pair = random.random() < self.two
        for _ in range(_TRIES):
            kind = "cut twice" if pair else random.choice(["ring system", "cut", "grown"])
            if kind == "grown":
                size = n * random.uniform(self.smallest, self.largest)
                labels = _grown(bonded, max(1, round(size)), random)
            elif kind == "ring system":
                labels = _ring_system(bonded, bridges, random)
            else:
                labels = _cut(bonded, bridges, 2 if pair else 1, random)
            if self.smallest * n <= (labels > 0).sum() <= self.largest * n:
                return labels
        return _grown(bonded, max(1, round(n * (self.smallest + self.largest) / 2)), random)


def _centroid(x: Tensor, mask: Tensor) -> Tensor:
    """Centroid of some atoms of each graph, (b, 1, 3)."""
    weight = mask.unsqueeze(-1).to(x)
    return (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp_min(1)


def _components(bonded: npt.NDArray[np.bool_]) -> Labels:
    """Number of the connected component of each atom, from 0."""
    from scipy.sparse.csgraph import connected_components

    labels: Labels = connected_components(bonded, directed=False)[1].astype(np.int64)
    return labels


def _bridges(bonded: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the acyclic bonds, (k, 2): those without which the molecule falls apart."""
    neighbours: list[list[int]] = [np.flatnonzero(row).tolist() for row in bonded]
    # Depth first: the order in which atoms are reached, and the earliest atom that each one
    # reaches without the bond it came by.
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    bridges: list[tuple[int, int]] = []
    for root in range(len(bonded)):
        if root in order:
            continue
        stack = [(root, -1, iter(neighbours[root]))]
        order[root] = low[root] = len(order)
        while stack:
            atom, parent, left = stack[-1]
            for other in left:
                if other not in order:
                    order[other] = low[other] = len(order)
                    stack.append((other, atom, iter(neighbours[other])))
                    break
                if other != parent:
                    low[atom] = min(low[atom], order[other])
            else:
                stack.pop()
                if parent >= 0:
                    low[parent] = min(low[parent], low[atom])
                    if low[atom] > order[parent]:
                        bridges.append((parent, atom))
    return np.array(bridges, np.int64).reshape(-1, 2)


def _without(bonded: npt.NDArray[np.bool_], bonds: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    cut = bonded.copy()
    cut[bonds[:, 0], bonds[:, 1]] = cut[bonds[:, 1], bonds[:, 0]] = False
    return cut


def _ring_system(
    bonded: npt.NDArray[np.bool_], bridges: npt.NDArray[np.int64], random: np.random.Generator
) -> Labels:
    """A ring system at random; nothing of an acyclic molecule."""
    components = _components(_without(bonded, bridges))
    sizes = np.bincount(components)
    rings = np.flatnonzero(sizes > 1)
    if not len(rings):
        return np.zeros(len(bonded), np.int64)
    return (components == random.choice(rings)).astype(np.int64)


def _cut(
    bonded: npt.NDArray[np.bool_],
    bridges: npt.NDArray[np.int64],
    count: int,
    random: np.random.Generator,
) -> Labels:
    """What is left of a molecule cut at one acyclic bond, or at two: the pieces with one cut."""
    nothing = np.zeros(len(bonded), np.int64)
    if len(bridges) < count:
        return nothing
    chosen = bridges[random.choice(len(bridges), count, replace=False)]
    components = _components(_without(bonded, chosen))
    ends, cuts = np.unique(components[chosen.ravel()], return_counts=True)
    outer = ends[cuts == 1]
    if count == 1:
        return (components == random.choice(outer)).astype(np.int64)
    if len(outer) != 2 or min((components == piece).sum() for piece in outer) < _LEAST:
        return nothing
    return nothing + (components == outer[0]) + 2 * (components == outer[1])


def _grown(bonded: npt.NDArray[np.bool_], size: int, random: np.random.Generator) -> Labels:
    """A connected set of atoms, grown from one of them by random neighbours."""
    labels = np.zeros(len(bonded), np.int64)
    labels[random.integers(len(bonded))] = 1
    for _ in range(size - 1):
        border = np.flatnonzero(bonded[labels > 0].any(0) & (labels == 0))
        if not len(border):
            break
        labels[random.choice(border)] = 1
    return labels
