r"""The internal energy of a ligand, vectorised over a batch of poses.

Differences of all k pairs are one product with the (k, n) incidence matrix (+1 and -1 in each
row), and the gradient is one product with its transpose.  Energies and slopes are
interpolated linearly in a table over the squared distance, in steps of 1/32 Å^2: within 1e-5
kcal/mol of the function unless atoms overlap, with the exact gradient of the interpolated energy,
and four times faster than two exponentials per pair.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from moldiff.docking.energy.atom_types import AtomTypes
from moldiff.docking.energy.terms import CUTOFF, Pairs, Weights, capped, pair_energy, pair_terms

__all__ = ["AUTHENTIC", "Internal"]

#: Vina's cap for reported energies, kcal/mol.
AUTHENTIC = 1000.0
_BINS_PER_A2 = 32
_BINS = int(CUTOFF**2) * _BINS_PER_A2


@dataclass(frozen=True, eq=False)
class Internal:
    """The k internal pairs of a ligand with n heavy atoms, each capped at `AUTHENTIC`.

    Attributes
    ----------
    incidence:
        (k, n), +1 for the first atom of each pair and -1 for the second.
    pairs:
        Kinds of the pairs, (k, 1) each.
    """

    incidence: Float[Tensor, "k n"]
    pairs: Pairs
    weights: Weights
    _first: Int[Tensor, "k 1"] = field(init=False, repr=False)
    _energy: Float[Tensor, " rows"] = field(init=False, repr=False)
    _slope: Float[Tensor, " rows"] = field(init=False, repr=False)
    _spread: Float[Tensor, "n k"] = field(init=False, repr=False)

    @staticmethod
    def of(types: AtomTypes, index: Any, weights: Weights | None = None) -> Internal:
        """Build it from the ligand's types and the pairs (2, k) of `terms.internal_pairs`."""
        weights = weights or Weights()
        device = types.radius.device
        i, j = torch.as_tensor(index, dtype=torch.int64, device=device)
        incidence = torch.zeros((len(i), len(types)), device=device)
        rows = torch.arange(len(i), device=device)
        incidence[rows, i], incidence[rows, j] = 1.0, -1.0
        kinds = Pairs.of(types[i], types[j], weights)
        columns = (v[:, None] for v in (kinds.contact, kinds.hydrophobic, kinds.bond))
        return Internal(incidence, Pairs(*columns), weights)

    def __post_init__(self) -> None:
        """Tabulate the energy of each distinct kind of pair."""
        code = torch.cat((self.pairs.contact, self.pairs.hydrophobic, self.pairs.bond), dim=1)
        kinds, index = torch.unique(code, dim=0, return_inverse=True)
        edges = torch.arange(_BINS + 2, device=code.device).to(code) / _BINS_PER_A2
        energy, _ = pair_energy(edges, Pairs(*kinds.T[..., None]), self.weights)
        energy, _ = capped(energy, AUTHENTIC)
        # Per bin; the step at the cutoff contributes no slope.
        slope = energy.diff(dim=1)
        slope[:, _BINS - 1] = 0
        object.__setattr__(self, "_first", (index * (_BINS + 1)).to(torch.int32)[:, None])
        object.__setattr__(self, "_energy", energy[:, :-1].reshape(-1))
        object.__setattr__(self, "_slope", slope.reshape(-1))
        spread = self.incidence.T * (2 * _BINS_PER_A2)
        object.__setattr__(self, "_spread", spread.contiguous())

    def value_and_gradient(
        self, x: Float[Tensor, "p n 3"]
    ) -> tuple[Float[Tensor, " p"], Float[Tensor, "p n 3"]]:
        """Return the energies (p,) in kcal/mol and their gradients (p, n, 3)."""
        energy, gradient = self.by_coordinate(x.permute(2, 1, 0).contiguous())
        return energy, gradient.permute(2, 1, 0)

    def by_coordinate(
        self, y: Float[Tensor, "3 n p"]
    ) -> tuple[Float[Tensor, " p"], Float[Tensor, "3 n p"]]:
        """Return `value_and_gradient` with the poses last, where operations vectorise."""
        if not len(self.incidence):
            return y.new_zeros(y.shape[2]), torch.zeros_like(y)
        difference = self.incidence @ y
        place = difference.square().sum(0).mul_(_BINS_PER_A2).clamp_max_(_BINS)
        whole = place.to(torch.int32)
        place.sub_(whole)
        row = whole.add_(self._first).view(-1)
        slope = self._slope.index_select(0, row).view_as(place)
        energy = self._energy.index_select(0, row).view_as(place).addcmul_(slope, place)
        return energy.sum(0), self._spread @ difference.mul_(slope)

    def energy(self, x: Float[Tensor, "p n 3"], *, terms: Any = pair_terms) -> Float[Tensor, " p"]:
        """Return the energies (p,) from the formula, differentiable.

        ``terms`` is `pair_terms`, or `tabulated_terms` for what Vina prints.
        """
        difference = self.incidence @ x.permute(2, 1, 0)
        distance = difference.square().sum(0).clamp_min(1e-6).sqrt()
        total = sum(terms(distance, self.pairs, self.weights), torch.zeros_like(distance))
        return capped(total, AUTHENTIC)[0].sum(0)
