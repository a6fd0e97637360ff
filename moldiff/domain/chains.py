"""Whole backbones: C-alpha positions and the rotations of all residues of a chain.

The fields are those of `moldiff.domain.backbones`; here the chain as a whole is noise, so nothing
stays around it, ``chord`` is zero, and the chain is centred.  The context has ``residues``, whose
amino acids are not known, and ``blueprint`` (b, n), the secondary structure that is wanted of each
residue (`moldiff.protein.secondary.STATES`).

A motif, residues that are given, is clean (`moldiff.diffusion.time`): it stays where it is, and its
C-alpha are centred instead of those of the chain, whose centre is not known before it is drawn
(motif scaffolding by amortised conditioning, as in Yim et al., 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.process import Gaussian, Product
from moldiff.diffusion.readout import Readout
from moldiff.diffusion.space import ZeroCoM
from moldiff.diffusion.time import Clean
from moldiff.domain.backbones import CLASSES, FIELDS, Placed
from moldiff.domain.base import Domain
from moldiff.errors import ConfigError
from moldiff.nn.residues import Residues
from moldiff.protein.backbone import UNKNOWN, frames_of
from moldiff.protein.secondary import STATES
from moldiff.registry import register

__all__ = ["LONGEST", "SHORTEST", "Chains", "chain_batch", "chain_context"]

SHORTEST, LONGEST = 40, 80
"""Residues of the chains that models are trained on."""


@dataclass(frozen=True)
class _Centred(Readout):
    """As for gaps, and centred unless a motif is given: nothing else says where a chain is."""

    placed: Placed = Placed()

    def show(self, x_t: Batch) -> Batch:
        return self.placed.show(x_t)

    def read(self, raw: Batch, shown: Batch, x_t: Batch) -> Batch:
        prediction = self.placed.read(raw, shown, x_t)
        if "clean" in x_t.context:
            return prediction
        trace = prediction["trace"]
        return prediction.replace(trace=trace - trace.mean(1, keepdim=True))


@register("domain", "chains")
@dataclass(frozen=True)
class Chains(Domain):
    """Whole backbones of protein chains; its network may begin with that of `Backbones`."""

    noun: ClassVar[str] = "whole backbones"
    use: ClassVar[str] = "moldiff backbone --model {model}"
    readout: ClassVar[Readout] = _Centred()
    inputs: ClassVar[Mapping[str, Any]] = {**CLASSES, "states": len(STATES)}

    def check(self, process: Product | None, *, coded: bool = False) -> None:
        if process is None or tuple(process.processes) != FIELDS:
            raise ConfigError(f"A model of whole backbones needs exactly {', '.join(FIELDS)}.")
        trace = process["trace"]
        if not (isinstance(trace, Gaussian) and isinstance(trace.space, ZeroCoM)):
            raise ConfigError(
                "Whole backbones are centred: the space of their trace is zero_com.",
                fix="Take the process of the bundled configuration 'chains'.",
            )


def chain_context(blueprint: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Return the context of chains of which ``blueprint`` (b, n) is wanted."""
    wanted = torch.from_numpy(blueprint)
    b, n = wanted.shape
    places = torch.arange(n).expand(b, n)
    return {
        "residues": Residues(torch.full((b, n), UNKNOWN), places),
        "chord": torch.zeros(b, n, 3),
        "blueprint": wanted,
    }


def chain_batch(
    atoms: Sequence[npt.NDArray[np.float32]],
    blueprint: npt.NDArray[np.int64],
    motif: npt.NDArray[np.bool_] | None = None,
) -> Batch:
    """Return chains of one length, ``atoms`` (n, 4, 3) of each in Å, with what is told of them.

    ``motif`` (b, n) marks residues that are given; every chain has one or more, or it is None.
    """
    every = np.stack(atoms)
    positions = every[:, :, 1]
    context = chain_context(blueprint)
    weight = np.ones(positions.shape[:2], bool) if motif is None else motif
    centre = np.stack([x[w].mean(0) for x, w in zip(positions, weight, strict=True)])
    if motif is not None:
        context["clean"] = Clean({"atom": torch.from_numpy(motif)})
    fields = {
        "trace": torch.from_numpy(positions - centre[:, None]),
        "frames": torch.from_numpy(frames_of(every)),
    }
    return Batch(fields, context)
