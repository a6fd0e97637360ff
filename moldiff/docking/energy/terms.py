r"""The Vina scoring function of a pair of atoms, its slope, and the ligand's internal pairs.

With the surface distance ``d = r - R_i - R_j`` in Å (Trott & Olson, J. Comput. Chem. 31 (2010)
455, equations 4-6; unchanged in Vina 1.2, Eberhardt et al., J. Chem. Inf. Model. 61 (2021) 3891):

    gauss1        exp(-(d / 0.5)^2)
    gauss2        exp(-((d - 3) / 2)^2)
    repulsion     d^2 where d < 0
    hydrophobic   1 below 0.5, 0 above 1.5, linear between; two hydrophobic atoms
    hydrogen bond 1 below -0.7, 0 above 0, linear between; a donor and an acceptor

and 0 from r = 8 Å on.  The weights are in kcal/mol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from moldiff.docking.energy.atom_types import AtomTypes

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = [
    "CUTOFF",
    "TERMS",
    "Pairs",
    "Weights",
    "internal_pairs",
    "pair_energy",
    "pair_terms",
    "tabulated_terms",
]

#: Cutoff distance in Å.
CUTOFF = 8.0
#: Names of the terms, in the order of the weights.
TERMS = ("gauss1", "gauss2", "repulsion", "hydrophobic", "hydrogen_bond")


@dataclass(frozen=True)
class Weights:
    """Weights of the terms in kcal/mol (the repulsion's: per Å^2), and of one torsion."""

    gauss1: float = -0.035579
    gauss2: float = -0.005156
    repulsion: float = 0.840245
    hydrophobic: float = -0.035069
    hydrogen_bond: float = -0.587439
    torsion: float = 0.05846

    def of_terms(self) -> tuple[float, ...]:
        """Return the weights of `TERMS`."""
        return tuple(getattr(self, name) for name in TERMS)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Parameters of the energy of k pairs, beside their distances.

    Attributes
    ----------
    contact:
        Sum of the two radii in Å.
    hydrophobic:
        Weight of the hydrophobic term if both atoms are hydrophobic, else 0.
    bond:
        Weight of the hydrogen bond for a donor and an acceptor, else 0.
    """

    contact: Float[Tensor, "*k"]
    hydrophobic: Float[Tensor, "*k"]
    bond: Float[Tensor, "*k"]

    @staticmethod
    def of(a: AtomTypes, b: AtomTypes, weights: Weights) -> Pairs:
        """Pair atoms of equal index."""
        bond = (a.donor & b.acceptor) | (a.acceptor & b.donor)
        hydrophobic = a.hydrophobic & b.hydrophobic
        return Pairs(
            a.radius + b.radius,
            hydrophobic.to(a.radius) * weights.hydrophobic,
            bond.to(a.radius) * weights.hydrogen_bond,
        )


def pair_terms(distance: Float[Tensor, "*k"], pairs: Pairs, weights: Weights) -> tuple[Tensor, ...]:
    """Return the five weighted `TERMS` of pairs at distances in Å; kcal/mol, differentiable."""
    d = distance - pairs.contact
    near = (distance < CUTOFF).to(d)
    return (
        weights.gauss1 * near * torch.exp(-4 * d.square()),
        weights.gauss2 * near * torch.exp(-0.25 * (d - 3).square()),
        weights.repulsion * near * d.clamp_max(0).square(),
        pairs.hydrophobic * near * (1.5 - d).clamp(0, 1),
        pairs.bond * near * (d / -0.7).clamp(0, 1),
    )


def tabulated_terms(
    distance: Float[Tensor, "*k"], pairs: Pairs, weights: Weights
) -> tuple[Tensor, ...]:
    """Return `pair_terms` as the Vina program computes them, for comparison with its output.

    Vina averages the two nearest entries of a table over the squared distance, in steps of 1/32
    Å^2, which errs by up to about 0.01 kcal/mol for a ligand.
    """
    step = (distance.square() * 32).floor()
    low, high = (pair_terms((k / 32).sqrt(), pairs, weights) for k in (step, step + 1))
    return tuple((a + b) / 2 for a, b in zip(low, high, strict=True))


def pair_energy(
    squared: Float[Tensor, "*k"], pairs: Pairs, weights: Weights
) -> tuple[Float[Tensor, "*e"], Float[Tensor, "*e"]]:
    """Return the energies of pairs and their slopes with respect to the squared distance.

    Parameters
    ----------
    squared:
        Squared distances in Å^2; left unchanged.
    pairs, weights:
        The kinds of the pairs, broadcast against the distances.

    Returns
    -------
    tuple
        Energies in kcal/mol and ``dE / d(r^2)`` in kcal/mol/Å^2, so that the gradient with
        respect to the first atom's position is ``2 dE/d(r^2) (x_i - x_j)``.
    """
    r = squared.clamp_min(1e-6).sqrt_()
    d = r - pairs.contact
    first = torch.exp_(d.square().mul_(-4)).mul_(weights.gauss1)
    shifted = d - 3
    second = torch.exp_(shifted.square().mul_(-0.25)).mul_(weights.gauss2)
    overlap = d.clamp_max(0)
    energy = overlap.square().mul_(weights.repulsion).add_(first).add_(second)
    slope = overlap.mul_(2 * weights.repulsion)
    slope.addcmul_(d, first, value=-8).addcmul_(shifted, second, value=-0.5)
    hydrophobic, bond = (1.5 - d).clamp_(0, 1), d.mul(-1 / 0.7).clamp_(0, 1)
    energy.addcmul_(pairs.hydrophobic, hydrophobic).addcmul_(pairs.bond, bond)
    # The linear flanks: slopes where the clamped value lies strictly between 0 and 1.
    slope.addcmul_(pairs.hydrophobic, ((hydrophobic > 0) & (hydrophobic < 1)).to(d), value=-1)
    slope.addcmul_(pairs.bond, ((bond > 0) & (bond < 1)).to(d), value=-1 / 0.7)
    near = (squared < CUTOFF**2).to(d)
    return energy.mul_(near), slope.mul_(near).div_(r.mul_(2))


def capped(energy: Tensor, cap: float) -> tuple[Tensor, Tensor]:
    """Return ``e v / (v + e)`` where e > 0, else e, and its derivative with respect to e."""
    factor = cap / (cap + energy.clamp_min(0))
    return energy * factor, factor.square()


def internal_pairs(
    mol: Mol, axis: Any, moves: Any, heavy: Sequence[int] | None = None
) -> Int[np.ndarray, "2 k"]:
    """Return the pairs of heavy atoms whose energy a torsion can change.

    Pairs more than three bonds apart in different rigid fragments; a fragment here includes the
    far atom of each rotatable bond that leaves it, at fixed distances too (Eberhardt et al., 2021).

    Parameters
    ----------
    mol:
        The molecule, with or without hydrogens.
    axis, moves:
        (r, 2) and (r, n), the rotors over the n heavy atoms (`moldiff.chem.rotors`).
    heavy:
        (n,) indices of the heavy atoms; None: in the molecule's order.
    """
    from rdkit import Chem

    if heavy is None:
        heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    index = np.asarray(heavy, dtype=int)
    bonds = Chem.GetDistanceMatrix(mol)[np.ix_(index, index)]
    rigid = _rigid(np.asarray(axis).reshape(-1, 2), np.asarray(moves).reshape(-1, len(index)))
    i, j = np.nonzero(np.triu((bonds > 3) & ~rigid, k=1))
    return np.stack((i, j))


def _rigid(axis: Int[np.ndarray, "r 2"], moves: Bool[np.ndarray, "r n"]) -> Bool[np.ndarray, "n n"]:
    """Return which pairs of n atoms keep their distance under all rotors."""
    if not len(axis):
        return np.ones((moves.shape[1], moves.shape[1]), dtype=bool)
    _, fragment = np.unique(moves.T, axis=0, return_inverse=True)
    fragment = fragment.reshape(-1)
    member = fragment[:, None] == np.arange(fragment.max(initial=0) + 1)
    for a, b in axis:
        member[a, fragment[b]] = member[b, fragment[a]] = True
    return (member.astype(np.float32) @ member.T.astype(np.float32)) > 0
