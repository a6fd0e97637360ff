"""Atoms that a user names: by their numbers, or by a SMARTS."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.errors import InputError
from moldiff.text import rising

__all__ = ["NUMBER", "Named", "named"]

NUMBER = "_number"
"""The property of an atom that holds its number, from 1."""

Named: TypeAlias = str | int | Sequence[int]
"""Atoms by their numbers from 1, as a list or as text, ``"7,12"``, or by a SMARTS."""


def named(mol: Chem.Mol, text: Named, *, first: bool) -> list[int]:
    """Return the numbers of atoms that a text names: ``1,2,5-8``, or a SMARTS; or numbers.

    Of a SMARTS they are the first atom of every match, or all atoms of the first match.

    Raises
    ------
    InputError
        If it is neither, or matches nothing.
    """
    if not isinstance(text, str):
        text = _listed(text)
    if (numbers := rising(text)) is not None:
        return list(dict.fromkeys(numbers))
    with quiet():
        pattern = Chem.MolFromSmarts(text)
        if pattern is None or not pattern.GetNumAtoms():
            raise InputError(
                f"'{text}' is neither atom numbers nor a SMARTS.", fix="Write 7,12 or '[cH]'."
            )
        aromatic = Chem.Mol(mol)
        Chem.SanitizeMol(aromatic)
        matches = aromatic.GetSubstructMatches(pattern)
    if not matches:
        raise InputError(
            f"'{text}' is not in the molecule {_smiles(aromatic)}.",
            fix="Check the SMARTS, or name the atoms by their numbers.",
        )
    atoms = [match[0] for match in matches] if first else list(matches[0])
    return list(dict.fromkeys(mol.GetAtomWithIdx(i).GetIntProp(NUMBER) for i in atoms))


def _listed(numbers: int | Sequence[int]) -> str:
    """Numbers as the text that names them."""
    every: Any = numbers
    with suppress(TypeError):
        every = [operator.index(every)]
    text = ""
    with suppress(TypeError):
        text = ",".join(str(operator.index(number)) for number in every)
    if not text:
        raise InputError(
            f"{numbers!r} names no atoms.", fix="Write '7,12', [7, 12], or a SMARTS as '[cH]'."
        )
    return text


def _smiles(mol: Chem.Mol) -> str:
    return str(Chem.MolToSmiles(Chem.RemoveHs(mol)))
