"""Where to dock: boxes about a point, residues or a cavity."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from moldiff.errors import InputError
from moldiff.protein.receptor import Receptor
from moldiff.protein.selection import named
from moldiff.protein.structure import Residue, Structure

if TYPE_CHECKING:
    from moldiff.protein.sites import BindingSite

__all__ = [
    "EDGE",
    "Box",
    "box_from_residues",
    "box_of",
    "check_box",
    "crop",
]

MAX_SIZE = 60.0  # Å
EDGE = 25.0  #: Å: the usual edge of a box
_CAVITY_EDGE = 22.5  # Å, of the box about a cavity
_AROUND = 10.0  # Å beyond the residues that define a box, both sides together
_RESIDUE = re.compile(r"^(?:(?P<chain>[^:]*):)?(?P<number>-?\d+)(?P<insertion>[A-Za-z]?)$")


@dataclass(frozen=True, eq=False)
class Box:
    """An axis-aligned box: ``centre`` and ``size`` (3,) float32 in Å; a single size makes a cube.

    Raises InputError unless 0 < size <= 60 Å and everything is finite.
    """

    centre: npt.NDArray[np.float32]
    size: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("centre", "size"):
            try:
                value = np.asarray(getattr(self, name), dtype=np.float32)
                value = np.broadcast_to(value, (3,)).copy()
            except (TypeError, ValueError):
                raise InputError(
                    f"The box's {name} is {getattr(self, name)!r}, not three numbers.",
                    fix="Give x,y,z in Å.",
                ) from None
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        if not np.isfinite(self.centre).all():
            raise InputError(
                f"The box's centre is {_numbers(self.centre)}.", fix="Give three finite numbers."
            )
        if not ((self.size > 0) & (self.size <= MAX_SIZE)).all():
            raise InputError(
                f"The box's size is {_numbers(self.size)} Å.",
                fix=f"Give sizes above 0 and at most {MAX_SIZE:g} Å; 20 to 30 Å suit most.",
            )

    @property
    def lower(self) -> npt.NDArray[np.float32]:
        """The corner of the smallest coordinates, (3,) in Å."""
        return self.centre - self.size * np.float32(0.5)

    @property
    def upper(self) -> npt.NDArray[np.float32]:
        """The corner of the largest coordinates, (3,) in Å."""
        return self.centre + self.size * np.float32(0.5)

    def contains(
        self, positions: npt.NDArray[np.floating[Any]], margin: float = 0.0
    ) -> npt.NDArray[np.bool_]:
        """Return which of the positions (m, 3) lie in the box widened by a margin in Å."""
        apart = np.abs(np.asarray(positions) - self.centre)
        return np.asarray((apart <= self.size / 2 + margin).all(axis=-1))


def _numbers(values: npt.NDArray[np.floating[Any]]) -> str:
    return ", ".join(f"{value:g}" for value in values.tolist())


def box_from_residues(
    structure: Structure, residues: Sequence[str], size: float | Sequence[float] | None = None
) -> Box:
    """Return a box about residues given as chain:number with insertion code.

    Parameters
    ----------
    structure:
        The receptor.
    residues:
        E.g. ``["A:123", "A:145B"]``; the chain may be left out if there is only one.
    size:
        In Å; by default 25 Å, or as much as the residues' own extent plus 10 Å needs.

    Raises
    ------
    InputError
        A residue is not there; the message names the nearest ones.
    """
    members = [_find(structure, text) for text in residues]
    if not members:
        raise InputError("No residues were given for the box.", fix="Name some, e.g. A:123,A:145.")
    atoms = structure.positions[np.isin(structure.residue, members)]
    lower, upper = atoms.min(axis=0), atoms.max(axis=0)
    if size is None:
        needed = np.clip(upper - lower + _AROUND, EDGE, None)
        if needed.max() > MAX_SIZE:
            raise InputError(
                f"The residues {', '.join(residues)} are {float((upper - lower).max()):.0f} Å "
                "apart, too far for one box.",
                fix="Name the residues of one pocket.",
            )
        return Box((lower + upper) / 2, needed)
    return Box((lower + upper) / 2, np.asarray(size))


def _find(structure: Structure, text: str) -> int:
    """Index of a residue given as text."""
    match = _RESIDUE.match(text.strip())
    if match is None and len(group := named(structure.residues, text)) == 1:
        return group[0]
    if match is None:
        raise InputError(
            f"{text!r} is no residue of the receptor, or several.",
            fix="Write chain:number, e.g. A:123 or A:123B.",
        )
    chains = list(dict.fromkeys(residue.chain for residue in structure.residues))
    chain = match["chain"]
    if chain is None:
        if len(chains) > 1:
            raise InputError(
                f"The residue {text!r} has no chain.",
                fix=f"Write chain:number; chains: {', '.join(c or '(blank)' for c in chains)}.",
            )
        chain = chains[0] if chains else ""
    number, insertion = int(match["number"]), match["insertion"].upper()
    hits = [
        i
        for i, r in enumerate(structure.residues)
        if (r.chain, r.number, r.insertion.upper()) == (chain, number, insertion)
    ]
    if not hits:
        raise InputError(
            f"The receptor has no residue {text!r}.", fix=_near(structure, chain, number, chains)
        )
    # Polymers first: an ion may share its number with a residue in careless files.
    return min(hits, key=lambda i: structure.residues[i].kind not in ("protein", "nucleic"))


def _near(structure: Structure, chain: str, number: int, chains: Sequence[str]) -> str:
    """Which residues there are near one that is not."""
    own: list[Residue] = [r for r in structure.residues if r.chain == chain]
    if not own:
        close = difflib.get_close_matches(chain, chains, n=3, cutoff=0.3) or chains[:10]
        return (
            f"There is no chain {chain!r}; there are: {', '.join(c or '(blank)' for c in close)}."
        )
    near = sorted(own, key=lambda r: (abs(r.number - number), r.number))[:6]
    names = ", ".join(str(r) for r in sorted(near, key=lambda r: (r.number, r.insertion)))
    return f"The nearest in number are: {names}."


def check_box(structure: Structure, box: Box) -> None:
    """Raise InputError if no receptor atom lies in the box."""
    if box.contains(structure.positions).any():
        return
    distance, index = cKDTree(structure.positions).query(box.centre)
    residue = structure.residues[structure.residue[int(index)]]
    if distance < _AROUND:
        raise InputError(
            f"The box of {_numbers(box.size)} Å is too small: the nearest atom of the receptor, of "
            f"{residue}, is {float(distance):.0f} Å from its centre.",
            fix="Give a larger --box-size; 20 to 30 Å suit most.",
        )
    middle = structure.positions.mean(axis=0)
    raise InputError(
        f"The box of {_numbers(box.size)} Å about {_numbers(np.round(box.centre, 1))} holds no "
        f"atom of the receptor; the nearest, of {residue}, is {float(distance):.0f} Å from its "
        "centre.",
        fix="Check that pocket and receptor are in the same frame: the receptor's centre is at "
        f"{_numbers(np.round(middle, 1))}.",
    )


def crop(receptor: Receptor, box: Box, margin: float = 8.0) -> Receptor:
    """Return the residues with an atom in the box or within ``margin`` Å of it.

    Whole residues, so that every atom keeps its neighbours.  Raises InputError if no atom lies
    in the box itself.
    """
    structure = receptor.structure
    check_box(structure, box)
    inside = box.contains(structure.positions, margin)
    used = np.zeros(len(structure.residues), dtype=bool)
    used[structure.residue[inside]] = True
    return receptor.subset(used[structure.residue])


def box_of(site: BindingSite) -> Box:
    """Return the box about a binding site, a cube of 22.5 Å."""
    return Box(site.cavity.centre, np.array([_CAVITY_EDGE]))
