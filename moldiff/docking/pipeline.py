"""The pipeline: a problem in, ranked and checked poses out.

conformers (the problem) -> grids -> a survey by many random poses -> centres -> proposals about
them, and the best of the random poses -> basin hopping -> one pose per cluster, minimised in the
exact energy -> evidence, checks -> score -> confidence -> (the best once more, by gnina's network
too) -> molecules with all their atoms
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from rdkit import rdBase
from torch import Tensor

from moldiff.chem.stereo import isomer_smiles, open_stereo, smiles_of
from moldiff.docking import bundled
from moldiff.docking.clock import Clock, Progress
from moldiff.docking.hydrogens import molecules, relax
from moldiff.docking.judge import cnn
from moldiff.docking.judge.checks import Checks, check_poses, posebust
from moldiff.docking.judge.evidence import evidence
from moldiff.docking.minimise import minimise
from moldiff.docking.requirement import lacking, unmet
from moldiff.docking.result import DockedPose, DockingResult
from moldiff.docking.search import cluster, search
from moldiff.docking.settings import Settings
from moldiff.docking.survey import survey
from moldiff.domain.kinematics import Pose
from moldiff.precision import recorded, resolve
from moldiff.protein.interactions import find_interactions
from moldiff.protein.write import write_pdb
from moldiff.seeds import generator
from moldiff.version import __version__

if TYPE_CHECKING:
    from moldiff.docking.judge.ranking import Ranking
    from moldiff.docking.problem import Problem
    from moldiff.docking.proposals import Proposals
    from moldiff.model import Model

__all__ = ["dock"]

_STREAM = 31  # of random numbers, unique in the package
_PARTS = ("inter", "intra")  # parts of the energy, for the records
_RESCORED = 9  # poses that are rescored at least, so that the first depends on no number asked for


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
    rng = generator(settings.seed, _STREAM)
    proposer, origin = bundled.proposer(settings)
    judge = bundled.judge(settings.judge)
    with torch.no_grad():
        with clock("grids"):
            energy = problem.grid_energy()
        with clock("surveying"):
            surveyed = survey(problem, energy, settings.starts, rng=rng)
        with clock("proposals"):
            proposals = proposer.prepare(problem)
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
            measures = _measure(problem, poses, proposals, judge)
            ranking = ranking or bundled.ranking()
            ranked = _rank(problem, poses, measures, settings, ranking)
        notes = [*problem.pocket.notes, *problem.notes]
        if settings.rescore:
            with clock("rescoring"):
                ranked = _rescored(problem, ranked, settings, ranking, notes)
        with clock("ranking"):
            docked = _poses(problem, ranked, settings)
    notes += unmet(docked[0].lacks)
    if settings.posebusters:
        with clock("PoseBusters"):
            docked = _with_posebusters(problem, docked, notes)
    return DockingResult(
        name=problem.name or "ligand",
        smiles=smiles_of(problem.ligand.mol),
        poses=docked,
        box=problem.box,
        proposals=origin,
        provenance=_provenance(problem, settings),
        seconds=clock.seconds,
        notes=tuple(notes),
    )


def _refined(problem: Problem, poses: Pose, energies: Tensor, settings: Settings) -> Pose:
    """The best distinct poses, minimised in the exact energy, whose minima grids smooth."""
    kinematics = problem.kinematics
    leaders = cluster(kinematics.place(poses), energies, settings.separation)[: settings.shortlist]
    energy = problem.exact_energy()
    return minimise(kinematics, energy, poses[leaders], iterations=settings.iterations)[0]


@dataclass(frozen=True, eq=False)
class _Ranked:
    """k poses of different clusters, best first, with their evidence; (k,) each."""

    pose: Pose
    measures: Mapping[str, Tensor]
    score: Tensor
    confidence: Tensor | None
    checks: Checks


def _measure(
    problem: Problem, poses: Pose, proposals: Proposals, judge: Model | None
) -> dict[str, Tensor]:
    """Return the evidence for all poses, and the two parts of their energy."""
    x = problem.kinematics.place(poses)
    terms = problem.exact_energy().terms(x)
    parts = {name: terms[name] for name in _PARTS}
    return evidence(problem, x, terms, proposals, judge) | parts


def _rank(
    problem: Problem,
    poses: Pose,
    measures: Mapping[str, Tensor],
    settings: Settings,
    ranking: Ranking,
) -> _Ranked:
    """Score all poses; keep the best of each cluster, as many as are wanted or rescored."""
    x = problem.kinematics.place(poses)
    checks = check_poses(problem, x)
    fraction = checks.fraction()
    score = ranking.score(measures, fraction)
    place = ranking.order(score, fraction).argsort().float()
    place += len(place) * _lacks(problem, poses, settings)
    leaders = cluster(x, place, threshold=settings.separation)
    confidence = ranking.confidence(
        {name: values[leaders] for name, values in measures.items()},
        fraction[leaders],
        atoms=problem.kinematics.atoms,
        torsions=problem.kinematics.rotors,
    )
    energy = measures["energy"][leaders].nan_to_num(nan=torch.inf)
    near = energy <= energy.min() + settings.window
    near[0] = True  # the first pose is always reported
    at_most = max(settings.poses, _RESCORED) if settings.rescore else settings.poses
    chosen = near.nonzero()[:, 0][:at_most]
    rows = leaders[chosen]
    return _Ranked(
        pose=poses[rows],
        measures={name: values[rows] for name, values in measures.items()},
        score=score[rows],
        confidence=None if confidence is None else confidence[chosen],
        checks=Checks(checks.names, checks.passed[rows]),
    )


def _rescored(
    problem: Problem, ranked: _Ranked, settings: Settings, ranking: Ranking, notes: list[str]
) -> _Ranked:
    """Rank the best poses again with the score of the CNN, or say in the notes why not."""
    score = cnn.cnn_evidence(problem, problem.kinematics.place(ranked.pose))
    measures = dict(ranked.measures)
    if isinstance(score, str):
        notes.append(f"The CNN was left out of the ranking: {score}.")
    else:
        measures["cnn"] = score
    once = replace(settings, rescore=None)
    return _rank(problem, ranked.pose, measures, once, ranking)


def _lacks(problem: Problem, poses: Pose, settings: Settings) -> Tensor:
    """How many of the required interactions each pose lacks, (p,)."""
    if not settings.require:
        return torch.zeros(len(poses))
    mols = map(relax, molecules(problem.ligand, problem.rotors, poses))
    interactions = (find_interactions(mol, problem.receptor) for mol in mols)
    return torch.tensor([float(len(lacking(settings.require, one) or ())) for one in interactions])


def _poses(problem: Problem, ranked: _Ranked, settings: Settings) -> tuple[DockedPose, ...]:
    """Return the poses as molecules."""
    docked = []
    mixed = bool(open_stereo(problem.ligand.mol))
    for k, placed in enumerate(molecules(problem.ligand, problem.rotors, ranked.pose)):
        mol = relax(placed)
        interactions = tuple(find_interactions(mol, problem.receptor))
        terms = {name: float(values[k]) for name, values in ranked.measures.items()}
        docked.append(
            DockedPose(
                rank=k + 1,
                mol=mol,
                energy=terms.pop("energy"),
                score=float(ranked.score[k]),
                confidence=None if ranked.confidence is None else float(ranked.confidence[k]),
                checks=dict(ranked.checks.row(k)),
                terms=terms,
                interactions=interactions,
                lacks=lacking(settings.require, interactions),
                smiles=isomer_smiles(mol) if mixed else "",
            )
        )
    return tuple(docked)


def _with_posebusters(
    problem: Problem, docked: tuple[DockedPose, ...], notes: list[str]
) -> tuple[DockedPose, ...]:
    """Add the checks of PoseBusters to the poses, or a note if it cannot run."""
    rows = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "receptor.pdb"
        write_pdb(problem.receptor, path, hydrogens=False)
        for pose in docked:
            report = posebust(pose.mol, path)
            if isinstance(report, str):
                notes.append(f"PoseBusters did not run: {report}")
                return docked
            rows.append(replace(pose, checks={**pose.checks, **report}))
    return tuple(rows)


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
