"""AutoDock Vina on our preparation, timed with it.

O. Trott & A. J. Olson, J. Comput. Chem. 31, 455 (2010); J. Eberhardt et al., J. Chem. Inf.
Model. 61, 3891 (2021).  `moldiff.docking.energy.pdbqt` writes receptor and ligand: the atoms,
types and torsions of our own search, so both are prepared alike.
"""

from __future__ import annotations

import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.benchmark.docking.answer import Docked, Job, Posed
from moldiff.chem.conformers import with_positions
from moldiff.chem.quiet import quiet

if TYPE_CHECKING:
    from moldiff.docking.problem import Pocket, Problem

__all__ = ["dock_with_vina", "load"]

_APART, _WINDOW = 1.0, 5.0  # Å between poses; kcal/mol above the best: those of our settings


def load() -> Any:
    """Import the class that docks."""
    import torch

    from moldiff.docking import pipeline, problem
    from moldiff.docking.energy import pdbqt
    from moldiff.docking.judge import checks

    assert torch and checks and pipeline and pdbqt and problem
    return import_module("vina").Vina


def dock_with_vina(
    mol: Chem.Mol, pocket: Pocket, conformers: int, exhaustiveness: int, job: Job
) -> Docked | str:
    """Dock from several conformers; the runs of all share ``exhaustiveness`` evenly.

    Each conformer gets a whole number of Monte Carlo runs, so with less exhaustiveness than
    conformers only the first ones are docked.
    """
    from moldiff.docking.energy.pdbqt import ligand_pdbqt, receptor_pdbqt
    from moldiff.docking.problem import make_problem

    problem = make_problem(mol, pocket, conformers=min(conformers, exhaustiveness), seed=job.seed)
    if isinstance(problem, str):
        return problem
    seconds = dict(problem.seconds)
    start = time.process_time()
    starts = problem.ligand.positions
    shift = np.asarray(problem.box.centre, dtype=float)
    files = [ligand_pdbqt(problem.ligand.mol, problem.rotors, x + shift) for x in starts]
    receptor = receptor_pdbqt(problem.receptor)
    seconds["writing PDBQT"] = time.process_time() - start
    start = time.process_time()
    poses: list[tuple[float, npt.NDArray[np.float64]]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "receptor.pdbqt"
        path.write_text(receptor, encoding="ascii", errors="replace")
        vina = load()(cpu=1, seed=job.seed + 1, verbosity=0)  # Vina takes 0 for "any"
        vina.set_receptor(str(path))
        shared = zip(files, _shares(exhaustiveness, len(files)), strict=True)
        for k, (file, runs) in enumerate(shared):
            if isinstance(file, str):
                return file
            poses += _search(vina, file, runs, problem, job, new=k == 0)
    poses = _distinct(poses, job.poses)
    seconds["searching"] = time.process_time() - start
    if not poses:
        return "Vina found no pose"
    return Docked(problem, _posed(problem, poses), seconds, "Vina")


def _search(
    vina: Any, file: Any, runs: int, problem: Problem, job: Job, *, new: bool
) -> list[tuple[float, npt.NDArray[np.float64]]]:
    """Dock one conformer; energies and heavy atoms (n, 3)."""
    from moldiff.docking.energy.pdbqt import read_models

    vina.set_ligand_from_string(file.text)
    if new:  # maps depend on the atom types, which conformers share
        centre, size = problem.box.centre.tolist(), problem.box.size.tolist()
        vina.compute_vina_maps(center=centre, box_size=size)
    vina.dock(exhaustiveness=runs, n_poses=job.poses, min_rmsd=_APART)
    text = vina.poses(n_poses=job.poses, energy_range=_WINDOW)
    energies = np.atleast_2d(vina.energies(n_poses=job.poses, energy_range=_WINDOW))
    positions = read_models(text, file.order) if text else np.zeros((0, 0, 3))
    return [(float(row[0]), x) for row, x in zip(energies, positions, strict=False)]


def _shares(total: int, count: int) -> list[int]:
    """``total`` runs over ``count`` conformers, the first ones (of low energy) get the rest."""
    return [total // count + (k < total % count) for k in range(count)]


def _distinct(
    poses: list[tuple[float, npt.NDArray[np.float64]]], count: int
) -> list[tuple[float, npt.NDArray[np.float64]]]:
    """The best poses of all conformers, as far apart as those of one."""
    kept: list[tuple[float, npt.NDArray[np.float64]]] = []
    for energy, x in sorted(poses, key=lambda pair: pair[0]):
        near = any(((x - y) ** 2).sum(1).mean() < _APART**2 for _, y in kept)
        if not near and len(kept) < count and (not kept or energy <= kept[0][0] + _WINDOW):
            kept.append((energy, x))
    return kept


def _posed(
    problem: Problem, poses: list[tuple[float, npt.NDArray[np.float64]]]
) -> tuple[Posed, ...]:
    """The poses as molecules with hydrogens."""
    with quiet():
        plain = Chem.RemoveAllHs(problem.ligand.mol)
    posed = []
    for energy, points in poses:
        with quiet():
            full = Chem.AddHs(with_positions(plain, points), addCoords=True)
        posed.append(Posed(full, energy))
    return tuple(posed)
