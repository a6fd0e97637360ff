"""``moldiff verify``: whether generated records are what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moldiff.cli.failure import FAILED
from moldiff.cli.options import Imports, import_all
from moldiff.cli.output import commonest, counted, percent, table
from moldiff.cli.piping import print_json
from moldiff.cli.progress import stages
from moldiff.cli.records import Readable
from moldiff.cli.requests import Device
from moldiff.cli.startup import load_torch
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.generation.verify import Verdict, Verdicts

EXAMPLES = (
    "moldiff verify molecules.sdf",
    "moldiff verify molecules.sdf --model runs/my/model.safetensors",
    "moldiff verify molecules.sdf --import my.py",
    "moldiff verify molecules.sdf --no-draw --json",
    "moldiff verify molecules.sdf --strict && echo all reproduced",
)

_SHOWN = 20  # records listed one by one
_FEW = 5  # requests, and repeated draws


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

    Of all together it says which molecules of a request are missing (a filter rightly leaves some
    out) and which records are the same draw. Neither changes the exit status.

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
    from moldiff.generation.verify import verdicts_of
    from moldiff.models import check_device

    check_device(device)

    with stages() as progress:
        verdicts = verdicts_of(
            records, models=model or (), device=device, again=draw, progress=progress
        )
    counts: Counter[str] = Counter(verdict.status for verdict in verdicts)
    if as_json:
        print_json({"file": str(file), **verdicts.to_dict()})
    else:
        rows_of_all = [*_missing(verdicts), *_repeated(verdicts)]
        table([("records", f"{len(verdicts)}"), *_summary(verdicts, counts), *rows_of_all])
        _list([verdict for verdict in verdicts if verdict.status == "altered"])
    if counts["altered"] or (strict and counts["reproduced"] < len(verdicts)):
        raise typer.Exit(FAILED)


def _summary(verdicts: Sequence[Verdict], counts: Counter[str]) -> list[tuple[str, str]]:
    rows = [(name, percent(counts[name], len(verdicts))) for name in ("reproduced", "altered")]
    why = Counter(verdict.why for verdict in verdicts if verdict.status == "unknown")
    reasons = f": {commonest(dict(why.most_common()), 4)}" if why else ""
    return [*rows, ("unknown", f"{percent(counts['unknown'], len(verdicts))}{reasons}")]


def _missing(verdicts: Verdicts) -> Iterator[tuple[str, str]]:
    """A row for each request: "record 3 of 10 (druglike, seed 0)"."""
    for k, one in enumerate(verdicts.asked[:_FEW]):
        stretches = [f"{a}-{b}" if b > a else f"{a}" for a, b in one.gaps]
        if len(stretches) > _SHOWN:
            rest = counted(len(stretches) - _SHOWN, "more range")
            stretches[_SHOWN:] = [f"and {rest} ({one.missing} records)"]
        noun = "record" if one.missing == 1 else "records"
        what = f"{noun} {', '.join(stretches)}" if stretches else "none"
        name = one.model.rpartition(" ")[0] or one.model
        yield ("" if k else "missing", f"{what} of {one.n} ({name}, seed {one.seed})")
    if len(verdicts.asked) > _FEW:
        yield "", f"and {counted(len(verdicts.asked) - _FEW, 'more request')} (--json lists all)"


def _repeated(verdicts: Verdicts) -> Iterator[tuple[str, str]]:
    """A row for each set of records that are one draw: "records 2 and 5 are the same draw"."""
    for k, same in enumerate(verdicts.repeated[:_FEW]):
        *others, last = (f"{index + 1}" for index in same)
        yield ("" if k else "repeated", f"records {', '.join(others)} and {last} are the same draw")
    if len(verdicts.repeated) > _FEW:
        rest = counted(len(verdicts.repeated) - _FEW, "more draw")
        yield "", f"and {rest} that records share (--json lists all)"


def _list(altered: list[Verdict]) -> None:
    if altered:
        table(
            ((f"{one.index + 1}", one.name, one.why) for one in altered[:_SHOWN]),
            header=("record", "name", "altered"),
        )
    if len(altered) > _SHOWN:
        print(f"and {counted(len(altered) - _SHOWN, 'more record')} (--json lists all)")
