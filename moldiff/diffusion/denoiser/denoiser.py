"""Denoisers: (x_t, t) -> prediction of x_0.  Everything else wraps one of these.

A prediction is a :class:`~moldiff.diffusion.batch.Batch` like x_t, in which categorical fields
carry logits.  Guidance and temperature are denoisers that hold a denoiser.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser.precondition import Coefficients, Precondition
from moldiff.diffusion.network import Network
from moldiff.diffusion.process import Product
from moldiff.diffusion.readout import Direct, Readout
from moldiff.diffusion.space import expand
from moldiff.diffusion.time import SiteTimes, Time, field_times
from moldiff.precision import products

__all__ = ["SURE", "Denoiser", "GaussianDenoiser", "NetworkDenoiser"]

SURE = 30.0
"""Logit of a certain class; the others have 0."""
_EARLIEST = 1e-4  # time used for clean sites: at 0 some coefficients are not finite


class Denoiser(ABC):
    """Predicts the clean batch from a noisy one."""

    process: Product

    @abstractmethod
    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        """Predict x_0.

        Parameters
        ----------
        x_t:
            Noisy batch of b graphs with n atoms.
        t:
            Times (b,) in [0, 1], or times of sites; a site at t = 0 is returned unchanged.
        previous:
            The prediction of the previous step, for self-conditioned networks (Chen et al.,
            "Analog Bits", 2023); others ignore it.
        """

    def encode(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a context with batch-independent parts precomputed, see `Network.encode`."""
        return context

    def encoded(self, x: Batch) -> Batch:
        """Return the batch with its context encoded."""
        return Batch(x, self.encode(x.context))


@dataclass(frozen=True, eq=False)
class NetworkDenoiser(Denoiser):
    """A network behind the coefficients of a precondition.

    Parameters
    ----------
    network:
        Called as ``network(x_t, t, previous)`` with coordinates of unit size; returns raw
        outputs: coordinates (b, n, 3), logits for classes.
    precondition:
        How raw coordinates become predictions.
    process:
        The noising process to reverse.
    readout:
        Turns batches into the network's input, and its output into predictions.
    precision:
        Type of the network's large matrix products; geometry stays in 32 bits.
    """

    network: Network
    precondition: Precondition
    process: Product
    readout: Readout = Direct()
    precision: torch.dtype = torch.float32

    def encode(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        with products(self.precision, next(self.network.parameters()).device):
            return self.network.encode(context)

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        shown = self.readout.show(x_t)
        coefficients = self._coefficients(shown, t)
        raw = self._output(shown, coefficients, t, previous)
        hiding = self.process.hiding(x_t.context)
        raw = raw.replace(**{f: s.visible(raw[f]) for f, s in hiding.items() if f in raw})
        points = {
            f: expand(c.c_skip, raw[f]) * shown[f] + expand(c.c_out, raw[f]) * raw[f]
            for f, c in coefficients.items()
        }
        points = {f: self._projected(f, x, t) for f, x in points.items()}
        prediction = self.readout.read(raw.replace(**points), shown, x_t)
        return certain(self.process, prediction, x_t, t)

    def raw(self, x_t: Batch, t: Time) -> tuple[Batch, Batch]:
        """Return the network's input before scaling, and its output in 32 bits."""
        shown = self.readout.show(x_t)
        return shown, self._output(shown, self._coefficients(shown, t), t, None)

    def _output(
        self,
        shown: Batch,
        coefficients: Mapping[str, Coefficients],
        t: Time,
        previous: Batch | None,
    ) -> Batch:
        scaled = shown.replace(
            **{f: expand(c.c_in, shown[f]) * shown[f] for f, c in coefficients.items()}
        )
        if previous is not None:
            processes = self.process.sized(shown).gaussian()
            previous = previous.replace(
                **{f: previous[f] / processes[f].unit for f in coefficients}
            )
        with products(self.precision, shown.device):
            raw = self.network(scaled, t, previous).map(Tensor.float)
        return Batch(raw, shown.context)

    def weights(self, x_t: Batch, t: Time) -> Mapping[str, Float[Tensor, "b *sites"]]:
        """Return 1/c_out^2 in 1/Å^2 of each Gaussian field, which turns |x_0|^2 into |F|^2.

        Of x_t only the size of the graphs matters.
        """
        # c_out is bounded from below: as c_out -> 0 nothing is left to predict.
        return {
            f: self.precondition(p, _finite_times(t, f))
            .c_out.square()
            .clamp_min((1e-3 * p.unit) ** 2)
            .reciprocal()
            for f, p in self.process.sized(x_t).gaussian().items()
        }

    def _coefficients(self, shown: Batch, t: Time) -> dict[str, Coefficients]:
        """The coefficients of the Gaussian fields in the network's input."""
        return {
            f: self.precondition(p, _finite_times(t, f))
            for f, p in self.process.sized(shown).gaussian().items()
            if f in shown
        }

    def _projected(self, field: str, x: Tensor, t: Time) -> Tensor:
        """The projection onto the space; graphs with clean sites stay where those are."""
        projected = self.process[field].space.project(x)
        at = field_times(t, field)
        if at.ndim == 1:
            return projected
        return torch.where(expand((at <= 0).any(1), x), x, projected)


def _finite_times(t: Time, field: str) -> Float[Tensor, "b *sites"]:
    """The times of a field's sites, those of clean ones moved to where coefficients are finite."""
    times = field_times(t, field)
    return times if times.ndim == 1 else times.clamp_min(_EARLIEST)


def certain(process: Product, prediction: Batch, x_t: Batch, t: Time) -> Batch:
    """Return the prediction with the sites that are clean at time t set to their values."""
    if not isinstance(t, SiteTimes):
        return prediction
    fields: dict[str, Tensor] = {}
    for field in process.processes:
        clean = field_times(t, field) <= 0
        if clean.ndim > 1 and clean.any():
            values, k = x_t[field], process.categorical().get(field)
            if k is not None:
                values = SURE * nn.functional.one_hot(values, k).to(prediction[field])
            fields[field] = torch.where(expand(clean, prediction[field]), values, prediction[field])
    return prediction.replace(**fields)


@dataclass(frozen=True, eq=False)
class GaussianDenoiser(Denoiser):
    """The exact denoiser of normal data and fixed class frequencies.

    Data: every coordinate ~ N(0, spread^2) in its space and every class ~ a fixed
    distribution, all independent.  A sampler then has a known answer, with which the
    tests compare.

    Parameters
    ----------
    process:
        The noising process.
    spread:
        Standard deviation of the data in Å.
    frequencies:
        Class probabilities per categorical field.
    """

    process: Product
    spread: float
    frequencies: Mapping[str, tuple[float, ...]]

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        fields: dict[str, Tensor] = {}
        for field, process in self.process.sized(x_t).gaussian().items():
            at = field_times(t, field)
            alpha, sigma = process.schedule.alpha(at), process.sigma(at)
            gain = alpha * self.spread**2 / (alpha**2 * self.spread**2 + sigma**2)
            fields[field] = expand(gain, x_t[field]) * x_t[field]
        for field in self.process.categorical():
            fields[field] = self._classes(field, x_t, field_times(t, field))
        return certain(self.process, Batch(fields, x_t.context), x_t, t)

    def _classes(self, field: str, x_t: Batch, t: Tensor) -> Tensor:
        """Log of p(x_0 | x_t), by Bayes' rule."""
        process, values = self.process.of(field, x_t.context), x_t[field]
        space: Any = process.space
        p = torch.tensor(self.frequencies[field], device=x_t.device)
        pi = space.weights(values).expand(*values.shape, -1).gather(-1, values.unsqueeze(-1))
        one_hot = nn.functional.one_hot(values, len(p)).to(p.dtype)
        alpha = expand(process.schedule.alpha(t), one_hot)
        known: Tensor = space.visible(torch.log(p * (alpha * one_hot + (1 - alpha) * pi) + 1e-30))
        return known
