"""The batch: b graphs of n atoms each, as named tensors, with a context.

A process noises the *fields*.  Graphs are bucketed by exact size, so the engine needs neither
padding nor masks; in docking the graphs are b poses of one molecule with r rotatable bonds.  Pair
quantities of an undirected graph live on the e = n(n-1)/2 pairs of the upper triangle, in the order
of ``torch.triu_indices(n, n, 1)``: symmetry holds by construction and nothing is computed twice.

The *context* conditions the model: target properties, a pocket, a ligand's graph, the clean sites.
Processes, samplers and guidance pass it on unchanged; networks and readouts read it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from moldiff.errors import MissingFieldError

__all__ = [
    "FIELDS",
    "Batch",
    "Field",
    "Scope",
    "pair_count",
    "pair_indices",
    "pair_selector",
    "pair_table",
    "register_field",
]

Scope = Literal["atom", "pair", "graph", "rotor"]


@dataclass(frozen=True)
class Field:
    """What a named tensor of a batch means.

    Attributes
    ----------
    scope:
        What carries one value: each atom, pair, graph or rotor.
    shape:
        Shape of one value; () for a class index or a number.
    meaning:
        Description, with the unit.
    """

    scope: Scope
    shape: tuple[int, ...]
    meaning: str

    @property
    def points(self) -> bool:
        """Whether values are points in space, one per atom, which rotate with the graph."""
        return (self.scope, self.shape) == ("atom", (3,))


_FIELDS: dict[str, Field] = {
    "positions": Field("atom", (3,), "Cartesian coordinates in Å, zero mean"),
    "types": Field("atom", (), "element, as an index into the vocabulary"),
    "charges": Field("atom", (), "formal charge, as an index into the vocabulary"),
    "bonds": Field("pair", (), "kekulised bond order, as an index (0 = no bond)"),
    "features": Field("atom", (), "invariant latent features, as many as their space says"),
    "translation": Field("graph", (3,), "centre of a rigid or flexible body, in Å"),
    "rotation": Field("graph", (3, 3), "rotation matrix about that centre"),
    "torsions": Field("rotor", (), "turn about each rotatable bond, in radians"),
}

FIELDS: Mapping[str, Field] = MappingProxyType(_FIELDS)
"""Every registered field.  A prediction of a categorical field carries logits: one
more dimension, of k classes."""


def register_field(name: str, about: Field) -> None:
    """Register a field, so that batches may hold it and configurations may name it.

    Raises
    ------
    ValueError
        If the name already belongs to another field, or the scope is unknown.
    """
    if about.scope not in get_args(Scope):
        raise ValueError(f"a field has one of the scopes {get_args(Scope)}, not {about.scope!r}")
    if _FIELDS.setdefault(name, about) != about:
        raise ValueError(f"the field '{name}' is already registered, as {_FIELDS[name]}")


@dataclass(frozen=True, eq=False)
class Batch(Mapping[str, Tensor]):
    """A frozen mapping from field name to tensor, with a context.

    Attributes
    ----------
    fields:
        The tensors by name; their first dimension is b.
    context:
        What the model is conditioned on, by name.  Values are tensors with b rows, tensors with
        one row for all graphs, or objects shared by all graphs; values with a method ``to`` move
        between devices with the batch.  The engine itself reads three entries: ``conditions``,
        (b, k) standardised properties with NaN for "unknown"; ``clean``, the sites that are known,
        see `moldiff.diffusion.time`; and ``allowed``, what a site may be, see
        `moldiff.diffusion.allowed`.
    """

    fields: Mapping[str, Tensor]
    context: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.fields) - set(FIELDS)
        if unknown or not self.fields:
            raise ValueError(f"a batch holds some of {sorted(FIELDS)}, not {sorted(self.fields)}")
        if len({value.shape[:1] for value in self.fields.values()}) > 1:
            given = {name: tuple(value.shape) for name, value in self.fields.items()}
            raise ValueError(f"all fields of a batch have the same number of graphs, not {given}")
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))
        object.__setattr__(self, "context", MappingProxyType(dict(self.context)))

    def __getitem__(self, name: str) -> Tensor:
        try:
            return self.fields[name]
        except KeyError:
            raise MissingFieldError(name, self.fields) from None

    def __contains__(self, name: object) -> bool:
        return name in self.fields

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
        """Device of the tensors."""
        return next(iter(self.fields.values())).device

    def replace(self, **changes: Tensor) -> Batch:
        """Return a new batch with some fields replaced."""
        return Batch({**self.fields, **changes}, self.context)

    def given(self, **entries: Any) -> Batch:
        """Return a new batch with some entries of the context replaced; None removes one."""
        context = {**self.context, **entries}
        return Batch(self.fields, {k: v for k, v in context.items() if v is not None})

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Return a new batch with ``function`` applied to every field."""
        return Batch({name: function(v) for name, v in self.fields.items()}, self.context)

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch and its context on another device."""
        context = {k: v.to(device) if hasattr(v, "to") else v for k, v in self.context.items()}
        return Batch({name: v.to(device) for name, v in self.fields.items()}, context)


def pair_count(n: int) -> int:
    """Return e, the number of unordered pairs of n atoms."""
    return n * (n - 1) // 2


@functools.lru_cache(maxsize=256)
def pair_indices(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the atoms (i, j), i < j, of each of the e pairs, shapes (e,) and (e,)."""
    with torch.inference_mode(False):  # cached: a gradient may need it later
        i, j = torch.triu_indices(n, n, 1, device=device)
    return i, j


@functools.lru_cache(maxsize=256)
def pair_table(n: int, device: torch.device) -> Tensor:
    """Return the pair of every two atoms (i, j), row by row, shape (n^2,); e where i = j."""
    i, j = pair_indices(n, device)
    with torch.inference_mode(False):  # cached: a gradient may need it later
        table = torch.full((n, n), len(i), device=device)
        table[i, j] = table[j, i] = torch.arange(len(i), device=device)
    return table.flatten()


@functools.lru_cache(maxsize=256)
def pair_selector(n: int, device: torch.device, sign: int) -> Tensor:
    """Return the (e, n) incidence matrix with 1 at i and ``sign`` at j of each pair.

    Sums over pairs and differences within pairs are products with it, forward and
    backward, which on a CPU beats gather and scatter at molecular sizes.
    """
    i, j = pair_indices(n, device)
    with torch.inference_mode(False):  # cached: a gradient may need it later
        pairs = torch.arange(len(i), device=device)
        matrix = torch.zeros(len(i), n, device=device)
        matrix[pairs, i] = 1.0
        matrix[pairs, j] = float(sign)
    return matrix
