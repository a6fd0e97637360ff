"""One docking in a process of its own: from a complex to a judged row."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from moldiff.benchmark.docking.answer import Docked, Job
from moldiff.benchmark.docking.complexes import (
    Case,
    graph_of,
    has_cofactor,
    read_crystal,
    search_places,
)
from moldiff.benchmark.docking.measures import validity
from moldiff.benchmark.docking.methods import Run
from moldiff.benchmark.docking.rows import DOCKED, FAILED, Judged, Row
from moldiff.chem.rmsd import pose_rmsds
from moldiff.errors import MoldiffError
from moldiff.interrupts import follow_parent
from moldiff.report.machine import installed

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from rdkit import Chem

    from moldiff.docking.problem import Pocket

__all__ = ["Task", "begin", "work"]


@dataclass(frozen=True)
class Task:
    """A complex to dock: how, and for how many CPU-seconds at most."""

    case: Case
    run: Run
    job: Job
    recipe: str
    limit: int = 1200
    busted: int = 9
    box: str = "jitter2"

    @property
    def row(self) -> Row:
        """The row before anything is known."""
        return Row(
            self.case.set,
            self.case.id,
            self.run.label,
            self.job.seed,
            self.recipe,
            receptor=self.case.receptor.name,
        )


def begin(task: Task, connection: Connection) -> None:
    """Run in a new process: send the row when it is docked, and again when it is judged."""
    _settle()
    try:
        task.run.method.warm(task.job)
        _allow(task.limit)
        row = work(task, partial(_tell, connection, task.limit))
    except MemoryError:
        row = replace(task.row, reason="out of memory")
    connection.send((row, True))
    connection.close()


def _tell(connection: Connection, limit: int, row: Row) -> None:
    connection.send((row, False))
    _allow(limit)


def work(task: Task, docked: Callable[[Row], object] = lambda row: None) -> Row:
    """Dock and judge; ``docked`` is told the row before PoseBusters begins."""
    case, row = task.case, task.row
    crystal = read_crystal(case)
    if isinstance(crystal, str):
        return replace(row, reason=crystal)
    start = time.process_time()
    try:
        pocket, row = _pocket(case, crystal, row, task.box)
        prepared = time.process_time() - start
        answer = task.run.method.dock(graph_of(crystal), pocket, task.run.effort, task.job)
    except MoldiffError as error:
        return replace(row, reason=error.what, cpu=time.process_time() - start)
    except Exception as error:  # a failure of a method is a result of the comparison
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return replace(row, reason=reason[:300], cpu=time.process_time() - start)
    row = replace(row, cpu=time.process_time() - start)
    if isinstance(answer, str):
        return replace(row, reason=answer)
    row = _judged(row, answer, crystal, prepared)
    if row.status != DOCKED or not task.busted:
        return row
    docked(row)
    return _busted(row, answer, crystal, task)


def _pocket(case: Case, crystal: Chem.Mol, row: Row, kind: str) -> tuple[Pocket, Row]:
    """Read and prepare the receptor, and cut the pocket."""
    from moldiff.docking.site import pocket_at
    from moldiff.protein.occupants import on
    from moldiff.protein.read import read_contents
    from moldiff.protein.receptor import prepare_receptor

    known = crystal.GetConformer().GetPositions()
    contents = read_contents(case.receptor)
    leave = dict.fromkeys(on(contents.structure, known), "the reference ligand lies on it")
    structure = contents.receptor(leave=leave)
    places = search_places(crystal, case.key, row.seed, kind, structure)
    pocket = pocket_at(prepare_receptor(structure), places)
    cofactor = has_cofactor(pocket.receptor.structure, known)
    return pocket, replace(row, box=tuple(pocket.box.centre.tolist()), cofactor=cofactor)


def _judged(row: Row, answer: Docked, crystal: Chem.Mol, prepared: float) -> Row:
    """The row with the RMSD of each pose."""
    row = replace(
        row,
        box=answer.box or row.box,
        atoms=len(answer.problem.ligand.heavy),
        torsions=len(answer.problem.rotors),
        proposals=answer.proposals,
        seconds={"receptor": prepared, **answer.seconds},
    )
    fractions = _fractions(answer)
    apart = pose_rmsds([pose.mol for pose in answer.poses], crystal)
    if apart is None:
        return replace(row, status=FAILED, reason="the docked molecule is not the crystal's")
    poses = tuple(
        Judged(
            float(rmsd) if np.isfinite(rmsd) else np.inf,
            pose.energy,
            fraction,
            pose.distance_score,
            pose.score,
            pose.confidence,
            evidence=pose.evidence,
        )
        for rmsd, fraction, pose in zip(apart, fractions, answer.poses, strict=True)
    )
    return replace(row, status=DOCKED, poses=poses)


def _fractions(answer: Docked) -> list[float]:
    """The share of our fast checks passed, also by the poses of others."""
    known = [pose.fraction for pose in answer.poses if pose.fraction is not None]
    if len(known) == len(answer.poses):
        return known
    import torch

    from moldiff.docking.judge.checks import check_poses

    heavy = [atom.GetIdx() for atom in answer.poses[0].mol.GetAtoms() if atom.GetAtomicNum() > 1]
    x = np.stack([pose.mol.GetConformer().GetPositions()[heavy] for pose in answer.poses])
    checks = check_poses(answer.problem, torch.as_tensor(x, dtype=torch.float32))
    return [float(share) for share in checks.fraction()]


def _busted(row: Row, answer: Docked, crystal: Chem.Mol, task: Task) -> Row:
    """The row with PoseBusters' verdicts."""
    if installed("posebusters") is None:
        return replace(row, reason="not judged: posebusters is not installed")
    mols = [pose.mol for pose in answer.poses[: task.busted]]
    start = time.process_time()
    try:
        verdicts = list(validity(mols, task.case.receptor, crystal))
    except Exception as error:  # of PoseBusters: the docking itself is kept
        return replace(row, reason=f"not judged: {type(error).__name__}: {error}"[:300])
    first = tuple(
        replace(pose, valid=valid, failed=failed)
        for pose, (valid, failed) in zip(row.poses, verdicts, strict=False)
    )
    seconds = {"PoseBusters": time.process_time() - start}
    return replace(row, poses=first + row.poses[len(first) :], seconds={**row.seconds, **seconds})


# --- the process -----------------------------------------------------------------------------


def _settle() -> None:
    """One thread, no output, and an end with the process that started this one."""
    from moldiff.cpu import set_threads

    follow_parent()
    sink = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(sink, number)
    set_threads(1)


def _allow(seconds: int) -> None:
    """Let the system end this process after so many more CPU-seconds."""
    try:
        import resource
    except ImportError:  # Windows: the time limit of the schedule alone
        return
    used = int(time.process_time()) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (_least(used + seconds, hard), hard))


def _least(wanted: int, hard: Any) -> int:
    import resource

    return wanted if hard == resource.RLIM_INFINITY else min(wanted, int(hard))
