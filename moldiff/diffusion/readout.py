"""Readouts: turn a batch into a network's input, and its output into a prediction.

Models of molecules need no conversion.  Where the process has other fields than atoms (poses,
frames), the readout shows atoms to the network and converts its output for them back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from moldiff.diffusion.batch import Batch

__all__ = ["Direct", "Readout"]


class Readout(ABC):
    """Converts between the fields of a process and those of a network."""

    @abstractmethod
    def show(self, x_t: Batch) -> Batch:
        """Return the network's input batch."""

    @abstractmethod
    def read(self, raw: Batch, shown: Batch, x_t: Batch) -> Batch:
        """Return the prediction of x_0 from the network's output for ``shown``.

        Gaussian fields that occur in both ``shown`` and the output are already predictions.
        """


@dataclass(frozen=True)
class Direct(Readout):
    """The network's input is the batch, and its output is the prediction."""

    def show(self, x_t: Batch) -> Batch:
        return x_t

    def read(self, raw: Batch, shown: Batch, x_t: Batch) -> Batch:
        return raw
