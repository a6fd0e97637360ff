"""The network: embedding -> an exchangeable interaction -> heads."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from moldiff.diffusion.batch import FIELDS, Batch, pair_selector
from moldiff.nn.embed import Embedding, Features
from moldiff.registry import build, describe

__all__ = ["SYMMETRY", "Heads", "Network"]

SYMMETRY = {
    True: "equivariant under rotations and reflections",
    False: "not equivariant: trained under random rotations and reflections",
}
"""How a network is labelled wherever it appears, by whether it is equivariant."""


class Heads(nn.Module):
    """Read logits of categorical fields, vectors and one point per atom off the features."""

    def __init__(
        self,
        *,
        classes: Mapping[str, int],
        width: int,
        pair_width: int,
        channels: int,
        vectors: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.atom_fields = [f for f in classes if FIELDS[f].scope == "atom"]
        self.pair_fields = [f for f in classes if FIELDS[f].scope == "pair"]
        self.atom_norm = nn.LayerNorm(width)
        if self.pair_fields:
            self.pair_norm = nn.LayerNorm(pair_width)
            self.atom_sum = nn.Linear(width, pair_width, bias=False)
            self.pair_hidden = nn.Linear(pair_width, pair_width)
        self.logits = nn.ModuleDict(
            {
                f: nn.Linear(width if f in self.atom_fields else pair_width, classes[f])
                for f in classes
            }
        )
        self.vectors = nn.ModuleDict({f: nn.Linear(width, k) for f, k in vectors.items()})
        for head in self.vectors.values():
            nn.init.zeros_(head.weight)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]
        # Zero at the start: the first prediction is the optimal linear one, c_skip x_t.
        self.points = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Features) -> Batch:
        atoms = self.atom_norm(x.atoms)
        fields = {f: self.logits[f](atoms) for f in self.atom_fields}
        fields |= {f: head(atoms) for f, head in self.vectors.items()}
        if self.pair_fields:
            both = pair_selector(atoms.shape[1], atoms.device, 1)
            pairs = self.pair_hidden(self.pair_norm(x.pairs)) + both @ self.atom_sum(atoms)
            pairs = nn.functional.silu(pairs)
            fields |= {f: self.logits[f](pairs) for f in self.pair_fields}
        positions = (x.points * self.points.unsqueeze(1)).sum(2)
        return Batch({"positions": positions, **fields})


class Network(nn.Module):
    """Network from a noisy batch to raw predictions; equivariant if its interaction is.

    Parameters
    ----------
    interaction:
        A registered interaction (``transformer``, ``egnn``, ``tensor_product``, ``plain``); its
        ``width``, ``pair_width``, ``channels`` and ``context_width`` size the rest.
    classes:
        Number of classes of each categorical field.
    vectors:
        Number of values per atom of each field of invariant vectors.
    conditions:
        Number of conditions of a graph it can be told (see :class:`moldiff.nn.embed.Conditions`).
    """

    def __init__(
        self,
        interaction: nn.Module,
        classes: Mapping[str, int],
        vectors: Mapping[str, int] = MappingProxyType({}),
        conditions: int = 0,
    ) -> None:
        super().__init__()
        sizes: dict[str, int] = {
            name: getattr(interaction, name) for name in ("width", "pair_width", "channels")
        }
        context_width: int = getattr(interaction, "context_width")  # noqa: B009
        self.classes, self.conditions = dict(classes), conditions
        self.embedding = Embedding(
            classes=classes,
            vectors=vectors,
            context_width=context_width,
            conditions=conditions,
            **sizes,
        )
        self.interaction = interaction
        self.heads = Heads(classes=classes, vectors=vectors, **sizes)

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any] | str,
        classes: Mapping[str, int],
        vectors: Mapping[str, int] = MappingProxyType({}),
        conditions: int = 0,
    ) -> Network:
        """Build the network whose interaction ``config`` describes."""
        return cls(build("interaction", config), classes, vectors, conditions)

    @property
    def equivariant(self) -> bool:
        """Whether a rotated or reflected input gives the output rotated or reflected."""
        return bool(getattr(self.interaction, "equivariant"))  # noqa: B009

    @property
    def symmetry(self) -> str:
        """The label of the network, see `SYMMETRY`."""
        return SYMMETRY[self.equivariant]

    def to_config(self) -> dict[str, Any]:
        """Return the configuration of the interaction."""
        return describe(self.interaction)

    def forward(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        """Return raw outputs for a batch with coordinates of unit size at times t (b,)."""
        result: Batch = self.heads(self.interaction(self.embedding(x_t, t, previous)))
        return result
