r"""Classifier-free guidance: amplify the change that a condition makes in the prediction.

.. math:: \hat x_0 = \mathrm{mix}(\hat x_0(x_t),\ \hat x_0(x_t, c),\ w)

w = 0 gives the unconditional prediction and w = 1 the conditional one; w > 1 targets c more
sharply than the data do.  For coordinates, :math:`\hat x_0` is linear in the score, so this is
Ho & Salimans (2022), eq. 6, with their w one less than ours: the score of
:math:`p(x) (p(x|c) / p(x))^w`.  For classes, the logits are mixed:
:math:`p_0^{1-w} p_c^w`, normalised, is the same tilt, class by class.
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
    """Mix the predictions without and with the conditions of the context.

    Without conditions in the context, the inner denoiser's prediction is returned.

    Parameters
    ----------
    denoiser:
        Denoiser of a network trained with conditions that were dropped at random.
    weight:
        w; 0 and 1 cost one evaluation of the denoiser, other weights two.
    conditions:
        Number of conditions the network was trained with.

    Raises
    ------
    ConfigError
        If the weight is not finite, or the network has no conditions.
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
