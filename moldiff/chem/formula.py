"""Molecular formulas."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from moldiff.chem.vocabulary import Vocabulary
from moldiff.errors import InputError, did_you_mean

__all__ = ["parse_formula"]


def parse_formula(formula: str, vocabulary: Vocabulary) -> npt.NDArray[np.int64]:
    """Return the element index of each atom of a formula, (n,).

    Raises
    ------
    InputError
        If it is not a formula, names an element the model does not know, or the model's hydrogens
        are folded into its classes.
    """
    if vocabulary.hydrogens:
        raise InputError(
            "A model of heavy atoms cannot be held to a formula: its classes hold the hydrogens.",
            fix="Give a --size in heavy atoms, or a model whose hydrogens are atoms, such as qm9.",
        )
    if not re.fullmatch(r"([A-Z][a-z]?([1-9]\d{0,2})?)+", formula):
        raise InputError(
            f"'{formula}' is not a molecular formula.", fix="Write it like C7H8O, without charges."
        )
    types: list[int] = []
    for symbol, count in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        if symbol not in vocabulary.elements:
            raise InputError(
                f"The model does not know the element '{symbol}' of '{formula}'.",
                fix=did_you_mean(symbol, vocabulary.elements),
            )
        types += [vocabulary.elements.index(symbol)] * int(count or 1)
    return np.asarray(types, dtype=np.int64)
