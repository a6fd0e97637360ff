"""From clean fields to other clean fields: what codecs are made of."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from moldiff.diffusion.batch import Batch
from moldiff.nn.embed import Embedding
from moldiff.nn.network import Heads

__all__ = ["Translator"]


class Translator(nn.Module):
    """Embedding -> interaction -> heads of other fields than those that were read.

    Parameters
    ----------
    interaction:
        A registered interaction; it sizes the rest, as in `moldiff.nn.Network`.
    reads, writes:
        (classes, vectors) of the fields beside positions: number of classes of each categorical
        field, number of values per atom of each field of vectors.
    """

    def __init__(
        self,
        interaction: nn.Module,
        reads: tuple[Mapping[str, int], Mapping[str, int]],
        writes: tuple[Mapping[str, int], Mapping[str, int]],
    ) -> None:
        super().__init__()
        sizes: dict[str, int] = {
            name: getattr(interaction, name) for name in ("width", "pair_width", "channels")
        }
        context_width: int = getattr(interaction, "context_width")  # noqa: B009
        self.embedding = Embedding(
            classes=reads[0], vectors=reads[1], context_width=context_width, **sizes
        )
        self.interaction = interaction
        self.heads = Heads(classes=writes[0], vectors=writes[1], **sizes)

    def forward(self, x: Batch) -> Batch:
        """Return positions (b, n, 3) that rotate with x, logits and vectors; unit coordinates."""
        zero: Tensor = torch.zeros(x.graphs, device=x.device)
        result: Batch = self.heads(self.interaction(self.embedding(x, zero, None)))
        return result
