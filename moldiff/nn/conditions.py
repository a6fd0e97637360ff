"""What a graph is asked to be: conditions as a change of its context, or as tokens.

A batch holds k standardised conditions per graph, NaN where nothing is asked for (see
`moldiff.diffusion.guidance.condition`).  :class:`ConditionEmbedding` adds them to the features of
the whole graph.  :class:`ConditionTokens` makes them a set of tokens, which every atom reads by
cross-attention in every layer, as text is read in models of images: what is not asked for is not in
the set, and any number of conditions costs the network no width.

Sources: Ho & Salimans, "Classifier-Free Diffusion Guidance" (2022), section 3.2; Rombach et al.,
"High-Resolution Image Synthesis with Latent Diffusion Models" (2022), section 3.3, for
cross-attention.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ConditionEmbedding", "ConditionTokens", "CrossAttention"]


class ConditionEmbedding(nn.Module):
    """Embeds the conditions of a graph as a change of its context, initially zero.

    An unknown condition (NaN) has a learned embedding of its own (Ho & Salimans,
    "Classifier-Free Diffusion Guidance", 2022, section 3.2).

    Parameters
    ----------
    count, context_width:
        Number k of conditions; features of the context.
    width:
        Features of each condition.
    """

    def __init__(self, count: int, context_width: int, width: int = 32) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.randn(count, width))
        self.shift = nn.Parameter(torch.randn(count, width))
        self.none = nn.Parameter(torch.randn(count, width))
        self.hidden = nn.Linear(count * width, context_width)
        self.out = nn.Linear(context_width, context_width)
        # Zero at the start, so a model trained without conditions starts unchanged.
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, values: Float[Tensor, "_ k"] | None, b: int) -> Float[Tensor, "b d"]:
        """Return (b, context_width) from standardised values, (b, k) or (1, k); None: unknown."""
        if values is None:
            features = self.none.expand(b, -1, -1)
        elif values.shape[-1] != len(self.slope):
            raise ValueError(f"the network has {len(self.slope)} conditions")
        else:
            values = values.to(self.slope.device).expand(b, -1)
            available = values.isfinite().unsqueeze(-1)
            embedded = values.nan_to_num().unsqueeze(-1) * self.slope + self.shift
            features = torch.where(available, embedded, self.none)
        return self.out(F.silu(self.hidden(F.silu(features).flatten(1))))


class ConditionTokens(nn.Module):
    """Conditions as a set of tokens, and one that is always there.

    Parameters
    ----------
    count, width:
        Number k of conditions; features of a token.
    """

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.kind = nn.Parameter(torch.randn(count + 1, width))
        self.slope = nn.Parameter(torch.randn(count, width))
        self.hidden = nn.Linear(width, width)

    def forward(
        self, values: Float[Tensor, "_ k"] | None, b: int
    ) -> tuple[Float[Tensor, "b m width"], Bool[Tensor, "b m"]]:
        """Return m tokens, and which of them a graph has: one more than any graph asks for.

        Parameters
        ----------
        values:
            Standardised conditions, (b, k) or (1, k), NaN where nothing is asked for; None:
            nothing is.
        b:
            Number of graphs.
        """
        count = len(self.slope)
        if values is None:
            values = self.slope.new_full((1, count), torch.nan)
        elif values.shape[-1] != count:
            raise ValueError(f"the network has {count} conditions")
        asked = values.isfinite()
        m = count if asked.is_meta else int(asked.sum(1).max())
        # Those of each graph come first, and the rest is cut off: few of many are asked for.
        chosen = asked.byte().argsort(stable=True, dim=1, descending=True)[:, :m]
        chosen, values, asked = (
            x.to(self.slope.device).expand(b, -1)
            for x in (chosen, values.gather(1, chosen), asked.gather(1, chosen))
        )
        # Of a rare group a molecule has none, or one and thus many deviations above the mean.
        scaled = values.nan_to_num().asinh().unsqueeze(-1) * self.slope[chosen]
        always = self.kind[-1].expand(b, 1, -1)
        inputs = torch.cat([scaled + self.kind[chosen], always], 1)
        return F.silu(self.hidden(F.silu(inputs))), F.pad(asked, (0, 1), value=True)


class CrossAttention(nn.Module):
    """What atoms read from the tokens of their graph; nothing at the start of a training.

    Parameters
    ----------
    width, token_width, heads:
        Features of an atom and of a token; attention heads.
    """

    def __init__(self, width: int, token_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.read = nn.Linear(token_width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        atoms: Float[Tensor, "b n width"],
        tokens: Float[Tensor, "b m token_width"],
        present: Bool[Tensor, "b m"],
    ) -> Float[Tensor, "b n width"]:
        """Return a change of the atoms, from the tokens that are ``present``."""
        b, n, width = atoms.shape
        query = self.query(atoms).view(b, n, self.heads, -1).transpose(1, 2)
        keys = self.read(tokens).view(b, tokens.shape[1], 2, self.heads, -1)
        key, value = keys.permute(2, 0, 3, 1, 4)
        # torch's fused attention takes four times as long in bfloat16 on a CPU, most of it backward.
        scores = query @ key.mT * query.shape[-1] ** -0.5
        shares = scores.masked_fill(~present[:, None, None], -torch.inf).softmax(-1)
        return self.out((shares @ value).transpose(1, 2).reshape(b, n, width))
