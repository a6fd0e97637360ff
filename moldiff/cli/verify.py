"""``moldiff verify``: whether generated records are what they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.failure import FAILED
from moldiff.cli.options import Imports, import_all
from moldiff.cli.output import commonest, counted, percent, print_json, table
from moldiff.cli.progress import stages
from moldiff.cli.records import Readable
from moldiff.cli.requests import Device
from moldiff.cli.startup import load_torch
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.generation.verify import Verdict

EXAMPLES = (
    "moldiff verify molecules.sdf",
    "moldiff verify molecules.sdf --model runs/my/model.safetensors",
    "moldiff verify molecules.sdf --import my.py",
    "moldiff verify molecules.sdf --no-draw --json",
    "moldiff verify molecules.sdf --strict && echo all reproduced",
)

_SHOWN = 20  # records listed one by one


def command(
    file: Annotated[Path, typer.Argument(help="Records of moldiff generate: .sdf.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model file that may have made them, beside the bundled; repeatable."),
    ] = None,
    draw: Annotated[
        bool, typer.Option("--draw/--no-draw", help="Draw the molecules again, or digests only.")
    ] = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail unless every record is reproduced.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all verdicts as JSON.")] = False,
    device: Device = "cpu",
    imports: Imports = None,
) -> None:
    """Check records of moldiff generate: by their digests, and by drawing them again.

    Each record is reproduced (drawn again from its seed and settings, it is the same), altered (it
    is not what it was when it was made, or not what its fields draw), or unknown, and why. What
    comes from elsewhere, an older version or moldiff design is unknown. Digests alone find
    accidents; whoever alters on purpose can renew them, but not what the model draws.

    Exit status 1 if any record is altered; with --strict, also if any is unknown.
    """
    if strict and not draw:
        raise InputError(
            "--strict needs what --no-draw leaves out: a record is reproduced by drawing it again.",
            fix="Leave out one of them.",
        )
    if not {".sdf", ".sd"} & {suffix.lower() for suffix in file.suffixes[-2:]}:
        raise InputError(
            f"{file} is no SDF, and digests are of the coordinates as an SDF has them.",
            fix="Give a .sdf file of moldiff generate.",
        )
    records = list(Readable(file))
    load_torch()
    import_all(imports)
    from moldiff.generation.verify import STATUSES, verdicts_of
    from moldiff.models import check_device

    check_device(device)

    with stages() as progress:
        verdicts = verdicts_of(
            records, models=model or (), device=device, again=draw, progress=progress
        )
    counts: Counter[str] = Counter(verdict.status for verdict in verdicts)
    if as_json:
        rows = [{"record": verdict.index + 1, **asdict(verdict)} for verdict in verdicts]
        summary: dict[str, object] = {status: counts[status] for status in STATUSES}
        print_json({"file": str(file), **summary, "records": rows})
    else:
        table([("records", f"{len(verdicts)}"), *_summary(verdicts, counts)])
        _list([verdict for verdict in verdicts if verdict.status == "altered"])
    if counts["altered"] or (strict and counts["reproduced"] < len(verdicts)):
        raise typer.Exit(FAILED)


def _summary(verdicts: list[Verdict], counts: Counter[str]) -> list[tuple[str, str]]:
    rows = [(name, percent(counts[name], len(verdicts))) for name in ("reproduced", "altered")]
    why = Counter(verdict.why for verdict in verdicts if verdict.status == "unknown")
    reasons = f": {commonest(dict(why.most_common()), 4)}" if why else ""
    return [*rows, ("unknown", f"{percent(counts['unknown'], len(verdicts))}{reasons}")]


def _list(altered: list[Verdict]) -> None:
    if altered:
        table(
            ((f"{one.index + 1}", one.name, one.why) for one in altered[:_SHOWN]),
            header=("record", "name", "altered"),
        )
    if len(altered) > _SHOWN:
        print(f"and {counted(len(altered) - _SHOWN, 'more record')} (--json lists all)")
