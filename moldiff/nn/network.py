"""The network: embedding -> an exchangeable interaction -> heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from moldiff.batch import FIELDS, Batch, pair_selector
from moldiff.nn.embed import Embedding, Features
from moldiff.registry import build, describe

__all__ = ["Heads", "Network"]


class Heads(nn.Module):
    """Read logits of every categorical field and one point per atom off the features."""

    def __init__(
        self, *, classes: Mapping[str, int], width: int, pair_width: int, channels: int
    ) -> None:
        super().__init__()
        self.atom_fields = [f for f in classes if FIELDS[f].scope == "atom"]
        self.pair_fields = [f for f in classes if FIELDS[f].scope == "pair"]
        self.atom_norm = nn.LayerNorm(width)
        self.pair_norm = nn.LayerNorm(pair_width)
        self.atom_sum = nn.Linear(width, pair_width, bias=False)
        self.pair_hidden = nn.Linear(pair_width, pair_width)
        self.logits = nn.ModuleDict(
            {
                f: nn.Linear(width if f in self.atom_fields else pair_width, classes[f])
                for f in classes
            }
        )
        # Zero at the start: the first prediction is the optimal linear one, c_skip x_t.
        self.points = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Features) -> Batch:
        atoms = self.atom_norm(x.atoms)
        both = pair_selector(atoms.shape[1], atoms.device, 1)
        pairs = self.pair_hidden(self.pair_norm(x.pairs)) + both @ self.atom_sum(atoms)
        pairs = nn.functional.silu(pairs)
        fields = {f: self.logits[f](atoms) for f in self.atom_fields}
        fields |= {f: self.logits[f](pairs) for f in self.pair_fields}
        positions = (x.points * self.points.unsqueeze(1)).sum(2)
        return Batch({"positions": positions, **fields})


class Network(nn.Module):
    """Equivariant network from a noisy batch to raw predictions.

    Parameters
    ----------
    interaction:
        A registered interaction (``transformer``, ``egnn``, ``tensor_product``); its
        ``width``, ``pair_width``, ``channels`` and ``context_width`` size the rest.
    classes:
        Number of classes of each categorical field.
    """

    def __init__(self, interaction: nn.Module, classes: Mapping[str, int]) -> None:
        super().__init__()
        sizes: dict[str, int] = {
            name: getattr(interaction, name) for name in ("width", "pair_width", "channels")
        }
        context_width: int = getattr(interaction, "context_width")  # noqa: B009
        self.classes = dict(classes)
        self.embedding = Embedding(
            classes=classes,
            context_width=context_width,
            **sizes,
        )
        self.interaction = interaction
        self.heads = Heads(classes=classes, **sizes)

    @classmethod
    def from_config(cls, config: Mapping[str, Any] | str, classes: Mapping[str, int]) -> Network:
        """Build the network whose interaction ``config`` describes."""
        return cls(build("interaction", config), classes)

    def to_config(self) -> dict[str, Any]:
        """Return the configuration of the interaction."""
        return describe(self.interaction)

    def forward(self, x_t: Batch, t: Float[Tensor, " b"], previous: Batch | None = None) -> Batch:
        """Return raw outputs for a batch with coordinates of unit size at times t (b,)."""
        result: Batch = self.heads(self.interaction(self.embedding(x_t, t, previous)))
        return result
