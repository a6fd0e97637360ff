"""Denoisers: (x_t, t) -> prediction of x_0.  Everything else wraps one of these.

A prediction is a :class:`~moldiff.diffusion.batch.Batch` like x_t, in which categorical fields
carry logits.  Guidance, inpainting and temperature are denoisers that hold a denoiser.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.precondition import Precondition
from moldiff.diffusion.process import Product
from moldiff.diffusion.space import expand

__all__ = ["Denoiser", "GaussianDenoiser", "NetworkDenoiser"]


class Denoiser(ABC):
    """Predicts the clean batch from a noisy one."""

    process: Product

    @abstractmethod
    def __call__(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        """Predict x_0.

        Parameters
        ----------
        x_t:
            Noisy batch of b graphs with n atoms.
        t:
            Times (b,) in [0, 1].
        previous:
            The prediction made a step before, which self-conditioned networks read
            (Chen et al., "Analog Bits", 2023); others ignore it.
        """


class NetworkDenoiser(Denoiser):
    """A network behind the coefficients of a precondition.

    Parameters
    ----------
    network:
        Module called as ``network(x_t, t, previous)`` with coordinates of unit size;
        returns raw outputs: coordinates (b, n, 3), logits for classes.
    precondition:
        How the raw coordinates become predictions.
    process:
        The noising that is to be reversed.
    precision:
        Type of the network's large products; geometry always stays in 32 bits.

    Attributes
    ----------
    conditions:
        What the molecules have or shall have, (b, k) or (1, k), see :meth:`given`; None: not said.
    """

    conditions: Tensor | None = None

    def __init__(
        self,
        network: nn.Module,
        precondition: Precondition,
        process: Product,
        *,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.network = network
        self.precondition = precondition
        self.process = process
        self.precision = precision

    @property
    def network_conditions(self) -> int:
        """Number k of conditions the network was made for."""
        return int(getattr(self.network, "conditions", 0))

    def given(self, conditions: Float[Tensor, "_ k"] | None) -> NetworkDenoiser:
        """Return the denoiser of graphs of which standardised ``conditions`` are known.

        Parameters
        ----------
        conditions:
            (b, k), or (1, k) for all graphs alike; NaN stands for "not known".  None: none is.
        """
        if conditions is not None and conditions.shape[-1] != self.network_conditions:
            raise ValueError(f"the network has {self.network_conditions} conditions")
        told = copy.copy(self)
        told.conditions = conditions
        return told

    def __call__(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        gaussian = self.process.gaussian()
        coefficients = {f: self.precondition(p, t) for f, p in gaussian.items()}
        scaled = x_t.replace(**{f: expand(c.inp, x_t[f]) * x_t[f] for f, c in coefficients.items()})
        if previous is not None:
            previous = previous.replace(**{f: previous[f] / p.scale for f, p in gaussian.items()})
        if self.conditions is not None:
            known = self.conditions.to(x_t.device).expand(x_t.graphs, -1)
            scaled = scaled.replace(conditions=known)
        lower = self.precision is not torch.float32
        with torch.autocast(x_t.device.type, dtype=self.precision, enabled=lower):
            raw: Batch = self.network(scaled, t, previous).map(Tensor.float)
        masked = self.process.masked()
        raw = raw.replace(**{f: space.visible(raw[f]) for f, space in masked.items()})
        return raw.replace(
            **{
                f: gaussian[f].space.project(
                    expand(c.skip, raw[f]) * x_t[f] + expand(c.out, raw[f]) * raw[f]
                )
                for f, c in coefficients.items()
            }
        )

    def weights(self, t: Float[Tensor, " b"]) -> Mapping[str, Float[Tensor, " b"]]:
        """Return 1/c_out^2 in 1/Å^2 of each Gaussian field, (b,): turns |x_0|^2 into |F|^2."""
        # Bounded from below: at c_out -> 0 there is nothing left to predict.
        return {
            f: self.precondition(p, t).out.square().clamp_min((1e-3 * p.scale) ** 2).reciprocal()
            for f, p in self.process.gaussian().items()
        }


@dataclass(frozen=True, eq=False)
class GaussianDenoiser(Denoiser):
    """The exact denoiser of normal data and fixed class frequencies.

    Data: every coordinate ~ N(0, spread^2) in its space and every class ~ a fixed
    distribution, all independent.  With it a sampler has a known answer, which is what
    the tests compare with.

    Parameters
    ----------
    process:
        The noising.
    spread:
        Standard deviation of the data in Å.
    frequencies:
        Class probabilities per categorical field.
    """

    process: Product
    spread: float
    frequencies: Mapping[str, tuple[float, ...]]

    def __call__(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        fields: dict[str, Tensor] = {}
        for field, process in self.process.gaussian().items():
            alpha, sigma = process.schedule.alpha(t), process.sigma(t)
            gain = alpha * self.spread**2 / (alpha**2 * self.spread**2 + sigma**2)
            fields[field] = expand(gain, x_t[field]) * x_t[field]
        for field in self.process.categorical():
            fields[field] = self._classes(field, x_t[field], t)
        return Batch(fields)

    def _classes(self, field: str, x_t: Tensor, t: Tensor) -> Tensor:
        """Log of p(x_0 | x_t), by Bayes' rule."""
        process = self.process[field]
        p = torch.tensor(self.frequencies[field], device=x_t.device)
        pi = torch.tensor(process.space.probabilities, device=x_t.device)  # type: ignore[attr-defined]
        here = nn.functional.one_hot(x_t, len(p)).to(p.dtype)
        alpha = expand(process.schedule.alpha(t), here)
        return torch.log(p * (alpha * here + (1 - alpha) * pi[x_t].unsqueeze(-1)) + 1e-30)
