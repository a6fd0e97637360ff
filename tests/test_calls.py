"""Calls of the verbs: what their help tells, and what a call that does not fit is told."""

from __future__ import annotations

import inspect
import pydoc
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import moldiff
from moldiff.docking.settings import Settings
from moldiff.errors import InputError, KeywordError

VERBS = {
    name: getattr(home, name)
    for home in (moldiff, moldiff.design)
    for name in home.__all__
    if callable(getattr(home, name)) and not inspect.isclass(getattr(home, name))
}
every_verb = pytest.mark.parametrize("name", VERBS)


def parameters(name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(VERBS[name]).parameters)


def needed(name: str) -> dict[str, Any]:
    return {p.name: None for p in parameters(name).values() if p.default is p.empty}


def test_the_table_has_all_of_them() -> None:
    assert {"backbone", "compare", "complete", "dock", "evaluate", "filter", "generate"} <= {*VERBS}
    assert {"load", "prepare", "score", "sequence", "verify", "view", "write"} <= {*VERBS}
    assert {"decorate", "grow", "link", "pocket", "replace", "stream"} <= {*VERBS}


@every_verb
def test_a_misspelt_keyword_is_told_with_the_nearest(name: str) -> None:
    word = max(parameters(name), key=len)
    misspelt = word[:-2] + word[-1] + word[-2] if word[-1] != word[-2] else word + "s"
    with pytest.raises(KeywordError) as caught:
        VERBS[name](**needed(name), **{misspelt: 1})
    told = str(caught.value)
    assert told.startswith(f"{name}() has no keyword '{misspelt}'. Did you mean '{word}'? Known: ")
    assert isinstance(caught.value, InputError) and isinstance(caught.value, TypeError)


@every_verb
def test_a_keyword_of_nothing_is_told_before_any_work(name: str) -> None:
    with pytest.raises(KeywordError, match=rf"{name}\(\) has no keyword 'zzz'. Known: "):
        VERBS[name](zzz=1)


@pytest.mark.parametrize("name", [name for name in VERBS if needed(name)])
def test_a_call_without_what_is_needed_is_told_how_to_write_it(name: str) -> None:
    first = next(iter(needed(name)))
    with pytest.raises(KeywordError, match=f"missing a required.*'{first}'.* Write {name}"):
        VERBS[name]()


def test_other_calls_that_do_not_fit() -> None:
    with pytest.raises(KeywordError, match=r"multiple values for argument 'n'.* Write generate\(n"):
        moldiff.generate(3, n=3)  # type: ignore[misc]
    with pytest.raises(KeywordError, match="too many positional arguments"):
        moldiff.evaluate("CCO", "CC")  # type: ignore[misc]
    with pytest.raises(KeywordError, match=r"pocket_ligand=\.\.\., \.\.\.\)"):
        moldiff.design.pocket("receptor.pdb")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", [name for name in VERBS if "progress" in parameters(name)])
def test_progress_is_a_function(name: str) -> None:
    with pytest.raises(KeywordError, match="progress=print"):
        VERBS[name](**needed(name), progress=True)


@pytest.mark.parametrize(
    ("call", "option", "keyword"),
    [
        (lambda **words: moldiff.dock("a.pdb", "CCO", **words), "box_size", "size"),
        (lambda **words: moldiff.dock("a.pdb", "CCO", **words), "searches", "chains"),
        (lambda **words: moldiff.generate(1, **words), "condition", "conditions"),
        (lambda **words: moldiff.evaluate("CCO", **words), "kept", "part"),
        (lambda **words: moldiff.design.replace("CCO", keep="1", **words), "keep_atoms", "keep"),
    ],
)
def test_an_option_of_the_command_line_is_told_as_the_keyword_that_it_is(
    call: Callable[..., Any], option: str, keyword: str
) -> None:
    with pytest.raises(KeywordError, match=f"no keyword '{option}'. Did you mean '{keyword}'"):
        call(**{option: 1})


@every_verb
def test_help_tells_every_keyword(name: str) -> None:
    own = parameters(name)
    assert all(p.kind.name in ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY") for p in own.values())
    assert all("Annotated" not in str(p.annotation) for p in own.values())
    function = VERBS[name].view if isinstance(VERBS[name], ModuleType) else VERBS[name]
    listed = re.findall(r"^(\w[\w, ]*):$", inspect.getdoc(function) or "", re.MULTILINE)
    told = [one for line in listed for one in line.split(", ")]
    assert sorted(told) == sorted(own)
    shown = pydoc.render_doc(function, renderer=pydoc.plaintext)
    assert all(f"{one}: " in shown for one in own) and "**" not in shown.splitlines()[2]


def test_help_of_docking_tells_the_settings_with_their_defaults() -> None:
    assert "Rounds of the search" in (moldiff.dock.__doc__ or "")
    rounds = parameters("dock")["rounds"]
    assert rounds.annotation == "int" and rounds.default == Settings.rounds


def test_the_package_of_pages_tells_where_the_help_of_its_verb_is() -> None:
    assert "help(moldiff.view.view)" in (moldiff.view.__doc__ or "")
