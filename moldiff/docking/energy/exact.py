r"""The docking energy of a batch of poses, and its gradient with respect to the atoms.

``E = sum over ligand-receptor pairs + sum over the ligand's internal pairs + outside``, the
published Vina function (`moldiff.docking.energy.terms`).  The energy of
each ligand atom with the receptor, and of each internal pair, is capped as in Vina:
``e v / (v + e)`` where e > 0, so that clashes stay finite and still slope outwards.  Atoms outside
the box pay in proportion to the distance.

`ExactEnergy` sums over atoms; `moldiff.docking.energy.grid.GridEnergy`, used in searches, reads
precomputed grids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.docking.energy.atom_types import AtomTypes
from moldiff.docking.energy.internal import AUTHENTIC, Internal
from moldiff.docking.energy.terms import (
    CUTOFF,
    TERMS,
    Pairs,
    Weights,
    capped,
    pair_energy,
    pair_terms,
    tabulated_terms,
)

if TYPE_CHECKING:
    from moldiff.protein.pocket import Box

__all__ = ["AUTHENTIC", "Energy", "ExactEnergy", "Internal", "Target", "affinity", "outside"]

#: Penalty of an atom outside the box, kcal/mol/Å; more than any atom gains from the receptor.
SLOPE = 10.0
# Ligand-receptor atom pairs per pass: bounds the memory of the exact energy.
_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class Target:
    """A target for docking: positions (m, 3) in Å and types of the receptor's heavy atoms."""

    positions: Float[Tensor, "m 3"]
    types: AtomTypes

    def near(self, low: Tensor, high: Tensor) -> Target:
        """Return the atoms within the cutoff of an axis-aligned box given by two corners."""
        reach = (self.positions - self.positions.clamp(low, high)).square().sum(1)
        keep = reach < CUTOFF**2
        return Target(self.positions[keep], self.types[keep])


class Energy(ABC):
    """An energy in kcal/mol of p poses given by their n heavy atoms, (p, n, 3) in Å."""

    @abstractmethod
    def value_and_gradient(
        self, x: Float[Tensor, "p n 3"]
    ) -> tuple[Float[Tensor, " p"], Float[Tensor, "p n 3"]]:
        """Return the energies (p,) and their gradients (p, n, 3) in kcal/mol/Å."""

    @abstractmethod
    def terms(self, x: Float[Tensor, "p n 3"]) -> dict[str, Float[Tensor, " p"]]:
        """Return the parts of the energy, weighted: "inter", "intra" and "outside" at least."""

    def __call__(self, x: Float[Tensor, "p n 3"]) -> Float[Tensor, " p"]:
        """Return the energies (p,)."""
        return self.value_and_gradient(x)[0]


def affinity(inter: Float[Tensor, " p"], rotors: float) -> Float[Tensor, " p"]:
    """Return the predicted affinity, ``inter / (1 + w n_rot)`` in kcal/mol.

    The internal energy cancels: Vina subtracts the energy of the unbound ligand, for which it
    takes that of the pose itself (Trott & Olson 2010, equation 7).
    """
    return inter / (1 + Weights().torsion * rotors)


def outside(
    x: Float[Tensor, "p n 3"], low: Tensor, high: Tensor, slope: float
) -> tuple[Float[Tensor, " p"], Float[Tensor, "p n 3"]]:
    """Return ``slope`` times the distances (along the axes) out of a box, and the gradient."""
    excess = x - x.clamp(low, high)
    return excess.abs().sum((1, 2)).mul_(slope), excess.sign_().mul_(slope)


@dataclass(frozen=True, eq=False)
class ExactEnergy(Energy):
    """The energy summed over atoms, as Vina reports it.

    Parameters
    ----------
    target:
        The receptor's atoms; sums skip atoms out of reach of the poses.
    types:
        Types of the ligand's n heavy atoms.
    internal:
        The ligand's internal energy.
    box:
        Region outside of which atoms pay a penalty, if any.
    """

    target: Target
    types: AtomTypes
    internal: Internal
    box: Box | None = None
    weights: Weights = field(default_factory=Weights)

    def value_and_gradient(
        self, x: Float[Tensor, "p n 3"]
    ) -> tuple[Float[Tensor, " p"], Float[Tensor, "p n 3"]]:
        """Sum over the pairs within the cutoff."""
        energy, gradient = self.internal.value_and_gradient(x)
        gradient = gradient.clone()
        target = self.target.near(x.amin((0, 1)), x.amax((0, 1)))
        step = max(1, _AT_ONCE // max(1, x.shape[1] * len(target.types)))
        for start in range(0, len(x), step):
            part = slice(start, start + step)
            value, slope = self._inter(x[part], target)
            energy[part] += value
            gradient[part] += slope
        if self.box is not None:
            penalty, push = outside(x, *corners(self.box, x), SLOPE)
            energy, gradient = energy + penalty, gradient + push
        return energy, gradient

    def terms(
        self, x: Float[Tensor, "p n 3"], *, tabulated: bool = False
    ) -> dict[str, Float[Tensor, " p"]]:
        """Return the five terms (uncapped), their capped sum "inter", "intra" and "outside".

        ``tabulated`` reproduces the output of the Vina program, from its table of distances.
        """
        function = tabulated_terms if tabulated else pair_terms
        target = self.target.near(x.amin((0, 1)), x.amax((0, 1)))
        rows = [self._terms(pose, target, function) for pose in x]
        parts = {name: torch.stack([row[k] for row in rows]) for k, name in enumerate(TERMS)}
        parts["inter"] = torch.stack([row[-1] for row in rows])
        parts["intra"] = self.internal.energy(x, terms=function)
        unbounded = self.box is None
        parts["outside"] = (
            x.new_zeros(len(x)) if unbounded else outside(x, *corners(self.box, x), SLOPE)[0]
        )
        return parts

    def _inter(self, x: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        """Return energies (p,) with the receptor and gradients (p, n, 3) of some poses."""
        p, n, _ = x.shape
        flat = x.reshape(-1, 3)
        atom, other = (torch.cdist(flat, target.positions) < CUTOFF).nonzero(as_tuple=True)
        difference = flat[atom] - target.positions[other]
        pairs = Pairs.of(self.types[atom % n], target.types[other], self.weights)
        energy, slope = pair_energy(difference.square().sum(1), pairs, self.weights)
        total, factor = capped(flat.new_zeros(p * n).index_add_(0, atom, energy), AUTHENTIC)
        force = torch.zeros_like(flat).index_add_(0, atom, difference.mul_(2 * slope[:, None]))
        return total.view(p, n).sum(1), force.mul_(factor[:, None]).view(p, n, 3)

    def _terms(self, x: Tensor, target: Target, function: Any) -> tuple[Tensor, ...]:
        """Return the five terms of one pose (n, 3) and their capped sum."""
        distance = (x[:, None] - target.positions).square().sum(-1).clamp_min(1e-6).sqrt()
        pairs = Pairs.of(column(self.types), target.types, self.weights)
        parts = function(distance, pairs, self.weights)
        total, _ = capped(sum(parts, torch.zeros_like(distance)).sum(1), AUTHENTIC)
        return (*(part.sum() for part in parts), total.sum())


def corners(box: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lowest and the highest corner (3,) of a box in Å."""
    centre, size = (like.new_tensor([float(c) for c in v]) for v in (box.centre, box.size))
    return centre - size / 2, centre + size / 2


def column(types: AtomTypes) -> AtomTypes:
    """Return the types as a column (n, 1), to pair with a row of others."""
    values = (types.radius, types.hydrophobic, types.donor, types.acceptor)
    return AtomTypes(*(value[:, None] for value in values))
