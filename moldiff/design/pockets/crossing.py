"""Children of two molecules: a side of one joined to a side of the other, as BRICS joins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TypeAlias

from rdkit import Chem

from moldiff.chem.brics import Side, fit, joined, sides, smiles
from moldiff.chem.conformers import conformers
from moldiff.chem.demands import Interval
from moldiff.chem.validity import canonical_smiles, strict_failure
from moldiff.generation.request import Generated
from moldiff.version import __version__

__all__ = ["Pair", "children", "pairs"]

Pair: TypeAlias = tuple[Side, Side]
"""Of two molecules."""


def pairs(first: Chem.Mol, second: Chem.Mol, size: Interval) -> list[Pair]:
    """Return the sides of two molecules that make one of a size in heavy atoms."""
    every = product(sides(first), sides(second))
    return [(a, b) for a, b in every if a.size + b.size in size and fit(a, b)]


def children(
    crossed: Sequence[Pair], seed: int, progress: Callable[[float], None] | None = None
) -> Iterator[Generated]:
    """Yield the molecules of pairs, in a conformer each; records say of what they are joined.

    One that cannot be embedded has none, and the reason.
    """
    for pair in crossed:
        mol = joined(*pair)
        shapes = conformers(mol, count=1, seed=seed)
        failure: str | None
        if isinstance(shapes, str):
            failure = shapes
        else:
            mol, failure = shapes.mol, strict_failure(shapes.mol)
        name = canonical_smiles(mol, stereo=True)
        if progress is not None:
            progress(1.0)
        tags = {
            "SMILES": name or "",
            "strictly_valid": "yes" if failure is None else "no",
            "invalid_reason": failure or "",
            "seed": str(seed),
            "moldiff_version": __version__,
            "start": ".".join(smiles(side) for side in pair),
        }
        yield Generated(mol, failure, {key: text for key, text in tags.items() if text})
