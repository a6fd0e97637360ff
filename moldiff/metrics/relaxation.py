"""Relaxation: how far is a molecule from the nearest minimum of a force field?

MMFF94 (T. A. Halgren, J. Comput. Chem. 17, 490, 1996) as implemented in RDKit: the drop of
the energy in kcal/mol and the RMSD of the heavy atoms after superposition (W. Kabsch, Acta
Cryst. A 32, 922, 1976).  Only strictly valid molecules can be relaxed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.metrics.parallel import Progress, each
from moldiff.metrics.sample import Sample
from moldiff.metrics.value import Value, bootstrap

__all__ = ["Relaxation", "Relaxed", "measure", "relax"]

_MAX_STEPS = 2000


@dataclass(frozen=True)
class Relaxed:
    """Energy drop (kcal/mol, positive) and heavy-atom RMSD (Å), or the reason for neither."""

    drop: float
    rmsd: float
    reason: str | None = None


def relax(mol: Chem.Mol) -> Relaxed:
    """Relax a copy of one strictly valid molecule with coordinates."""
    nothing = float("nan")
    copy = sanitised(mol)
    if copy is None or copy.GetNumConformers() == 0:
        return Relaxed(nothing, nothing, "no valid molecule with coordinates")
    with quiet():
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(copy, mmffVariant="MMFF94")
        if properties is None:
            return Relaxed(nothing, nothing, "no MMFF94 parameters")
        try:
            field = rdForceFieldHelpers.MMFFGetMoleculeForceField(copy, properties)
            before = field.CalcEnergy()
            start = np.array(copy.GetConformer().GetPositions())
            unfinished = field.Minimize(maxIts=_MAX_STEPS)
            drop = before - field.CalcEnergy()
        except (RuntimeError, ValueError) as error:
            return Relaxed(nothing, nothing, f"MMFF94 fails: {error}")
    if not np.isfinite(drop):
        return Relaxed(nothing, nothing, "energy is not finite")
    if unfinished:
        return Relaxed(nothing, nothing, f"not converged in {_MAX_STEPS} steps")
    heavy = [atom.GetIdx() for atom in copy.GetAtoms() if atom.GetAtomicNum() > 1]
    end = np.array(copy.GetConformer().GetPositions())
    return Relaxed(float(drop), _rmsd(start[heavy], end[heavy]))


def _rmsd(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Root mean square distance of (n, 3) and (n, 3) points after the best superposition, Å."""
    if len(a) == 0:
        return 0.0
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    u, _, vt = np.linalg.svd(a.T @ b)
    u[:, -1] *= np.sign(np.linalg.det(u @ vt))
    return float(np.sqrt(np.mean(np.sum((a @ (u @ vt) - b) ** 2, axis=1))))


@dataclass(frozen=True)
class Relaxation:
    """All relaxed molecules."""

    rows: tuple[Relaxed, ...]

    def failures(self) -> list[str]:
        """Reasons of the molecules that could not be relaxed."""
        return [row.reason for row in self.rows if row.reason is not None]

    def _statistic(
        self, column: str, function: Callable[[npt.NDArray[np.float64]], float]
    ) -> Value:
        known = np.array([getattr(row, column) for row in self.rows if row.reason is None])
        return bootstrap(known, function, "no molecule could be relaxed")

    def drop_median(self) -> Value:
        """Median energy drop, kcal/mol."""
        return self._statistic("drop", lambda x: float(np.median(x)))

    def drop_mean(self) -> Value:
        """Mean energy drop, kcal/mol."""
        return self._statistic("drop", lambda x: float(np.mean(x)))

    def drop_p90(self) -> Value:
        """90th percentile of the energy drop, kcal/mol."""
        return self._statistic("drop", lambda x: float(np.quantile(x, 0.9)))

    def rmsd_median(self) -> Value:
        """Median heavy-atom RMSD, Å."""
        return self._statistic("rmsd", lambda x: float(np.median(x)))

    def rmsd_mean(self) -> Value:
        """Mean heavy-atom RMSD, Å."""
        return self._statistic("rmsd", lambda x: float(np.mean(x)))


def measure(
    items: Sequence[tuple[Sample, bool]], *, jobs: int = 1, progress: Progress | None = None
) -> Relaxation | str:
    """Relax the strictly valid of (sample, is it strictly valid); a string says why it cannot."""
    if not items:
        return "not asked for, or no molecules"
    if all(sample.positions is None for sample, _ in items):
        return "no three-dimensional coordinates"
    shown = [sample.mol for sample, valid in items if valid and sample.positions is not None]
    rows = each(relax, shown, jobs=jobs, stage="relaxation", progress=progress)
    return Relaxation(tuple(rows))
