"""Design around a part that is kept: tasks from files or molecules, and molecules from tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Unpack

from rdkit import Chem

from moldiff.chem.demands import Interval, as_interval
from moldiff.chem.quiet import quiet
from moldiff.design.part import check_scaffold
from moldiff.design.tasks import Task, decorating, growing, linking, replacing
from moldiff.diffusion.guidance import guidances
from moldiff.errors import InputError
from moldiff.generation.api import Options, generate
from moldiff.generation.api import stream as generated
from moldiff.io import is_molecule_file, read_molecules
from moldiff.keywords import keywords_of
from moldiff.models import load
from moldiff.results import Results
from moldiff.verbs import verb

if TYPE_CHECKING:
    from moldiff.design.atoms import Named
    from moldiff.generation.request import Generated, Size
    from moldiff.model import Model

__all__ = [
    "MODEL",
    "Molecules",
    "decorate",
    "grow",
    "link",
    "possible",
    "read_parts",
    "replace",
    "sized",
    "stream",
    "usable",
]

MODEL = "druglike"
"""The bundled model that completes molecules."""

Molecules: TypeAlias = "Chem.Mol | str | Path | Sequence[Chem.Mol | str | Path]"
"""Molecules, files of them, or SMILES; several are fragments in one frame."""


@verb
@keywords_of(generate)
def grow(
    scaffold: Molecules,
    n: int = 32,
    *,
    at: Named | None = None,
    add: Size | str = None,
    **options: Unpack[Options],
) -> Results[Generated]:
    """Grow a scaffold at points.

    The other keywords are those of `moldiff.generate`; the model is "druglike", and valence
    guidance always applies unless it is set.

    Parameters
    ----------
    scaffold:
        What is kept, in its pose; of a file the first record.  Dummy atoms, as in
        ``c1ccc([*:1])cc1``, are points.
    n:
        Number of molecules.
    at:
        Points as atom numbers, ``"7,12"`` or ``[7, 12]``, or as a SMARTS, of which each match's
        first atom is one.
        All are used in every molecule; without any, one is drawn for each molecule.
    add:
        Number of heavy atoms that are added, or an interval; by default as many as make molecules
        of the sizes of the training data.

    Raises
    ------
    InputError
        If the scaffold, the points or the sizes cannot be used, or the model completes no parts.
    """
    task = growing(read_parts(scaffold), at, seed=options.get("seed", 0))
    return Results(stream(task, n, add=add, **options))


@verb
@keywords_of(generate)
def decorate(
    scaffold: Molecules,
    n: int = 32,
    *,
    at: Named | None = None,
    points: int = 3,
    add: Size | str = None,
    **options: Unpack[Options],
) -> Results[Generated]:
    """Grow a scaffold at some of its points, drawn for each molecule; otherwise as `grow`.

    Parameters
    ----------
    scaffold, n, at, add:
        As in `grow`.
    points:
        The most points that a molecule grows at, from 1.
    """
    task = decorating(read_parts(scaffold), at, points=points, seed=options.get("seed", 0))
    return Results(stream(task, n, add=add, **options))


@verb
@keywords_of(generate)
def link(
    fragments: Molecules,
    n: int = 32,
    *,
    at: Named | None = None,
    add: Size | str = None,
    **options: Unpack[Options],
) -> Results[Generated]:
    """Link fragments, which keep their poses; otherwise as `grow`.

    Atom numbers run on through all fragments.  Of a fragment without a named point, one of the
    three atoms nearest to the others is drawn.

    Parameters
    ----------
    fragments:
        What is kept, in one frame: a file of several, or a list.
    n, at, add:
        As in `grow`.
    """
    task = linking(read_parts(fragments, all_records=True), at, seed=options.get("seed", 0))
    return Results(stream(task, n, add=add, **options))


@verb
@keywords_of(generate)
def replace(
    ligand: Molecules,
    n: int = 32,
    *,
    keep: Named,
    add: Size | str = None,
    **options: Unpack[Options],
) -> Results[Generated]:
    """Replace a part of a ligand; otherwise as `grow`.

    Parameters
    ----------
    ligand:
        The whole molecule, in its pose; of a file the first record.
    keep:
        The atoms that stay, as numbers, ``"1-6,9"``, or as a SMARTS.
    n, add:
        As in `grow`.
    """
    task = replacing(read_parts(ligand), keep, seed=options.get("seed", 0))
    return Results(stream(task, n, add=add, **options))


@verb
@keywords_of(generate)
def stream(
    task: Task, n: int, *, add: Size | str = None, **options: Unpack[Options]
) -> Iterator[Generated]:
    """Yield the molecules of a task as they are finished.

    Parameters
    ----------
    task:
        What to do with which part, as `moldiff.design.tasks` makes it.
    n, add:
        As in `grow`.
    """
    model = options.get("model", MODEL)
    loaded = load(model, options.get("device", "cpu")) if isinstance(model, str | Path) else model
    usable(task, loaded)
    possible(task, add, options.get("size"), loaded)
    changed: Options = {
        **options,
        "model": loaded,
        "size": sized(task, add, options.get("size")),
        "given": task.part,
    }
    listed = {part["name"] for part in guidances({"guidance": options.get("guidance")})}
    if options.get("valence") is None and "valence" not in listed:
        # Each point must be used: an atom with fewer hydrogens has to have a new bond.
        changed["valence"] = 1.0
    return generated(n, **changed)


def usable(task: Task, model: Model) -> None:
    """Raise ``InputError`` if a model cannot complete the part of a task."""
    from moldiff.generation.sampling import molecules_of

    domain, scaffold = molecules_of(model), task.part.scaffold
    if not domain.parts:
        raise InputError(
            f"The model '{model.card.get('name', '')}' was not trained to complete molecules.",
            fix=f"Use {MODEL}, or train one with 'parts: {{share: 0.5}}'.",
        )
    check_scaffold(scaffold, domain.vocabulary)
    most = max(domain.sizes) - scaffold.size
    if most < task.least and task.gap:
        raise InputError(
            f"The fragments are {task.gap:.1f} Å apart, which takes {task.least} atoms at least; "
            f"the model can add {max(0, most)} to their {scaffold.size}.",
            fix="Bring the fragments together, or keep smaller ones.",
        )
    if scaffold.size >= max(domain.sizes):
        raise InputError(
            f"The scaffold has {scaffold.size} heavy atoms; the model makes molecules of "
            f"{max(domain.sizes)} at most.",
            fix="Keep a smaller part.",
        )


def sized(task: Task, add: Size | str, size: Size | str = None) -> Interval:
    """Return the numbers of heavy atoms that molecules may have.

    Raises
    ------
    InputError
        If nothing is added, or ``add`` and ``size`` contradict each other.
    """
    added, k = task.added if add is None else as_interval(add), task.part.scaffold.size
    if added.low < 1:
        raise InputError(
            f"At least one atom has to be added, not {added.low:g}.", fix="Write --add 3..10."
        )
    if added.high < task.least:
        raise InputError(
            f"The fragments are {task.gap:.1f} Å apart, which {added.high:g} "
            f"{'atom' if added.high == 1 else 'atoms'} cannot span.",
            fix=f"{task.least} in a straight line could: give at least --add {task.least}, or "
            f"better {task.added}; or bring the fragments together.",
        )
    total = Interval(k + added.low, k + added.high)
    if size is None:
        return total
    wanted = as_interval(size)
    both = (Interval(k + 1, math.inf) if add is None else total).meet(wanted)
    if both is None:
        more = "at least 1" if add is None else str(added)
        raise InputError(
            f"Molecules of {wanted} atoms cannot have the scaffold's {k} and {more} more.",
            fix=f"Give a --size of {k + 1} or more."
            if add is None
            else "Give --size, the atoms in all, or --add, those that are added; not both.",
        )
    return both


def possible(task: Task, add: Size | str, size: Size | str, model: Model) -> list[int]:
    """Return the numbers of heavy atoms that molecules of a task may have.

    Raises
    ------
    InputError
        As `sized`; or if the model makes molecules of none of them.
    """
    from moldiff.generation.sampling import molecules_of

    within, known = sized(task, add, size), sorted(molecules_of(model).sizes)
    sizes = [n for n in known if n in within]
    if not sizes:
        k = task.part.scaffold.size
        raise InputError(
            f"The model makes molecules of {known[0]} to {known[-1]} heavy atoms, not of "
            f"{within}; {k} of them are the scaffold's.",
            fix=f"Give --add {max(1, known[0] - k)}..{known[-1] - k}, or a part of it, or another "
            "--scaffold.",
        )
    return sizes


def read_parts(source: Molecules, *, all_records: bool = False) -> list[Chem.Mol]:
    """Return the molecules of files, SMILES or molecules, with their dummy atoms.

    Of a file with several records it is the first, the best pose of a docking, unless
    ``all_records`` of it are wanted, as fragments.

    Raises
    ------
    InputError
        If one of them cannot be read.
    """
    if isinstance(source, Chem.Mol):
        return [source]
    if isinstance(source, str | Path):
        parts = _read(source)
        return parts if all_records else parts[:1]
    return [mol for one in source for mol in read_parts(one, all_records=all_records)]


def _read(source: str | Path) -> list[Chem.Mol]:
    if isinstance(source, str) and not is_molecule_file(source):
        with quiet():
            mol = Chem.MolFromSmiles(source)
        if mol is None or not mol.GetNumAtoms():
            raise InputError(
                f"'{source[:60]}' is neither a file nor a valid SMILES.",
                fix="Give a path that ends in .sdf, .mol, .mol2 or .smi, or quote the SMILES.",
            )
        return [mol]
    molecules = []
    for record in read_molecules(source, dummies=True):
        if record.mol is None:
            raise InputError(
                f"Record {record.index + 1} of {source} cannot be read: {record.reason}.",
                fix="Check what the file holds.",
            )
        molecules.append(record.mol)
    return molecules
