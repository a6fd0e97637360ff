"""``moldiff view``: molecules, or poses in their pocket, as a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.options import Force
from moldiff.cli.output import (
    check_apart,
    check_output,
    counted,
    file_names,
    files_line,
    remark,
    table,
)
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import working
from moldiff.cli.records import Readable
from moldiff.errors import InputError

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.io import Record
    from moldiff.protein.structure import Structure

_FAR = 6.0  # Å: a pose this far from the receptor is in another frame

EXAMPLES = (
    "moldiff view molecules.sdf",
    "moldiff view molecules.sdf -o page.html --open",
    "moldiff view molecules.sdf --figures figures.csv --highlight c1ccncc1",
    "moldiff view one.sdf --trajectory denoising.xyz",
    "moldiff view denoising.xyz --gif denoising.gif --strip denoising.png",
    "moldiff view poses.sdf --receptor 1abc.pdb --reference crystal.sdf",
    "moldiff view poses.sdf --receptor 1abc.cif --reference A:401",
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
    gif: Annotated[
        Path | None,
        typer.Option(
            help="Write the denoising as an animation (.gif) instead of a page, that of the first "
            "molecule recorded; FILE may be the trajectory itself."
        ),
    ] = None,
    strip: Annotated[
        Path | None, typer.Option(help="As --gif: six moments in a row (.png).")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(help="What was measured of each molecule: moldiff evaluate --table (.csv)."),
    ] = None,
    highlight: Annotated[
        str | None,
        typer.Option(
            metavar="SMARTS", help="Count the molecules that have this substructure, and mark it."
        ),
    ] = None,
    receptor: Annotated[
        Path | None,
        typer.Option(help="Show FILE as poses in this protein, with interactions: .pdb or .cif."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|A:401|LIG",
            help="With --receptor: a known pose, in a file or in the receptor's own.",
        ),
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

    One file that needs no network: rotate, sort, filter, search for substructures, keep favourites,
    play the denoising; with --receptor the pocket, the poses, a known pose and the interactions. A
    ligand of the receptor's file that the poses lie on is left out of the receptor and shown as the
    known pose.
    """
    from moldiff.io import molecule_stem

    of_molecules = {"--trajectory": trajectory, "--figures": figures, "--highlight": highlight}
    _check_kinds(of_molecules, receptor, reference)
    pictures = {suffix: path for suffix, path in ((".gif", gif), (".png", strip)) if path}
    if pictures:
        page: dict[str, object] = {"--output": output, "--receptor": receptor, "--limit": limit}
        page |= {"--figures": figures, "--highlight": highlight, "--open": show or None}
        _check_pictures(pictures, file, trajectory, page, force=force)
        _pictures(file, trajectory, pictures)
        return
    target = output or file.parent / f"{molecule_stem(file)}.html"
    check_output(target, (".html", ".htm"))
    check_apart("--output", target, [file])
    check_replaceable({target: "page"}, force=force)
    records = Readable(file)
    with working("drawing the page"):
        if receptor is not None:
            _docking(records, target, receptor, reference, limit)
        else:
            _molecules(records, target, trajectory, limit, figures, highlight)
    broken = f" ({records.unreadable} unreadable)" if records.unreadable else ""
    size = f"{target.stat().st_size / 1e6:.1f} MB"
    what = "molecules" if receptor is None else "poses"
    table(
        [(what, f"{records.count}{broken}"), ("page", f"{files_line([target])} ({size})")],
        data={
            "records": records.count,
            "unreadable": records.unreadable,
            "page": files_line([target]),
            "bytes": target.stat().st_size,
        },
    )
    if show:
        import webbrowser

        webbrowser.open(target.resolve().as_uri())


def _check_kinds(
    of_molecules: Mapping[str, object], receptor: Path | None, reference: str | None
) -> None:
    """Refuse options of one kind of page with another."""
    if receptor is None and reference is not None:
        raise InputError(
            "--reference needs the protein it is in.", fix="Give --receptor too, or leave it out."
        )
    for option, value in of_molecules.items():
        if receptor is not None and value is not None:
            raise InputError(
                f"{option} and --receptor are two kinds of pages.", fix="Leave one of them out."
            )


def _check_pictures(
    pictures: Mapping[str, Path],
    file: Path,
    trajectory: Path | None,
    of_a_page: Mapping[str, object],
    *,
    force: bool,
) -> None:
    """Refuse options of a page, and check what will be written, before any work."""
    given = [option for option, value in of_a_page.items() if value is not None]
    if given:
        raise InputError(
            f"--gif and --strip write pictures and no page: {', '.join(given)} would be for one.",
            fix="Leave one or the other out, and call moldiff view twice.",
        )
    for suffix, path in pictures.items():
        option = "--gif" if suffix == ".gif" else "--strip"
        check_output(path, (suffix,))
        check_apart(option, path, [file, *([trajectory] if trajectory else [])])
    check_replaceable(dict.fromkeys(pictures.values(), "denoising"), force=force)


def _pictures(file: Path, trajectory: Path | None, pictures: Mapping[str, Path]) -> None:
    """Write the denoising of the first molecule that was recorded."""
    from moldiff.view import read_trajectories
    from moldiff.view.pictures import final_frame, write_gif, write_strip

    recorded = read_trajectories(trajectory or file)
    position, frames = min(recorded.items())
    last = None
    if trajectory is not None:
        shown = next(islice(Readable(file), position, None), None)
        last = None if shown is None or shown.mol is None else final_frame(shown.mol)
    writers = {".gif": write_gif, ".png": write_strip}
    for suffix, path in pictures.items():
        writers[suffix](path, frames, last)
    whole = "" if len(recorded) == 1 else f", the first of {len(recorded)}"
    rows = [("molecule", f"{position + 1}{whole}"), ("frames", f"{len(frames)}")]
    for path in pictures.values():
        rows.append(("picture", f"{path} ({path.stat().st_size / 1e6:.1f} MB)"))
    table(
        rows,
        data={
            "molecule": position + 1,
            "recorded": len(recorded),
            "frames": len(frames),
            "files": file_names(pictures.values()),
        },
    )


def _molecules(
    records: Readable,
    target: Path,
    trajectory: Path | None,
    limit: int | None,
    figures: Path | None,
    highlight: str | None,
) -> None:
    from moldiff.view import DEFAULT_LIMIT, Figures, read_trajectories, write_html
    from moldiff.view.trajectory import refuse_denoising

    refuse_denoising(records.path)
    frames = read_trajectories(trajectory) if trajectory is not None else None
    write_html(
        target,
        records,
        title=records.path.name,
        trajectories=frames,
        limit=limit or DEFAULT_LIMIT,
        figures=None if figures is None else Figures.of(figures),
        highlight=highlight,
    )


def _docking(
    records: Readable, target: Path, receptor: Path, reference: str | None, limit: int | None
) -> None:
    from moldiff.protein.read import read_contents
    from moldiff.protein.receptor import prepare_receptor
    from moldiff.view.docking import DEFAULT_POSES, write_docking

    contents = read_contents(receptor)
    notes: list[str] = []  # grows while the records are read
    stream = _in_place(records, contents.structure, notes)
    shown = list(islice(stream, limit or DEFAULT_POSES))
    known, leave, remarks = _known(contents.structure, shown, reference)
    structure = contents.receptor(leave=dict.fromkeys(leave, "the poses stand in its place"))
    notes[:0] = (*structure.notes, *remarks)
    write_docking(
        target,
        chain(shown, stream),
        prepare_receptor(structure),
        title=f"{records.path.name} in {receptor.name}",
        reference=known,
        notes=notes,
        limit=limit or DEFAULT_POSES,
    )
    for note in notes[len(structure.notes) :]:
        remark(f"Note: {note}")


def _known(
    structure: Structure, shown: Sequence[Record], reference: str | None
) -> tuple[Chem.Mol | None, set[int], tuple[str, ...]]:
    """The known pose, the residues that leave the receptor for it and the poses, and notes."""
    import numpy as np

    from moldiff.docking.known import known_pose, molecule_of
    from moldiff.protein.occupants import under

    mols = [r.mol for r in shown if r.mol is not None and _solid(r.mol)]
    points = [np.asarray(mol.GetConformer().GetPositions()) for mol in mols]
    places = under(structure, np.concatenate(points)) if points else []
    leave = {i for members in places for i in members}
    if reference is not None:
        known, members, notes = known_pose(structure, reference, mols)
        return known, leave | set(members), notes
    if len(places) != 1:
        return None, leave, ()
    known, notes = molecule_of(structure, places[0], mols)
    name = ", ".join(str(structure.residues[i]) for i in places[0])
    return known, leave, (f"{name} of the receptor's file is shown as the reference", *notes)


def _solid(mol: Chem.Mol) -> bool:
    return bool(mol.GetNumConformers() and mol.GetConformer().Is3D())


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
        if mol is not None and not _solid(mol):
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
