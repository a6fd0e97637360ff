"""Motifs: residues of a structure that stay where they are while a chain is drawn around them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from moldiff.errors import InputError
from moldiff.protein.selection import place
from moldiff.protein.structure import Residue
from moldiff.protein.write import SideAtom
from moldiff.seeds import integer

__all__ = ["Motif", "Span", "spread"]

Span = tuple[int, int]
"""The least and the largest number of new residues."""

_TRIES = 1000


@dataclass(frozen=True, eq=False)
class Motif:
    """The k residues of a structure around which chains are drawn, and how many others.

    Attributes
    ----------
    path:
        The file.
    spans:
        In the order of the chain: how many new residues, or how many of the motif, ``int``.
    contig:
        What was asked for.
    residues:
        What the file calls them.
    atoms:
        (k, 4, 3) N, CA, C and O in Å, where the file has them.
    types:
        (k,) amino acids (`moldiff.protein.backbone.LETTERS`).
    states:
        (k,) secondary structure, seen up to breaks of their chain
        (`moldiff.protein.secondary.STATES`).
    sides:
        The side chain of each, as far as the file has it.
    notes:
        What was chosen in reading the file, sentences for the user.
    """

    path: Path
    contig: str
    spans: tuple[Span | int, ...]
    residues: tuple[Residue, ...]
    atoms: npt.NDArray[np.float64]
    types: npt.NDArray[np.int64]
    states: npt.NDArray[np.int64]
    sides: tuple[tuple[SideAtom, ...], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.residues)

    @property
    def lengths(self) -> tuple[int, int]:
        """Residues of the shortest and of the longest chain."""
        ends = [(one, one) if isinstance(one, int) else one for one in self.spans]
        return sum(low for low, _ in ends), sum(high for _, high in ends)

    def layout(self, low: int, high: int, *, rng: torch.Generator) -> npt.NDArray[np.int64]:
        """Draw which residue of the motif is at each place of a chain, (n,); -1 for new ones.

        Raises
        ------
        InputError
            If chains of ``low`` to ``high`` residues cannot be, or hardly ever are.
        """
        for _ in range(_TRIES):
            counts = [
                -one if isinstance(one, int) else integer(*one, rng=rng) for one in self.spans
            ]
            new = sum(count for count in counts if count > 0)
            if new and low <= new + len(self) <= high:
                break
        else:
            least, most = self.lengths
            raise InputError(
                f"The contig makes chains of {spread(least, most)} residues, hardly ever of "
                f"{spread(low, high)}.",
                fix="Change the numbers of new residues, or --length.",
            )
        start, places = 0, []
        for count in counts:
            given = np.arange(start, start - count) if count < 0 else np.full(count, -1)
            start += len(given) if count < 0 else 0
            places.append(given)
        return np.concatenate(places).astype(np.int64)

    def described(self, layout: npt.NDArray[np.int64]) -> str:
        """Return where the pieces are: ``11-29=A:12-30``, numbered from 1."""
        start, pieces = 0, []
        for count in (one for one in self.spans if isinstance(one, int)):
            first = int(np.flatnonzero(layout == start)[0]) + 1
            ends = [place(self.residues[k]) for k in (start, start + count - 1)]
            new, old = (f"{first}-{first + count - 1}", f"{ends[0]}-{ends[1].rpartition(':')[2]}")
            pieces.append(f"{first}={ends[0]}" if count == 1 else f"{new}={old}")
            start += count
        return " ".join(pieces)


def spread(low: int, high: int) -> str:
    """Return a range in words: ``60 to 80``, or ``60``."""
    return f"{low}" if low == high else f"{low} to {high}"
