"""Residues by what users call them: ``A:401``, ``LIG``, ``A:LIG``, a whole chain ``B:``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from moldiff.errors import InputError
from moldiff.protein.conformation import listed
from moldiff.protein.residues import STANDARD_BASES, TEMPLATES
from moldiff.protein.structure import POLYMERS, Residue, in_chain

__all__ = ["between", "named", "place", "select"]

_NUMBER = re.compile(r"-?\d+[A-Za-z]?$")
_STANDARD = STANDARD_BASES | set(TEMPLATES)


def place(residue: Residue) -> str:
    """Return chain:number with insertion code, as users write it, or the number without chain."""
    return in_chain(residue.chain, f"{residue.number}{residue.insertion}")


def named(residues: Sequence[Residue], text: str) -> list[int]:
    """Return the indices of the residues a text names, in the order of the file; maybe none.

    A name alone does not stand for standard residues of a polymer; a number alone does where
    there is one such residue, or no chain has a name.
    """
    wanted = text.strip()
    chain, colon, rest = wanted.partition(":")
    if not colon:
        number = [i for i, r in enumerate(residues) if f"{r.number}{r.insertion}" == wanted]
        nameless = not any(r.chain.strip() for r in residues)
        return _by_name(residues, wanted) or (number if len(number) == 1 or nameless else [])
    chains = {r.chain for r in residues}
    exact = chain in chains or chain.upper() not in chains
    own = [i for i, r in enumerate(residues) if r.chain == (chain if exact else chain.upper())]
    if not rest:
        return own
    if _NUMBER.match(rest):
        upper = rest.upper()
        return [i for i in own if f"{residues[i].number}{residues[i].insertion}".upper() == upper]
    return sorted(set(own).intersection(_by_name(residues, rest)))


def between(residues: Sequence[Residue], first: str, last: str) -> range | str:
    """Return the positions of residues of one chain from a number to another, ``45`` to ``52A``.

    Codes of insertion count in either case; of residues with the same number it is the first.
    There are no positions if the chain has the last before the first.  Instead of them the number
    that no residue has is returned, as it was written.
    """
    numbers = [f"{residue.number}{residue.insertion}".upper() for residue in residues]
    for end in (first, last):
        if end.upper() not in numbers:
            return end
    return range(numbers.index(first.upper()), numbers.index(last.upper()) + 1)


def _by_name(residues: Sequence[Residue], name: str) -> list[int]:
    return [
        i
        for i, r in enumerate(residues)
        if r.name.upper() == name.upper() and (r.kind not in POLYMERS or r.name not in _STANDARD)
    ]


def select(residues: Sequence[Residue], text: str, purpose: str) -> list[int]:
    """Return what `named` does; raise InputError, saying what is there, if that is nothing."""
    indices = named(residues, text)
    if not indices:
        groups = [str(r) for r in residues if r.kind in ("cofactor", "metal")]
        raise InputError(
            f"The receptor has no group {text!r} to {purpose}.",
            fix="Give a name (LIG), chain:number (A:401) or a chain (B:); the groups there "
            f"are: {listed(groups, 20) or 'none'}.",
        )
    return indices
