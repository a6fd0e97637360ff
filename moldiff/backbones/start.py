"""The chain that drawing begins with, and how much noise it gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moldiff.backbones.quality import whole
from moldiff.errors import InputError, did_you_mean
from moldiff.protein.read import read_contents
from moldiff.protein.trace import trace

__all__ = ["LONGEST", "SHORTEST", "Start", "start_of"]

SHORTEST, LONGEST = 20, 200
"""Residues of the shortest and the longest chain that is drawn."""

_NOISE = 0.3


class Start(NamedTuple):
    """A chain to begin with: N, CA, C and O (n, 4, 3) in Å, and the time of the noise it gets.

    ``notes`` says which chain was taken of several, if nobody has chosen one.
    """

    file: str
    chain: str
    atoms: npt.NDArray[np.float32]
    noise: float
    notes: tuple[str, ...] = ()


def start_of(like: str | Path | None, chain: str | None, noise: float | None) -> Start | None:
    """Return the chain to begin with, by default the first of a file; None without a file.

    Raises
    ------
    InputError
        If the file cannot be used, has no such chain, or that has gaps or another size; or if the
        noise is none.
    """
    for value, what in ((noise, "Noise is added to"), (chain, "A chain is chosen of")):
        if value is not None and like is None:
            raise InputError(
                f"{what} a structure, and none is given.",
                fix="Give one (--like), or leave out --noise and --chain.",
            )
    if noise is not None and not 0 < noise <= 1:  # false for NaN as well
        raise InputError(
            f"Noise up to the time {noise} cannot be added.", fix="Choose above 0, up to 1."
        )
    if like is None:
        return None
    path = Path(like)
    read = trace(read_contents(path).structure)
    there = tuple(read.fragments)
    if not there:
        raise InputError(f"{path} holds no protein.", fix="Give a structure of a protein.")
    name = there[0] if chain is None else chain
    if name not in there:
        raise InputError(f"{path} has no protein chain '{name}'.", fix=did_you_mean(name, there))
    runs = read.fragments[name]
    atoms = read.atoms[[i for run in runs for i in run]]
    if len(runs) > 1 or not np.isfinite(atoms[:, :3]).all():
        raise InputError(
            f"Chain {name} of {path} has gaps, or residues without N, CA and C.",
            fix="Build what is missing first (moldiff complete), or take another (--chain).",
        )
    if not SHORTEST <= len(atoms) <= LONGEST:
        raise InputError(
            f"Chain {name} of {path} has {len(atoms)} residues.",
            fix=f"Take a chain of {SHORTEST} to {LONGEST} residues (--chain).",
        )
    notes = () if chain is not None or len(there) == 1 else (_unasked(path, there),)
    atoms = whole(atoms).astype(np.float32)
    return Start(path.name, name, atoms, _NOISE if noise is None else noise, notes)


def _unasked(path: Path, there: Sequence[str]) -> str:
    return (
        f"{path.name} has the chains {', '.join(there)}; backbones begin with {there[0]}, the "
        "first (--chain takes another)."
    )
