r"""Make the bonds predicted for an atom agree about its valence.

A network predicts each class independently: every one of a carbon's five bonds may be probable,
and all five together impossible.  The target is a joint distribution,

.. math::

    p(b, a, c) \propto \prod_{ij} p_{ij}(b_{ij}) \prod_i p_i(a_i)\, p_i(c_i)
    \Big[\textstyle\sum_j b_{ij} \text{ is a valence of } (a_i, c_i)\Big]

of bond orders b, elements a and charges c; its marginals replace the predictions.  Belief
propagation (the sum-product algorithm, Kschischang et al., 2001, eq. 5-6) computes them: exactly
if the uncertain bonds form no ring, and to a good approximation if they do.  The message from an
atom to one of its bonds needs the distribution of the sum of its other bonds: the product of their
generating functions from the left times the one from the right, truncated at the largest valence.
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

_FLOOR = 1e-6  # of a message: impossible classes stay possible, in case no other is left


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
        The denoiser whose predictions are changed; class k of its bonds is the order k.
    allowed:
        Whether class a of types with class c of charges may have the valence v, (a, c, v); None if
        the bonds have no orders, and the guidance cannot be used.
    below:
        Guidance applies at times up to this one; nearer to noise there is hardly a molecule yet.
    rounds:
        Rounds of messages; few suffice, because few bonds are uncertain at a time.
    atoms, pairs:
        The two atom fields and the pair field to which ``allowed`` refers.

    Raises
    ------
    ConfigError
        If the process lacks a field, its bonds have no orders, ``below`` is outside [0, 1], or
        ``rounds`` is below 1.
    """

    denoiser: Denoiser
    allowed: Bool[Tensor, "a c v"] | None
    below: float = 1.0
    rounds: int = 3
    atoms: tuple[str, str] = ("types", "charges")
    pairs: str = "bonds"

    def __post_init__(self) -> None:
        if self.allowed is None:
            raise ConfigError(
                "The valence guidance needs bonds with orders; aromatic ones have none.",
                fix="Leave out 'valence', or set it to 0.",
            )
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
        assert self.allowed is not None
        types, charges = (torch.softmax(x0_hat[f].float(), -1) for f in self.atoms)
        a, c, _ = self.allowed.shape
        # The mask is an extra class without a valence; it is never predicted anyway.
        allowed = F.pad(
            self.allowed.to(types), (0, 0, 0, charges.shape[-1] - c, 0, types.shape[-1] - a)
        )
        prior = torch.einsum("bna,bnc,acv->bnv", types, charges, allowed)
        bonds, sums = _messages(torch.softmax(x0_hat[self.pairs].float(), -1), prior, self.rounds)
        factors = (
            _normalised(torch.einsum("bnv,bnc,acv->bna", sums, charges, allowed)),
            _normalised(torch.einsum("bnv,bna,acv->bnc", sums, types, allowed)),
            bonds,
        )
        fields = zip((*self.atoms, self.pairs), factors, strict=True)
        return x0_hat.replace(**{f: x0_hat[f] + factor.log() for f, factor in fields})


def _messages(
    bonds: Float[Tensor, "b e k"], prior: Float[Tensor, "b n v"], rounds: int
) -> tuple[Float[Tensor, "b e k"], Float[Tensor, "b n v"]]:
    """Messages from the atoms to their bonds, and from the bonds to their atoms' valences.

    Both are factors that multiply the predictions: probabilities of the bond orders, and
    weights of each atom's valences.
    """
    b, _, k = bonds.shape
    n = prior.shape[1]
    i, j = pair_indices(n, bonds.device)
    orders = bonds.new_zeros(b, n, n, k)
    orders[..., 0] = 1.0  # an atom has no bond to itself
    orders[:, i, j] = bonds
    orders[:, j, i] = bonds
    messages = torch.full_like(orders, 1.0 / k)  # from atom i to its bond with j
    for _ in range(rounds):
        beliefs = orders * messages.transpose(1, 2)
        left, right = _sums(beliefs / beliefs.sum(-1, keepdim=True), prior.shape[2])
        messages = _normalised(_others(left, right, prior, k))
    return _normalised(messages[:, i, j] * messages[:, j, i]), _normalised(left[-1])


def _sums(
    beliefs: Float[Tensor, "b n n k"], v: int
) -> tuple[Float[Tensor, "n1 b n v"], Float[Tensor, "n1 b n v"]]:
    """Distributions of the sum of each atom's bonds before, and from, the j-th; sums below v."""
    n = beliefs.shape[1]
    # From each sum to the next by one more bond.
    transitions = beliefs.new_zeros(*beliefs.shape[:3], v, v)
    for order in range(min(beliefs.shape[3], v)):
        transitions.diagonal(order, -2, -1).copy_(
            beliefs[..., order : order + 1].expand(-1, -1, -1, v - order)
        )
    none = F.pad(beliefs.new_ones(*beliefs.shape[:2], 1), (0, v - 1))
    left, right = [none], [none]
    for j in range(n):
        left.append((left[-1].unsqueeze(-2) @ transitions[:, :, j]).squeeze(-2))
        right.append((right[-1].unsqueeze(-2) @ transitions[:, :, n - 1 - j]).squeeze(-2))
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


def _normalised(weights: Tensor) -> Tensor:
    """Probabilities from weights; equal ones where all weights vanish."""
    weights = weights + torch.finfo(weights.dtype).tiny
    return weights / weights.sum(-1, keepdim=True) + _FLOOR
