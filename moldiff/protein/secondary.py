"""Secondary structure from hydrogen bonds of the backbone: helices, strands and the rest.

Hydrogen bonds, helices and bridges are those of DSSP (Kabsch & Sander, Biopolymers 22 (1983)
2577), in its three usual classes: H for its H, G and I, E for E, and C for all other residues,
isolated bridges too.  Amino acids are not looked at, so prolines may donate a bond, and a group may
have more than two.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["COIL", "HELIX", "HIDDEN", "STATES", "STRAND", "letters", "secondary"]

STATES = "HEC?"
"""The letters of the classes: helix, strand, coil, and what is not known."""
HELIX, STRAND, COIL, HIDDEN = range(4)

_Q = 27.9  # kcal/mol Å: charges of 0.42 and 0.2 e on the atoms of both groups
_BOND = -0.5  # kcal/mol, the weakest hydrogen bond
_TURNS = (4, 3, 5)  # residues of a turn: of the alpha helix, which goes first, 3-10 and pi
_BULGE = 5  # most steps between two bridges of one ladder, on one of its sides; two on the other
_BRIDGED = 3  # least number of residues along the chain between partners of a bridge


def secondary(atoms: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Return the class of each residue of a chain, (n,), from N, CA, C and O (n, 4, 3) in Å."""
    bonded = _bonds(atoms.astype(np.float64))
    states = np.full(len(atoms), COIL)
    strands, bridged = _strands(bonded)
    states[strands] = STRAND
    for turn in _TURNS:
        own = np.zeros(len(atoms), bool)
        free = (states == COIL) & ~bridged  # other turns give way to what is there
        for first in _turns(bonded, turn):
            inside = slice(first + 1, first + 1 + turn)
            if turn == _TURNS[0] or (free | own)[inside].all():
                own[inside] = True
        states[own] = HELIX
    return states


def letters(states: npt.NDArray[np.integer]) -> str:
    """Return the classes (n,) of residues as a text of `STATES`."""
    return "".join(STATES[k] for k in states.tolist())


def _bonds(atoms: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether C=O of residue i is bonded to N-H of residue j, (n, n)."""
    n, _, c, o = (atoms[:, k] for k in range(4))
    back = c[:-1] - o[:-1]  # H is opposite the oxygen before
    h = n[1:] + back / np.linalg.norm(back, axis=-1, keepdims=True)

    def inverse(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        far: npt.NDArray[np.float64] = np.linalg.norm(a[:, None] - b[None], axis=-1)
        return 1 / far.clip(0.5)

    energy = _Q * (inverse(o, n[1:]) + inverse(c, h) - inverse(o, h) - inverse(c, n[1:]))
    i, j = np.indices(energy.shape)
    bonded = np.zeros((len(atoms), len(atoms)), bool)  # the first residue has no such H
    bonded[:, 1:] = (energy < _BOND) & (np.abs(i - (j + 1)) >= 2)
    return bonded


def _shifted(bonded: npt.NDArray[np.bool_], i: int, j: int) -> npt.NDArray[np.bool_]:
    """The table of bonds of residue + i to residue + j; none beyond the ends."""
    wide = np.pad(bonded, 1)
    n = len(bonded)
    return wide[1 + i : 1 + i + n, 1 + j : 1 + j + n]


def _turns(bonded: npt.NDArray[np.bool_], turn: int) -> list[int]:
    """Where the first of two consecutive turns of one length begins."""
    turns = np.diagonal(bonded, turn)
    starts: list[int] = np.flatnonzero(turns[1:] & turns[:-1]).tolist()
    return starts


def _strands(
    bonded: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Residues of ladders of at least two bridges and the bulges between; all that are bridged."""
    i, j = np.indices(bonded.shape)
    inner = (np.minimum(i, j) > 0) & (np.maximum(i, j) < len(bonded) - 1)
    apart = (np.abs(i - j) >= _BRIDGED) & inner
    one, other = _shifted(bonded, -1, 0), _shifted(bonded, 0, 1)  # i - 1 to j, and i to j + 1
    across = _shifted(bonded, -1, 1)
    strands, bridged = np.zeros((2, len(bonded)), bool)
    for pairs, sense in (
        (((one & other.T) | (one.T & other)) & apart, 1),  # parallel
        (((bonded & bonded.T) | (across & across.T)) & apart, -1),
    ):
        a, b = np.nonzero(pairs)
        bridged[a] = True
        ahead, beside = a[None] - a[:, None], sense * (b[None] - b[:, None])
        short, long = np.minimum(ahead, beside), np.maximum(ahead, beside)
        for k, m in np.argwhere((short >= 1) & (short <= 2) & (long <= _BULGE)).tolist():
            strands[a[k] : a[m] + 1] = True
    return strands, bridged
