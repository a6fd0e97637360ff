"""Networks: one embedding, exchangeable interactions, and one set of heads."""

from __future__ import annotations

from moldiff.nn.autoencoder import Autoencoder
from moldiff.nn.egnn import EGNN
from moldiff.nn.interaction import Interaction
from moldiff.nn.network import GraphNetwork
from moldiff.nn.plain import Plain
from moldiff.nn.tensor_product import TensorProduct
from moldiff.nn.transformer import Transformer

__all__ = [
    "EGNN",
    "Autoencoder",
    "GraphNetwork",
    "Interaction",
    "Plain",
    "TensorProduct",
    "Transformer",
]
