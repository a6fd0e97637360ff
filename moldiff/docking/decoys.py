"""Making poses of known complexes, right and wrong ones, for training a judge of poses.

The poses are what the last stage of a docking would rank: local minima of the exact energy, after a
short search.  The search starts near the crystal pose, at random orientations in the middle of the
pocket, and at the best places of a box whose centre is up to 6 Å off, so that every complex has
right poses, flipped ones, and ones that are elsewhere.  No network proposes, so what it has seen of
a complex in training does not make the poses better than they would be of a new one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem
from torch import Tensor

from moldiff.chem.quiet import quiet
from moldiff.data.complex_files import LIGAND, POCKET
from moldiff.data.complexes import Complex, ComplexStore
from moldiff.data.decoys import Decoys, DecoyStore, write_decoys
from moldiff.docking.energy.exact import affinity
from moldiff.docking.minimise import minimise
from moldiff.docking.problem import Pocket, Problem, posed_problem
from moldiff.docking.search import cluster, search
from moldiff.docking.survey import survey
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.errors import InputError
from moldiff.geometry.tensors import symmetric_rmsd, uniform_rotations
from moldiff.parallel import Progress, completed
from moldiff.protein.pocket import Box
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import prepare_receptor
from moldiff.seeds import generator

__all__ = ["decoys", "parts_folder", "prepare_decoys"]

_STREAM = 43  # of random numbers, unique in the package
_PART = 16  # complexes saved together
_EDGE, _OFFSET = 25.0, 6.0  # Å: the box, and how far its centre may be off
_NEAR, _TURNED, _ELSEWHERE = 16, 24, 20  # starts of the search
_SHIFT, _TURN, _TWIST = 2.0, 1.0, 1.5  # largest deviations of near starts: Å, radians, radians
_MIDDLE = 3.0  # Å from the crystal's middle of the turned starts
_SURVEY, _ROUNDS, _ITERATIONS = 300, 4, 40
_KEPT, _SEPARATION = 48, 0.5  # poses, and Å between two of them


def prepare_decoys(
    complexes: ComplexStore,
    folders: Sequence[str | Path],
    destination: str | Path,
    *,
    jobs: int = 1,
    seed: int = 0,
    limit: int | None = None,
    progress: Progress | None = None,
) -> DecoyStore:
    """Make decoys of prepared complexes, those of the validation split first.

    Finished parts are kept beside the destination, so that an interrupted call, or one with a
    larger limit, goes on where the last one stopped.

    Parameters
    ----------
    complexes:
        The store of the complexes.
    folders:
        The sets it was prepared from.
    limit:
        Number of complexes; None for all.
    progress:
        Called as ``progress(stage, done, total)``.

    Raises
    ------
    InputError
        If a set of the store is not among the folders.
    DataError
        If the store cannot be written.
    """
    destination = Path(destination)
    order = _order(complexes, seed)[:limit]
    found = {Path(folder).name: Path(folder) for folder in folders}
    names = complexes.names
    for index in order:
        if names[index].partition("/")[0] not in found:
            raise InputError(
                f"The set of {names[index]} is not among the folders.",
                fix="Give all folders that the complexes were prepared from.",
            )
    parts = parts_folder(destination)
    parts.mkdir(parents=True, exist_ok=True)
    work = [order[k : k + _PART] for k in range(0, len(order), _PART)]
    files = [parts / f"{seed}-{k:05d}-{len(chunk)}.npz" for k, chunk in enumerate(work)]
    todo = [
        (file, [(found[names[i].partition("/")[0]] / names[i].partition("/")[2], i) for i in chunk])
        for file, chunk in zip(files, work, strict=True)
        if not file.exists()
    ]
    done = len(order) - sum(len(members) for _, members in todo)
    report = partial(progress or (lambda stage, done, total: None), "making decoys")
    report(done, len(order))
    for number, _ in completed(partial(_part, store=complexes.path, seed=seed), todo, jobs):
        done += len(todo[number][1])
        report(done, len(order))
    accepted: list[tuple[int, Decoys]] = []
    rejected: list[tuple[str, str]] = []
    for file, chunk in zip(files, work, strict=True):
        for index, result in zip(chunk, _load(file, complexes, chunk), strict=True):
            if isinstance(result, str):
                rejected.append((names[index], result))
            else:
                accepted.append((index, result))
    write_decoys(destination, complexes, accepted, rejected)
    return DecoyStore.open(destination)


def parts_folder(destination: Path) -> Path:
    """Return the folder of the parts of decoys, which stays for further complexes."""
    return destination.with_name(f".{destination.name}.parts")


@torch.no_grad()
def decoys(folder: Path, complex_: Complex, *, rng: torch.Generator) -> Decoys | str:
    """Return poses of the ligand of one complex, or why there are none.

    Parameters
    ----------
    folder:
        ``ligand.sdf`` and ``pocket.pdb`` of the complex.
    complex_:
        The same as prepared.
    """
    problem = _problem(folder, complex_, rng)
    if isinstance(problem, str):
        return problem
    kinematics, energy = problem.kinematics, problem.grid_energy()
    near = _near(complex_, kinematics, rng)
    poses = Pose.cat([near, _turned(complex_, kinematics, rng)])
    poses, energies = minimise(kinematics, energy, poses, iterations=_ITERATIONS)
    surveyed = survey(problem, energy, _SURVEY, rng=rng)
    poses, energies = surveyed.topped_up(poses, energies, _NEAR + _TURNED + _ELSEWHERE)
    poses, energies = search(kinematics, energy, poses, rounds=_ROUNDS, rng=rng)
    exact = problem.exact_energy()
    # Minima of the grids, and that of the crystal's surroundings whatever its energy.
    leaders = cluster(kinematics.place(poses), energies, _SEPARATION)[:_KEPT]
    chosen = Pose.cat([near[torch.arange(1)], poses[leaders]])
    chosen, _ = minimise(kinematics, exact, chosen, iterations=_ITERATIONS)
    x = kinematics.place(chosen)
    values = affinity(exact.terms(x)["inter"], problem.torsions)
    deviation = symmetric_rmsd(
        x, torch.from_numpy(complex_.crystal), torch.from_numpy(complex_.symmetry.astype(np.int64))
    )
    fine = (values.isfinite() & x.isfinite().flatten(1).all(1)).nonzero()[:, 0]
    parts: list[Tensor] = [part[fine] for part in (x, deviation, values)]
    return Decoys(complex_, *(part.numpy().astype(np.float32) for part in parts))


def _order(complexes: ComplexStore, seed: int) -> list[int]:
    """The complexes of the validation split, then the others, each in random order."""
    rng = np.random.default_rng(seed)
    parts = [rng.permutation(complexes.indices(split)) for split in ("validation", "train")]
    return [int(index) for index in np.concatenate(parts)]


def _problem(folder: Path, complex_: Complex, rng: torch.Generator) -> Problem | str:
    """The docking of the ligand on the conformers of the prepared complex."""
    with quiet():
        mol = Chem.MolFromMolFile(str(folder / LIGAND))
    if mol is None:
        return "ligand: fails to sanitise"
    middle = complex_.crystal.mean(0)
    direction = torch.randn(3, generator=rng).numpy()
    offset = _OFFSET * float(torch.rand((), generator=rng)) * direction / np.linalg.norm(direction)
    box = Box((middle + offset).astype(np.float32), np.full(3, _EDGE, np.float32))
    receptor = prepare_receptor(read_structure(folder / POCKET))
    problem = posed_problem(Chem.RemoveHs(mol), Pocket.of(receptor, box))
    if isinstance(problem, str):
        return f"ligand: {problem}"
    kinematics = Kinematics(
        torch.from_numpy(complex_.conformers),
        torch.from_numpy(complex_.axis.astype(np.int64)),
        torch.from_numpy(complex_.moves),
    )
    same = problem.kinematics.atoms == kinematics.atoms
    if not same or problem.kinematics.rotors != kinematics.rotors:
        return "ligand: other atoms or rotors than prepared"
    return replace(problem, kinematics=kinematics)


def _near(complex_: Complex, kinematics: Kinematics, rng: torch.Generator) -> Pose:
    """The crystal pose, and poses that deviate from it more and more."""
    conformer = torch.arange(_NEAR) % len(complex_.conformers)
    pose = Pose(
        conformer,
        torch.from_numpy(complex_.centre)[conformer],
        torch.from_numpy(complex_.rotation)[conformer],
        torch.from_numpy(complex_.torsions)[conformer],
    )
    spread = torch.tensor([_SHIFT] * 3 + [_TURN] * 3 + [_TWIST] * kinematics.rotors)
    amount = torch.linspace(0, 1, _NEAR)[:, None]
    tangent = amount * spread * torch.randn(_NEAR, len(spread), generator=rng)
    return kinematics.retract(pose, tangent)


def _turned(complex_: Complex, kinematics: Kinematics, rng: torch.Generator) -> Pose:
    """Random orientations and torsions in the middle of the pocket."""
    count, rotors = _TURNED, kinematics.rotors
    direction = torch.randn(count, 3, generator=rng)
    length = _MIDDLE * torch.rand(count, 1, generator=rng) ** (1 / 3)
    middle = torch.from_numpy(complex_.crystal.mean(0))
    return Pose(
        torch.arange(count) % len(complex_.conformers),
        middle + length * direction / direction.norm(dim=1, keepdim=True),
        uniform_rotations((count,), rng=rng),
        2 * torch.pi * torch.rand(count, rotors, generator=rng) - torch.pi,
    )


# --- the parts ---------------------------------------------------------------------------------


def _part(task: tuple[Path, list[tuple[Path, int]]], *, store: Path, seed: int) -> None:
    """Make the decoys of some complexes, and save them."""
    file, members = task
    complexes = ComplexStore.open(store)
    results: list[Decoys | str] = []
    for folder, index in members:
        rng = generator(seed, _STREAM, index)
        try:
            results.append(decoys(folder, complexes[index], rng=rng))
        except (OSError, ValueError, RuntimeError, InputError) as error:
            results.append(f"fails: {type(error).__name__}")
    arrays: dict[str, np.ndarray] = {
        "reasons": np.array([r if isinstance(r, str) else "" for r in results], np.str_)
    }
    for k, result in enumerate(results):
        if isinstance(result, Decoys):
            own = {"pose": result.pose, "deviation": result.deviation, "energy": result.energy}
            arrays |= {f"{name}{k}": value for name, value in own.items()}
    temporary = file.with_suffix(".tmp.npz")
    np.savez(temporary, allow_pickle=False, **arrays)
    os.replace(temporary, file)


def _load(file: Path, complexes: ComplexStore, chunk: Sequence[int]) -> list[Decoys | str]:
    """Read what `_part` saved."""
    with np.load(file, allow_pickle=False) as saved:
        return [
            reason
            or Decoys(
                complexes[index], saved[f"pose{k}"], saved[f"deviation{k}"], saved[f"energy{k}"]
            )
            for k, (reason, index) in enumerate(zip(saved["reasons"].tolist(), chunk, strict=True))
        ]
