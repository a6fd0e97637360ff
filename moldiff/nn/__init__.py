"""Networks: one embedding, one set of heads, and exchangeable interactions between."""

from __future__ import annotations

from moldiff.nn.network import Network
from moldiff.nn.transformer import Transformer

__all__ = ["Network", "Transformer"]
