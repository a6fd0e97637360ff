"""Other programs on our preparation, timed with it.

AutoDock Vina: O. Trott & A. J. Olson, J. Comput. Chem. 31, 455 (2010); J. Eberhardt et al., J.
Chem. Inf. Model. 61, 3891 (2021).  Rustina: QuickVina 2's search (A. Alhossary et al.,
Bioinformatics 31, 2214 (2015)) in Vinardo's function (R. Quiroga & M. A. Villarreal, PLoS ONE 11,
e0155183 (2016)), its poses put in order by gnina's network and the energy.
`moldiff.docking.energy.pdbqt` writes receptor and ligand: the atoms, types and torsions of our own
search, so all are prepared alike.  The poses of both are as far apart as ours, and Vina's in the
same window of energies: the defaults of `moldiff.docking.settings.Settings`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.benchmark.docking.answer import Docked, Job, Posed
from moldiff.chem.conformers import with_positions
from moldiff.chem.quiet import quiet
from moldiff.docking.settings import Settings

if TYPE_CHECKING:
    from moldiff.docking.energy.pdbqt import LigandFile
    from moldiff.docking.problem import Pocket, Problem

__all__ = ["dock_with_rustina", "dock_with_vina", "load"]


def load(program: str) -> Any:
    """Import the package ``vina`` or ``rustina``, and what prepares."""
    import torch

    from moldiff.docking import pipeline, problem
    from moldiff.docking.energy import pdbqt
    from moldiff.docking.judge import checks

    assert torch and checks and pipeline and pdbqt and problem
    return import_module(program)


@dataclass
class _Prepared:
    """What a program reads, and the CPU-seconds of writing it."""

    problem: Problem
    ligands: list[LigandFile]
    receptor: str
    seconds: dict[str, float]


def _prepare(
    mol: Chem.Mol, pocket: Pocket, conformers: int, seed: int, *, aromatic: bool = False
) -> _Prepared | str:
    from moldiff.docking.energy.pdbqt import ligand_pdbqt, receptor_pdbqt
    from moldiff.docking.problem import make_problem

    problem = make_problem(mol, pocket, conformers=conformers, seed=seed)
    if isinstance(problem, str):
        return problem
    start = time.process_time()
    shift = np.asarray(problem.box.centre, dtype=float)
    files = []
    for x in problem.ligand.positions:
        file = ligand_pdbqt(problem.ligand.mol, problem.rotors, x + shift)
        if isinstance(file, str):
            return file
        files.append(file)
    receptor = receptor_pdbqt(problem.receptor, aromatic=aromatic)
    seconds = {**problem.seconds, "writing PDBQT": time.process_time() - start}
    return _Prepared(problem, files, receptor, seconds)


def dock_with_rustina(mol: Chem.Mol, pocket: Pocket, runs: int, job: Job) -> Docked | str:
    """Dock one conformer by so many runs, in the program's own order.

    The confidence of a pose is gnina's estimate of the probability that it is within 2 Å.
    """
    from moldiff.docking.energy.pdbqt import read_models

    ready = _prepare(mol, pocket, 1, job.seed, aromatic=True)
    if isinstance(ready, str):
        return ready
    start = time.process_time()
    box, (ligand,) = ready.problem.box, ready.ligands
    records = load("rustina").dock(
        *(ready.receptor, ligand.text, *box.centre.tolist(), *box.size.tolist()),
        runs=runs,
        num_modes=job.poses,
        rmsd_threshold=Settings().separation,
        seed=job.seed + 1,
        threads=1,
    )
    points = read_models("".join(pose["pdbqt"] for pose in records), ligand.order)
    ready.seconds["searching"] = time.process_time() - start
    if not records:
        return "Rustina found no pose"
    placed = _placed(ready.problem, points)
    poses = tuple(
        Posed(mol, pose["affinity"], confidence=pose["cnn_score"])
        for mol, pose in zip(placed, records, strict=True)
    )
    return Docked(ready.problem, poses, ready.seconds, "Rustina")


def dock_with_vina(
    mol: Chem.Mol, pocket: Pocket, conformers: int, exhaustiveness: int, job: Job
) -> Docked | str:
    """Dock from several conformers; the runs of all share ``exhaustiveness`` evenly.

    Each conformer gets a whole number of Monte Carlo runs, so with less exhaustiveness than
    conformers only the first ones are docked.
    """
    ready = _prepare(mol, pocket, min(conformers, exhaustiveness), job.seed)
    if isinstance(ready, str):
        return ready
    problem, files = ready.problem, ready.ligands
    start = time.process_time()
    poses: list[tuple[float, npt.NDArray[np.float64]]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "receptor.pdbqt"
        path.write_text(ready.receptor, encoding="ascii", errors="replace")
        vina = load("vina").Vina(cpu=1, seed=job.seed + 1, verbosity=0)  # 0 is "any" to Vina
        vina.set_receptor(str(path))
        shared = zip(files, _shares(exhaustiveness, len(files)), strict=True)
        for k, (file, runs) in enumerate(shared):
            poses += _search(vina, file, runs, problem, job, new=k == 0)
    poses = _distinct(poses, job.poses)
    ready.seconds["searching"] = time.process_time() - start
    if not poses:
        return "Vina found no pose"
    placed = _placed(problem, [points for _, points in poses])
    posed = tuple(Posed(mol, energy) for mol, (energy, _) in zip(placed, poses, strict=True))
    return Docked(problem, posed, ready.seconds, "Vina")


def _search(
    vina: Any, file: LigandFile, runs: int, problem: Problem, job: Job, *, new: bool
) -> list[tuple[float, npt.NDArray[np.float64]]]:
    """Dock one conformer; energies and heavy atoms (n, 3)."""
    from moldiff.docking.energy.pdbqt import read_models

    vina.set_ligand_from_string(file.text)
    if new:  # maps depend on the atom types, which conformers share
        centre, size = problem.box.centre.tolist(), problem.box.size.tolist()
        vina.compute_vina_maps(center=centre, box_size=size)
    usual = Settings()
    vina.dock(exhaustiveness=runs, n_poses=job.poses, min_rmsd=usual.separation)
    text = vina.poses(n_poses=job.poses, energy_range=usual.window)
    energies = np.atleast_2d(vina.energies(n_poses=job.poses, energy_range=usual.window))
    positions = read_models(text, file.order) if text else np.zeros((0, 0, 3))
    return [(float(row[0]), x) for row, x in zip(energies, positions, strict=False)]


def _shares(total: int, count: int) -> list[int]:
    """``total`` runs over ``count`` conformers, the first ones (of low energy) get the rest."""
    return [total // count + (k < total % count) for k in range(count)]


def _distinct(
    poses: list[tuple[float, npt.NDArray[np.float64]]], count: int
) -> list[tuple[float, npt.NDArray[np.float64]]]:
    """The best poses of all conformers, as far apart as those of one."""
    usual = Settings()
    kept: list[tuple[float, npt.NDArray[np.float64]]] = []
    for energy, x in sorted(poses, key=lambda pair: pair[0]):
        near = any(((x - y) ** 2).sum(1).mean() < usual.separation**2 for _, y in kept)
        if not near and len(kept) < count and (not kept or energy <= kept[0][0] + usual.window):
            kept.append((energy, x))
    return kept


def _placed(problem: Problem, poses: Iterable[npt.NDArray[np.float64]]) -> list[Chem.Mol]:
    """Poses (n, 3) as molecules with hydrogens."""
    placed = []
    with quiet():
        plain = Chem.RemoveAllHs(problem.ligand.mol)
        for points in poses:
            placed.append(Chem.AddHs(with_positions(plain, points), addCoords=True))
    return placed
