"""One process per field of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from moldiff.diffusion.batch import FIELDS, Batch, pair_count
from moldiff.diffusion.process.base import Flow, Process
from moldiff.diffusion.process.gaussian import Gaussian, PowerLaw
from moldiff.diffusion.space import Categorical, Subset, Vectors, ZeroCoM, expand
from moldiff.diffusion.time import Clean, SiteTimes, Time, batch_times, field_times
from moldiff.errors import ConfigError, did_you_mean
from moldiff.registry import build, describe, ready_made

__all__ = ["Product"]

_ANYTIME = 0.5


@dataclass(frozen=True, eq=False)
class Product:
    """One process per field; a step of the product is a step of each of them."""

    processes: Mapping[str, Process]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Product:
        """Build ``{field: process mapping}``.

        Raises
        ------
        ConfigError
            If there is no field, a field is unknown, a process cannot be built, it takes the
            centre of mass from a field with one value per graph, or its scale follows the number
            of atoms in a field without a value per atom.
        """
        names = list(FIELDS)
        unknown = [field for field in config if field not in names]
        if unknown or not config:
            raise ConfigError(
                f"There is no field '{unknown[0]}'." if unknown else "The process has no field.",
                fix=did_you_mean(str(unknown[0]) if unknown else "", names),
            )
        # In the order of FIELDS, which fixes the order of random draws and of the network's inputs
        # and heads: it must not depend on how a configuration file happens to be sorted.
        processes = {field: build("process", config[field]) for field in names if field in config}
        for field, process in processes.items():
            if FIELDS[field].scope == "graph" and isinstance(process.space, ZeroCoM):
                raise ConfigError(  # its mean would be that of the batch
                    f"'{field}' has one value per graph, and so no centre of mass to remove.",
                    fix="Write 'space: euclidean' in its process.",
                )
            by_size = isinstance(process, Gaussian) and isinstance(process.scale, PowerLaw)
            if by_size and FIELDS[field].scope != "atom":
                raise ConfigError(
                    f"'{field}' has no value per atom, so its scale cannot follow their number.",
                    fix="Write a number for its 'scale'.",
                )
        return cls(processes)

    def to_config(self) -> dict[str, Any]:
        """Return the mapping that :meth:`from_config` reads."""
        return {field: describe(process) for field, process in self.processes.items()}

    def __getitem__(self, field: str) -> Process:
        return self.processes[field]

    def of(self, field: str, context: Mapping[str, Any]) -> Process:
        """Return the process of a field, among the classes that a context allows."""
        process, allowed = self.processes[field], context.get("allowed")
        if allowed is None or field not in allowed.classes:
            return process
        return process.among(allowed.classes[field])

    def only(self, fields: Iterable[str]) -> Product:
        """Return the product over some of the fields."""
        return Product({field: self.processes[field] for field in fields})

    def sized(self, x: Batch) -> Product:
        """Return the product for graphs of the size of those in x.

        In it the scales of the Gaussian processes of fields of x are numbers.
        """
        return Product({f: p.sized(x[f].shape) if f in x else p for f, p in self.processes.items()})

    def shape(
        self, field: str, b: int, n: int | None = None, r: int | None = None
    ) -> tuple[int, ...]:
        """Return the shape of a field for b graphs of n atoms and r rotors.

        Raises
        ------
        ValueError
            If the field has one value per atom, pair or rotor, and their number is not given.
        """
        about = FIELDS[field]
        count = {"graph": 0, "atom": n, "pair": n, "rotor": r}[about.scope]
        if count is None:
            dependence = (
                "r, the number of rotors" if about.scope == "rotor" else "n, the number of atoms"
            )
            raise ValueError(f"the shape of '{field}' depends on {dependence}")
        sites = {"graph": (), "pair": (pair_count(count),)}.get(about.scope, (count,))
        space = self.processes[field].space
        value_shape = (space.width,) if isinstance(space, Vectors) else about.shape
        return (b, *sites, *value_shape)

    def prior(
        self,
        b: int,
        n: int | None = None,
        r: int | None = None,
        *,
        rng: torch.Generator,
        device: torch.device | str = "cpu",
        context: Mapping[str, Any] = MappingProxyType({}),
    ) -> Batch:
        """Draw b graphs of n atoms (and r rotors) of pure noise, with a context.

        Raises
        ------
        ValueError
            If the context marks clean sites, whose values noise does not have.
        """
        if context.get("clean") is not None:
            raise ValueError(
                "pure noise has no clean sites; give their values to start(x_0, rng=rng)"
            )
        shapes = {f: self.shape(f, b, n, r) for f in self.processes}
        return Batch(self._among(context)._draw(shapes, rng, device), context)

    def noise_like(self, x: Batch, *, rng: torch.Generator) -> Batch:
        """Draw pure noise with the shapes of a batch, for :meth:`forward` to mix in."""
        shapes = {f: tuple(x[f].shape) for f in self.processes}
        clean = x.context.get("clean") or Clean({})
        fixed = {f for f in self.processes if (mask := clean.of(f)) is not None and mask.any()}
        among = self._among(x.context).processes
        processes = {f: p.freed() if f in fixed else p for f, p in among.items()}
        return Batch(Product(processes)._draw(shapes, rng, x.device), x.context)

    def start(self, x_0: Batch, *, rng: torch.Generator) -> Batch:
        """Draw the batch at t = 1: pure noise, and the sites that the context keeps clean."""
        latest = batch_times(x_0, torch.ones(x_0.graphs, device=x_0.device))
        return self.keep_clean(self.noise_like(x_0, rng=rng), x_0, latest)

    def _among(self, context: Mapping[str, Any]) -> Product:
        """The product over the classes that a context allows."""
        if context.get("allowed") is None:
            return self
        return Product({field: self.of(field, context) for field in self.processes})

    def _draw(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        rng: torch.Generator,
        device: torch.device | str,
    ) -> dict[str, Tensor]:
        return {
            field: process.prior(shapes[field], rng=rng, device=device)
            for field, process in self.processes.items()
        }

    def forward(
        self, x_s: Batch, s: Time, t: Time, *, rng: torch.Generator, noise: Batch | None = None
    ) -> Batch:
        """Draw x_t given x_s in every field."""

        def step(field: str, process: Process, t: Tensor, s: Tensor) -> Tensor:
            field_noise = None if noise is None else noise[field]
            return process.forward(x_s[field], s, t, rng=rng, noise=field_noise)

        return self._move(x_s, (t, s), step)

    def reverse(
        self,
        x_t: Batch,
        x0_hat: Batch,
        t: Time,
        s: Time,
        *,
        eta: float,
        churn: float,
        rng: torch.Generator,
    ) -> Batch:
        """Draw x_s given x_t and the prediction.

        ``eta`` is the randomness of coordinates, ``churn`` that of classes, rotations and angles
        (see :attr:`Process.driven_by`).
        """
        amount = {"eta": eta, "churn": churn}

        def step(field: str, process: Process, t: Tensor, s: Tensor) -> Tensor:
            amount_here = amount[process.driven_by]
            return process.reverse(x_t[field], x0_hat[field], t, s, eta=amount_here, rng=rng)

        return self._move(x_t, (t, s), step)

    def correct(
        self,
        x_t: Batch,
        x0_hat: Batch,
        t: Time,
        *,
        eta: float,
        churn: float,
        rng: torch.Generator,
    ) -> Batch:
        """Move x_t by steps that leave its distribution unchanged, driven as in reverse."""
        amount = {"eta": eta, "churn": churn}

        def step(field: str, process: Process, t: Tensor) -> Tensor:
            amount_here = amount[process.driven_by]
            return process.correct(x_t[field], x0_hat[field], t, eta=amount_here, rng=rng)

        return self._move(x_t, (t,), step)

    def _move(self, x: Batch, times: tuple[Time, ...], step: Callable[..., Tensor]) -> Batch:
        """Return x with every field moved by ``step``, and its clean sites unchanged.

        The first of the ``times`` is the noisiest: sites whose time is 0 there are clean.
        """
        fields: dict[str, Tensor] = {}
        for field, process in self._among(x.context).processes.items():
            aligned = _broadcast([field_times(t, field) for t in times])
            clean = aligned[0] <= 0 if aligned[0].ndim > 1 else None
            if clean is None or not clean.any():
                fields[field] = step(field, process, *aligned)
                continue
            # Clean sites are moved at an arbitrary time, at which all is finite, and then restored.
            freed = process.freed()
            moved = step(field, freed, *(t.masked_fill(clean, _ANYTIME) for t in aligned))
            if freed is not process:  # graphs without a clean site keep their centre of mass
                whole = expand(~clean.any(1), moved)
                moved = torch.where(whole, process.space.project(moved), moved)
            fields[field] = torch.where(expand(clean, x[field]), x[field], moved)
        return Batch(fields, x.context)

    def keep_clean(self, new: Batch, old: Batch, t: Time) -> Batch:
        """Return ``new`` with the sites that are clean at time t taken from ``old``."""
        if not isinstance(t, SiteTimes):
            return new
        fields = dict(new)
        for field in self.processes:
            clean = field_times(t, field) <= 0
            if clean.ndim > 1:
                fields[field] = torch.where(expand(clean, new[field]), old[field], new[field])
        return new.replace(**fields)

    def mix(self, a: Batch, b: Batch, w: Mapping[str, Tensor | float]) -> Batch:
        """Go from prediction a towards prediction b by w[field]."""
        fields = {f: p.space.mix(a[f], b[f], w[f]) for f, p in self.processes.items()}
        return Batch(fields, a.context)

    def mode(self, x0_hat: Batch) -> Batch:
        """Return the most probable clean batch under a prediction."""
        fields = {f: p.mode(x0_hat[f]) for f, p in self.processes.items()}
        return Batch(fields, x0_hat.context)

    def categorical(self) -> dict[str, int]:
        """Return the number of classes of each categorical field."""
        return {
            field: process.space.classes
            for field, process in self.processes.items()
            if isinstance(process.space, Categorical)
        }

    def vectors(self) -> dict[str, int]:
        """Return the number of values per site of each field of vectors."""
        spaces = {f: p.space for f, p in self.processes.items()}
        return {f: s.width for f, s in spaces.items() if isinstance(s, Vectors)}

    def hiding(self, context: Mapping[str, Any]) -> dict[str, Categorical | Subset]:
        """Return the space of each field with classes that predictions exclude."""
        spaces = {f: p.space for f, p in self._among(context).processes.items()}
        masked = {f: s for f, s in spaces.items() if isinstance(s, Categorical) and s.mask}
        return masked | {f: s for f, s in spaces.items() if isinstance(s, Subset)}

    def check(self) -> None:
        """Check that every field's schedule takes it from data to noise.

        Raises
        ------
        ConfigError
            With the reason, and the registered schedules that do.
        """
        for field, process in self.processes.items():
            reason = process.refusal(process.schedule)
            if reason is not None:
                schedules = ready_made("schedule")
                suitable = [name for name, s in schedules.items() if process.refusal(s) is None]
                raise ConfigError(
                    f"The schedule of '{field}' does not end in noise: {reason}.",
                    fix=f"Schedules that do, with their default settings: {', '.join(suitable)}.",
                )

    def gaussian(self) -> dict[str, Gaussian]:
        """Return the Gaussian processes by field."""
        return {f: p for f, p in self.processes.items() if isinstance(p, Gaussian)}

    def flows(self) -> dict[str, Flow]:
        """Return the processes of coordinates of all kinds by field."""
        return {f: p for f, p in self.processes.items() if isinstance(p, Flow)}


def _broadcast(times: list[Tensor]) -> list[Tensor]:
    """Times of one shape: times of graphs are repeated for every site if others are of sites."""
    if len({t.ndim for t in times}) == 1:
        return times
    return list(torch.broadcast_tensors(*(t if t.ndim > 1 else t.unsqueeze(1) for t in times)))
