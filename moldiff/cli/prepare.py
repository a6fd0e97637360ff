"""``moldiff prepare``: a receptor for docking, and an account of what was done to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
from moldiff.cli.receptor_options import (
    Assembly,
    Exclude,
    Keep,
    ReceptorModel,
    Waters,
    waters_of,
)

if TYPE_CHECKING:
    from moldiff.docking.preparation import Preparation

EXAMPLES = (
    "moldiff prepare 1abc.cif -o prepared.pdb",
    "moldiff prepare 1abc.cif --assembly 1 --waters 5 --page report.html -o prepared.pdb",
    "moldiff prepare 1abc.pdb --keep A:401,HOH --exclude B:HEM --report report.json",
    "moldiff prepare nmr.pdb --receptor-model 3 -o third.pdb",
)

_MOST = 30  # rows of a table on the terminal


@scriptable(".pdb")
def command(
    receptor: Annotated[Path, typer.Argument(help="The structure: .pdb or .cif, also .gz.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The receptor for moldiff dock (.pdb).")
    ] = Path("prepared.pdb"),
    keep: Keep = None,
    exclude: Exclude = None,
    waters: Waters = None,
    receptor_model: ReceptorModel = 1,
    assembly: Assembly = None,
    record: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="The account as JSON.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", metavar="FILE", help="A page with the receptor and its boxes."),
    ] = None,
    force: Force = False,
) -> None:
    """Prepare a protein for docking, and say what was done and why.

    One conformation is chosen, waters, additives and ligands are left out, metals and cofactors
    stay, polar hydrogens are placed. moldiff dock does the same with any file; OUTPUT gives the
    poses of RECEPTOR. The boxes are where ligands are, and the cavities.
    """
    check_output(output, (".pdb",))
    for option, path, suffix in (("--report", record, ".json"), ("--page", page, ".html")):
        if path is not None:
            check_output(path, (suffix,))
            check_apart(option, path, [receptor, output])
    check_apart("--output", output, [receptor])
    kinds = {output: "prepared", page: "page", record: "preparation"}
    check_replaceable({path: kind for path, kind in kinds.items() if path}, force=force)
    from moldiff.docking.preparation import prepare
    from moldiff.text import replace_text

    done = prepare(
        receptor,
        model=receptor_model,
        assembly=assembly,
        waters=waters_of(waters),
        exclude=exclude or (),
        keep=keep or (),
    )
    files = [done.write(output)]
    if record is not None:
        replace_text(record, done.to_json())
        files.append(record)
    if page is not None:
        replace_text(page, done.to_html())
        files.append(page)
    _tell(done, files)


def _tell(done: Preparation, files: list[Path]) -> None:
    """Print the account."""
    for note in done.notes:
        remark(f"Note: {note}")
    groups = [
        (str(f.residue), f.residue.kind, "kept" if f.kept else "left out", f.why)
        for f in done.groups
    ]
    _some(groups, ("group", "kind", "", "why"), "What became of the groups")
    states = [(str(s.residue), " and ".join(s.atoms), s.why) for s in done.receptor.states]
    _some(states, ("residue", "hydrogen on", "decided by"), "Protonation")
    boxes = [(candidate.what, candidate.options) for candidate in done.boxes]
    _some(boxes, ("place", "for moldiff dock"), "Boxes to dock into")
    kept, waters = done.waters
    rows = [
        (f"chain {chain or '(blank)'}", f"{counted(number, 'residue')} of {kind}")
        for chain, number, kind in done.chains()
    ]
    rows += [("waters", f"{kept} of {waters} kept")] if waters else []
    rows.append(
        ("polar hydrogens", ", ".join(f"{n} {source}" for source, n in done.hydrogens.items()))
    )
    if done.assemblies:
        copies = [
            f"{a.name} ({counted(len(a.copies), 'operator')})" for a in done.assemblies[:_MOST]
        ]
        rows.append(("assemblies of the file", ", ".join(copies)))
    data = {**json.loads(done.to_json()), "files": file_names(files)}
    table([*rows, ("files", files_line(files))], data=data)


def _some(rows: Sequence[Sequence[str]], header: Sequence[str], title: str) -> None:
    """Print a table that has rows, and how many it leaves out."""
    if rows:
        table(rows[:_MOST], header=header, title=title, data={})
    if len(rows) > _MOST:
        remark(f"{title}: {len(rows) - _MOST} more rows; --report and --json have all.")
