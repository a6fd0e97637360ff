"""The network: embedding -> an exchangeable interaction -> heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import torch
from torch import nn

from moldiff.diffusion.batch import FIELDS, Batch, pair_selector
from moldiff.diffusion.network import Network, Symmetry
from moldiff.diffusion.time import Time
from moldiff.nn.embed import Embedding, Features
from moldiff.nn.interaction import Interaction

__all__ = ["GraphNetwork", "Heads"]


class Heads(nn.Module):
    """Map features to logits of categorical fields, to vectors and to one point per atom."""

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


class GraphNetwork(Network):
    """Network from a noisy graph to raw predictions; it has the symmetry of its interaction.

    Parameters
    ----------
    interaction:
        Refines the features; it sets the sizes of the embedding and the heads.
    classes:
        Number of classes of each categorical field.
    vectors:
        Number of values per atom of each field of invariant vectors.
    conditions:
        Number of conditions of a graph, see `moldiff.nn.conditions`.
    parts:
        Whether parts of a graph may be clean, see `moldiff.nn.embed.Embedding`.
    writes:
        Classes and vectors of the predicted fields; None: those of the input.
    """

    def __init__(
        self,
        interaction: Interaction,
        classes: Mapping[str, int],
        vectors: Mapping[str, int] = MappingProxyType({}),
        conditions: int = 0,
        *,
        parts: bool = False,
        writes: tuple[Mapping[str, int], Mapping[str, int]] | None = None,
    ) -> None:
        super().__init__()
        sizes = {k: getattr(interaction, k) for k in ("width", "pair_width", "channels")}
        self.classes, self.conditions = dict(classes), conditions
        self.embedding = Embedding(
            classes=classes,
            vectors=vectors,
            context_width=interaction.context_width,
            conditions=conditions,
            tokens=interaction.cross_attention,
            parts=parts,
            **sizes,
        )
        self.interaction = interaction
        classes, vectors = (classes, vectors) if writes is None else writes
        self.heads = Heads(classes=classes, vectors=vectors, **sizes)

    @property
    def symmetry(self) -> Symmetry:
        return self.interaction.symmetry

    def matrices(self) -> Iterator[nn.Parameter]:
        return self.interaction.parameters()

    def forward(self, x: Batch, t: Time, previous: Batch | None = None) -> Batch:
        """Return raw outputs: positions, logits of classes, vectors."""
        result: Batch = self.heads(self.interaction(self.embedding(x, t, previous)))
        return result
