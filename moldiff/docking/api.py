"""Docking a ligand, and writing its results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.cpu import using_threads
from moldiff.docking.clock import Progress
from moldiff.docking.ligands import read_ligand, read_reference
from moldiff.docking.settings import Settings
from moldiff.docking.site import Site, Where, site
from moldiff.errors import InputError
from moldiff.keywords import keywords_of
from moldiff.verbs import verb

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.docking.result import DockingResult
    from moldiff.io import Record, Source
    from moldiff.results import Results

__all__ = [
    "Site",
    "Where",
    "distance_text",
    "dock",
    "read_ligand",
    "read_reference",
    "site",
    "write_page",
    "write_result",
]


@verb
@keywords_of(Settings)
def dock(
    receptor: str | Path,
    ligand: Source,
    *,
    pocket_ligand: str | Path | None = None,
    center: Sequence[float] | None = None,
    residues: Sequence[str] | None = None,
    autobox: bool = False,
    size: float | Sequence[float] | None = None,
    exclude: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    waters: bool | float = False,
    assembly: str | None = None,
    receptor_model: int = 1,
    complete: bool = False,
    sequence: str | Path | None = None,
    enumerate_stereo: bool = False,
    enumerate_tautomers: int = 1,
    threads: int = 1,
    progress: Progress | None = None,
    **settings: Any,
) -> DockingResult | Results[Record]:
    """Dock a ligand into a pocket; the poses come ranked, best first.

    The settings are those of `moldiff.docking.settings.Settings`; of several ligands, one pose
    each is the default.

    Parameters
    ----------
    receptor:
        A ``.pdb`` or ``.cif`` file; the ligand that defines or fills the pocket is left out.
    ligand:
        One: a molecule file, a SMILES, an RDKit molecule or a generated one.  A list of any of
        these, or the result of another verb, is docked one after another.
    pocket_ligand, center, residues, autobox, size:
        Location of the pocket, see `Where`.
    exclude:
        Groups to leave out of the receptor, such as ``"LIG"`` or ``"A:401"``.
    keep:
        Groups to keep: waters (``"HOH"``), additives, what stands in the pocket.
    waters, assembly, receptor_model:
        Waters to keep, the assembly to build and the model to take, as in
        `moldiff.protein.read_structure`.
    complete, sequence:
        Build residues that are missing near the box, see `moldiff.complete`; notes say which.
    enumerate_stereo:
        Dock each isomer that the ligand leaves open; every pose says which it is.
    enumerate_tautomers:
        Dock so many tautomers at most, the ligand as given first.
    threads:
        Threads of one operation, for the time of the call.
    progress:
        Called with the stage and the fraction of the work that is done, 0 to 1.

    Returns
    -------
    DockingResult or Results
        Of several ligands the records of all poses, ligand by ligand; one that cannot be docked is
        a record without a molecule that says why.

    Raises
    ------
    InputError, ConfigError
        If the request cannot be met; the error says why and how to fix it.
    """
    from moldiff.io import records_of
    from moldiff.results import Presentable, Results

    # What verbs give are many molecules, even one: the kind of the result does not depend on it.
    many = isinstance(ligand, Iterable | Presentable) and not isinstance(ligand, str)
    chosen = Settings(**({"poses": 1} if many else {}) | settings)
    where = Where(pocket_ligand, center, residues, autobox, size)
    with using_threads(threads):
        ligands = list(records_of(ligand)) if many else [_one(ligand)]
        place = site(
            receptor,
            where,
            exclude=exclude,
            keep=keep,
            waters=waters,
            assembly=assembly,
            model=receptor_model,
            complete=complete,
            sequence=sequence,
            seed=chosen.seed,
            cavities=chosen.cavities,
        )
        run = partial(
            place.dock_forms,
            settings=chosen,
            stereo=enumerate_stereo,
            tautomers=enumerate_tautomers,
        )
        if not many:
            return run((ligands[0].mol, ligands[0].name), progress=progress)
        return Results(_all(ligands, run, progress))


def _one(ligand: Source) -> Record:
    """The one molecule that is to be docked, under its own name if it has one."""
    from moldiff.io import record_of, records_of

    if isinstance(ligand, str | Path):
        mol, name = read_ligand(ligand)
        return record_of(mol, name=name)
    record = next(records_of(ligand)).with_bonds()
    if record.mol is None:
        raise InputError(f"There is no ligand to dock: {record.reason}.", fix="Give a molecule.")
    return record if record.name else replace(record, name="ligand")


def _all(
    ligands: Sequence[Record],
    run: Callable[..., DockingResult],
    progress: Progress | None,
) -> Iterator[Record]:
    """Yield the poses of each ligand; for one that cannot be docked, a record that says why."""
    from moldiff.io import record_of

    for k, ligand in enumerate(one.with_bonds() for one in ligands):
        name = ligand.name or f"ligand {k + 1}"

        def part(stage: str, done: float, k: int = k) -> None:
            if progress is not None:
                progress(f"ligand {k + 1} of {len(ligands)}, {stage}", (k + done) / len(ligands))

        if ligand.mol is None:
            yield record_of(None, name=name, reason=ligand.reason)
            continue
        try:
            yield from run((ligand.mol, name), progress=part).as_records()
        except InputError as error:
            yield record_of(None, name=name, reason=str(error))


def distance_text(mol: Chem.Mol, known: Chem.Mol) -> str:
    """Return the RMSD in Å of a pose to a known one as text; a dash if the molecules differ."""
    from moldiff.chem.rmsd import pose_rmsd

    value = pose_rmsd(mol, known)
    return "–" if value is None else f"{value:.2f}"


def write_result(result: DockingResult, path: Path) -> list[Path]:
    """Write the poses; beside them the record as JSON and the interactions as CSV.

    Returns the files.
    """
    from moldiff.text import replace_text

    result.write(path)
    record, interactions = path.with_suffix(".json"), path.with_suffix(".interactions.csv")
    replace_text(record, result.to_json())
    replace_text(interactions, result.interactions_table())
    return [path, record, interactions]


def write_page(
    page: Path,
    place: Site,
    poses: Path,
    known: Chem.Mol | None,
    *,
    title: str,
    notes: Sequence[str] = (),
) -> None:
    """Write an HTML page of the poses in a file."""
    from moldiff.io import read_molecules
    from moldiff.view.docking import write_docking

    write_docking(
        page,
        read_molecules(poses),
        place.receptor,
        title=f"{title} in {place.path.name}",
        reference=known,
        notes=[*notes, *place.notes],
        built=place.built,
    )
