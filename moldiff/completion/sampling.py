"""Conformations of a gap: drawn by a backbone model, closed exactly, the likeliest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from moldiff.diffusion.guidance import with_settings
from moldiff.domain.backbones import gap_context, placed
from moldiff.geometry.arrays import rmsd
from moldiff.model import Model
from moldiff.protein.closure import CLOSED, close_gap
from moldiff.protein.gap import Gap

__all__ = ["Ensemble", "draw", "sample_gap", "spread"]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """c conformations of a gap of n residues, first the one that is most like the others.

    Attributes
    ----------
    atoms:
        (c, n, 4, 3) float32, N, CA, C and O in Å.
    closed:
        (c,) whether the chain reaches its anchor; all that do come before those that do not.
    """

    atoms: npt.NDArray[np.float32]
    closed: npt.NDArray[np.bool_]

    def rmsd(self, atoms: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return how far (c,) the conformations are from ``atoms`` (n, 4, 3), not superposed, Å."""
        own = self.atoms.reshape(len(self.atoms), -1, 3).astype(float)
        return rmsd(own, atoms.reshape(-1, 3).astype(float))


def spread(atoms: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return how far conformations (c, n, 4, 3) are apart at each residue, (n,).

    It is the root mean square distance of the atoms from their mean in Å; NaN of one conformation.
    """
    if len(atoms) < 2:
        return np.full(atoms.shape[1], np.nan)
    off = atoms.astype(np.float64) - atoms.astype(np.float64).mean(0)
    result: npt.NDArray[np.float64] = np.sqrt(np.square(off).sum(-1).mean((0, 2)))
    return result


def sample_gap(
    model: Model, gap: Gap, count: int, *, rng: torch.Generator, steps: int | None = None
) -> Ensemble:
    """Draw conformations of a gap, in ``steps`` or in as many as the model suggests."""
    atoms, error = close_gap(draw(model, gap, count, rng=rng, steps=steps), gap)
    closed = error < CLOSED
    points = atoms.reshape(count, -1, 3).astype(float)
    # Draws crowd where the model is sure: the one in the middle is its best guess.
    apart = np.stack([rmsd(points, one) for one in points]).mean(1)
    order = np.lexsort((apart, ~closed))
    return Ensemble(atoms[order], closed[order])


@torch.no_grad()
def draw(
    model: Model, gap: Gap, count: int, *, rng: torch.Generator, steps: int | None = None
) -> npt.NDArray[np.float32]:
    """Draw N, CA and C (count, n, 3, 3) of a gap in Å; bonds between residues are not exact."""
    settings = dict(model.sampling) | ({} if steps is None else {"steps": steps})
    denoiser, sampler = with_settings(model.denoiser, settings)
    context = gap_context([gap], count)
    noise = denoiser.process.prior(count, len(gap), rng=rng, context=context).to(model.device)
    return placed(sampler.sample(denoiser, noise, rng=rng), gap)
