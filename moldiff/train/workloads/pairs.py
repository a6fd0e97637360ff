"""Pairs of noise and the teacher's sample from it, generated on demand and stored.

Chunk k, one batch of molecules of one size, is a function of (teacher, settings, seed, k).  It
is generated on first use and saved as a file, so the first pass over the pairs alternates between
generation and training and later passes read them; a stopped run loses nothing, and a missing or
damaged chunk is regenerated identically.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from moldiff.diffusion.batch import FIELDS, Batch
from moldiff.diffusion.objective import Reflow
from moldiff.domain.molecules import Molecules
from moldiff.errors import ModelFileError
from moldiff.model import Model
from moldiff.seeds import generator
from moldiff.storage import read_tensors, write_tensors

__all__ = ["Pair", "TeacherPairs"]

FORMAT = "moldiff-pairs-1"
_STREAM = 21  # of random numbers


class Pair(NamedTuple):
    """Samples of a teacher (b graphs), and the fields at t = 1 they were sampled from."""

    x_0: Batch
    noise: Batch


class TeacherPairs:
    """Endless batches of pairs, `Reflow.pairs` distinct ones, with the teacher's sizes.

    Parameters
    ----------
    objective:
        Built with the teacher's denoiser as its guide.
    teacher:
        The model that provides sizes and process.
    path:
        Directory of the store.
    batch:
        Pairs per chunk, which is a batch.
    seed:
        Seed of the noise and the order.
    pieces:
        Batches of a training step.  A pass has a whole number of steps, so that no two processes
        that share a step need the same chunk.
    """

    def __init__(
        self,
        objective: Reflow,
        teacher: Model,
        path: Path,
        *,
        batch: int,
        seed: int,
        pieces: int = 1,
    ) -> None:
        self.objective, self.teacher, self.path = objective, teacher, path
        self.batch, self.seed = batch, seed
        self.per_epoch = -(-objective.pairs // (batch * pieces)) * pieces
        sizes = {n: weight for n, weight in _sizes(teacher).items() if n > 1}
        self._sizes, self._weights = list(sizes), torch.tensor(list(sizes.values()))

    def __getitem__(self, step: int) -> Pair:
        """Return the pairs of a step: chunks in order in epoch 0, shuffled in later ones."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.per_epoch)
            position = int(order[position])
        return self.chunk(position)

    def weight(self, batch: Batch) -> float:
        """Return the weight of a batch in the loss: all hold equally many pairs."""
        return 1.0

    def chunk(self, number: int) -> Pair:
        """Return chunk ``number``, from its file or from the teacher."""
        file = self.path / f"{number:06d}.safetensors"
        try:
            header, tensors = read_tensors(file, FORMAT)
            if json.loads(header["origin"]) == self.origin(number):
                return Pair(_fields(tensors, "x_0"), _fields(tensors, "noise"))
        except (ModelFileError, KeyError, ValueError):
            pass  # missing or damaged: it is regenerated identically
        pair = self._generate(number)
        tensors = {f"x_0.{f}": _small(v) for f, v in pair.x_0.items()}
        tensors |= {f"noise.{f}": v for f, v in pair.noise.items()}
        origin = json.dumps(self.origin(number))
        write_tensors(file, tensors, {"format": FORMAT, "origin": origin})
        return pair

    def origin(self, number: int) -> Mapping[str, object]:
        """Return the values that determine a chunk, as plain values."""
        teaching = json.loads(json.dumps(dict(self.objective.teaching)))
        settings = {"teacher": self.teacher.digest, "teaching": teaching}
        return settings | {"batch": self.batch, "seed": self.seed, "chunk": number}

    def _generate(self, number: int) -> Pair:
        rng = generator(self.seed, _STREAM, number)
        n = self._sizes[int(torch.multinomial(self._weights, 1, generator=rng))]
        process = self.teacher.denoiser.process
        x_1 = process.prior(self.batch, n, rng=rng, device=self.teacher.device)
        x_0, noise = self.objective.pair(x_1, rng=rng)
        return Pair(x_0.to("cpu"), noise.to("cpu"))


def _sizes(teacher: Model) -> Mapping[int, float]:
    assert isinstance(teacher.domain, Molecules)
    return teacher.domain.sizes


def _small(value: torch.Tensor) -> torch.Tensor:
    """Convert classes to bytes."""
    return value if value.is_floating_point() else value.to(torch.uint8)


def _fields(tensors: Mapping[str, torch.Tensor], part: str) -> Batch:
    values = {f: tensors[f"{part}.{f}"] for f in FIELDS if f"{part}.{f}" in tensors}
    return Batch({f: v if v.is_floating_point() else v.long() for f, v in values.items()})
