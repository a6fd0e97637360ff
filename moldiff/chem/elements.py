"""Elements that molecules are to do without: the classes of a vocabulary that remain."""

from __future__ import annotations

from collections.abc import Sequence

from moldiff.chem.vocabulary import Vocabulary
from moldiff.errors import InputError

__all__ = ["classes_without", "others"]


def classes_without(elements: Sequence[str], vocabulary: Vocabulary) -> list[int]:
    """Return the classes of ``types`` that are none of some elements.

    Raises
    ------
    InputError
        If an element is none of the vocabulary, hydrogens that are folded are left out, or no
        element but hydrogen remains.
    """
    for symbol in elements:
        _check(symbol, vocabulary)
    classes = [k for k, symbol in enumerate(vocabulary.elements) if symbol not in elements]
    if all(vocabulary.elements[k] == "H" for k in classes):
        raise InputError(
            f"Without {', '.join(elements)} the model has no element left to build with.",
            fix=f"Its elements are {_elements(vocabulary)}.",
        )
    return classes


def others(only: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the elements but ``only`` and hydrogen; errors as :func:`classes_without`."""
    for symbol in only:
        _check(symbol, vocabulary)
    return tuple(e for e in dict.fromkeys(vocabulary.elements) if e not in (*only, "H"))


def _check(symbol: str, vocabulary: Vocabulary) -> None:
    if symbol == "H" and vocabulary.hydrogens:
        raise InputError(
            "Hydrogens cannot be chosen: in this model they belong to the classes of other atoms.",
            fix=f"Choose among {_elements(vocabulary)}, or use a model whose hydrogens are atoms.",
        )
    if symbol not in vocabulary.elements:
        raise InputError(
            f"The model has no element '{symbol}'.",
            fix=f"Its elements are {_elements(vocabulary)}.",
        )


def _elements(vocabulary: Vocabulary) -> str:
    return ", ".join(dict.fromkeys(vocabulary.elements))
