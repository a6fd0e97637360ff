"""Readouts: what a network is shown of a batch, and how its output is read.

Molecules are shown as they are.  A network that moves atoms although the process is about
something else (poses, frames) is shown atoms, and what it says of them is read back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from moldiff.diffusion.batch import Batch

__all__ = ["Direct", "Readout"]


class Readout(ABC):
    """Between the fields of a process and those of a network."""

    @abstractmethod
    def show(self, x_t: Batch) -> Batch:
        """Return the batch the network is shown."""

    @abstractmethod
    def read(self, raw: Batch, shown: Batch, x_t: Batch) -> Batch:
        """Return the prediction of x_0 from the network's output for ``shown``.

        Gaussian fields that are both shown and in the output are predictions already.
        """


@dataclass(frozen=True)
class Direct(Readout):
    """The network is shown the batch, and its output is the prediction."""

    def show(self, x_t: Batch) -> Batch:
        return x_t

    def read(self, raw: Batch, shown: Batch, x_t: Batch) -> Batch:
        return raw
