"""Building missing residues: conformations, those that clash with nothing, side chains."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from moldiff.completion.relief import Obstacles
from moldiff.completion.sampling import sample_gap, spread
from moldiff.geometry.arrays import rmsd
from moldiff.model import Model
from moldiff.protein.absent import Absent
from moldiff.protein.closure import strained
from moldiff.protein.contacts import Solid, radii
from moldiff.protein.elements import NUMBERS
from moldiff.protein.gap import Gap
from moldiff.protein.packing import packed
from moldiff.protein.residues import BACKBONE, standard_name

__all__ = ["Built", "build"]

_TIGHT = 0.5  # Å of overlap from which a side chain does not fit
_ROUNDS = 4  # of draws at most, while conformations clash
_SYNONYMS = {"MSE": "MET"}

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Built:
    """Missing residues that were built.

    Attributes
    ----------
    absent:
        Which.
    residues:
        The atoms of each of the n residues by name, (3,) in Å.
    names:
        Three-letter names they are built with: MET for MSE.
    ensemble:
        (c, n, 4, 3) conformations of N, CA, C and O that are closed and clash with nothing, the
        one that was built first.
    spread:
        (n,) Å, root mean square fluctuation of each residue in the ensemble about its mean; NaN
        if there is one conformation only.
    tight:
        Which residues have side chains that overlap others, whatever their rotamer.
    drawn:
        How many conformations were drawn.
    seconds:
        CPU-seconds.
    """

    absent: Absent
    names: tuple[str, ...]
    residues: list[dict[str, Array]]
    ensemble: npt.NDArray[np.float32]
    spread: Array
    tight: tuple[int, ...]
    drawn: int
    seconds: float

    @property
    def overall_spread(self) -> float:
        """The root mean square of the spreads in Å; NaN if they are not known."""
        return float(np.sqrt(np.square(self.spread).mean()))

    @property
    def typical_spread(self) -> str:
        """`overall_spread` as text; a dash if it is not known."""
        return "–" if np.isnan(self.overall_spread) else f"{self.overall_spread:.2f}"

    @property
    def atoms(self) -> tuple[Array, Array]:
        """Positions (k, 3) and radii (k,) of all atoms, Å."""
        pairs = [(name, x) for residue in self.residues for name, x in residue.items()]
        numbers = np.array([NUMBERS[name[0]] for name, _ in pairs])
        return np.array([x for _, x in pairs]), radii(numbers)


def build(
    model: Model,
    absent: Absent,
    gap: Gap,
    surroundings: Solid,
    *,
    count: int,
    rng: torch.Generator,
    named: Callable[[Array], str],
) -> Built | str:
    """Build missing residues, or say why that fails.

    Conformations are drawn, again if fewer than ``count`` clash with nothing.  Of those that do
    the one that is most like the others is built, or the first after it whose side chains fit.

    Parameters
    ----------
    model, absent, gap:
        The model, the residues, and what is known about them.
    surroundings:
        All atoms but those of the residues; the anchors' too.
    count:
        Conformations of the ensemble.
    rng:
        Source of randomness.
    named:
        Says to whom an atom at a position (3,) in Å belongs.
    """
    begin = time.process_time()
    names = tuple(_SYNONYMS.get(standard_name(name), standard_name(name)) for name in absent.names)
    obstacles = Obstacles(gap, names, surroundings)
    pool = np.zeros((0, len(gap), 4, 3), np.float32)
    drawn, clashing = 0, pool
    for _ in range(_ROUNDS):
        sample = sample_gap(model, gap, count, rng=rng)
        usable = sample.atoms[sample.closed]
        usable, free = obstacles.relieved(usable[~strained(usable, gap)])
        drawn, clashing = drawn + count, np.concatenate([clashing, usable[~free]])
        pool = np.concatenate([pool, usable[free]])
        if len(pool) >= count:
            break
    if not len(pool) and not len(clashing):
        return (
            f"no unstrained chain of its length joins its ends ({drawn} conformations): "
            "rebuild neighbours too"
        )
    if not len(pool):
        blocking = named(obstacles.in_the_way(clashing))
        return (
            f"all of {len(clashing)} conformations clash, most with {blocking}: "
            "rebuild neighbours too"
        )
    ensemble, sides, tight = _with_side_chains(_middle_first(pool[:count]), obstacles)
    residues = [
        dict(zip(BACKBONE, own, strict=True)) | side
        for own, side in zip(ensemble[0].astype(np.float64), sides, strict=True)
    ]
    seconds = time.process_time() - begin
    return Built(absent, names, residues, ensemble, spread(ensemble), tight, drawn, seconds)


def _with_side_chains(
    ensemble: npt.NDArray[np.float32], obstacles: Obstacles
) -> tuple[npt.NDArray[np.float32], list[dict[str, Array]], tuple[int, ...]]:
    """The ensemble, first the conformation whose side chains fit; these; residues they do not."""
    anchors = obstacles.gap.anchors.astype(np.float64)
    best: tuple[float, int, list[dict[str, Array]], Array] | None = None
    for k, one in enumerate(ensemble):
        sides, overlap = packed(one.astype(np.float64), anchors, obstacles.names, obstacles.atoms)
        if best is None or overlap.sum() < best[0]:
            best = (float(overlap.sum()), k, sides, overlap)
        if overlap.max() < _TIGHT:
            break
    assert best is not None
    _, k, sides, overlap = best
    order = [k, *(i for i in range(len(ensemble)) if i != k)]
    return ensemble[order], sides, tuple(np.flatnonzero(overlap >= _TIGHT).tolist())


def _middle_first(ensemble: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Conformations in the order of their mean distance from the others."""
    points = ensemble.reshape(len(ensemble), -1, 3).astype(np.float64)
    apart = np.stack([rmsd(points, one) for one in points]).mean(1)
    return ensemble[np.argsort(apart, kind="stable")]
