"""Training: configuration, batches, checkpoints and the only data loop."""

from __future__ import annotations

from moldiff.train.config import TrainConfig
from moldiff.train.trainer import Trainer

__all__ = ["TrainConfig", "Trainer"]
