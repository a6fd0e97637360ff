"""``moldiff verify``: whether generated records and poses are what they say."""

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
    from moldiff.generation.verdicts import Verdict, Verdicts

EXAMPLES = (
    "moldiff verify molecules.sdf",
    "moldiff verify monday.sdf tuesday.sdf",
    "moldiff verify molecules.sdf --model runs/my/model.safetensors",
    "moldiff verify molecules.sdf --import my.py",
    "moldiff verify molecules.sdf --no-draw --json",
    "moldiff verify molecules.sdf --strict && echo all reproduced",
)

_SHOWN = 20  # records listed one by one
_FEW = 5  # requests, and repeated draws


def command(
    files: Annotated[
        list[Path], typer.Argument(help="Records of moldiff generate or dock: .sdf; one or more.")
    ],
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
    """Check records of moldiff generate and dock: by digests, and by drawing molecules again.

    Each record is reproduced (drawn again from its seed and settings, it is the same), altered (it
    is not what it was when it was made, or not what its fields draw), or unknown, and why. What
    comes from elsewhere, an older version or moldiff design is unknown, and so is a pose whose
    digests are right: it is not docked again. Digests alone find accidents; whoever alters on
    purpose can renew them, but not what the model draws.

    Of all together, also of several files, it says which molecules of a request are missing (a
    filter rightly leaves some out) and which records are the same draw. Neither changes the exit
    status.

    Exit status 1 if any record of any file is altered; with --strict, also if any is unknown.
    """
    if strict and not draw:
        raise InputError(
            "--strict needs what --no-draw leaves out: a record is reproduced by drawing it again.",
            fix="Leave out one of them.",
        )
    for k, file in enumerate(files):
        if file.resolve() in [other.resolve() for other in files[:k]]:
            raise InputError(f"{file} is named twice.", fix="Name each file once.")
        if not {".sdf", ".sd"} & {suffix.lower() for suffix in file.suffixes[-2:]}:
            raise InputError(
                f"{file} is no SDF, and digests are of the coordinates as an SDF has them.",
                fix="Give .sdf files of moldiff generate or dock.",
            )
    records = [record for file in files for record in Readable(file)]
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
        one = {"file": str(files[0])} if len(files) == 1 else {}
        print_json({**one, **verdicts.to_dict()})
    else:
        several = len(files) > 1
        if several:
            _each(verdicts)
        rows_of_all = [*_missing(verdicts), *_repeated(verdicts, several)]
        table([("records", f"{len(verdicts)}"), *_summary(verdicts, counts), *rows_of_all])
        _list([verdict for verdict in verdicts if verdict.status == "altered"], several)
    if counts["altered"] or (strict and counts["reproduced"] < len(verdicts)):
        raise typer.Exit(FAILED)


def _each(verdicts: Verdicts) -> None:
    """A row for each file; the table of all comes below."""
    rows = [list(map(str, row.values())) for row in verdicts.by_file()]
    table(rows, header=("file", "records", "reproduced", "altered", "unknown"))
    print()


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


def _repeated(verdicts: Verdicts, several: bool) -> Iterator[tuple[str, str]]:
    """A row for each set of records that are one draw: "records 2 and 5 are the same draw".

    Of several files it is "records 2 of a.sdf and 5 of b.sdf".
    """
    for k, same in enumerate(verdicts.repeated[:_FEW]):
        *others, last = (_place(verdicts[index], several) for index in same)
        yield ("" if k else "repeated", f"records {', '.join(others)} and {last} are the same draw")
    if len(verdicts.repeated) > _FEW:
        rest = counted(len(verdicts.repeated) - _FEW, "more draw")
        yield "", f"and {rest} that records share (--json lists all)"


def _place(verdict: Verdict, several: bool) -> str:
    number = f"{verdict.in_file or verdict.index + 1}"
    return f"{number} of {verdict.file}" if several else number


def _list(altered: list[Verdict], several: bool) -> None:
    if altered:
        rows = [(one.file, _place(one, False), one.name, one.why) for one in altered[:_SHOWN]]
        columns = slice(None if several else 1, None)
        header = ("file", "record", "name", "altered")
        table([row[columns] for row in rows], header=header[columns])
    if len(altered) > _SHOWN:
        print(f"and {counted(len(altered) - _SHOWN, 'more record')} (--json lists all)")
