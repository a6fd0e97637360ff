"""The words in which properties, elements and fragments are asked for: noun -> property."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from rdkit import Chem

from moldiff.chem.demands import ATOMS
from moldiff.chem.fragments import FRAGMENTS
from moldiff.chem.properties import PROPERTIES
from moldiff.text import plural

__all__ = ["HALOGENS", "NUMBERS", "UNITS", "element_name", "noun_of", "nouns", "spoken"]

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
#: Words for numbers.
NUMBERS: Mapping[str, int] = MappingProxyType({word: k for k, word in enumerate(_WORDS)})

HALOGENS = ("F", "Cl", "Br", "I")

#: Property -> pattern of its units, which may follow a number.
UNITS: Mapping[str, str] = MappingProxyType(
    {
        "tpsa": "(?:Å|A)(?:\\^?2|²)|square angstroms?",
        "weight": "Da|daltons?|g/mol|amu",
    }
)

_SPOKEN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "logp": ("logP", "cLogP", "log P"),
        "tpsa": ("TPSA", "PSA", "polar surface area", "topological polar surface area"),
        "weight": ("molecular weight", "weight", "MW", "molecular mass"),
        "fsp3": ("Fsp3", "fraction of sp3 carbons"),
        "qed": ("QED", "drug-likeness", "druglikeness"),
        "sa": ("SA score", "SA", "synthetic accessibility"),
        "heavy_atoms": ("heavy atom", "non-hydrogen atom"),
        ATOMS: ("atom",),
        "heteroatoms": ("heteroatom",),
        "rings": ("ring",),
        "aromatic_rings": ("aromatic ring",),
        "rotatable": ("rotatable bond",),
        "donors": ("hydrogen-bond donor", "H-bond donor", "donor", "HBD"),
        "acceptors": ("hydrogen-bond acceptor", "H-bond acceptor", "acceptor", "HBA"),
        "basic_amines": ("basic amine",),
        "nitro": ("nitro group",),
        "nitrile": ("nitrile", "nitrile group", "cyano group"),
        "indole": ("indole", "indole ring"),
        "quinoline": ("quinoline", "quinoline ring"),
    }
)
_SPELLINGS = {"S": ("sulphur",), "Al": ("aluminum",), "Cs": ("cesium",)}


def element_name(symbol: str) -> str:
    """Return the English name of an element, in lower case."""
    table = Chem.GetPeriodicTable()
    name: str = table.GetElementName(table.GetAtomicNumber(symbol))
    return name.lower()


def spoken(name: str) -> tuple[str, ...]:
    """Return the singular nouns of a property, the usual one first."""
    if name in _SPOKEN:
        return _SPOKEN[name]
    if name.startswith("n_") and name in PROPERTIES:
        return (element_name(name.removeprefix("n_")),)
    noun = name.replace("_", " ")
    if name not in FRAGMENTS:
        return (noun,)
    return (noun, f"{noun} {'ring' if FRAGMENTS[name][0].endswith('rings') else 'group'}")


def nouns(names: Iterable[str] = ()) -> dict[str, str]:
    """Return every noun -> property, of the package's properties, all elements, and ``names``.

    Nouns are in lower case with single spaces, in the singular and plural.
    """
    table = Chem.GetPeriodicTable()
    property_of: dict[str, str] = {}
    for z in range(1, 119):
        symbol = table.GetElementSymbol(z)
        property_of[_normal(f"n_{symbol}")] = f"n_{symbol}"
        for name in (element_name(symbol), *_SPELLINGS.get(symbol, ())):
            for noun in (name, f"{name} atom"):
                property_of[noun] = property_of[plural(noun)] = f"n_{symbol}"
    for name in (*PROPERTIES, ATOMS, *names):
        for noun in spoken(name):
            property_of[_normal(noun)] = property_of[_normal(plural(noun))] = name
        property_of[_normal(name)] = name
    return property_of


def noun_of(text: str, known: Mapping[str, str]) -> str | None:
    """Return the property of a noun; symbols of elements are read with their capitals."""
    symbol = re.fullmatch(r"([A-Z][a-z]?)(?:[ -]atoms?)?", text)
    if symbol and f"n_{symbol[1]}" in known.values():
        return f"n_{symbol[1]}"
    return known.get(_normal(text))


def _normal(noun: str) -> str:
    return " ".join(re.split(r"[\s_-]+", noun.strip().lower()))
