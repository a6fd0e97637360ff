"""Options that several commands have, and parsers of structured values."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.output import check_positive, counted, file_names, fraction, percent
from moldiff.errors import InputError
from moldiff.text import ends

if TYPE_CHECKING:
    from moldiff.chem.demands import Interval
    from moldiff.chem.picking import Pick
    from moldiff.filtering.criteria import Criteria
    from moldiff.filtering.sieve import Sieve

__all__ = [
    "AnyCharge",
    "AsJson",
    "Force",
    "Imports",
    "Jobs",
    "Learned",
    "Loggers",
    "Picked",
    "Precision",
    "Precisions",
    "Sifting",
    "command_line",
    "conditions",
    "import_all",
    "lines_of",
    "processes",
    "sifted",
    "sifted_data",
    "sizes",
    "symbols",
    "temperatures",
]


_SHOWN = 8  # filters in a closing table


class Precision(StrEnum):
    """See `moldiff.precision.Precision`."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


Precisions = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="Type of the network's large products. float32: same seed, same results on every "
        "machine of a kind; auto: the one that is faster here, in large batches.",
    ),
]

Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="FILE|MODULE",
        help="Python code with parts of your own, run first; repeatable.",
    ),
]

Learned = Annotated[
    list[str] | None,
    typer.Option(
        "--condition",
        metavar="NAME",
        help="What the model can be asked for (moldiff generate --condition NAME=3): a property, "
        "or a numeric field of your records; repeatable.",
    ),
]

Loggers = Annotated[
    list[str] | None,
    typer.Option(
        "--logger",
        metavar="tensorboard|wandb|mlflow",
        help="Log there as well, besides log.csv and the page; repeatable.",
    ),
]


Picked = Annotated[
    int | None,
    typer.Option(
        "--pick", min=1, max=10_000_000, help="Of what passes, choose so many different molecules."
    ),
]


class Method(StrEnum):
    """See `moldiff.chem.picking`."""

    maxmin = "maxmin"
    butina = "butina"


@dataclass(frozen=True)
class Sifting:
    """Which molecules pass, and how many of these are chosen."""

    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Keep what fulfils it: 'mw>250 & n_Cl>=1 & (sa<4 | <gap>>5)'; <gap> is a data "
            "field, and '<hbond> has \"ARG611\"' or '<x> = \"text\"' compares text; repeatable.",
        ),
    ] = None
    alerts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="pains,brenk,nih,zinc,chembl,...",
            help="Reject what has a structural alert of these catalogues; repeatable.",
        ),
    ] = None
    seen_rings: Annotated[
        str | None,
        typer.Option(
            metavar="druglike|qm9|DIR|FILE",
            help="Reject what has a ring system that the data lack: a bundled table, a reference "
            "(moldiff data reference), or a file of molecules.",
        ),
    ] = None
    novel_to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|qm9|DIR",
            help="Reject molecules that are in this file or data, whatever their stereochemistry; "
            "repeatable.",
        ),
    ] = None
    pick: Picked = None
    pick_by: Annotated[
        Method,
        typer.Option(
            help="maxmin: as far apart as can be; butina: centres of the largest clusters."
        ),
    ] = Method.maxmin

    def criteria(self, *, strict: bool = False, distinct: bool = False) -> Criteria:
        """Return what is asked of a molecule."""
        from moldiff.filtering.criteria import Criteria

        where, alerts, novel_to = self.where or (), self.alerts or (), self.novel_to or ()
        return Criteria(where, alerts, self.seen_rings, novel_to, strict, distinct)

    def choice(self, seed: int) -> Pick | None:
        """Return how molecules are chosen among those that pass; None: all are kept."""
        from moldiff.chem.picking import Pick

        return None if self.pick is None else Pick(self.pick, self.pick_by.value, seed)


AnyCharge = Annotated[bool, typer.Option("--any-charge", help="Ions may be strictly valid too.")]

Force = Annotated[
    bool, typer.Option("--force", help="Replace files that this command did not make, too.")
]

AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON, as -o - does.")]

MOST_JOBS = 1000
"""Of a machine that can be thought of: more is a slip of the hand."""

Jobs = Annotated[
    int | None, typer.Option(min=1, max=MOST_JOBS, help="Processes. [default: one per core]")
]


def processes(wanted: int | None) -> int:
    """Return the number of processes for a value of `Jobs`."""
    return wanted or os.cpu_count() or 1


def sifted(sieve: Sieve) -> list[tuple[str, str]]:
    """Return rows for a closing table: what passed, what each filter rejects, and what is picked.

    A molecule that several filters reject counts in each.
    """
    outcome = sieve.outcome
    rows = [("passed", percent(outcome.passed, outcome.read))]
    commonest = outcome.reasons.most_common(_SHOWN)
    rows += [(f"  {name}", percent(number, outcome.read)) for name, number in commonest]
    if more := len(outcome.reasons) - len(commonest):
        rows.append((f"  and {counted(more, 'more filter')}", _see(sieve.table)))
    if sieve.pick is not None:
        rows.append(("picked", f"{outcome.kept}, by {sieve.pick.method}"))
    return rows


def _see(table: Path) -> str:
    return "".join(f"see {name}" for name in file_names([table]))


def sifted_data(sieve: Sieve | None) -> dict[str, Any]:
    """Return what `sifted` says for programs; the keys do not depend on the filters."""
    if sieve is None:
        return {"passed": None, "filters": [], "kept": None, "picked_by": None}
    outcome = sieve.outcome
    return {
        "passed": fraction(outcome.passed, outcome.read),
        "filters": [
            {"filter": str(name), "rejected": fraction(number, outcome.read)}
            for name, number in outcome.reasons.most_common()
        ],
        "kept": outcome.kept,
        "picked_by": None if sieve.pick is None else sieve.pick.method,
    }


def command_line(
    group: str, command: str, *arguments: Path, **options: Path | str | int | Sequence[Path] | None
) -> list[str]:
    """Return the words of a command with arguments and options, those that are set."""
    words = ["moldiff", group, command, *map(str, arguments)]
    for option, value in options.items():
        name = f"--{option.replace('_', '-')}"
        if value is True:
            words.append(name)
        elif isinstance(value, list | tuple):
            words += [word for one in value for word in (name, str(one))]
        elif value is not None and value is not False:
            words += [name, str(value)]
    return words


def lines_of(path: Path, option: str) -> list[str]:
    """Return the lines of an option's text file but comments; ``InputError`` if it is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"'{path}' cannot be read: {why}.", fix=f"Check {option}.") from error
    return [line.strip() for line in lines if line.strip() and line[0] != "#"]


def import_all(sources: list[str] | None) -> None:
    """Import the user's parts (``InputError`` on failure)."""
    from moldiff.plugins import import_source

    for source in sources or []:
        import_source(source)


def temperatures(text: str) -> float | dict[str, float]:
    """Parse ``NUMBER`` or ``FIELD=NUMBER,...``; raise ``InputError`` for anything else."""
    values: dict[str, float] = {}
    for part in text.split(","):
        field, equals, number = (word.strip() for word in part.rpartition("="))
        try:
            value = float(number if bool(field) == bool(equals) else part)  # "=4" is neither
        except ValueError:
            raise InputError(
                f"--early-temperature is a number or FIELD=NUMBER, not '{part}'.",
                fix="Write 4, or bonds=6 for that of the bonds alone, or bonds=50,types=50.",
            ) from None
        check_positive("--early-temperature", value)
        if field in values or (not field and "," in text):
            raise InputError(
                f"--early-temperature {text} says more than one thing of the same field.",
                fix="Write one number, or one for each field, as in bonds=50,types=50.",
            )
        values[field] = value
    return values.get("", values)


def conditions(texts: list[str]) -> dict[str, Interval]:
    """Parse ``NAME=VALUE`` and comparisons; raise ``InputError`` for anything else."""
    from moldiff.chem.demands import parse_demand

    values: dict[str, Interval] = {}
    for text in texts:
        name, interval = parse_demand(text)
        if name in values:
            raise InputError(
                f"--condition {name} is given twice.", fix="Give it once, as in logp=1..3."
            )
        values[name] = interval
    return values


def sizes(text: str | None) -> int | Interval | None:
    """Parse ``NUMBER`` or ``LOW..HIGH``; raise ``InputError`` for anything else."""
    from moldiff.chem.demands import Interval

    if text is None:
        return None
    numbers = ends(text)
    if not all(re.fullmatch(r"[1-9]\d{0,5}", number) for number in numbers):
        raise InputError(f"--size is a number of atoms, not '{text}'.", fix="Write 9, or 7..9.")
    low, high = int(numbers[0]), int(numbers[-1])
    return low if low == high else Interval(low, high)


def symbols(texts: list[str] | None) -> list[str]:
    """Parse lists of element symbols, ``Br,I``."""
    return [symbol.strip() for text in texts or [] for symbol in text.split(",")]
