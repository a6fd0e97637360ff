"""Molecules as JSON: a document that may hold anything, checked before RDKit sees it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from moldiff.chem.quiet import quiet
from moldiff.io.parsed import ORDERS, SYMBOLS, Parsed, assemble

__all__ = ["parse_json"]

_REPORT = "moldiff.evaluation"  # the schema that reports name
_FOREIGN = "not a molecule written by moldiff"
_MAX_CHARGE = 127  # RDKit keeps a charge in a byte


# What a document of another structure raises on being read as a molecule (RecursionError is
# a RuntimeError).
_NO_MOLECULE = (
    AttributeError,
    LookupError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


def parse_json(lines: Iterable[str]) -> Iterator[Parsed]:
    """Parse what `moldiff.io.Writer` writes as JSON: one molecule or a list of them."""
    try:
        document = json.loads("\n".join(lines))
    except ValueError as error:
        yield Parsed(None, "", f"not JSON: {error}")
        return
    except RecursionError:
        yield Parsed(None, "", f"{_FOREIGN}: nested too deeply")
        return
    if isinstance(document, dict) and document.get("schema") == _REPORT:
        yield Parsed(None, "", "not molecules: this is a report of moldiff evaluate")
        return
    for entry in document if isinstance(document, list) else [document]:
        try:
            yield _json_entry(entry)
        except _NO_MOLECULE as error:
            yield Parsed(None, "", f"{_FOREIGN}: {ascii(str(error))[1:-1]}")


def _json_entry(entry: Any) -> Parsed:
    if not isinstance(entry, dict):
        raise ValueError("an object is needed")
    elements, charges, bonds = (entry[key] for key in ("elements", "charges", "bonds"))
    _check_graph(elements, charges, bonds)
    positions = entry.get("positions")
    if positions is not None:
        # JSON knows no NaN: a coordinate that was not finite was written as null.
        positions = [[float("nan") if x is None else float(x) for x in p] for p in positions]
        if len(positions) != len(elements) or any(len(p) != 3 for p in positions):
            raise ValueError("three coordinates of each element are needed")
    tags = {_text(key): _text(value) for key, value in entry.get("tags", {}).items()}
    with quiet():
        mol = assemble(elements, positions, charges, bonds)
    return Parsed(mol, _text(entry.get("name", "")), None, tags)


def _text(value: Any) -> str:
    """A value as text that can be written: half of a pair of surrogates becomes a question mark."""
    return str(value).encode("utf-8", "replace").decode()


def _check_graph(elements: Any, charges: Any, bonds: Any) -> None:
    """Raise ``ValueError`` for what RDKit would refuse with a trace of its own on the terminal."""
    if not all(isinstance(part, list) for part in (elements, charges, bonds)):
        raise ValueError("elements, charges and bonds must be lists")
    n = len(elements)
    for symbol in elements:
        if not isinstance(symbol, str) or symbol not in SYMBOLS:
            raise ValueError(f"{str(symbol)[:10]!r} is no element")
    if len(charges) != n or any(type(q) is not int or abs(q) > _MAX_CHARGE for q in charges):
        raise ValueError("a whole charge of each element is needed")
    seen: set[frozenset[int]] = set()
    for bond in bonds:
        if not isinstance(bond, list) or len(bond) != 3 or any(type(k) is not int for k in bond):
            raise ValueError("a bond is two atoms and an order")
        i, j, order = bond
        if not (0 <= i < n and 0 <= j < n and i != j and order in ORDERS):
            raise ValueError("a bond names an atom or an order that does not exist")
        if frozenset((i, j)) in seen:
            raise ValueError("a bond is given twice")
        seen.add(frozenset((i, j)))
