"""Relaxation: how far is a molecule from the nearest minimum of an energy?

Measured for each method that can minimise: the drop of the energy in kcal/mol, the RMSD of the
heavy atoms after superposition (W. Kabsch, Acta Cryst. A 32, 922, 1976), and the absolute changes
of bond lengths, angles and torsions, those of hydrogens included (as in F. Nikitin et al.,
"GEOM-Drugs Revisited", 2025; their mean and standard deviation over five subsets are
`Relaxation.subsets`).  Only strictly valid molecules can be relaxed.  The methods are the force
field MMFF94 (T. A. Halgren, J. Comput. Chem. 17, 490, 1996) as implemented in RDKit, and GFN2-xTB
(`moldiff.chem.xtb`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from moldiff.chem import xtb
from moldiff.chem.minimum import Minimum
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.geometry.arrays import superposed_rmsd
from moldiff.interrupts import held
from moldiff.metrics.internal import Internal, changes
from moldiff.metrics.parallel import Progress, each
from moldiff.metrics.sample import Sample
from moldiff.metrics.value import Value, bootstrap, missing

__all__ = ["GFN2", "MMFF94", "SUBSETS", "Method", "Relaxation", "Relaxed", "measure"]

_MAX_STEPS = 2000
SUBSETS = 5  # of the corrected GEOM-Drugs protocol

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Relaxed:
    """What relaxing a molecule changed, or the reason why that is not known.

    Attributes
    ----------
    drop, rmsd:
        Drop of the energy (kcal/mol, positive) and RMSD of the heavy atoms (Å).
    heavy:
        Number of heavy atoms.
    bonds, angles, torsions:
        Sum of the absolute changes (Å, degrees, degrees), and of how many.
    reason:
        None where all else is known.
    """

    drop: float = math.nan
    rmsd: float = math.nan
    heavy: int = 0
    bonds: tuple[float, int] = (0.0, 0)
    angles: tuple[float, int] = (0.0, 0)
    torsions: tuple[float, int] = (0.0, 0)
    reason: str | None = None


def _nothing() -> str | None:
    return None


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
    lacking: Callable[[], str | None] = _nothing

    def relax(self, mol: Chem.Mol) -> Relaxed:
        """Relax a copy of one strictly valid molecule with coordinates."""
        copy = sanitised(mol)
        if copy is None or copy.GetNumConformers() == 0:
            return _failed("no valid molecule with coordinates")
        start = np.array(copy.GetConformer().GetPositions())
        with quiet():
            minimum = self.minimise(copy)
        if isinstance(minimum, str):
            return _failed(minimum)
        if not (np.isfinite(minimum.drop) and np.isfinite(minimum.positions).all()):
            return _failed("energy is not finite")
        heavy = [atom.GetIdx() for atom in copy.GetAtoms() if atom.GetAtomicNum() > 1]
        apart = superposed_rmsd(start[heavy], minimum.positions[heavy]) if heavy else 0.0
        moved = changes(Internal.of(copy), start, minimum.positions)
        bonds, angles, torsions = ((float(change.sum()), len(change)) for change in moved)
        return Relaxed(float(minimum.drop), float(apart), len(heavy), bonds, angles, torsions)


def _failed(reason: str) -> Relaxed:
    return Relaxed(reason=reason)


def _mmff94(mol: Chem.Mol) -> Minimum | str:
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant="MMFF94")
    if properties is None:
        return "no MMFF94 parameters"
    try:
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(mol, properties)
        before = field.CalcEnergy()
        with held():
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
    """All molecules considered: None stands for one that is not strictly valid."""

    rows: tuple[Relaxed | None, ...]

    @property
    def known(self) -> list[Relaxed]:
        """Those that were relaxed."""
        return [row for row in self.rows if row is not None and row.reason is None]

    def failures(self) -> list[str]:
        """Reasons of the molecules that could not be relaxed."""
        return [row.reason for row in self.rows if row is not None and row.reason is not None]

    def drop_median(self) -> Value:
        """Median energy drop, kcal/mol."""
        return self._statistic(_drop, np.median)

    def drop_mean(self) -> Value:
        """Mean energy drop, kcal/mol."""
        return self._statistic(_drop, np.mean)

    def drop_p90(self) -> Value:
        """90th percentile of the energy drop, kcal/mol."""
        return self._statistic(_drop, lambda x: np.quantile(x, 0.9))

    def drop_per_atom(self) -> Value:
        """Median energy drop per heavy atom, kcal/mol."""
        return self._statistic(lambda row: row.drop / max(row.heavy, 1), np.median)

    def rmsd_median(self) -> Value:
        """Median heavy-atom RMSD, Å."""
        return self._statistic(lambda row: row.rmsd, np.median)

    def rmsd_mean(self) -> Value:
        """Mean heavy-atom RMSD, Å."""
        return self._statistic(lambda row: row.rmsd, np.mean)

    def bond_change(self) -> Value:
        """Mean absolute change of all bond lengths, Å; the interval resamples molecules."""
        return self._change(lambda row: row.bonds, "bonds")

    def angle_change(self) -> Value:
        """Mean absolute change of all bond angles, degrees; the interval resamples molecules."""
        return self._change(lambda row: row.angles, "angles")

    def torsion_change(self) -> Value:
        """Mean absolute change of all torsions, degrees; the interval resamples molecules."""
        return self._change(lambda row: row.torsions, "torsions")

    def subsets(self) -> dict[str, Value]:
        """Mean and standard deviation of some of these over five subsets.

        Names are ``drop_median.mean`` and ``drop_median.deviation``; n counts relaxed molecules.
        """
        # Every fifth molecule, so that subsets of a sorted file are alike.
        parts = [Relaxation(tuple(self.known[k::SUBSETS])) for k in range(SUBSETS)]
        statistics = {}
        for name, measure_of in _OF_SUBSETS.items():
            values = [measure_of(part) for part in parts]
            lacking = next((value.reason for value in values if value.reason), None)
            for word, function in (("mean", np.mean), ("deviation", np.std)):
                number = float(function([value.value for value in values]))
                statistics[f"{name}.{word}"] = (
                    missing(f"a subset of five: {lacking}")
                    if lacking
                    else Value(number, len(self.known))
                )
        return statistics

    def _statistic(self, of: Callable[[Relaxed], float], function: Callable[[Array], Any]) -> Value:
        values = np.array([of(row) for row in self.known])
        return bootstrap(values, lambda x: float(function(x)), "no molecule could be relaxed")

    def _change(self, of: Callable[[Relaxed], tuple[float, int]], what: str) -> Value:
        sums = np.array([of(row) for row in self.known if of(row)[1]])
        reason = f"no relaxed molecule has {what}"
        return bootstrap(sums, lambda x: float(x[:, 0].sum() / x[:, 1].sum()), reason)


def _drop(row: Relaxed) -> float:
    return row.drop


_OF_SUBSETS: dict[str, Callable[[Relaxation], Value]] = {
    function.__name__: function
    for function in (
        Relaxation.drop_median,
        Relaxation.drop_mean,
        Relaxation.rmsd_mean,
        Relaxation.bond_change,
        Relaxation.angle_change,
        Relaxation.torsion_change,
    )
}


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
    relaxed = iter(
        each(
            method.relax,
            [sample.mol for sample, valid in items if valid and sample.positions is not None],
            jobs=jobs,
            stage=method.stage,
            progress=progress,
        )
    )
    return Relaxation(
        tuple(
            next(relaxed) if valid and sample.positions is not None else None
            for sample, valid in items
        )
    )
