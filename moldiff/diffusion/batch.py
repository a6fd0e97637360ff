"""The batch: b graphs of the same number of atoms n, as a frozen set of named tensors.

Graphs are bucketed by exact size, so there is no padding and no mask anywhere in
the engine; in docking they are b poses of one molecule, all with its r rotatable bonds.
Pair quantities of an undirected graph live on the e = n(n-1)/2 pairs of the upper
triangle, in the order of ``torch.triu_indices(n, n, 1)``: symmetry holds by construction
and nothing is computed twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

__all__ = ["FIELDS", "Batch", "Field", "pair_count", "pair_indices", "pair_selector"]

Scope = Literal["atom", "pair", "graph", "rotor", "given"]


@dataclass(frozen=True)
class Field:
    """What a named tensor of a batch means."""

    scope: Scope
    shape: tuple[int, ...]
    meaning: str


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "positions": Field("atom", (3,), "Cartesian coordinates in Å, zero mean"),
        "types": Field("atom", (), "element, as an index into the vocabulary"),
        "charges": Field("atom", (), "formal charge, as an index into the vocabulary"),
        "bonds": Field("pair", (), "kekulised bond order, as an index (0 = no bond)"),
        "features": Field("atom", (), "invariant latent features, as many as their space says"),
        "translation": Field("graph", (3,), "centre of a rigid or flexible body, in Å"),
        "rotation": Field("graph", (3, 3), "rotation matrix about that centre"),
        "torsions": Field("rotor", (), "turn about each rotatable bond, in radians"),
        "conditions": Field("given", (), "k numbers known of a graph, standardised; NaN: not"),
    }
)
"""Every field the package knows.  A prediction of a categorical field carries logits,
that is one further dimension of k classes.  What is given, (b, k), has no process."""


@dataclass(frozen=True, eq=False)
class Batch(Mapping[str, Tensor]):
    """A frozen mapping from field name to tensor; the first dimension is always b."""

    fields: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        unknown = set(self.fields) - set(FIELDS)
        if unknown or not self.fields:
            raise ValueError(f"a batch holds some of {sorted(FIELDS)}, not {sorted(self.fields)}")
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))

    def __getitem__(self, name: str) -> Tensor:
        return self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    @property
    def graphs(self) -> int:
        """Number of graphs b."""
        return next(iter(self.fields.values())).shape[0]

    @property
    def atoms(self) -> int:
        """Number of atoms n of each graph."""
        return self._count("atom")

    @property
    def rotors(self) -> int:
        """Number of rotatable bonds r of each graph."""
        return self._count("rotor")

    def _count(self, scope: Scope) -> int:
        for name, value in self.fields.items():
            if FIELDS[name].scope == scope:
                return value.shape[1]
        raise ValueError(f"a batch without a field of scope '{scope}' has no {scope} count")

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return next(iter(self.fields.values())).device

    def replace(self, **changes: Tensor) -> Batch:
        """Return a new batch with some fields exchanged."""
        return Batch({**self.fields, **changes})

    def without(self, *names: str) -> Batch:
        """Return a new batch that lacks some fields."""
        return Batch({name: value for name, value in self.fields.items() if name not in names})

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Return a new batch with ``function`` applied to every field."""
        return Batch({name: function(value) for name, value in self.fields.items()})

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on another device."""
        return self.map(lambda value: value.to(device))


def pair_count(n: int) -> int:
    """Return e, the number of unordered pairs of n atoms."""
    return n * (n - 1) // 2


@functools.lru_cache(maxsize=256)
def pair_indices(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the atoms (i, j), i < j, of each of the e pairs, shapes (e,) and (e,)."""
    with torch.inference_mode(False):  # cached: may later be needed by a gradient
        i, j = torch.triu_indices(n, n, 1, device=device)
    return i, j


@functools.lru_cache(maxsize=256)
def pair_selector(n: int, device: torch.device, sign: int) -> Tensor:
    """Return the (e, n) incidence matrix with 1 at i and ``sign`` at j of each pair.

    Sums over pairs and differences within pairs are products with it, forward and
    backward, which on a CPU beats gather and scatter at molecular sizes.
    """
    i, j = pair_indices(n, device)
    with torch.inference_mode(False):  # cached: may later be needed by a gradient
        pairs = torch.arange(len(i), device=device)
        matrix = torch.zeros(len(i), n, device=device)
        matrix[pairs, i] = 1.0
        matrix[pairs, j] = float(sign)
    return matrix
