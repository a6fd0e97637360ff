"""Options that several commands have, and parsers of structured values."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from moldiff.cli.output import check_positive
from moldiff.errors import InputError

__all__ = [
    "Imports",
    "Jobs",
    "Loggers",
    "Precision",
    "Precisions",
    "command_line",
    "conditions",
    "import_all",
    "processes",
    "temperatures",
]


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

Loggers = Annotated[
    list[str] | None,
    typer.Option(
        "--logger",
        metavar="tensorboard|wandb|mlflow",
        help="Log there as well, besides log.csv and the page; repeatable.",
    ),
]


Jobs = Annotated[int | None, typer.Option(min=1, help="Processes. [default: one per core]")]


def processes(wanted: int | None) -> int:
    """Return the number of processes for a value of `Jobs`."""
    return wanted or os.cpu_count() or 1


def command_line(
    group: str, name: str, *arguments: Path, **options: Path | str | int | Sequence[Path] | None
) -> list[str]:
    """Return the words of a command with arguments and options, those that are set."""
    words = ["moldiff", group, name, *map(str, arguments)]
    for option, value in options.items():
        if value is True:
            words.append(f"--{option}")
        elif isinstance(value, list | tuple):
            words += [word for one in value for word in (f"--{option}", str(one))]
        elif value is not None and value is not False:
            words += [f"--{option}", str(value)]
    return words


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


def conditions(texts: list[str]) -> dict[str, float]:
    """Parse ``NAME=VALUE`` texts; raise ``InputError`` for anything else."""
    values: dict[str, float] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        try:
            number = float(value)
        except ValueError:
            raise InputError(
                f"'{text}' is not a condition.", fix="Write it as in --condition logp=1.5."
            ) from None
        if name in values:
            raise InputError(f"--condition {name} is given twice.", fix="Give it once.")
        values[name] = number
    return values
