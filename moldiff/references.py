"""The papers behind the parts: ``references.bib`` as data.

Registered classes name their papers by key (see `moldiff.registry.register`); this module
looks the keys up.  It has no heavy imports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from moldiff.errors import ConfigError, did_you_mean
from moldiff.version import __version__

__all__ = ["OWN", "Reference", "bibliography", "bibtex", "reference"]

OWN = "moldiff"  # the key of this package's own entry

_ENTRY = re.compile(r"^@(\w+)\{(\w+),\n(.*?)^\}$", re.M | re.S)
_FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.M)


@dataclass(frozen=True)
class Reference:
    """One entry of the bibliography.

    Attributes
    ----------
    key, kind:
        As in ``@kind{key, ...}``.
    fields:
        The entry's fields; values are LaTeX.
    bibtex:
        The entry verbatim, as in the file.
    """

    key: str
    kind: str
    fields: Mapping[str, str]
    bibtex: str

    @property
    def short(self) -> str:
        """``Ho et al. 2020``, or ``Klein and Noé 2023``, in plain letters."""
        names = [_plain(name.split(",")[0]) for name in self.fields["author"].split(" and ")]
        if len(names) > 2 or names[-1] == "others":
            names = [f"{names[0]} et al."]
        return " ".join([" and ".join(names), *filter(None, [self.fields.get("year")])])


@cache
def bibliography() -> Mapping[str, Reference]:
    """Return all entries by key, in the order of the file."""
    text = (files("moldiff") / "references.bib").read_text(encoding="utf-8")
    text = text.replace("{VERSION}", f"{{{__version__}}}")
    return MappingProxyType(
        {
            key: Reference(key, kind, dict(_FIELD.findall(body)), entry)
            for kind, key, body, entry in (
                (*match.groups(), match.group()) for match in _ENTRY.finditer(text)
            )
        }
    )


def reference(key: str) -> Reference:
    """Return one entry.

    Raises
    ------
    ConfigError
        If the bibliography lacks the key.
    """
    entries = bibliography()
    if key not in entries:
        raise ConfigError(f"There is no reference '{key}'.", fix=did_you_mean(key, entries))
    return entries[key]


def bibtex(keys: Iterable[str]) -> str:
    """Return the BibTeX of the given keys, each once, in the order of the bibliography.

    Raises
    ------
    ConfigError
        If the bibliography lacks a key.
    """
    wanted = {reference(key).key for key in keys}
    return "\n\n".join(r.bibtex for key, r in bibliography().items() if key in wanted)


# LaTeX's accents as combining characters, and its commands for letters.
_ACCENTS = {"'": "\u0301", '"': "\u0308"}
_LETTERS = {r"\L": "Ł", r"\i": "i"}


def _plain(latex: str) -> str:
    """A name without LaTeX: ``K{\\"o}hler`` is ``Köhler``."""
    import unicodedata

    for command, letter in _LETTERS.items():
        latex = latex.replace(command, letter)
    accented = re.sub(r"\\(['\"])(\w)", lambda m: m[2] + _ACCENTS[m[1]], latex)
    return unicodedata.normalize("NFC", re.sub(r"[{}]", "", accented)).strip()
