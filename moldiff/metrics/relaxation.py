"""Relaxation: how far is a molecule from the nearest minimum of an energy?

Measured for each method that can minimise: the drop of the energy in kcal/mol and the RMSD of
the heavy atoms after superposition (W. Kabsch, Acta Cryst. A 32, 922, 1976).  Only strictly
valid molecules can be relaxed.  The methods are the force field MMFF94 (T. A. Halgren,
J. Comput. Chem. 17, 490, 1996) as implemented in RDKit, and GFN2-xTB (`moldiff.chem.xtb`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from moldiff.chem import xtb
from moldiff.chem.minimum import Minimum
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.geometry.arrays import superposed_rmsd
from moldiff.metrics.parallel import Progress, each
from moldiff.metrics.sample import Sample
from moldiff.metrics.value import Value, bootstrap

__all__ = ["GFN2", "MMFF94", "Method", "Relaxation", "Relaxed", "measure"]

_MAX_STEPS = 2000

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Relaxed:
    """Energy drop (kcal/mol, positive) and heavy-atom RMSD (Å), or the reason for neither."""

    drop: float
    rmsd: float
    reason: str | None = None


@dataclass(frozen=True)
class Method:
    """A way to minimise the energy of a molecule.

    Attributes
    ----------
    stage:
        Its name in progress displays.
    minimise:
        From a sanitised molecule with coordinates, which it may change, to the minimum or the
        reason there is none; importable by name, for other processes.
    lacking:
        Says why the method cannot be used on this machine; None where it can.
    """

    stage: str
    minimise: Callable[[Chem.Mol], Minimum | str]
    lacking: Callable[[], str | None] = lambda: None

    def relax(self, mol: Chem.Mol) -> Relaxed:
        """Relax a copy of one strictly valid molecule with coordinates."""
        copy = sanitised(mol)
        if copy is None or copy.GetNumConformers() == 0:
            return _failed("no valid molecule with coordinates")
        start = np.array(copy.GetConformer().GetPositions())
        with quiet():
            found = self.minimise(copy)
        if isinstance(found, str):
            return _failed(found)
        if not (np.isfinite(found.drop) and np.isfinite(found.positions).all()):
            return _failed("energy is not finite")
        heavy = [atom.GetIdx() for atom in copy.GetAtoms() if atom.GetAtomicNum() > 1]
        apart = superposed_rmsd(start[heavy], found.positions[heavy]) if heavy else 0.0
        return Relaxed(float(found.drop), float(apart))


def _failed(reason: str) -> Relaxed:
    return Relaxed(float("nan"), float("nan"), reason)


def _mmff94(mol: Chem.Mol) -> Minimum | str:
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant="MMFF94")
    if properties is None:
        return "no MMFF94 parameters"
    try:
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties)
        before = field.CalcEnergy()
        unfinished = field.Minimize(maxIts=_MAX_STEPS)
        drop = before - field.CalcEnergy()
    except (RuntimeError, ValueError) as error:
        return f"MMFF94 fails: {error}"
    if unfinished and np.isfinite(drop):
        return f"not converged in {_MAX_STEPS} steps"
    return Minimum(drop, np.array(mol.GetConformer().GetPositions()))


#: The force field of RDKit.
MMFF94 = Method("relaxation", _mmff94)
#: GFN2-xTB in vacuum, with the program's normal thresholds.
GFN2 = Method("xtb", xtb.optimise, xtb.lacking)


@dataclass(frozen=True)
class Relaxation:
    """All relaxed molecules."""

    rows: tuple[Relaxed, ...]

    def failures(self) -> list[str]:
        """Reasons of the molecules that could not be relaxed."""
        return [row.reason for row in self.rows if row.reason is not None]

    def _statistic(self, column: str, function: Callable[[Array], float]) -> Value:
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
    items: Sequence[tuple[Sample, bool]],
    method: Method = MMFF94,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Relaxation | str:
    """Relax the strictly valid of (sample, is it strictly valid); a string says why it cannot."""
    if not items:
        return "not asked for, or no molecules"
    lacking = method.lacking()
    if lacking is not None:
        return lacking
    if all(sample.positions is None for sample, _ in items):
        return "no three-dimensional coordinates"
    shown = [sample.mol for sample, valid in items if valid and sample.positions is not None]
    rows = each(method.relax, shown, jobs=jobs, stage=method.stage, progress=progress)
    return Relaxation(tuple(rows))
