"""Every registered class, method and sampler names papers that exist, and none is left over."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from moldiff import registry
from moldiff.citing import OTHER
from moldiff.errors import ConfigError
from moldiff.methods import METHODS
from moldiff.references import OWN, bibliography, bibtex, reference

#: Domains and tasks are what methods are applied to, loggers what a run reports to: from no paper.
CLASSES = [
    (kind, name)
    for kind in registry.kinds()
    for name in registry.names(kind)
    if kind not in ("domain", "logger", "task")
]
PREPRINT, JOURNAL = {"eprint", "archiveprefix"}, {"journal", "volume", "pages"}


@pytest.mark.parametrize(("kind", "name"), CLASSES)
def test_every_class_names_its_papers_and_where_in_them(kind: str, name: str) -> None:
    cites = registry.cited(kind, name)
    assert cites, f"@register('{kind}', '{name}', cites=...) names no paper"
    assert all(key in bibliography() and where.strip() for key, where in cites.items())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_names_its_papers(name: str) -> None:
    assert METHODS[name].cites
    assert set(METHODS[name].cites) <= set(bibliography())


def test_no_reference_is_unused() -> None:
    used = {key for kind, name in CLASSES for key in registry.cited(kind, name)}
    used |= {key for method in METHODS.values() for key in method.cites}
    used |= {key for known in OTHER.values() for keys in known.values() for key in keys}
    assert set(bibliography()) == used | {OWN}


@pytest.mark.parametrize("key", sorted(set(bibliography()) - {OWN}))
def test_an_entry_is_complete(key: str) -> None:
    fields = reference(key).fields
    assert {"title", "author", "year"} <= set(fields)
    assert set(fields) & {"url"} or set(fields) >= PREPRINT or set(fields) >= JOURNAL
    assert re.fullmatch(r"(19|20)\d\d", fields["year"])
    assert re.fullmatch(r"\d{4}\.\d{5}|\d{4}\.\d{4}", fields.get("eprint", "2006.11239"))


def test_the_file_holds_nothing_else() -> None:
    text = (files("moldiff") / "references.bib").read_text(encoding="utf-8")
    assert len(re.findall(r"^@", text, re.M)) == len(bibliography())
    titles = [entry.fields["title"].lower() for entry in bibliography().values()]
    assert len(set(titles)) == len(titles)


def test_names_in_plain_letters() -> None:
    assert reference("kohler2020").short == "Köhler et al. 2020"
    assert reference("chen2024").short == "Chen and Lipman 2024"
    assert reference("jordan2024").short == "Jordan et al. 2024"


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'karras2022'"):
        bibtex(["karras2021"])
