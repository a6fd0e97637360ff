"""``moldiff data``: prepare and describe data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli import docking_data, druglike, reference
from moldiff.cli.description import describe, describe_backbones, describe_complexes
from moldiff.cli.options import Jobs, command_line, processes
from moldiff.cli.output import examples, remark
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import preparing, stages
from moldiff.errors import InputError

app = typer.Typer(help="Prepare data sets for training, and look at them.")
app.command("druglike", epilog=examples(*druglike.EXAMPLES))(scriptable()(druglike.command))
app.command("reference", epilog=examples(*reference.EXAMPLES))(scriptable()(reference.command))
app.command(epilog=examples(*docking_data.COMPLEXES))(scriptable()(docking_data.complexes))
app.command(epilog=examples(*docking_data.DECOYS))(scriptable()(docking_data.decoys))


@app.command(epilog=examples("moldiff data qm9", "moldiff data qm9 --output /scratch/qm9 --jobs 8"))
@scriptable()
def qm9(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Where to. [default: data/qm9, with --limit data/qm9-LIMIT]"
        ),
    ] = None,
    jobs: Jobs = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=10_000_000, help="Only the first rows, for a quick look."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Prepare it even if it is there.")] = False,
) -> None:
    """Prepare QM9, with bonds and EDM's split.

    Its source is PyPI's qm9pack: pip install 'moldiff[qm9]'. It takes about a minute.
    """
    from moldiff.data.preparation import shards_folder
    from moldiff.data.qm9 import prepare
    from moldiff.data.store import Store

    again = command_line("data", "qm9", output=output, jobs=jobs, limit=limit, force=force)
    if output is None:  # configurations expect all of QM9 at data/qm9
        output = Path("data/qm9" if limit is None else f"data/qm9-{limit}")
    if (output / "store.json").is_file() and not force:
        existing = Store.open(output)
        source = str(existing.meta.get("source", ""))
        if not source.startswith("QM9"):
            raise InputError(
                f"{output} holds another data set, from {source or 'an unknown source'}.",
                fix="Give another --output, or replace it with --force.",
            )
        remark(f"{output} is there already (--force prepares it again).")
        describe(existing)
        return
    with preparing(shards_folder(output), again) as show:
        store = prepare(output, jobs=processes(jobs), limit=limit, progress=show, announce=remark)
    describe(store)


@app.command(
    epilog=examples(
        "moldiff data prepare my.sdf --output data/my",
        "moldiff data prepare a.sdf b.sdf.gz --output data/both",
        "moldiff train data/my",
    )
)
@scriptable()
def prepare(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Molecules in 3D.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Directory of the data set.")],
    jobs: Jobs = None,
    seed: Annotated[int, typer.Option(help="Changes which molecules are held out.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a data set there.")] = False,
) -> None:
    """Prepare your own molecules.

    They need 3D coordinates and explicit hydrogens; bonds of .xyz files are inferred. What cannot
    be used is listed with its reason in OUTPUT/rejected.csv. Numeric fields of the records, such as
    <gap> in an SDF, are kept as properties that a model can be trained to aim at
    (conditions: {properties: [gap]}); molecules may lack them. Interrupted or killed, the same
    command goes on where it stopped. There may be more molecules than fit into memory; their
    number, and with it the time left, is estimated from the bytes read.
    """
    from moldiff.data.molecules import prepare as run
    from moldiff.data.preparation import shards_folder
    from moldiff.data.skeleton import folding_advice

    _keep(output, force)
    again = command_line(
        "data", "prepare", *files, output=output, jobs=jobs, seed=seed or None, force=force
    )
    with preparing(shards_folder(output), again) as show:
        store = run(files, output, seed=seed, jobs=processes(jobs), progress=show, announce=remark)
    describe(store)
    advice = folding_advice(store, f"{output}-skeleton")
    if advice is not None:
        remark(advice)


@app.command(epilog=examples("moldiff data fold data/qm9 -o data/qm9-skeleton"))
@scriptable()
def fold(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A prepared data set.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Directory of the new data set.")],
    aromatic: Annotated[
        bool, typer.Option("--aromatic", help="Give aromatic bonds a class of their own.")
    ] = False,
    jobs: Jobs = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a data set there.")] = False,
) -> None:
    """Fold hydrogens into the heavy atoms, for models of skeletons.

    Atoms become classes such as CH2, so there are half as many: training and sampling are two to
    three times as fast. What is generated gets its hydrogens back as atoms. Interrupted, the same
    command goes on where it stopped.
    """
    from moldiff.data.preparation import shards_folder
    from moldiff.data.skeleton import fold_store
    from moldiff.data.store import Store

    source = Store.open(directory)
    _keep(output, force)
    again = command_line(
        "data", "fold", directory, output=output, aromatic=aromatic, jobs=jobs, force=force
    )
    with preparing(shards_folder(output), again) as show:
        store = fold_store(
            source,
            output,
            aromatic=aromatic,
            jobs=processes(jobs),
            progress=show,
            announce=remark,
        )
    describe(store)


@app.command(
    epilog=examples(
        "moldiff data backbones /usr/share/promod3/loop_data/structure_db.dat -o data/backbones",
        "moldiff data backbones structures/*.pdb --held-out 1 -o data/mine",
        "moldiff train backbones",
    )
)
@scriptable()
def backbones(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="ProMod3's structure_db.dat, .npz of chains, structures (.pdb, .cif).",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Directory of the data set.")],
    seed: Annotated[int, typer.Option(help="Changes which chains are held out.")] = 0,
    held_out: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the chains held out; 1: all of them.")
    ] = 0.05,
    limit: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, help="Only the first chains of each file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a data set there.")] = False,
) -> None:
    """Prepare protein backbones for training a model of gaps, or for judging one.

    Debian's package promod3-data has 21,119 chains: sudo apt install promod3-data. Of structures
    each part of a chain without a gap is one. Chains of the same topology (of similar sequence,
    where no file tells the topologies) are kept together when some are held out.
    """
    from moldiff.data.prepare_backbones import prepare_backbones

    _keep(output, force)
    with stages() as show:
        store = prepare_backbones(
            files, output, seed=seed, share=held_out, limit=limit, progress=show
        )
    describe_backbones(store)


@app.command(epilog=examples("moldiff data info data/qm9 --verify"))
@scriptable()
def info(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A prepared data set.")],
    verify: Annotated[bool, typer.Option("--verify", help="Check every file's checksum.")] = False,
) -> None:
    """Describe a prepared data set."""
    from moldiff.data.backbones import BackboneStore
    from moldiff.data.complexes import ComplexStore
    from moldiff.data.decoys import DecoyStore
    from moldiff.data.store import Store

    if DecoyStore.at(directory):
        describe_complexes(DecoyStore.open(directory, verify=verify))
    elif BackboneStore.at(directory):
        describe_backbones(BackboneStore.open(directory, verify=verify))
    elif ComplexStore.at(directory):
        describe_complexes(ComplexStore.open(directory, verify=verify))
    else:
        describe(Store.open(directory, verify=verify))
    if verify:
        remark("All checksums match.")


def _keep(output: Path, force: bool) -> None:
    """Raise ``InputError`` before replacing a data set without ``force``."""
    if (output / "store.json").is_file() and not force:
        raise InputError(
            f"{output} holds a data set already.",
            fix="Give another --output, or replace it with --force.",
        )
