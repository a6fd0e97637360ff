"""The pipeline: a problem in, ranked and checked poses out.

conformers (the problem) -> (of several cavities a first look into each, and one of them) ->
grids -> a survey by many random poses -> centres -> proposals about them, and the best of the
random poses -> basin hopping -> one pose per cluster, minimised in the exact energy -> evidence,
checks -> score -> confidence -> (the best once more, by gnina's network too) -> molecules with all
their atoms
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from rdkit import rdBase
from torch import Tensor

from moldiff.chem.stereo import isomer_smiles, open_stereo, smiles_of
from moldiff.docking import bundled
from moldiff.docking.cavities import searched
from moldiff.docking.clock import Clock, Progress
from moldiff.docking.hydrogens import molecules, relax
from moldiff.docking.judge import cnn
from moldiff.docking.judge.checks import posebust
from moldiff.docking.judge.evidence import Judges
from moldiff.docking.minimise import minimise
from moldiff.docking.ranked import Judged, Ranked, judged, rank, rescored
from moldiff.docking.requirement import lacking, unmet
from moldiff.docking.result import DockedPose, DockingResult
from moldiff.docking.scouting import choose, scout
from moldiff.docking.search import cluster, search
from moldiff.docking.settings import Settings
from moldiff.docking.survey import survey
from moldiff.precision import recorded, resolve
from moldiff.protein.interactions import find_interactions
from moldiff.protein.write import write_pdb
from moldiff.seeds import generator
from moldiff.version import __version__

if TYPE_CHECKING:
    from moldiff.docking.judge.ranking import Ranking
    from moldiff.docking.problem import Problem
    from moldiff.docking.proposals import Proposer
    from moldiff.domain.kinematics import Pose

__all__ = ["dock"]

_STREAM = 31  # of random numbers, unique in the package
_LOOKS = 37  # the stream of the first looks into several cavities
_DISTINCT = 1.0  # Å between two poses that are ranked


def dock(
    problem: Problem,
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
    ranking: Ranking | None = None,
) -> DockingResult:
    """Dock the ligand of a problem.

    Parameters
    ----------
    problem:
        See `moldiff.docking.problem.make_problem`.
    settings:
        The defaults if None.
    progress:
        Called at the start of a stage with the fraction of the work that is done, 0 to 1.
    ranking:
        Replaces the bundled ranking, for comparisons.

    Returns
    -------
    DockingResult
        At least one pose; the same problem and settings give the same poses.

    Raises
    ------
    InputError, ModelFileError
        If a model in the settings is missing or cannot be used.
    ConfigError
        If this device lacks the precision.
    """
    settings = (settings or Settings()).resolved()
    clock = Clock(problem.seconds, progress)
    models = _Models(*bundled.proposer(settings), bundled.judges(settings))
    ranking = ranking or bundled.ranking()
    problems = problem.places(settings.cavities)
    with torch.no_grad():
        looks: list[Judged] = []
        chosen, after = 0, torch.tensor([problem.pocket.chance])
        if len(problems) > 1:
            with clock("choosing"):
                rng = generator(settings.seed, _LOOKS)
                looks = [
                    scout(problems, k, models.proposer, models.judges, rng=rng)
                    for k in range(len(problems))
                ]
                chosen, after = choose(looks, settings, ranking)
        judged = _searched(problems, chosen, settings, models, clock)
        with clock("ranking"):
            everything = Judged.cat([judged, *looks[:chosen], *looks[chosen + 1 :]])
            ranked = rank(everything, settings, ranking, after)
            cavities = searched(everything, after, chosen, ranking)
        notes = [*problem.pocket.notes, *problem.notes]
        if settings.rescore:
            with clock("rescoring"):
                ranked = rescored(ranked, settings, ranking, notes, after)
        with clock("ranking"):
            docked = _poses(ranked, settings)
    notes += unmet(docked[0].lacks)
    if settings.posebusters:
        with clock("PoseBusters"):
            docked = _with_posebusters(problems, docked, settings.posebusters, notes)
    return DockingResult(
        name=problem.name or "ligand",
        smiles=smiles_of(problem.ligand.mol),
        poses=docked,
        box=problems[docked[0].cavity - 1].box,
        proposals=models.origin,
        provenance=_provenance(problem, settings),
        seconds=clock.seconds,
        notes=tuple(notes),
        cavities=cavities,
    )


@dataclass(frozen=True, eq=False)
class _Models:
    """What proposes poses, its name for the records, and what judges them."""

    proposer: Proposer
    origin: str
    judges: Judges


def _searched(
    problems: tuple[Problem, ...], cavity: int, settings: Settings, models: _Models, clock: Clock
) -> Judged:
    """Search one of the cavities in full; return its poses with their evidence."""
    problem = problems[cavity]
    rng = generator(settings.seed, _STREAM)
    with clock("grids"):
        energy = problem.grid_energy()
    with clock("surveying"):
        surveyed = survey(problem, energy, settings.starts, rng=rng)
    with clock("proposals"):
        proposals = models.proposer.prepare(problem)
        poses = proposals.propose(settings.draws, surveyed.centres(), rng=rng)
    with clock("minimising"):
        poses, energies = minimise(
            problem.kinematics, energy, poses, iterations=settings.iterations
        )
        poses, energies = surveyed.topped_up(poses, energies, settings.chains)
    if settings.rounds:
        with clock("searching"):
            poses, energies = search(
                problem.kinematics, energy, poses, rounds=settings.rounds, rng=rng
            )
    with clock("refining"):
        poses = _refined(problem, poses, energies, settings)
    with clock("ranking"):
        return judged(problems, cavity, poses, proposals, models.judges)


def _refined(problem: Problem, poses: Pose, energies: Tensor, settings: Settings) -> Pose:
    """The best distinct poses, minimised in the exact energy, whose minima grids smooth."""
    kinematics = problem.kinematics
    leaders = cluster(kinematics.place(poses), energies, _DISTINCT)[: settings.shortlist]
    energy = problem.exact_energy()
    return minimise(kinematics, energy, poses[leaders], iterations=settings.iterations)[0]


def _poses(ranked: Ranked, settings: Settings) -> tuple[DockedPose, ...]:
    """Return the poses as molecules."""
    docked = []
    poses = ranked.poses
    problem = poses.problems[0]
    mixed = bool(open_stereo(problem.ligand.mol))
    for k, placed in enumerate(molecules(problem.ligand, problem.rotors, poses.pose)):
        mol, cavity = relax(placed), int(poses.cavity[k])
        interactions = tuple(find_interactions(mol, poses.problems[cavity].receptor))
        terms = {name: float(values[k]) for name, values in poses.measures.items()}
        docked.append(
            DockedPose(
                rank=k + 1,
                mol=mol,
                energy=terms.pop("energy"),
                score=float(ranked.score[k]),
                confidence=None if ranked.confidence is None else float(ranked.confidence[k]),
                checks=dict(poses.checks.row(k)),
                terms=terms,
                interactions=interactions,
                lacks=lacking(settings.require, interactions),
                smiles=isomer_smiles(mol) if mixed else "",
                cavity=cavity + 1,
            )
        )
    return tuple(docked)


def _with_posebusters(
    problems: tuple[Problem, ...], docked: tuple[DockedPose, ...], number: int, notes: list[str]
) -> tuple[DockedPose, ...]:
    """Add the checks of PoseBusters to the first `number` poses, or a note if it cannot run."""
    rows = []
    with TemporaryDirectory() as folder:
        paths = {k: Path(folder) / f"receptor{k}.pdb" for k in {pose.cavity for pose in docked}}
        for k, path in paths.items():
            write_pdb(problems[k - 1].receptor, path, hydrogens=False)
        for pose in docked[:number]:
            report = posebust(pose.mol, paths[pose.cavity])
            if isinstance(report, str):
                notes.append(f"PoseBusters did not run: {report}")
                return docked
            rows.append(replace(pose, checks={**pose.checks, **report}))
    return (*rows, *docked[number:])


def _provenance(problem: Problem, settings: Settings) -> dict[str, str]:
    precision = recorded(resolve(settings.precision))
    return {
        **problem.pocket.origin,
        "pocket": problem.pocket.digest,
        "seed": f"{settings.seed}",
        "settings": settings.digest(),
        **({"rescored_by": cnn.NETWORK} if settings.rescore else {}),
        **({"precision": precision} if precision else {}),
        "moldiff_version": __version__,
        "versions": f"RDKit {rdBase.rdkitVersion}, torch {torch.__version__}, "
        f"Python {platform.python_version()}",
    }
