"""What a user requires of poses: an interaction with a residue, ``A:611:hbond``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from moldiff.errors import InputError
from moldiff.protein.interactions import KINDS, label
from moldiff.text import means_residue

if TYPE_CHECKING:
    from moldiff.protein.interactions import Interaction
    from moldiff.protein.structure import Residue, Structure

__all__ = ["Requirement", "lacking", "requirements", "unmet"]

_NUMBER = re.compile(r"\d[A-Za-z]?$")  # how every residue ends, and no kind


def _letters(text: str) -> str:
    return re.sub("[^a-z]", "", text.lower())


_BY_LETTERS = {_letters(word): kind for kind, name in KINDS.items() for word in (kind, name)}


@dataclass(frozen=True)
class Requirement:
    """An interaction that a pose should have.

    Attributes
    ----------
    text:
        As the user wrote it.
    residue:
        The residue: ``A:611``, ``ARG611``, ``A:ARG611``, or ``611``, which is that of any chain.
    kind:
        A key of `KINDS`; None means any but a clash.
    """

    text: str
    residue: str
    kind: str | None

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read ``RESIDUE`` or ``RESIDUE:KIND``; InputError for anything else."""
        words = [word.strip() for word in text.split(":")]
        if _NUMBER.search(words[-1]):
            return cls(text, ":".join(words), None)
        kind = _BY_LETTERS.get(_letters(words[-1]))
        if kind is None or len(words) < 2 or not _NUMBER.search(words[-2]):
            what = "is not a residue" if len(words) < 2 or kind else f"has no kind '{words[-1]}'"
            raise InputError(
                f"--require {text!r} {what}.",
                fix=f"Write A:611 or A:611:hbond; kinds: {', '.join(KINDS)}.",
            )
        return cls(text, ":".join(words[:-1]), kind)

    def means(self, residue: Residue) -> bool:
        """Whether this is the residue; chains as they are written, names in either case."""
        number = f"{residue.number}{residue.insertion.strip()}"
        return means_residue(self.residue, residue.chain, residue.name, number)

    def met_by(self, interactions: Iterable[Interaction]) -> bool:
        """Whether one of the interactions is the required one."""
        return any(
            self.means(one.residue) and (one.kind == self.kind or not self.kind)
            for one in interactions
            if one.kind != "clash" or self.kind == "clash"
        )


def requirements(texts: Sequence[str], structure: Structure) -> tuple[Requirement, ...]:
    """Read requirements; InputError if one is none, or its residue is not in the receptor."""
    required = tuple(Requirement.parse(text) for text in texts)
    for one in required:
        if not any(one.means(residue) for residue in structure.residues):
            names = {label(residue): None for residue in structure.residues}
            close = get_close_matches(one.residue, names, n=4, cutoff=0.0)
            raise InputError(
                f"--require {one.text!r}: the receptor has no residue '{one.residue}'.",
                fix=f"Similar ones are {', '.join(close)}." if close else "",
            )
    return required


def lacking(texts: Sequence[str], interactions: Sequence[Interaction]) -> tuple[str, ...] | None:
    """Return which requirements the interactions of a pose do not meet; None if there are none."""
    if not texts:
        return None
    return tuple(text for text in texts if not Requirement.parse(text).met_by(interactions))


def unmet(lacks: Sequence[str] | None) -> list[str]:
    """Return a note if even the first pose, which lacks least, lacks something."""
    if not lacks:
        return []
    return [f"no pose has all that is required; the first lacks {', '.join(lacks)}"]
