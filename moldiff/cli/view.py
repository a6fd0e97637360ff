"""``moldiff view``: molecules, or poses in their pocket, as a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.options import Force
from moldiff.cli.output import check_apart, check_output, counted, remark, table
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.records import Readable
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.io import Record
    from moldiff.protein.structure import Structure

_FAR = 6.0  # Å: a pose this far from the receptor is in another frame

EXAMPLES = (
    "moldiff view molecules.sdf",
    "moldiff view molecules.sdf -o page.html --open",
    "moldiff view one.sdf --trajectory denoising.xyz",
    "moldiff view poses.sdf --receptor 1abc.pdb --reference crystal.sdf",
)


@scriptable(".html")
def command(
    file: Annotated[Path, typer.Argument(help="Molecules: .sdf, .mol2, .xyz, .smi, .csv, .json.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The page. [default: FILE with the suffix .html]"),
    ] = None,
    trajectory: Annotated[
        Path | None,
        typer.Option(help="Denoising to play, from moldiff generate --trajectory (.xyz)."),
    ] = None,
    receptor: Annotated[
        Path | None,
        typer.Option(help="Show FILE as poses in this protein, with interactions: .pdb or .cif."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="With --receptor: a known pose to compare with.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000_000, help="Molecules to show at most. [default: 2000; 200 poses]"
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page.")] = False,
    force: Force = False,
) -> None:
    """Show molecules in 3D on an HTML page, or poses in their pocket.

    One file that needs no network: rotate, sort, filter, play the denoising; with --receptor
    the pocket, the poses, a known pose and the interactions.
    """
    from moldiff.io import molecule_stem

    target = output or file.parent / f"{molecule_stem(file)}.html"
    check_output(target, (".html", ".htm"))
    check_apart("--output", target, [file])
    check_replaceable({target: "page"}, force=force)
    if receptor is None and reference is not None:
        raise InputError(
            "--reference needs the protein it is in.", fix="Give --receptor too, or leave it out."
        )
    if receptor is not None and trajectory is not None:
        raise InputError(
            "--trajectory and --receptor are two kinds of pages.", fix="Leave one of them out."
        )
    records = Readable(file)
    if receptor is not None:
        _docking(records, target, receptor, reference, limit)
    else:
        _molecules(records, target, trajectory, limit)
    broken = f" ({records.unreadable} unreadable)" if records.unreadable else ""
    size = f"{target.stat().st_size / 1e6:.1f} MB"
    what = "molecules" if receptor is None else "poses"
    table([(what, f"{records.count}{broken}"), ("page", f"{target} ({size})")])
    if show:
        import webbrowser

        webbrowser.open(target.resolve().as_uri())


def _molecules(records: Readable, target: Path, trajectory: Path | None, limit: int | None) -> None:
    from moldiff.view import DEFAULT_LIMIT, read_trajectories, write_html

    frames = read_trajectories(trajectory) if trajectory is not None else None
    write_html(
        target,
        records,
        title=records.path.name,
        trajectories=frames,
        limit=limit or DEFAULT_LIMIT,
    )


def _docking(
    records: Readable, target: Path, receptor: Path, reference: Path | None, limit: int | None
) -> None:
    from moldiff.docking.ligands import read_reference
    from moldiff.protein.read import read_structure
    from moldiff.protein.receptor import prepare_receptor
    from moldiff.view.docking import DEFAULT_POSES, write_docking

    structure = read_structure(receptor)
    notes = list(structure.notes)
    write_docking(
        target,
        _in_place(records, structure, notes),
        prepare_receptor(structure),
        title=f"{records.path.name} in {receptor.name}",
        reference=None if reference is None else read_reference(reference),
        notes=notes,
        limit=limit or DEFAULT_POSES,
    )
    for note in notes[len(structure.notes) :]:
        remark(f"Note: {note}")


def _in_place(records: Readable, structure: Structure, notes: list[str]) -> Iterator[Record]:
    """Yield the records; add notes on those that are no poses in this receptor.

    Raises
    ------
    InputError
        At the end, if none has 3D coordinates.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(structure.positions)
    flat = far = 0
    for record in records:
        mol = record.mol
        if mol is not None and not (mol.GetNumConformers() and mol.GetConformer().Is3D()):
            flat += 1
        elif mol is not None:
            distance, _ = tree.query(mol.GetConformer().GetPositions())
            far += int(distance.min() > _FAR)
        yield record
    readable = records.count - records.unreadable
    if flat == readable:
        raise InputError(
            f"{records.path} holds no 3D coordinates, so there are no poses to show.",
            fix="Dock the molecules first, or leave --receptor out to look at them.",
        )
    if flat:
        notes.append(f"{flat} of {counted(readable, 'record')} have no 3D coordinates: no poses")
    if far:
        notes.append(
            f"{far} of {counted(readable, 'pose')} are over {_FAR:g} Å from every atom of the "
            "receptor: are they in the frame of another one?"
        )
