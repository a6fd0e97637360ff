"""Assemble the page: data, style, code and 3Dmol.js in one HTML file."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from moldiff.chem.quiet import quiet
from moldiff.errors import InputError
from moldiff.io.seal import molecule_digest
from moldiff.report.page import colours, policy
from moldiff.text import replace_text
from moldiff.view.card import COLUMNS, describe, describe_frames
from moldiff.view.figures import Figures
from moldiff.view.substructure import matches, pattern_of

if TYPE_CHECKING:
    from moldiff.io import Record
    from moldiff.view.trajectory import Frame

__all__ = ["DEFAULT_LIMIT", "SCENE", "Verdicts", "assemble", "render_html", "write_html"]

#: Molecules shown at most unless asked otherwise: about 10 MB of page.
DEFAULT_LIMIT = 2000

# In the order of use: later files call earlier ones.
_SCRIPTS = (
    "molecule.js",
    "painter.js",
    "scene.js",
    "smarts.js",
    "match.js",
    "favourites.js",
    "grid.js",
    "histogram.js",
    "details.js",
    "player.js",
    "page.js",
    "app.js",
)

# Characters that could end the script element or a JavaScript line inside it.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class Verdicts:
    """Other verdicts on molecules than validity: the reason of a record alone says which it is.

    Attributes
    ----------
    good, bad:
        The word for records without and with a reason.
    rule:
        What the good ones have in common.
    """

    good: str
    bad: str
    rule: str


def write_html(
    path: str | Path,
    records: Iterable[Record],
    *,
    title: str,
    trajectories: Mapping[int, Sequence[Frame]] | None = None,
    limit: int = DEFAULT_LIMIT,
    net_charge: int | None = 0,
    verdicts: Verdicts | None = None,
    figures: Figures | None = None,
    highlight: str | None = None,
) -> None:
    """Write the page of :func:`render_html` to ``path``, whole or not at all.

    Raises
    ------
    InputError
        When ``path`` cannot be written, or as `render_html`.
    """
    page = render_html(
        records,
        title=title,
        trajectories=trajectories,
        limit=limit,
        net_charge=net_charge,
        verdicts=verdicts,
        figures=figures,
        highlight=highlight,
    )
    replace_text(Path(path), page)


def render_html(
    records: Iterable[Record],
    *,
    title: str,
    trajectories: Mapping[int, Sequence[Frame]] | None = None,
    limit: int = DEFAULT_LIMIT,
    net_charge: int | None = 0,
    verdicts: Verdicts | None = None,
    figures: Figures | None = None,
    highlight: str | None = None,
) -> str:
    """Return one self-contained HTML page that shows ``records``.

    Parameters
    ----------
    records:
        Molecules and broken records alike; both are shown.
    title:
        Heading of the page, any text.
    trajectories:
        Denoising frames by the 0-based position of the molecule in ``records``.
    limit:
        Molecules shown at most; the page says how many it leaves out.
    net_charge:
        Total charge a valid molecule must have; None accepts any.
    verdicts:
        What the records have been judged by, if not by validity.
    figures:
        What was measured of the molecules.
    highlight:
        SMARTS that the page opens with: what matches is marked and counted.

    Raises
    ------
    InputError
        If none of the figures is one of these molecules, or the SMARTS cannot be read.

    Notes
    -----
    When any molecule has explicit hydrogens all are judged by strict validity, else by
    RDKit's sanitisation, which fills hydrogens in.  The page names the rule.
    """
    stream = iter(records)
    shown = list(islice(stream, limit))
    data = _data(shown, dict(trajectories or {}), net_charge, verdicts)
    if figures is not None:
        data["figures"] = _add_figures(data["molecules"], shown, figures)
    if highlight is not None:
        data["highlight"] = _add_matches(data["molecules"], shown, highlight)
    data["total"] = len(shown) + sum(1 for _ in stream)
    return assemble("template.html", _SCRIPTS, title, data)


SCENE = ("molecule.js", "painter.js", "scene.js", "grid.js", "page.js", "stage.js")
"""The scripts of pages that show a structure beside a table, before their own."""


def assemble(
    body: str,
    scripts: Sequence[str],
    title: str,
    data: Mapping[str, Any],
    *,
    styles: Sequence[str] = (),
) -> str:
    """Return a self-contained page: the skeleton of all, with files of ``page/`` of its own.

    Parameters
    ----------
    body:
        What stands between head and footer, ``$stage`` for the stage of pages that show a
        structure; after a comment each, the buttons on that stage and the keys in the footer.
    scripts:
        In the order of use.
    styles:
        Beyond that of all pages.
    title:
        Any text.
    data:
        What the scripts find in the element ``data``.
    """
    page = files("moldiff.view") / "page"
    vendor = files("moldiff.view") / "vendor"
    library = (vendor / "3Dmol-min.js").read_text(encoding="utf-8")

    def texts(names: Sequence[str]) -> list[str]:
        return [(page / name).read_text(encoding="utf-8") for name in names]

    code = "\n".join(texts(scripts))
    code = f'(() => {{\n"use strict";\n{code}}})();'
    skeleton, stage, own = texts(("skeleton.html", "stage.html", body))
    rest, keys = own.split("<!-- footer -->\n")
    main, _, buttons = rest.partition("<!-- stage -->\n")
    main = main.replace("$stage", stage.replace("$buttons", buttons))
    return Template(skeleton.replace("$body", main).replace("$keys", keys)).substitute(
        title=html.escape(title),
        policy=policy(library, code),
        style=colours() + "".join(texts(("style.css", *styles))),
        data=_json(data),
        library=library,
        code=code,
        licence=html.escape((vendor / "LICENSE").read_text(encoding="utf-8"), quote=False),
    )


def _data(
    records: Sequence[Record],
    trajectories: Mapping[int, Sequence[Frame]],
    net_charge: int | None,
    verdicts: Verdicts | None,
) -> dict[str, Any]:
    """Everything the page knows, JSON-ready."""
    explicit = verdicts is None and any(
        atom.GetAtomicNum() == 1
        for record in records
        if record.mol is not None
        for atom in record.mol.GetAtoms()
    )
    with quiet():
        cards = [describe(record, explicit=explicit, net_charge=net_charge) for record in records]
    for position, frames in trajectories.items():
        if 0 <= position < len(cards):
            cards[position] |= describe_frames(frames)
    words, rule = {"valid": "valid", "invalid": "invalid"}, "strict validity"
    if verdicts is not None:
        words, rule = {"valid": verdicts.good, "invalid": verdicts.bad}, verdicts.rule
    elif not explicit:
        rule = "RDKit sanitisation, hydrogens implicit"
    return {
        "id": _identity(records),
        "words": words,
        "rule": rule,
        "columns": COLUMNS,
        "molecules": cards,
    }


def _identity(records: Iterable[Record]) -> str:
    """A name for these molecules in this order: favourites are kept under it."""
    known = hashlib.sha256()
    with quiet():
        for record in records:
            known.update((molecule_digest(record.mol) if record.mol else "-").encode())
    return known.hexdigest()[:16]


def _add_figures(
    cards: Sequence[dict[str, Any]], records: Sequence[Record], figures: Figures
) -> dict[str, Any]:
    """Give each card its figures; return what the page needs to know of them all."""
    with quiet():
        rows = [figures.row(record.mol) for record in records]
    for card, row in zip(cards, rows, strict=True):
        if row is not None:
            card["figures"] = figures.shown(row)
    count = sum(row is not None for row in rows)
    if not count:
        raise InputError(
            f"{figures.source} has figures of none of these molecules: they are known by their "
            "graph and coordinates.",
            fix="Evaluate the file that is to be shown: moldiff evaluate FILE --table figures.csv",
        )
    return {"columns": figures.columns(), "reference": figures.reference(), "found": count}


def _add_matches(
    cards: Sequence[dict[str, Any]], records: Sequence[Record], smarts: str
) -> dict[str, Any]:
    """Give each card its matches; return the pattern."""
    with quiet():
        atoms_by_record = matches(records, pattern_of(smarts))
    for card, atoms in zip(cards, atoms_by_record, strict=True):
        if atoms:
            card["hits"] = atoms
    return {"pattern": smarts}


def _json(data: Mapping[str, Any]) -> str:
    """JSON that cannot end its script element, whatever the names and tags hold."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)
