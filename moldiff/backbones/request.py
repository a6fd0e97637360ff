"""What is wanted of backbones: how long they are, what is told of them, what they begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moldiff.backbones.blueprints import drawn
from moldiff.backbones.motif import Motif, motif_of, spread
from moldiff.backbones.quality import whole
from moldiff.domain import chains
from moldiff.errors import InputError
from moldiff.protein.read import read_contents
from moldiff.protein.secondary import HIDDEN, STATES, secondary
from moldiff.protein.trace import trace
from moldiff.seeds import generator, integer
from moldiff.text import ends

__all__ = ["FREE", "LONGEST", "SHORTEST", "Plan", "Request", "lengths_of"]

SHORTEST, LONGEST = 20, 200
"""Residues of the shortest and the longest chain that is drawn."""
FREE = "free"
"""The secondary structure of chains that are told none."""
NOISE = 0.3
"""How much noise a given chain gets by default."""


class Plan(NamedTuple):
    """What is told of one backbone of n residues.

    ``states`` (n,) is the secondary structure wanted; ``layout`` (n,) the residue of the motif at
    each place, or -1.
    """

    states: npt.NDArray[np.int64]
    layout: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Request:
    """What backbones are to be like; see `moldiff.backbone`, whose arguments these are."""

    length: int | str | tuple[int, int] | None = None
    structure: str | None = None
    like: str | Path | None = None
    noise: float | None = None
    motif: str | Path | None = None
    contig: str | None = None

    def __post_init__(self) -> None:
        if self.noise is not None and self.like is None:
            raise InputError(
                "Noise is added to a chain, and none is given.",
                fix="Give one (--like), or no noise.",
            )
        if self.noise is not None and not 0 < self.noise <= 1:  # false for NaN as well
            raise InputError(
                f"Noise up to the time {self.noise} cannot be added.",
                fix="Choose above 0, up to 1.",
            )
        if (self.motif is None) != (self.contig is None):
            given, lacking = ("contig", "file") if self.motif is None else ("file", "contig")
            raise InputError(
                f"A motif needs a file and a contig; there is a {given} and no {lacking}.",
                fix="Give both: --motif 1abc.pdb --contig 10-20/A12-30/15-25.",
            )
        if self.motif is not None and self.like is not None:
            raise InputError(
                "A chain to begin with and a motif cannot both be given.",
                fix="Choose --like, or --motif and --contig.",
            )

    def begin(self) -> tuple[npt.NDArray[np.float32], float] | None:
        """Return the chain (n, 4, 3) in Å that backbones begin with and its noise, if any."""
        if self.like is None:
            return None
        return _chain(Path(self.like)), NOISE if self.noise is None else self.noise

    def scaffolded(self) -> Motif | None:
        """Return the motif, if there is one."""
        if self.motif is None or self.contig is None:
            return None
        return motif_of(self.motif, self.contig)

    def plans(
        self, n: int, seed: int, chain: npt.NDArray[np.float32] | None, motif: Motif | None
    ) -> list[Plan]:
        """Return the plan of each of n backbones, which depends on its number and the seed."""
        if motif is not None:
            return self._around(n, seed, motif)
        if chain is None and (self.structure is None or self.structure == FREE):
            wanted = (chains.SHORTEST, chains.LONGEST) if self.length is None else self.length
            low, high = lengths_of(wanted)
            return [self._drawn(low, high, seed, k) for k in range(n)]
        if self.length is not None:
            raise InputError(
                "The length is that of the secondary structure or the chain given.",
                fix="Leave --length out.",
            )
        if self.structure is None:
            return [_plain(secondary(np.asarray(chain)))] * n
        states = _states(self.structure)
        if chain is not None:
            _check_letters(len(states), len(chain), "the chain")
        return [_plain(states)] * n

    def _drawn(self, low: int, high: int, seed: int, number: int) -> Plan:
        """A plan with a secondary structure drawn as proteins have them, or none."""
        rng = generator(seed, number, 0)
        size = integer(low, high, rng=rng)
        return _plain(np.full(size, HIDDEN) if self.structure == FREE else drawn(size, rng=rng))

    def _around(self, n: int, seed: int, motif: Motif) -> list[Plan]:
        """Plans with the secondary structure that the motif has, and what is asked for around."""
        shortest, longest = motif.lengths
        low, high = (SHORTEST, LONGEST) if self.length is None else lengths_of(self.length)
        if longest < low or shortest > high:
            raise InputError(
                f"The contig makes chains of {spread(shortest, longest)} residues, not of "
                f"{spread(low, high)}.",
                fix="Change the numbers of new residues, or --length.",
            )
        states = None
        if self.structure is not None and self.structure != FREE:
            if shortest < longest:
                raise InputError(
                    "A secondary structure needs a contig that says how many residues are new.",
                    fix="Write numbers instead of ranges: 15/A12-30/20.",
                )
            states = _states(self.structure)
            _check_letters(len(states), shortest, "the contig")
        made = []
        for k in range(n):
            layout = motif.layout(low, high, rng=generator(seed, k, 0))
            told = np.full(len(layout), HIDDEN) if states is None else states.copy()
            if self.structure != FREE:
                told[layout >= 0] = motif.states[layout[layout >= 0]]
            made.append(Plan(told, layout))
        return made


def _plain(states: npt.NDArray[np.int64]) -> Plan:
    return Plan(states, np.full(len(states), -1))


def _check_letters(letters: int, residues: int, what: str) -> None:
    if letters != residues:
        raise InputError(
            f"The secondary structure has {letters} letters, {what} {residues} residues.",
            fix="Give a letter of H, E, C or ? for each residue.",
        )


def lengths_of(text: int | str | tuple[int, int]) -> tuple[int, int]:
    """Return the least and the largest number of residues of ``70``, ``"60-80"`` or a pair.

    Raises
    ------
    InputError
        If it is neither, or chains of that length are not drawn.
    """
    if isinstance(text, tuple):
        low, high = text
    else:
        words = ends(str(text))
        if not all(word.isdecimal() for word in words):
            raise InputError(f"'{text}' is no length.", fix="Give a number, or a range: 60-80.")
        low, high = int(words[0]), int(words[-1])
    if not SHORTEST <= low <= high <= LONGEST:
        raise InputError(
            f"Chains of {spread(low, high)} residues cannot be drawn.",
            fix=f"Choose from {SHORTEST} to {LONGEST} residues, the smaller number first.",
        )
    return low, high


def _states(structure: str) -> npt.NDArray[np.int64]:
    letters = "".join(structure.split()).upper().replace("L", "C").replace("-", "C")
    strange = sorted(set(letters) - set(STATES))
    if strange:
        raise InputError(
            f"'{strange[0]}' is no secondary structure.",
            fix="Write H (helix), E (strand), C (neither) or ? (any) for each residue, or free.",
        )
    if not SHORTEST <= len(letters) <= LONGEST:
        raise InputError(
            f"A secondary structure of {len(letters)} letters cannot be drawn.",
            fix=f"Write {SHORTEST} to {LONGEST}.",
        )
    return np.array([STATES.index(one) for one in letters], dtype=np.int64)


def _chain(path: Path) -> npt.NDArray[np.float32]:
    """The first chain of a file, which must be whole."""
    read = trace(read_contents(path).structure)
    if not read.fragments:
        raise InputError(f"{path} holds no protein.", fix="Give a structure of a protein.")
    name, runs = next(iter(read.fragments.items()))
    atoms = read.atoms[[i for run in runs for i in run]]
    if len(runs) > 1 or not np.isfinite(atoms[:, :3]).all():
        raise InputError(
            f"Chain {name} of {path} has gaps, or residues without N, CA and C.",
            fix="Build what is missing first (moldiff complete), or give a file of another chain.",
        )
    if not SHORTEST <= len(atoms) <= LONGEST:
        raise InputError(
            f"Chain {name} of {path} has {len(atoms)} residues.",
            fix=f"Write a chain of {SHORTEST} to {LONGEST} to a file of its own.",
        )
    return whole(atoms).astype(np.float32)
