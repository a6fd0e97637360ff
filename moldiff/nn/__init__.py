"""Networks: one embedding, one set of heads, and exchangeable interactions between."""

from __future__ import annotations

from moldiff.nn.autoencoder import Autoencoder
from moldiff.nn.egnn import EGNN
from moldiff.nn.network import Network
from moldiff.nn.plain import Plain
from moldiff.nn.tensor_product import TensorProduct
from moldiff.nn.transformer import Transformer
from moldiff.nn.translator import Translator

__all__ = ["EGNN", "Autoencoder", "Network", "Plain", "TensorProduct", "Transformer", "Translator"]
