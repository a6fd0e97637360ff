"""Networks: one embedding, one set of heads, and exchangeable interactions between."""

from __future__ import annotations

from moldiff.nn.egnn import EGNN
from moldiff.nn.network import Network
from moldiff.nn.tensor_product import TensorProduct
from moldiff.nn.transformer import Transformer

__all__ = ["EGNN", "Network", "TensorProduct", "Transformer"]
