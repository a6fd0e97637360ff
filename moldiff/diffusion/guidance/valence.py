r"""Make the bonds predicted for an atom agree about its valence.

A network predicts every class by itself: each of five bonds of a carbon may be probable, and all
five together impossible.  What is meant is one joint distribution,

.. math::

    p(b, a, c) \propto \prod_{ij} p_{ij}(b_{ij}) \prod_i p_i(a_i)\, p_i(c_i)
    \Big[\textstyle\sum_j b_{ij} \text{ is a valence of } (a_i, c_i)\Big]

of bond orders b, elements a and charges c; its marginals take the place of the predictions.  They
are found by belief propagation (the sum-product algorithm, Kschischang et al., 2001, eq. 5-6):
exactly where the uncertain bonds form no ring, and well where they do.  What an atom tells one of
its bonds needs the distribution of the sum of its other bonds: the product of their generating
functions from the left times the one from the right, cut off above the largest valence.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from moldiff.diffusion.batch import Batch, pair_indices
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.time import Time, graph_times
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["Valence"]

_LEAST = 1e-6  # of what is told: the impossible stays possible, in case nothing else is left


@register(
    "guidance",
    "valence",
    cites={"kschischang2001": "eq. 5-6, the sum-product algorithm"},
    context=("denoiser", "allowed"),
)
@dataclass(frozen=True, eq=False)
class Valence(Guidance):
    """Replace the predicted elements, charges and bonds by their marginals under valences.

    Parameters
    ----------
    denoiser:
        Whose predictions are to be changed; class k of its bonds is the order k.
    allowed:
        Whether class a of types with class c of charges may have the valence v, (a, c, v).
    below:
        Times from which on, towards the data, it is done; nearer to noise there is hardly a
        molecule to agree about.
    rounds:
        How often the atoms tell each other; few, because few bonds are uncertain at a time.
    atoms, pairs:
        The two fields of atoms and the one of pairs that ``allowed`` is about.

    Raises
    ------
    ConfigError
        If the process lacks a field, ``below`` is not from 0 to 1, or there are no rounds.
    """

    denoiser: Denoiser
    allowed: Bool[Tensor, "a c v"]
    below: float = 1.0
    rounds: int = 3
    atoms: tuple[str, str] = ("types", "charges")
    pairs: str = "bonds"

    def __post_init__(self) -> None:
        if not 0 <= self.below <= 1:  # false for NaN as well
            raise ConfigError(
                f"The valence guidance begins at a time from 0 to 1, not {self.below}.",
                fix="Use 1 for all of the trajectory, 0 for never.",
            )
        if self.rounds < 1:
            raise ConfigError(f"The valence guidance needs at least 1 round, not {self.rounds}.")
        missing = {*self.atoms, self.pairs} - set(self.process.categorical())
        if missing:
            raise ConfigError(
                f"The valence guidance needs a model that predicts {', '.join(sorted(missing))}.",
                fix="Leave out 'valence', or use a model of "
                f"{', '.join(self.atoms)} and {self.pairs}.",
            )

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        x0_hat = self.denoiser(x_t, t, previous)
        if float(graph_times(t).max()) > self.below:
            return x0_hat
        types, charges = (torch.softmax(x0_hat[f].float(), -1) for f in self.atoms)
        a, c, _ = self.allowed.shape
        # A mask is one class more, which has no valence; no prediction is of it anyway.
        allowed = F.pad(
            self.allowed.to(types), (0, 0, 0, charges.shape[-1] - c, 0, types.shape[-1] - a)
        )
        prior = torch.einsum("bna,bnc,acv->bnv", types, charges, allowed)
        bonds, sums = _agreement(torch.softmax(x0_hat[self.pairs].float(), -1), prior, self.rounds)
        told = (
            _normal(torch.einsum("bnv,bnc,acv->bna", sums, charges, allowed)),
            _normal(torch.einsum("bnv,bna,acv->bnc", sums, types, allowed)),
            bonds,
        )
        fields = zip((*self.atoms, self.pairs), told, strict=True)
        return x0_hat.replace(**{f: x0_hat[f] + m.log() for f, m in fields})


def _agreement(
    bonds: Float[Tensor, "b e k"], prior: Float[Tensor, "b n v"], rounds: int
) -> tuple[Float[Tensor, "b e k"], Float[Tensor, "b n v"]]:
    """What the atoms tell their bonds, and the bonds their atoms about the sum of orders.

    Both are factors to multiply what was given with: probabilities of the bond orders, and
    weights of each atom's valences.
    """
    b, _, k = bonds.shape
    n = prior.shape[1]
    i, j = pair_indices(n, bonds.device)
    given = bonds.new_zeros(b, n, n, k)
    given[..., 0] = 1.0  # an atom has no bond to itself
    given[:, i, j] = bonds
    given[:, j, i] = bonds
    told = torch.full_like(given, 1.0 / k)  # by atom i, about its bond to j
    for _ in range(rounds):
        heard = given * told.transpose(1, 2)
        left, right = _sums(heard / heard.sum(-1, keepdim=True), prior.shape[2])
        told = _normal(_others(left, right, prior, k))
    return _normal(told[:, i, j] * told[:, j, i]), _normal(left[-1])


def _sums(
    heard: Float[Tensor, "b n n k"], v: int
) -> tuple[Float[Tensor, "n1 b n v"], Float[Tensor, "n1 b n v"]]:
    """Distributions of the sum of each atom's bonds before, and from, the j-th; below v."""
    n = heard.shape[1]
    steps = heard.new_zeros(*heard.shape[:3], v, v)  # from a sum to a sum by one more bond
    for order in range(min(heard.shape[3], v)):
        steps.diagonal(order, -2, -1).copy_(
            heard[..., order : order + 1].expand(-1, -1, -1, v - order)
        )
    none = F.pad(heard.new_ones(*heard.shape[:2], 1), (0, v - 1))
    left, right = [none], [none]
    for at in range(n):
        left.append((left[-1].unsqueeze(-2) @ steps[:, :, at]).squeeze(-2))
        right.append((right[-1].unsqueeze(-2) @ steps[:, :, n - 1 - at]).squeeze(-2))
    return torch.stack(left), torch.stack(right[::-1])


def _others(
    left: Float[Tensor, "n1 b n v"],
    right: Float[Tensor, "n1 b n v"],
    prior: Float[Tensor, "b n v"],
    k: int,
) -> Float[Tensor, "b n n k"]:
    """How probable each order of a bond makes a valence of atom i, given its other bonds."""
    before, after = (x.permute(1, 2, 0, 3) for x in (left[:-1], right[1:]))
    v = prior.shape[2]
    others = torch.stack(
        [(before[..., : s + 1] * after[..., : s + 1].flip(-1)).sum(-1) for s in range(v)], -1
    )
    by_order = [(others[..., : v - o] * prior[:, :, None, o:]).sum(-1) for o in range(min(k, v))]
    return F.pad(torch.stack(by_order, -1), (0, max(0, k - v)))


def _normal(weights: Tensor) -> Tensor:
    """Probabilities from weights; equal ones where all weights vanish."""
    weights = weights + torch.finfo(weights.dtype).tiny
    return weights / weights.sum(-1, keepdim=True) + _LEAST
