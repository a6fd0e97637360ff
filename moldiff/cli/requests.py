"""Options of the commands that generate molecules, and what they demand of a model."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.options import Precision, Precisions, conditions, sizes, symbols
from moldiff.cli.output import check_positive, check_threads, remark

if TYPE_CHECKING:
    from moldiff.generation.api import Guidances
    from moldiff.generation.demands import Demands
    from moldiff.generation.request import Size
    from moldiff.model import Model

__all__ = [
    "Device",
    "Filter",
    "FilterOption",
    "Machine",
    "Number",
    "SamplerOption",
    "Sampling",
    "Threads",
    "Wishes",
    "around_part",
    "show_grammar",
]


class Filter(StrEnum):
    """What may be kept."""

    none = "none"
    strict = "strict"


Number = Annotated[
    int, typer.Option("-n", "--number", min=1, max=10_000_000, help="How many molecules.")
]
SamplerOption = Annotated[
    str | None,
    typer.Option(
        "--sampler",
        help="Another sampler: ddim, heun,s_churn=2, ... (moldiff methods), or a stepper of "
        "your own (--import). "
        "[default: the model's]",
    ),
]
FilterOption = Annotated[
    Filter,
    typer.Option("--filter", help="strict: draw on until N strictly valid ones are found."),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 or mps.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of one operation.")]


@dataclass(frozen=True)
class Sampling:
    """How molecules are drawn."""

    seed: Annotated[int, typer.Option(help="Same seed, same molecules.")] = 0
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="Sampling steps: slower, better. [default: the model's]"
        ),
    ] = None
    temperature: Annotated[
        float | None,
        typer.Option(help="Below 1: more valid, less diverse. [default: the model's]"),
    ] = None

    def __post_init__(self) -> None:
        check_positive("--temperature", self.temperature)


@dataclass(frozen=True)
class Wishes:
    """What molecules are to be."""

    size: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|LOW..HIGH",
            help="Atoms of each molecule, heavy ones if the model folds hydrogens.",
        ),
    ] = None
    prompt: Annotated[
        str | None,
        typer.Option(
            help="What is wanted, in words, as in 'two aromatic rings, logP below 3, no bromine'; "
            "'help' prints the grammar."
        ),
    ] = None
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A property that is wanted, if the model has it (moldiff info MODEL): logp=1.5, "
            "'logp<3' or tpsa=60..90; repeatable.",
        ),
    ] = None
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ELEMENTS", help="Elements that no molecule may have: Br,I; repeatable."
        ),
    ] = None
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="ELEMENTS", help="The only elements besides H: C,N,O; repeatable."),
    ] = None
    guidance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER|NAME,KEY=VALUE",
            help="How sharply to aim at --condition (1: as the data do), or a guidance with "
            "settings, as in valence,below=0.6; repeatable. [default: the model's]",
        ),
    ] = None

    def parsed(self) -> dict[str, Any]:
        """Return what `moldiff.generation.demands.demanded` takes; ``InputError`` for no value."""
        return {
            "prompt": self.prompt,
            "conditions": conditions(self.condition or []),
            "size": sizes(self.size),
            "without": symbols(self.without),
            "only": symbols(self.only),
        }

    def demands(self, model: Model, parsed: dict[str, Any]) -> tuple[Demands, Guidances | None]:
        """Return what is demanded, and the guidances; tell what was understood, what is rare."""
        from moldiff.generation.demands import check_conditions, demanded
        from moldiff.methods import parse_guidance

        guides = parse_guidance(self.guidance or [])
        demands = demanded(model, **parsed)
        if self.prompt is not None:
            remark(f"Understood: {', '.join(demands.lines())}.")
        for text in check_conditions(model, demands.conditions, guides):
            remark(text)
        if text := _beyond(model, demands.size):
            remark(text)
        return demands, guides


@dataclass(frozen=True)
class Machine:
    """What a model runs on."""

    device: Device = "cpu"
    precision: Precisions = Precision.float32
    threads: Threads = 1

    def __post_init__(self) -> None:
        check_threads(self.threads)

    def load(self, model: str) -> Model:
        """Return a model, bundled or of a file, on the device and in the precision."""
        from moldiff.cpu import using_threads
        from moldiff.models import load
        from moldiff.precision import resolve

        with using_threads(self.threads):
            loaded = load(model, self.device)
            return loaded.replace(precision=resolve(self.precision, loaded.device))


def _beyond(model: Model, size: Size) -> str:
    """What to say of sizes that were asked for and that the model does not make; else nothing."""
    from moldiff.chem.demands import Interval, as_interval
    from moldiff.generation.sampling import molecules_of

    if size is None:
        return ""
    asked, sizes = as_interval(size), molecules_of(model).sizes
    low, high = min(sizes), max(sizes)
    if asked.meet(Interval(low, high)) is None or not high < asked.high < math.inf:
        return ""  # refused with its own words, or nothing is cut off
    return (
        f"Sizes {asked}: the model makes molecules of {low} to {high} atoms "
        f"({'hydrogens not counted' if molecules_of(model).vocabulary.hydrogens else 'all'}), so "
        f"these are of {max(low, asked.low):g} to {high}."
    )


def around_part(demands: Demands, elements: Collection[str]) -> Demands:
    """Return the demands on molecules that have a part of some elements; tell what it has anyway.

    What molecules are to be without is said of their other atoms.
    """
    if both := sorted(set(demands.without) & set(elements)):
        remark(f"The part itself has {', '.join(both)}, and keeps it: only new atoms are without.")
    return demands.around(elements)


def show_grammar() -> None:
    """Print what a prompt may say."""
    from moldiff.generation.prompt import help_text

    typer.echo(help_text())
