"""``moldiff evaluate``: metrics of molecules, beside those of the data."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.options import MOST_JOBS, AnyCharge, AsJson, Force
from moldiff.cli.output import (
    check_apart,
    check_output,
    commonest,
    counted,
    print_wide,
    remark,
)
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.progress import working
from moldiff.cli.records import Readable
from moldiff.cli.structures import show_backbones, structure_files
from moldiff.errors import InputError

if TYPE_CHECKING:
    from rdkit import Chem

EXAMPLES = (
    "moldiff evaluate molecules.sdf",
    "moldiff evaluate a.sdf b.xyz -o report.json",
    "moldiff evaluate molecules.sdf --table figures.csv",
    "moldiff evaluate big.sdf --posebusters 500 --relax 0 --xtb 0 --jobs 4",
    "moldiff evaluate mine.sdf --reference none --any-charge",
    "moldiff evaluate mine.sdf --bands 1..10,11..20,21..50",
    "moldiff evaluate mine.sdf --reference data/druglike",
    "moldiff evaluate grown.sdf --kept core.sdf --reference none",
    "moldiff evaluate grown.sdf --kept 'c1ccc([*:1])nc1'",
    "moldiff evaluate backbones/ --table figures.csv",
)


def command(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Molecules: .sdf, .mol2, .xyz, .smi, .csv, .json. Or protein backbones: .pdb, "
            ".cif, a folder of them.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the report here too (.json).")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            "--table",
            help="Write what was measured of each molecule here (.csv), for `moldiff view "
            "--figures`.",
        ),
    ] = None,
    posebusters: Annotated[
        int,
        typer.Option(
            min=0, max=10_000_000, help="Molecules for PoseBusters at most; 0 leaves it out."
        ),
    ] = 1000,
    relax: Annotated[
        int,
        typer.Option(
            min=0, max=10_000_000, help="Molecules to relax with MMFF94 at most; 0 leaves it out."
        ),
    ] = 1000,
    xtb: Annotated[
        int,
        typer.Option(
            min=0,
            max=10_000_000,
            help="Molecules to relax with GFN2-xTB at most, if the program xtb is installed "
            "(about a second each); 0 leaves it out.",
        ),
    ] = 100,
    reference: Annotated[
        str,
        typer.Option(
            help="Training data for novelty and distributions: qm9, druglike, none, or a data set "
            "that `moldiff data reference` has measured. [default: qm9 if most molecules are of "
            "its kind, else druglike]",
            show_default=False,
        ),
    ] = "auto",
    bands: Annotated[
        str | None,
        typer.Option(
            metavar="LOW..HIGH,...",
            help="Heavy atoms: results for molecules of each of these sizes, too. "
            "[default: 10..18,19..26,27..40, shown if two of them have 20 molecules]",
        ),
    ] = None,
    kept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|SMILES",
            help="Also whether the molecules have kept this part, by substructure and "
            "superposition: .sdf, .mol, .mol2, or a SMILES, of which [*:1] is a point; several "
            "are fragments.",
        ),
    ] = None,
    any_charge: AnyCharge = False,
    jobs: Annotated[int, typer.Option(min=1, max=MOST_JOBS, help="Processes.")] = 1,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Measure molecules of any generator.

    Validity, stability, uniqueness, novelty, strain, distributions, beside the data's own row.

    The files may lack bonds (.xyz): they are then inferred. Broken records count as failures.

    Of protein backbones: long contacts, size, handedness, helices and strands, clashes, bonds, and
    the hesitation of the sequence model, beside those of known proteins. Of the options -o,
    --table, --json and --force are for them.
    """
    piping = as_json or str(output) == "-"
    report_file = None if str(output) == "-" else output
    if structures := structure_files(files):
        _check_unused(context)
        _check_files(structures, report_file, figures, "figures of chains", force=force)
        show_backbones(structures, report_file, figures, piping=piping)
        return
    _check_files(files, report_file, figures, "figures", force=force)
    _tell_pooled(files)
    from moldiff.text import replace_text

    with working("reading the molecules") as progress:
        from moldiff.metrics.bands import parse_bands
        from moldiff.metrics.evaluation import evaluate

        _check_reference(reference)
        part = None if not kept else [mol for source in kept for mol in _molecules(source)]
        parted = None if bands is None else parse_bands(bands)
        records = [record for file in files for record in Readable(file)]
        report = evaluate(
            records,
            reference=None if reference == "none" else reference,
            posebusters=posebusters,
            relax=relax,
            xtb=xtb,
            net_charge=None if any_charge else 0,
            bands=parted,
            part=part,
            jobs=jobs,
            progress=progress,
        )
    written = {report_file: report.to_json, figures: report.to_csv}
    for path, text in written.items():  # before the table: a pipe may close
        if path is not None:
            replace_text(path, text())
    if piping:
        print(report.to_json(), end="")
        return
    table = report.table()
    table.title = counted(report.n, "molecule")
    print_wide(table)
    from moldiff.metrics.show import CARRIED

    sizes = [values["graph.validity"].n for values in report.bands.values()]
    carried = parted is not None or sum(n >= CARRIED for n in sizes) > 1
    for further in (report.bands_table() if carried else None, report.kept_table()):
        if further is not None:
            print_wide(further)
    reasons = commonest(report.failures["graph"], _SHOWN)
    one = str(files[0]) if len(files) == 1 else "FILE"
    shown = shlex.join(["moldiff", "view", one, "--figures", f"{figures}"])
    if reasons:
        print(f"Not strictly valid: {reasons}")
    for path, words in (
        (output, f"The report is in {output}."),
        (figures, f"The molecules' figures are in {figures}; to see them: {shown}"),
    ):
        if path is not None:
            remark(words)


def _check_unused(context: typer.Context) -> None:
    """Refuse options about molecules that are given."""
    for name in _MOLECULAR:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{option} is about molecules, and protein structures are given.",
                fix="Leave it out.",
            )


def _check_reference(name: str) -> None:
    """Find what to compare with, before any work."""
    if name not in ("none", "auto"):
        from moldiff.metrics.reference_data import located

        located(name)


def _check_files(
    files: list[Path], report: Path | None, table: Path | None, kind: str, *, force: bool
) -> None:
    """Check what will be written, before any work."""
    wanted = (("--output", report, ".json", "evaluation"), ("--table", table, ".csv", kind))
    kinds: dict[Path, str | Path] = {}
    for option, path, suffix, kind in wanted:
        if path is not None:
            check_output(path, (suffix,))
            check_apart(option, path, files)
            kinds[path] = kind
    check_replaceable(kinds, force=force)


def _tell_pooled(files: list[Path]) -> None:
    """Say that several files are one set, and how they are judged beside each other."""
    if len(files) == 1:
        return
    stems = [file.stem for file in files[:2]]
    names = stems if len(set(stems)) == 2 else [str(file) for file in files[:2]]
    sets = ", ".join(f'"{name}": "{file}"' for name, file in zip(names, files, strict=False))
    more = ", ..." if len(files) > 2 else ""
    remark(
        f"Note: the {len(files)} files are judged together, as one set; to compare them, in "
        f"Python: moldiff.compare({{{sets}{more}}})"
    )


def _molecules(source: str) -> list[Chem.Mol]:
    """The molecules of a file or a SMILES, with the dummy atoms of their points."""
    from moldiff.io import is_molecule_file, read_molecules, records_of

    if not is_molecule_file(source):
        return [record.mol for record in records_of(source) if record.mol is not None]
    records = list(read_molecules(source, dummies=True))
    for record in records:
        if record.mol is None:
            raise InputError(
                f"Record {record.index + 1} of --kept {source} cannot be read: {record.reason}.",
                fix="Check what the file holds.",
            )
    return [record.mol for record in records if record.mol is not None]


_MOLECULAR = ("posebusters", "relax", "xtb", "reference", "bands", "kept", "any_charge")
"""The options about molecules."""
_SHOWN = 6  # kinds of failure in the closing line
