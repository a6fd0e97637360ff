"""Making poses of known complexes, right and wrong ones, for training a judge of poses.

The poses are what the last stage of a docking would rank: local minima of the exact energy, after a
short search.  The search starts near the crystal pose, at random orientations in the middle of the
pocket, and at the best places of a box whose centre is up to 6 Å off, so that every complex has
right poses, flipped ones, and ones that are elsewhere.  No network proposes, so what it has seen of
a complex in training does not make the poses better than they would be of a new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem
from torch import Tensor

from moldiff.chem.quiet import quiet
from moldiff.cpu import using_threads
from moldiff.data.complex_files import LIGAND, POCKET
from moldiff.data.complexes import Complex, ComplexStore
from moldiff.data.decoys import Decoys, DecoyStore, write_decoys
from moldiff.data.write import check_replaceable
from moldiff.docking.energy.exact import affinity
from moldiff.docking.minimise import minimise
from moldiff.docking.problem import Pocket, Problem, posed_problem
from moldiff.docking.search import cluster, search
from moldiff.docking.survey import survey
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.errors import DataError, InputError, MoldiffError
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
_WORDS = 100  # letters of a reason


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

    Finished parts of 16 complexes are kept beside the destination, so that an interrupted call, or
    one with a larger limit, goes on behind them.

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
        If a folder is missing, a set of the store is not among them, or the destination holds the
        complexes.
    DataError
        If no decoys can be made, or the store cannot be written.
    """
    destination = Path(destination)
    _check_destination(destination, complexes)
    order = _order(complexes, seed)
    places = _places(complexes, folders)
    work = [order[k : k + _PART] for k in range(0, len(order[:limit]), _PART)]
    files = [_file(parts_folder(destination), complexes, chunk, seed) for chunk in work]
    todo = [
        (file, [(places[index], index) for index in chunk])
        for file, chunk in zip(files, work, strict=True)
        if not _readable(file)
    ]
    total = sum(len(chunk) for chunk in work)
    done = total - sum(len(members) for _, members in todo)
    report = partial(progress or (lambda stage, done, total: None), "making decoys")
    report(done, total)
    for number, _ in completed(partial(_part, store=complexes.path, seed=seed), todo, jobs):
        done += len(todo[number][1])
        report(done, total)
    accepted: list[tuple[int, Decoys]] = []
    rejected: list[tuple[str, str]] = []
    for file, chunk in zip(files, work, strict=True):
        for index, result in zip(chunk, _load(file, complexes, chunk), strict=True):
            if isinstance(result, str):
                rejected.append((complexes.names[index], result))
            else:
                accepted.append((index, result))
    write_decoys(destination, complexes, accepted[:limit], rejected)
    return DecoyStore.open(destination)


def _check_destination(destination: Path, complexes: ComplexStore) -> None:
    """Refuse, before any work, a place where decoys cannot be written."""
    if destination.resolve() == complexes.path.resolve():
        raise InputError(f"{destination} holds the complexes.", fix="Give another --output.")
    check_replaceable(destination)
    parts = parts_folder(destination)
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{parts} cannot be written: {error.strerror}.", fix="Give another --output."
        ) from error


def _places(complexes: ComplexStore, folders: Sequence[str | Path]) -> list[Path]:
    """The folder of each complex of a store, in those that it was prepared from."""
    by_name = {Path(folder).resolve().name: Path(folder) for folder in folders}
    for folder in folders:
        if not Path(folder).is_dir():
            raise InputError(f"There is no folder '{folder}'.", fix="Check the path.")
    if len(by_name) < len(folders):
        raise InputError("Two of the folders have the same name.", fix="Name each folder once.")
    places = []
    for name in complexes.names:
        set_, _, id_ = name.partition("/")
        if set_ not in by_name:
            raise InputError(
                f"The set of {name} is not among the folders.",
                fix="Give all folders that the complexes were prepared from.",
            )
        places.append(by_name[set_] / id_)
    return places


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
    if not len(fine) or fine[0] != 0:
        return "ligand: the crystal pose has no finite minimum"
    parts: list[Tensor] = [part[fine] for part in (x, deviation, values)]
    return Decoys(complex_, *(part.numpy().astype(np.float32) for part in parts))


def _order(complexes: ComplexStore, seed: int) -> list[int]:
    """The complexes of the validation split, then the others, each in random order."""
    rng = np.random.default_rng(seed)
    parts = [rng.permutation(complexes.indices(split)) for split in ("validation", "train")]
    return [int(index) for index in np.concatenate(parts)]


def _problem(folder: Path, complex_: Complex, rng: torch.Generator) -> Problem | str:
    """The docking of the ligand on the conformers of the prepared complex."""
    absent = [name for name in (LIGAND, POCKET) if not (folder / name).is_file()]
    if absent:
        return f"no {absent[0]}"
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


def _file(folder: Path, complexes: ComplexStore, chunk: Sequence[int], seed: int) -> Path:
    """The file of a part; its name is a digest of the complexes, of which it is, and the seed."""
    names = [complexes.names[index] for index in chunk]
    content = json.dumps([complexes.meta["sha256"], names, seed], sort_keys=True)
    return folder / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.npz"


def _readable(file: Path) -> bool:
    """Whether a part is there and whole; another one is made anew."""
    try:
        with np.load(file, allow_pickle=False) as saved:
            return "reasons" in saved
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False


def _part(task: tuple[Path, list[tuple[Path, int]]], *, store: Path, seed: int) -> None:
    """Make the decoys of some complexes, and save them."""
    file, members = task
    complexes = ComplexStore.open(store)
    results: list[Decoys | str] = []
    with using_threads(1):
        for folder, index in members:
            rng = generator(seed, _STREAM, index)
            try:
                results.append(decoys(folder, complexes[index], rng=rng))
            except (OSError, ValueError, RuntimeError, MoldiffError) as error:
                words = f"{error}".strip().splitlines() or [type(error).__name__]
                results.append(f"fails: {words[0][:_WORDS]}")
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
