"""One process per field of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from moldiff.diffusion.batch import FIELDS, Batch, pair_count
from moldiff.diffusion.process.base import Flow, Process
from moldiff.diffusion.process.gaussian import Gaussian
from moldiff.diffusion.space import Categorical, Vectors
from moldiff.errors import ConfigError, did_you_mean
from moldiff.registry import build, describe, ready_made

__all__ = ["Product"]


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
            If there is no field, or one that is unknown, or a process cannot be made.
        """
        known = [field for field, about in FIELDS.items() if about.scope != "given"]
        unknown = [field for field in config if field not in known]
        if unknown or not config:
            raise ConfigError(
                f"There is no field '{unknown[0]}'." if unknown else "The process has no field.",
                fix=did_you_mean(str(unknown[0]) if unknown else "", known),
            )
        # In the order of FIELDS: that of random draws and of the network's inputs and heads
        # follows, and may not depend on how a configuration file happens to be sorted.
        return cls({field: build("process", config[field]) for field in known if field in config})

    def to_config(self) -> dict[str, Any]:
        """Return the mapping :meth:`from_config` reads."""
        return {field: describe(process) for field, process in self.processes.items()}

    def __getitem__(self, field: str) -> Process:
        return self.processes[field]

    def shape(self, field: str, b: int, n: int, r: int | None = None) -> tuple[int, ...]:
        """Return the shape of a field for b graphs of n atoms and r rotors.

        Raises
        ------
        ValueError
            If the field has one value per rotor and r is not given.
        """
        scope = FIELDS[field].scope
        if scope == "rotor" and r is None:
            raise ValueError(f"the shape of '{field}' depends on r, the number of rotors")
        sites = {"graph": (), "atom": (n,), "pair": (pair_count(n),), "rotor": (r or 0,)}[scope]
        space = self.processes[field].space
        own = (space.width,) if isinstance(space, Vectors) else FIELDS[field].shape
        return (b, *sites, *own)

    def prior(
        self,
        b: int,
        n: int,
        r: int | None = None,
        *,
        rng: torch.Generator,
        device: torch.device | str = "cpu",
    ) -> Batch:
        """Draw b graphs of n atoms (and r rotors) of pure noise."""
        return self._draw({f: self.shape(f, b, n, r) for f in self.processes}, rng, device)

    def noise_like(self, x: Batch, *, rng: torch.Generator) -> Batch:
        """Draw pure noise of the shapes of a batch, for :meth:`forward` to mix in."""
        return self._draw({f: tuple(x[f].shape) for f in self.processes}, rng, x.device)

    def _draw(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        rng: torch.Generator,
        device: torch.device | str,
    ) -> Batch:
        return Batch(
            {
                field: process.prior(shapes[field], rng=rng, device=device)
                for field, process in self.processes.items()
            }
        )

    def forward(
        self, x_s: Batch, s: Tensor, t: Tensor, *, rng: torch.Generator, noise: Batch | None = None
    ) -> Batch:
        """Draw x_t given x_s in every field."""
        return Batch(
            {
                field: process.forward(
                    x_s[field], s, t, rng=rng, noise=None if noise is None else noise[field]
                )
                for field, process in self.processes.items()
            }
        )

    def reverse(
        self,
        x_t: Batch,
        x0_hat: Batch,
        t: Tensor,
        s: Tensor,
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
        return Batch(
            {
                field: process.reverse(
                    x_t[field], x0_hat[field], t, s, eta=amount[process.driven_by], rng=rng
                )
                for field, process in self.processes.items()
            }
        )

    def correct(
        self,
        x_t: Batch,
        x0_hat: Batch,
        t: Tensor,
        *,
        eta: float,
        churn: float,
        rng: torch.Generator,
    ) -> Batch:
        """Move x_t by steps that leave its distribution unchanged, driven as in reverse."""
        amount = {"eta": eta, "churn": churn}
        return Batch(
            {
                field: process.correct(
                    x_t[field], x0_hat[field], t, eta=amount[process.driven_by], rng=rng
                )
                for field, process in self.processes.items()
            }
        )

    def mix(self, a: Batch, b: Batch, w: Mapping[str, Tensor | float]) -> Batch:
        """Go from prediction a towards prediction b by w[field]."""
        return Batch({f: p.space.mix(a[f], b[f], w[f]) for f, p in self.processes.items()})

    def mode(self, x0_hat: Batch) -> Batch:
        """Return the most probable clean batch under a prediction."""
        return Batch({f: p.mode(x0_hat[f]) for f, p in self.processes.items()})

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

    def masked(self) -> dict[str, Categorical]:
        """Return the space of each field one of whose classes is a mask."""
        spaces = {f: p.space for f, p in self.processes.items()}
        return {f: s for f, s in spaces.items() if isinstance(s, Categorical) and s.mask}

    def check(self) -> None:
        """Refuse a field whose schedule does not take it from data to noise.

        Raises
        ------
        ConfigError
            With the reason, and the registered schedules that do.
        """
        for field, process in self.processes.items():
            reason = process.refusal(process.schedule)
            if reason is not None:
                made = ready_made("schedule")
                able = [name for name, s in made.items() if process.refusal(s) is None]
                raise ConfigError(
                    f"The schedule of '{field}' is outside its domain: {reason}.",
                    fix=f"Schedules that go with it, as they are: {', '.join(able)}.",
                )

    def gaussian(self) -> dict[str, Gaussian]:
        """Return the Gaussian processes by field."""
        return {f: p for f, p in self.processes.items() if isinstance(p, Gaussian)}

    def flows(self) -> dict[str, Flow]:
        """Return the processes of coordinates of all kinds by field."""
        return {f: p for f, p in self.processes.items() if isinstance(p, Flow)}
