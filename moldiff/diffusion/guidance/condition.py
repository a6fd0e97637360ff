r"""Conditions: target values for a property of the whole graph, standardised by the data.

A condition is a name with its mean and standard deviation in the training data; the engine knows
nothing else about it.  A request sets some of a model's k conditions; the network sees them as
(b, k) standardised values with NaN where no value is requested.

How frequent a target value c is depends on the size of the molecule, so sizes are drawn from

.. math:: p(n | c) \propto p(n) \prod_k \mathcal{N}(c_k; \mu_{k,n}, s_{k,n}^2)

with the mean and standard deviation of the property among the training data of size n.  Where any
of several values will do, C_k, the sum over them takes the place of the density, and each graph's
target is drawn from them in proportion to :math:`\mathcal{N}(c_k; \mu_{k,n}, s_{k,n}^2)`: sizes
and targets then have the distribution of the data restricted to C_k.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from moldiff.errors import ConfigError, InputError, did_you_mean
from moldiff.seeds import uniform

__all__ = ["Condition", "draw_targets", "dropped", "remarks", "standardised", "weighed_sizes"]

_MOST = 12  # conditions of a molecule in training


@dataclass(frozen=True)
class Condition:
    """A property on which a model can be conditioned.

    Attributes
    ----------
    name, unit:
        Which property, and its unit ("" for none).
    mean, std:
        Mean and standard deviation of the training data, in that unit.
    low, high:
        Range of the central 98 % of the training data.
    by_size:
        Mean and standard deviation among the training data of each size (number of atoms).
    """

    name: str
    mean: float
    std: float
    low: float
    high: float
    unit: str = ""
    by_size: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = (self.mean, self.std, self.low, self.high)
        if not all(math.isfinite(x) for x in numbers) or self.std <= 0:
            raise ConfigError(
                f"'{self.name}' cannot be a condition: its values in the data are all the same.",
                fix="Leave it out of 'conditions', or train on data in which it differs.",
            )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Condition:
        """Build from what :meth:`to_config` returned."""
        sizes = {int(n): (float(m), float(s)) for n, (m, s) in config["by_size"].items()}
        return cls(**{**config, "by_size": sizes})

    def to_config(self) -> dict[str, Any]:
        """Return plain JSON values."""
        by_size = {str(n): list(pair) for n, pair in self.by_size.items()}
        return {**asdict(self), "by_size": by_size}


def standardised(
    conditions: Sequence[Condition], wanted: Mapping[str, float]
) -> Float[Tensor, "1 k"]:
    """Return target values as the network sees them, (1, k); NaN where none is set.

    Raises
    ------
    InputError
        If the model lacks the condition, or a value is not a finite number.
    """
    names = [condition.name for condition in conditions]
    for name, value in wanted.items():
        if not names:
            raise InputError(
                f"The model cannot be asked for '{name}': it was trained without conditions.",
                fix=f"Train one with 'conditions: {{properties: [{name}]}}' in its configuration.",
            )
        if name not in names:
            raise InputError(
                f"The model cannot be asked for '{name}'.", fix=did_you_mean(name, names)
            )
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise InputError(
                f"'{name}' must be a finite number, not {value!r}.", fix=f"Write {name}=1.5."
            )
    row = [(wanted.get(c.name, math.nan) - c.mean) / c.std for c in conditions]
    return torch.tensor([row], dtype=torch.float32)


def remarks(
    conditions: Sequence[Condition], wanted: Mapping[str, Sequence[float]]
) -> Iterator[str]:
    """Yield warnings about target values that are rare or absent in the training data.

    ``wanted`` holds the values any of which will do.
    """
    for c in conditions:
        values = wanted.get(c.name, ())
        if values and not any(c.low <= value <= c.high for value in values):
            last = f" to {values[-1]:g}" if len(values) > 1 else ""
            yield (
                f"{c.name} = {values[0]:g}{last} is outside of what the model has learned: 98 % of "
                f"its training molecules lie from {c.low:g} to {c.high:g}."
            )


def weighed_sizes(
    sizes: Mapping[int, float],
    conditions: Sequence[Condition],
    wanted: Mapping[str, Sequence[float]],
) -> dict[int, float]:
    """Return p(n | wanted) from the frequency p(n) of each size n, up to a factor.

    ``wanted`` holds the values any of which will do.
    """
    if not wanted:
        return dict(sizes)
    logs: dict[int, float] = {}
    for n, weight in sizes.items():
        total = math.log(weight) if weight > 0 else -math.inf
        for c in conditions:
            if c.name in wanted:
                total += float(_log_densities(c, wanted[c.name], n).logsumexp(0))
        logs[n] = total
    top = max(logs.values())
    return {n: math.exp(value - top) for n, value in logs.items()}


def draw_targets(
    conditions: Sequence[Condition],
    wanted: Mapping[str, Sequence[float]],
    n: int,
    rngs: Sequence[torch.Generator],
) -> list[dict[str, float]]:
    """Draw the target values of graphs of n atoms from the values any of which will do.

    Each graph has a generator of its own.  Returns one row for all graphs if there is nothing to
    choose.
    """
    choices = [c for c in conditions if len(wanted.get(c.name, ())) > 1]
    alike = {name: value for name, (value, *_) in wanted.items()}
    if not choices:
        return [alike]
    weights = {c.name: _log_densities(c, wanted[c.name], n).softmax(0) for c in choices}
    return [
        alike
        | {
            name: wanted[name][int(torch.multinomial(weight, 1, generator=rng))]
            for name, weight in weights.items()
        }
        for rng in rngs
    ]


def _log_densities(c: Condition, values: Sequence[float], n: int) -> Float64[Tensor, " values"]:
    """Log of the density of each value among data of size n, up to a constant."""
    mean, std = c.by_size.get(n, (c.mean, c.std))
    z = (torch.tensor(values, dtype=torch.float64) - mean) / std
    return -0.5 * z.square() - math.log(std)


def dropped(
    conditions: Float[Tensor, "b k"], drop: float, *, rng: torch.Generator
) -> Float[Tensor, "b k"]:
    """Hide conditions (b, k) at random behind NaN, so that the network learns to do without.

    All conditions of a graph are hidden with probability ``drop`` (Ho & Salimans 2022, algorithm
    1).  Otherwise a random subset is left, of log-uniform size from 1 to k, at most 12: users ask
    for a few of many, which would hardly ever be seen if each were hidden on its own.
    """
    b, k = conditions.shape
    most = min(k, _MOST)
    u = uniform((b, k + 2), rng=rng, device=conditions.device)
    size = ((most + 1.0) ** u[:, 1:2]).floor().clamp_max(most)
    hidden = (u[:, :1] < drop) | (u[:, 2:].argsort(1).argsort(1) >= size)
    return conditions.masked_fill(hidden, math.nan)
