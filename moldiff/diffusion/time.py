r"""Time: one number for a whole graph, or one for each of its sites.

With a time per site, part of a graph can be clean (t = 0) while the rest is noise: to keep a
scaffold or continue a chain.  The context entry ``clean`` marks those sites,
{"atom": (b, n), "pair": (b, e), ...} of bool (one row may serve all graphs); :func:`batch_times`
combines it with the time of a graph into times of sites.  A mask is for all fields of its scope,
except those with a mask of their own name: a clean atom keeps both its type and its position, but
with a mask "types", an atom may keep its position alone.  A network reads the times of atoms, and
with ``parts`` also which values are clean (`moldiff.nn.embed.Embedding`).

Clean sites are data: every process returns them unchanged, and every loss leaves them out.  They
fix a graph in space, in the frame that the caller chooses, so its other coordinates are noised in
all of R^3 instead of about a common centre of mass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.diffusion.batch import FIELDS, Batch

__all__ = [
    "Clean",
    "SiteTimes",
    "Time",
    "batch_times",
    "field_times",
    "graph_times",
    "map_times",
]


class Clean(Mapping[str, Tensor]):
    """Which sites are clean, by scope or field: bool (b, sites), or (1, sites) for all graphs."""

    def __init__(self, sites: Mapping[Any, Tensor]) -> None:
        self._sites = MappingProxyType(dict(sites))

    def __getitem__(self, key: str) -> Tensor:
        return self._sites[key]

    def __iter__(self) -> Any:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)

    def to(self, device: torch.device | str) -> Clean:
        """Return the masks on a device."""
        return Clean({key: mask.to(device) for key, mask in self._sites.items()})

    def of(self, field: str) -> Tensor | None:
        """Return the mask of a field's sites; None if they are all noised."""
        return self._sites.get(field, self._sites.get(FIELDS[field].scope))


@dataclass(frozen=True, eq=False)
class SiteTimes:
    """A separate time for every site.

    Attributes
    ----------
    graph:
        (b,) the time of the graph as a whole, for scopes without times of their own.
    sites:
        By scope, or by field where its times differ from its scope's, (b, sites); (b,) for a field
        whose sites share a time that is not the graph's.
    """

    graph: Float[Tensor, " b"]
    sites: Mapping[str, Float[Tensor, "b *sites"]]

    def map(self, function: Callable[[Tensor], Tensor]) -> SiteTimes:
        """Return the times with ``function`` applied to all of them."""
        return SiteTimes(function(self.graph), {k: function(v) for k, v in self.sites.items()})


Time: TypeAlias = "Float[Tensor, ' b'] | SiteTimes"


def field_times(t: Time, field: str) -> Float[Tensor, "b *sites"]:
    """Return the times of a field's sites: (b, sites), or (b,) where they share one."""
    if not isinstance(t, SiteTimes):
        return t
    return t.sites.get(field, t.sites.get(FIELDS[field].scope, t.graph))


def graph_times(t: Time) -> Float[Tensor, " b"]:
    """Return the times of the graphs, (b,)."""
    return t.graph if isinstance(t, SiteTimes) else t


def batch_times(x: Batch, t: Float[Tensor, " b"]) -> Time:
    """Return the time of every site of a batch: t, (b,), or 0 where its context is clean."""
    clean = x.context.get("clean")
    if clean is None:
        return t
    late = t.unsqueeze(1)
    zero = torch.zeros_like(late)
    return SiteTimes(t, {key: torch.where(mask, zero, late) for key, mask in clean.items()})


def map_times(t: Time, function: Callable[[Tensor], Tensor]) -> Time:
    """Return the time with ``function`` applied to all its numbers."""
    return t.map(function) if isinstance(t, SiteTimes) else function(t)
