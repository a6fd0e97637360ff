"""``moldiff dock``: ligands into a pocket."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from moldiff.cli.docked import check_files, going_on, outputs
from moldiff.cli.docking_runs import dock_many, dock_one, open_pairs
from moldiff.cli.options import MOST_JOBS, Force, Precision, Precisions
from moldiff.cli.output import check_threads, remark
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.receptor_options import (
    Assembly,
    Exclude,
    Keep,
    ReceptorModel,
    Waters,
    waters_of,
)
from moldiff.cli.requests import Threads
from moldiff.cli.startup import load_torch
from moldiff.docking.settings import Settings
from moldiff.errors import InputError

EXAMPLES = (
    "moldiff dock --receptor 1abc.pdb --ligand ligand.sdf --pocket-ligand crystal.sdf",
    "moldiff dock --receptor 1abc.cif --ligand b.sdf --pocket-ligand A:301",
    "moldiff dock --receptor 1abc.cif --ligand 'CC(=O)Nc1ccc(O)cc1' --center 12.5,-3,40.1",
    "moldiff dock --receptor 1abc.pdb --ligand a.sdf --residues A:123,A:145 --ph 7.4 -o poses.sdf",
    "moldiff dock --receptor 1abc.pdb --ligand a.sdf --autobox --require A:611:hbond",
    "moldiff dock --receptor 1abc.pdb --ligand a.sdf --autobox --rescore cnn",
    "moldiff dock --receptor 1abc.pdb --ligands library.csv --autobox --jobs 4 -o hits.sdf",
    "moldiff dock --receptor 1abc.pdb --ligands library.csv --autobox --shard 2/8 -o hits.sdf",
    "moldiff dock --receptor 1abc.pdb --ligands library.csv --autobox -o hits.parquet",
    "moldiff dock --dock-many pairs.csv --jobs 4 -o hits.sdf",
)


class Proposals(StrEnum):
    """Where the first poses come from."""

    auto = "auto"
    diffusion = "diffusion"
    random = "random"


class Rescore(StrEnum):
    """What judges the best poses once more."""

    cnn = "cnn"


@scriptable(".sdf")
def command(
    receptor: Annotated[
        Path | None, typer.Option("-r", "--receptor", help="The protein: .pdb or .cif.")
    ] = None,
    ligand: Annotated[
        str | None,
        typer.Option("-l", "--ligand", help="One ligand: .sdf, .mol, .mol2, .smi or a SMILES."),
    ] = None,
    ligands: Annotated[
        Path | None,
        typer.Option(
            "--ligands", help="Many ligands: .csv or .tsv with a column smiles, .sdf, .smi."
        ),
    ] = None,
    many: Annotated[
        Path | None,
        typer.Option(
            "--dock-many",
            metavar="PAIRS",
            help="Many receptors: a .csv with columns receptor and ligand, and of rows with a "
            "pocket of their own pocket_ligand, center, residues or autobox, and size.",
        ),
    ] = None,
    pocket_ligand: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|A:301|LIG",
            help="The pocket is where this molecule is: .sdf, .mol2, .pdb, or in the receptor.",
        ),
    ] = None,
    center: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="The pocket is around this point, in Å.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--box-size",
            metavar="A",
            help="Edge of the box in Å, or three: 20,20,30. [default: 25, autobox 22.5]",
        ),
    ] = None,
    residues: Annotated[
        str | None,
        typer.Option(metavar="A:123,...", help="The pocket is between these residues."),
    ] = None,
    autobox: Annotated[
        bool,
        typer.Option(
            "--autobox",
            help="Find the pocket: the cavity that is likeliest to hold a ligand.",
        ),
    ] = False,
    cavities: Annotated[
        int,
        typer.Option(
            min=1,
            max=5,
            metavar="N",
            help="For --autobox: cavities to look into; the one that suits is searched.",
        ),
    ] = Settings.cavities,
    exclude: Exclude = None,
    keep: Keep = None,
    waters: Waters = None,
    assembly: Assembly = None,
    receptor_model: ReceptorModel = 1,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="Build residues that are missing near the box first; the "
            "receptor they are in is written beside the poses.",
        ),
    ] = False,
    sequence: Annotated[
        Path | None,
        typer.Option(metavar="FASTA", help="For --complete, where the file has no sequences."),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Ranked poses (.sdf); a report goes beside it.")
    ] = Path("poses.sdf"),
    poses: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Poses to report. [default: 9; 1 of a library]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same poses.")] = 0,
    draws: Annotated[int, typer.Option(min=1, help="Poses to propose.")] = Settings.draws,
    starts: Annotated[
        int, typer.Option(min=0, help="Random poses that show where to propose and begin.")
    ] = Settings.starts,
    chains: Annotated[
        int, typer.Option("--searches", min=1, help="Searches side by side.")
    ] = Settings.chains,
    rounds: Annotated[
        int, typer.Option(min=0, max=1000, help="Rounds of the search: slower, better.")
    ] = Settings.rounds,
    conformers: Annotated[
        int, typer.Option(min=1, max=300, help="Conformers to start from.")
    ] = Settings.conformers,
    proposals: Annotated[
        Proposals, typer.Option(help="Where poses start: the network, or at random.")
    ] = Proposals.auto,
    model: Annotated[
        Path | None,
        typer.Option(help="A model of poses that proposes them. [default: the bundled one]"),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(help="A model of distances that judges poses. [default: the bundled one]"),
    ] = None,
    ranker: Annotated[
        Path | None,
        typer.Option(help="A model of ranks that tells right poses. [default: the bundled one]"),
    ] = None,
    ph: Annotated[
        float | None,
        typer.Option(help="7.4: protonate the ligand by rules. [default: as given]"),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A:611:hbond",
            help="An interaction poses should have: residue, or residue and kind; those without "
            "it come last and say so. Repeatable.",
        ),
    ] = None,
    rescore: Annotated[
        Rescore | None,
        typer.Option(
            help="cnn: rank the best poses with gnina's network too (pip install 'moldiff[cnn]')."
        ),
    ] = None,
    posebusters: Annotated[
        int,
        typer.Option(min=0, max=1_000, help="Poses for PoseBusters, from the first; 0 for none."),
    ] = 0,
    reference: Annotated[
        Path | None, typer.Option(help="A known pose to compare with: .sdf, .mol2.")
    ] = None,
    enumerate_stereo: Annotated[
        bool,
        typer.Option("--enumerate-stereo", help="Dock each isomer that a ligand leaves open."),
    ] = False,
    enumerate_tautomers: Annotated[
        int,
        typer.Option(
            min=1,
            max=100,
            metavar="N",
            help="Dock at most N tautomers of each ligand, the likeliest. [default: as given]",
            show_default=False,
        ),
    ] = 1,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Dock part I of N of a library; moldiff merge joins the parts."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=MOST_JOBS, help="Processes for a library.")] = 1,
    precision: Precisions = Precision.float32,
    threads: Threads = 1,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin a library again instead of going on.")
    ] = False,
    html: Annotated[bool, typer.Option("--html/--no-html", help="Write the page too.")] = True,
    force: Force = False,
) -> None:
    """Dock ligands into a pocket of a protein.

    A ligand of the receptor's file that defines or fills the pocket is left out, and that is said.
    The poses are ranked and checked; each record says its energy (kcal/mol), its confidence
    and what it was made with. OUTPUT's name with .html is a page that shows them in the pocket.

    A library may be interrupted, even killed: the same command goes on where it was.

    Exit status 1 if nothing of a library could be docked; a part of it (--shard) may be empty.
    """
    output, part = _part(output, ligands or many, shard, restart=restart, jobs=jobs)
    choice: dict[str, Any] = {
        "exclude": exclude or (),
        "keep": keep or (),
        "waters": waters_of(waters),
        "assembly": assembly,
        "model": receptor_model,
        **_completing(complete, sequence),
    }
    inputs = [Path(pocket_ligand) if pocket_ligand else None, reference, sequence]
    check_files(receptor, ligand, ligands, many, output, inputs, complete=complete)
    files = outputs(output, one=ligand is not None, html=html, complete=complete)
    check_replaceable(files, force=force, goes_on=going_on(output, ligand, restart=restart))
    check_threads(threads)
    load_torch()
    from moldiff.cpu import using_threads
    from moldiff.docking import api as docking

    places = (pocket_ligand, center, residues, autobox)
    where = docking.Where(*places, size) if many is None or any(places) else None
    settings = Settings(
        poses=poses or (1 if ligand is None else 9),
        seed=seed,
        draws=draws,
        starts=starts,
        chains=chains,
        rounds=rounds,
        conformers=conformers,
        proposals=proposals.value,
        ph=ph,
        require=tuple(require or ()),
        rescore=None if rescore is None else "cnn",
        posebusters=posebusters,
        model=None if model is None else str(model),
        judge=None if judge is None else str(judge),
        ranker=None if ranker is None else str(ranker),
        precision=precision.value,
        cavities=cavities,
    )
    known = None if reference is None else docking.read_reference(reference)
    one = None if ligand is None else docking.read_ligand(ligand)
    forms: dict[str, Any] = {"isomers": enumerate_stereo, "tautomers": enumerate_tautomers}
    page = output.with_suffix(".html") if html else None
    with using_threads(threads):
        if many is not None:
            with open_pairs(many, where, choice, settings, output, restart, part, forms) as run:
                dock_many(run, jobs, threads, None, known, part=part is not None)
            return
        assert receptor is not None and where is not None
        site = docking.site(receptor, where, **choice, seed=seed, cavities=cavities)
        for note in site.notes:
            remark(f"Note: {note}")
        if ligands is None:
            dock_one(site, one, settings, output, page, known, **forms)
            return
        from moldiff.docking.library.screening import LibraryRun

        again = {"restart": restart, "shard": part, **forms}
        with LibraryRun.open(site, ligands, settings, output, **again) as run:
            dock_many(run, jobs, threads, page, known, part=part is not None)


def _completing(complete: bool, sequence: Path | None) -> dict[str, Any]:
    """Whether missing residues are built, and by which sequences."""
    if sequence is not None and not complete:
        raise InputError("--sequence is for --complete.", fix="Give both, or neither.")
    return {"complete": complete, "sequence": None if sequence is None else str(sequence)}


def _part(
    output: Path, ligands: Path | None, shard: str | None, *, restart: bool, jobs: int
) -> tuple[Path, tuple[int, int] | None]:
    """The output of a part of a library, hits.1of4.sdf, and which part that is."""
    given = {"--shard": shard is not None, "--restart": restart, "--jobs": jobs > 1}
    for option in (name for name, used in given.items() if used and ligands is None):
        raise InputError(f"{option} is for a library.", fix="Give --ligands, or leave it out.")
    if shard is None:
        return output, None
    from moldiff.docking.library.entries import shard_of

    part = shard_of(shard)
    return output.with_name(f"{output.stem}.{part[0]}of{part[1]}{output.suffix}"), part
