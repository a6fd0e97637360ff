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

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance.base import Guidance
from moldiff.diffusion.time import Time
from moldiff.errors import ConfigError
from moldiff.registry import register

__all__ = ["ClassifierFree"]


@register(
    "guidance",
    "classifier_free",
    cites={"ho2022": "eq. 6"},
    context=("denoiser", "conditions"),
)
@dataclass(frozen=True, eq=False)
class ClassifierFree(Guidance):
    """Mix what is predicted without and with the conditions of the context.

    Where the context has none, the prediction is that of the denoiser inside.

    Parameters
    ----------
    denoiser:
        Of a network that was trained with conditions, and now and then without.
    weight:
        w; at 0 and 1 the denoiser is asked once.
    conditions:
        How many conditions the network knows.

    Raises
    ------
    ConfigError
        If the weight is not finite, or the network knows no condition.
    """

    denoiser: Denoiser
    weight: float = 1.0
    conditions: int = 1

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise ConfigError(
                f"The guidance must be a finite number, not {self.weight}.",
                fix="Use 1 for the condition as it was learned, 2 to aim at it more sharply.",
            )
        if not self.conditions:
            raise ConfigError(
                "Guidance needs a model with conditions, and this one was trained without.",
                fix="Leave out 'guidance', or train with 'conditions: {properties: [...]}'.",
            )

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        if "conditions" not in x_t.context or self.weight == 1:
            return self.denoiser(x_t, t, previous)
        free = x_t.given(conditions=None)
        if self.weight == 0:
            return self.denoiser(free, t, previous)
        conditional = self.denoiser(x_t, t, previous)
        unconditional = self.denoiser(free, t, previous)
        weights = dict.fromkeys(conditional, self.weight)
        return conditional.replace(**self.process.mix(unconditional, conditional, weights))
