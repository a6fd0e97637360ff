"""``moldiff methods``: the family of methods, the samplers, and the guidances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from moldiff.cli.options import Force
from moldiff.cli.output import check_output, remark, table
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.startup import load_torch
from moldiff.errors import InputError

EXAMPLES = ("moldiff methods", "moldiff methods edm", "moldiff methods ddpm -o schedule.svg")


@scriptable(".svg")
def command(
    name: Annotated[
        str | None, typer.Argument(help="Explain this method, sampler or guidance.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="With NAME: its schedule as a picture (.svg)."),
    ] = None,
    force: Force = False,
) -> None:
    """List the methods a model can be trained with, and how it can be sampled; or explain one.

    A method is some settings of the same parts: moldiff train FILE --method NAME lays them over
    a configuration. A sampler goes with any trained model: moldiff generate --sampler NAME; so do
    guidances, which change its predictions: moldiff generate --guidance NAME,key=value.
    """
    if name is not None:
        if output is not None:
            check_output(output, (".svg",))
            check_replaceable({output: "schedule"}, force=force)
        load_torch()
        from moldiff.cli.method import explain

        return explain(name, output)
    if output is not None:
        raise InputError(
            "-o writes the schedule of one method.", fix="Name it: moldiff methods ddpm."
        )
    load_torch()  # the parts need it
    from moldiff.methods import METHODS, SAMPLERS

    table(
        (
            (name, method.line, ", ".join(_parts(method.config)), _paper(method.cites[0]))
            for name, method in METHODS.items()
        ),
        header=("method", "what it is", "parts", "reference"),
        data={
            "methods": [
                {
                    "name": name,
                    "about": method.line,
                    "parts": _parts(method.config),
                    "cites": list(method.cites),
                }
                for name, method in METHODS.items()
            ]
        },
    )
    table(
        ((name, choice.line, _stepper(choice.stepper)) for name, choice in SAMPLERS.items()),
        header=("sampler", "what it is", "stepper"),
        data={
            "samplers": [
                {"name": name, "about": choice.line, "stepper": choice.stepper}
                for name, choice in SAMPLERS.items()
            ]
        },
    )
    guidances = list(_guidances())
    table(
        ((name, line, ", ".join(settings)) for name, line, settings in guidances),
        header=("guidance", "what it does", "settings"),
        data={
            "guidances": [
                {"name": name, "about": line, "settings": settings}
                for name, line, settings in guidances
            ]
        },
    )
    remark("More about one: moldiff methods NAME; its papers: moldiff cite NAME")


def _guidances() -> Iterator[tuple[str, str, list[str]]]:
    """The registered guidances: name, first line of the description, and settings."""
    from inspect import getdoc

    from moldiff.configuration import parameters
    from moldiff.registry import names, registered, supplied

    for name in names("guidance"):
        kind = registered("guidance", name)
        settings = [key for key in parameters(kind) if key not in supplied("guidance", name)]
        yield name, (getdoc(kind) or "").partition("\n")[0], settings


_NAMED = (
    *("schedule", "precondition", "coupling", "times", "objective"),
    *("network", "interaction", "stepper"),
)
_USUAL = ("denoising", "kumaraswamy")  # defaults, left out for shorter lines


def _parts(config: Mapping[str, Any]) -> list[str]:
    """The distinct names of the parts that a method sets, and of the noise of classes."""
    from moldiff.citing import parts

    named = [name for kind, name in parts(config) if kind in _NAMED and name not in _USUAL]
    # A word of the process, not a part of its own.
    noises = [
        process["noise"] for process in config.get("process", {}).values() if "noise" in process
    ]
    return list(dict.fromkeys([*named, *noises]))


def _stepper(stepper: Mapping[str, Any]) -> str:
    settings = [f"{key} = {value:g}" for key, value in stepper.items() if key != "name"]
    return ", ".join([stepper["name"], *settings])


def _paper(key: str) -> str:
    from moldiff.references import reference

    entry = reference(key)
    number = entry.fields.get("eprint")
    return f"{entry.short}, arXiv {number}" if number else entry.short
