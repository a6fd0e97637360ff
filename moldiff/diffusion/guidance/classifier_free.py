r"""Classifier-free guidance: go beyond what the condition changes in the prediction.

.. math:: \hat x_0 = \mathrm{mix}(\hat x_0(x_t),\ \hat x_0(x_t, c),\ w)

w = 0 is the unconditional prediction, w = 1 the conditional one, w > 1 aims at c more sharply than
the data do.  Of coordinates :math:`\hat x_0` is linear in the score, so this is Ho & Salimans
(2022), eq. 6, whose w is ours less 1: the score of :math:`p(x) (p(x|c) / p(x))^w`.  Of classes the
logits are mixed, :math:`p_0^{1-w} p_c^w` normalised: the same tilt, class by class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product
from moldiff.errors import ConfigError

__all__ = ["ClassifierFree"]


@dataclass(frozen=True, eq=False)
class ClassifierFree(Denoiser):
    """Mix what is predicted without and with a condition.

    Parameters
    ----------
    unconditional, conditional:
        Two denoisers of one process; as a rule the same network, asked for nothing and for c.
    weight:
        w; at 0 and 1 only one of the two is asked.
    """

    unconditional: Denoiser
    conditional: Denoiser
    weight: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise ConfigError(
                f"The guidance must be a finite number, not {self.weight}.",
                fix="Use 1 for the condition as it was learned, 2 to aim at it more sharply.",
            )

    @property
    def process(self) -> Product:  # type: ignore[override]
        """The process of the denoisers inside."""
        return self.conditional.process

    def __call__(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        if self.weight == 0:
            return self.unconditional(x_t, t, previous)
        conditional = self.conditional(x_t, t, previous)
        if self.weight == 1:
            return conditional
        free = self.unconditional(x_t, t, previous)
        return self.process.mix(free, conditional, dict.fromkeys(conditional, self.weight))
