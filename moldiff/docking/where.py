"""Where to dock: the box that the user's words stand for, and what has to leave it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.docking.pocket_ligand import find_marker
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.protein.pocket import Box
    from moldiff.protein.read import Contents
    from moldiff.protein.sites import BindingSite
    from moldiff.protein.structure import Structure

__all__ = ["Place", "Where", "find_places", "staying"]

_FARTHEST = 1e15  # Å: beyond, and NaN, is no point; what is merely far from the receptor is told so
_SMALLEST, _LARGEST = 4.0, 60.0  # Å, of an edge of the box
_NEAR_CAVITY = 5.0  # Å from the middle of a cavity to an atom of what fills it
_LISTED = 3  # cavities that are told besides those that are searched


@dataclass(frozen=True)
class Where:
    """The location of the pocket: exactly one of the first four is set.

    Attributes
    ----------
    ligand:
        A molecule in the pocket: a file of it (also PDB), or a group of the receptor's own file,
        as ``"A:301"``, ``"LIG"``, or a whole chain ``"P:"``.
    center:
        A point in Å: three numbers, or ``"x,y,z"``.
    residues:
        Residues that line it: ``["A:123", "A:145B"]``, or one string with commas.
    autobox:
        Find the cavities that are likely to hold a ligand.
    size:
        Edges of the box in Å: a number, three, or a string of them.  By default 25 Å, of a cavity
        that was found 22.5 Å, and large enough for the residues.
    """

    ligand: Path | str | None = None
    center: Sequence[float] | str | None = None
    residues: Sequence[str] | str | None = None
    autobox: bool = False
    size: float | Sequence[float] | str | None = None

    def __post_init__(self) -> None:
        """Raise ``InputError`` unless exactly one place is given."""
        places = [self.ligand, self.center, self.residues, self.autobox or None]
        if sum(value is not None for value in places) != 1:
            options = "--pocket-ligand, --center, --residues or --autobox"
            problem = "is not given" if not any(places) else "is given more than once"
            raise InputError(f"The pocket {problem}.", fix=f"Give one of {options}.")


@dataclass(frozen=True, eq=False)
class Place:
    """A region to search, and the ``chance`` that it is the ligand's: 1 where a user says so."""

    box: Box
    chance: float = 1.0


def find_places(
    contents: Contents,
    where: Where,
    *,
    exclude: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    cavities: int = 1,
) -> tuple[list[Place], dict[int, str], Sequence[str]]:
    """Find the boxes in what a structure file holds.

    Returns
    -------
    places, leave, notes:
        The region to search, or up to ``cavities`` of them where it is to be found, the likeliest
        first; residue -> why it is no part of the receptor; remarks.

    Raises
    ------
    InputError
        The place is not there, or no box can be made of it.
    """
    import numpy as np

    from moldiff.protein import pocket
    from moldiff.protein.occupants import at

    edges = _edges(where.size)
    size = np.array(edges or [pocket.EDGE], dtype=np.float32)
    everything = contents.structure
    if where.ligand is not None:
        marker = find_marker(contents, where.ligand)
        return [Place(pocket.Box(marker.positions.mean(0), size))], marker.leave, marker.notes
    if where.autobox:
        return _likely_cavities(contents, edges, exclude, keep, cavities)
    leave: dict[int, str] = {}
    if where.center is not None:
        box = pocket.Box(np.array(_point(where.center), dtype=np.float32), size)
    else:
        names = where.residues or ()
        words = names.split(",") if isinstance(names, str) else list(names)
        words = [word.strip() for word in words if word.strip()]
        box = pocket.box_from_residues(everything, words, edges)
        leave = dict.fromkeys(_defining(everything, words), "it defines the box")
    filling, _ = at(everything, box.centre)
    return [Place(box)], {**dict.fromkeys(filling, "it fills the middle of the box"), **leave}, ()


def _defining(structure: Structure, words: Sequence[str]) -> set[int]:
    """The ligands among residues that define a box; what lines a pocket stays."""
    from moldiff.protein.occupants import LASTING, chains_of
    from moldiff.protein.selection import named
    from moldiff.protein.structure import POLYMERS

    chosen: set[int] = set()
    for word in words:
        indices = named(structure.residues, word)
        # As for the box: an ion or a ligand may share its number with a residue of the chain.
        chain = [i for i in indices if structure.residues[i].kind in POLYMERS]
        chosen |= set(chain or indices)
    groups = {
        i
        for i in chosen
        if structure.residues[i].kind == "cofactor" and structure.residues[i].name not in LASTING
    }
    return groups | {i for chain in chains_of(structure) if chosen >= set(chain) for i in chain}


def _likely_cavities(
    contents: Contents,
    edges: list[float] | None,
    exclude: Sequence[str],
    keep: Sequence[str],
    count: int,
) -> tuple[list[Place], dict[int, str], Sequence[str]]:
    """The boxes about the likeliest cavities, what fills them, and which others there are.

    Ligands in the file do not hide the cavities that they stand in.  Of the copies of a cavity in
    the chains of an oligomer one is searched; its chance is that of all.
    """
    import numpy as np

    from moldiff.protein import pocket
    from moldiff.protein.occupants import at, ligands
    from moldiff.protein.sites import binding_sites, distinct, worth_a_look

    everything = contents.structure
    movable = {i for whole in ligands(everything) for i in whole}
    empty = contents.receptor(exclude=exclude, keep=keep, leave=dict.fromkeys(movable, ""))
    cavities = distinct(binding_sites(empty))
    if not cavities:
        raise InputError(
            "No cavity was found in the receptor.", fix="Give --center or --residues instead."
        )
    near = cavities[: worth_a_look([site for site, _ in cavities], count)]
    places: list[Place] = []
    leave: dict[int, str] = {}
    notes: list[str] = []
    for rank, (site, copies) in enumerate(near, start=1):
        box = pocket.box_of(site)
        if edges is not None:
            box = pocket.Box(box.centre, np.array(edges, dtype=np.float32))
        places.append(Place(box, site.chance))
        name = "the pocket found" if len(near) == 1 else f"cavity {rank}"
        filling, _ = at(everything, box.centre, _NEAR_CAVITY)
        leave |= dict.fromkeys(filling - set(leave), f"it fills {name}")
        notes.append(_cavity_note(name, places[-1], copies))
    others = []
    for site, _ in cavities[len(near) : len(near) + _LISTED]:
        members = at(everything, site.cavity.centre, _NEAR_CAVITY)[0]
        names = ", ".join(str(everything.residues[i]) for i in sorted(members - set(leave)))
        others.append(_triple(site.cavity.centre) + (f" (filled by {names})" if names else ""))
    if others:
        notes.append(f"other pockets, for --center: {'; '.join(others)}")
    return places, leave, notes


def _cavity_note(name: str, place: Place, copies: Sequence[BindingSite]) -> str:
    """A note on a cavity that is searched."""
    box = place.box
    text = (
        f"{name} is at {_triple(box.centre)}, its box is {_triple(box.size)} Å; it is the "
        f"ligand's with an estimated chance of {100 * place.chance:.0f} %"
    )
    if copies:
        text += f"; copies of it are at {'; '.join(_triple(s.cavity.centre) for s in copies)}"
    return text


def staying(structure: Structure, box: Box) -> list[str]:
    """Return notes on cofactors in the middle of the box, which a user may want to replace."""
    from moldiff.protein.occupants import at
    from moldiff.protein.selection import place

    return [
        f"{structure.residues[i]} stands in the middle of the box and stays; to dock in its place: "
        f"--exclude {place(structure.residues[i])}"
        for i in sorted(at(structure, box.centre)[1])
    ]


def _edges(size: float | Sequence[float] | str | None) -> list[float] | None:
    """Read one or three numbers as three edges in Å."""
    if size is None:
        return None
    values = _numbers(size, "--box-size")
    if len(values) == 1:
        values *= 3
    if len(values) != 3 or not all(_SMALLEST <= v <= _LARGEST for v in values):
        raise InputError(
            f"The box cannot have the size {size!s}.",
            fix=f"Give one edge, or three with commas, from {_SMALLEST:g} to {_LARGEST:g} Å.",
        )
    return values


def _point(center: Sequence[float] | str) -> list[float]:
    values = _numbers(center, "--center")
    if len(values) != 3 or not all(abs(v) < _FARTHEST for v in values):
        raise InputError(
            f"--center {center!s} is not a point.", fix="Give three numbers: --center 1.5,-3,20."
        )
    return values


def _numbers(value: float | Sequence[float] | str, option: str) -> list[float]:
    words: Sequence[Any]
    if isinstance(value, str):
        words = value.replace(",", " ").split()
    else:
        words = [value] if isinstance(value, int | float) else list(value)
    try:
        return [float(word) for word in words]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{option} {value!s} is not made of numbers.", fix=f"For example {option} 20,20,25."
        ) from error


def _triple(values: Any) -> str:
    return ",".join(f"{float(v):.1f}" for v in values)
