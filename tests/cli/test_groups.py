"""Groups of options: each field is an option, in its place, and the command gets the group."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from moldiff.cli.groups import grouped


@dataclass(frozen=True)
class Speed:
    """Two options, of which one is checked."""

    limit: Annotated[int, typer.Option("-l", "--limit", help="At most.")] = 50
    unit: Annotated[str, typer.Option(metavar="UNIT")] = "km/h"

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise typer.BadParameter("backwards")


def drive(*, town: Annotated[str, typer.Option()], speed: Speed, back: bool = False) -> None:
    """Drive to a town."""
    print(town, speed.limit, speed.unit, back)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--town", "Ulm"], "Ulm 50 km/h False"),
        (["--unit", "kn", "--town", "Ulm", "-l", "7", "--back"], "Ulm 7 kn True"),
    ],
)
def test_a_command_gets_its_group(words: list[str], shown: str) -> None:
    app = typer.Typer(add_completion=False)
    app.command()(grouped(drive))
    assert CliRunner().invoke(app, words).stdout.strip() == shown
    assert CliRunner().invoke(app, [*words, "--limit", "-1"]).exit_code == 2


def test_options_are_where_the_group_is() -> None:
    command = grouped(drive)
    assert [*inspect.signature(command).parameters] == ["town", "limit", "unit", "back"]
    assert (command.__name__, command.__doc__) == ("drive", "Drive to a town.")


@pytest.mark.parametrize(
    "command",
    [
        "generate",
        "design grow --scaffold c1ccccc1",
        "design pocket -r missing.pdb --pocket-ligand missing.sdf",
    ],
)
@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--temperature", "0", "must be a number above 0"),
        ("--threads", "100000", "must be from 1"),
        ("--size", "many", "a number of atoms"),
        ("--condition", "logp", "logp"),
    ],
)
def test_what_is_shared_is_checked_before_any_file_is_read(
    run: Callable[..., Any], command: str, option: str, value: str, said: str
) -> None:
    done = run(*command.split(), option, value, "-o", "new.sdf")
    assert done.status == 2 and said in done.err and "missing" not in done.err
