r"""Muon: momentum updates made orthogonal.

The update of a matrix is the orthogonal factor of its Nesterov momentum, so that all directions
move equally far.  Five Newton-Schulz steps with the coefficients of Jordan et al. (2024) bring
every singular value s of a matrix X of norm 1 near 1:

.. math:: X \leftarrow (a + b X X^T + c (X X^T)^2) X

All factors are polynomials of the first Gram matrix :math:`G = X X^T` and commute, so they are
multiplied up on the short side, and X is used twice instead of eleven times:

.. math:: Q = a + b G + c G^2, \qquad P \leftarrow Q P, \qquad G \leftarrow Q G Q, \qquad X' = P X

In float32 this costs about as much as the plain iteration in bfloat16 where a processor has it, and
a sixteenth where it does not.  (In bfloat16 it would not be accurate enough: errors of G grow by
:math:`a^2` in each step.)

Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); the
factor 0.2 sqrt(max(rows, columns)) that gives the updates the size of AdamW's, Liu et al., "Muon
is scalable for LLM training" (2025), eq. 4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Muon", "Sharing", "orthogonalised"]

_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 5


def orthogonalised(x: Float[Tensor, "k r c"]) -> Float[Tensor, "k r c"]:
    """Return k matrices with the singular vectors of x and singular values of about 1.

    Singular values above a thousandth of the matrix's norm end between 0.65 and 1.25; the exact
    orthogonal factor is not needed (Jordan et al. 2024).
    """
    if x.shape[-2] > x.shape[-1]:
        return orthogonalised(x.mT).mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    gram = x @ x.mT
    identity = torch.eye(gram.shape[-1], device=x.device)
    product = factor = _factor(identity, gram)
    for _ in range(_STEPS - 1):
        gram = factor @ gram @ factor
        factor = _factor(identity, gram)
        product = factor @ product
    return product @ x


def _factor(identity: Tensor, gram: Tensor) -> Tensor:
    return torch.baddbmm(_A * identity + _B * gram, gram, gram, alpha=_C)


@runtime_checkable
class Sharing(Protocol):
    """Processes that share work; see `moldiff.train.processes.Processes`."""

    rank: int
    count: int

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over all processes."""


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay; its state is torch.optim.Muon's.

    Parameters
    ----------
    matrices:
        The parameters, each (rows, columns).  Equally large ones are orthogonalised together.
    lr:
        Learning rate, on AdamW's scale.
    weight_decay, momentum:
        Decay per step relative to ``lr``; share of the momentum that is kept.
    sharing:
        Processes with the same parameters and gradients, each of which orthogonalises its share.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
        sharing: Sharing | None = None,
    ) -> None:
        self._sharing = sharing
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(matrices, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    by_shape[p.shape].append(p)
            momentum = group["momentum"]
            updates = self._orthogonalised(
                [
                    torch.stack([self._ahead(p, momentum) for p in same])
                    for same in by_shape.values()
                ]
            )
            for (shape, matrices), update in zip(by_shape.items(), updates, strict=True):
                size = 0.2 * max(shape) ** 0.5
                torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(matrices, update.unbind(), alpha=-group["lr"] * size)

    def _orthogonalised(self, stacks: list[Tensor]) -> list[Tensor]:
        """Orthogonalise stacks of matrices, each process every ``count``-th of a stack."""
        if self._sharing is None or self._sharing.count == 1:
            return [orthogonalised(stack) for stack in stacks]
        updates = [torch.zeros_like(stack) for stack in stacks]
        mine = slice(self._sharing.rank, None, self._sharing.count)
        for update, stack in zip(updates, stacks, strict=True):
            update[mine] = orthogonalised(stack[mine])
        self._sharing.add_up(updates)
        return updates

    def _ahead(self, p: Tensor, momentum: float) -> Tensor:
        """Add the gradient to a parameter's momentum; return the momentum one step ahead."""
        gradient = p.grad
        assert gradient is not None
        if not (state := self.state[p]):
            state["momentum_buffer"] = torch.zeros_like(gradient)
        buffer: Tensor = state["momentum_buffer"]
        buffer.lerp_(gradient, 1 - momentum)
        return gradient.lerp(buffer, momentum)
