"""Preparing a receptor and its pocket from user input."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.docking.ligands import read_reference
from moldiff.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from rdkit import Chem

    from moldiff.docking.problem import Pocket
    from moldiff.docking.result import DockingResult
    from moldiff.docking.settings import Settings
    from moldiff.protein.pocket import Box
    from moldiff.protein.receptor import Receptor
    from moldiff.protein.structure import Structure

__all__ = ["DEFAULT_SIZE", "Progress", "Site", "Where", "site"]

#: Default edge of the box in Å.
DEFAULT_SIZE = 25.0
_SMALLEST, _LARGEST = 4.0, 60.0  # Å, of an edge of the box
_FAR = 6.0  # Å: a pocket's ligand farther than this from every receptor atom is in another frame
_RECEPTORS = (".pdb", ".ent", ".cif", ".mmcif", ".pdbqt")

#: Called with the stage and the fraction of the work that is done, 0 to 1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Where:
    """The location of the pocket: exactly one of the first four is set.

    Attributes
    ----------
    ligand:
        A file with a molecule in the pocket.
    center:
        A point in Å: three numbers, or ``"x,y,z"``.
    residues:
        Residues that line it: ``["A:123", "A:145B"]``, or one string with commas.
    autobox:
        Find the largest cavity.
    size:
        Edges of the box in Å: a number, three, or a string of them.  By default 25 Å, or large
        enough for the residues or the cavity.
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
class Site:
    """A receptor with a pocket in it.

    Attributes
    ----------
    path:
        The receptor's file.
    receptor:
        The whole receptor.
    pocket:
        The prepared pocket for docking.
    digest:
        Twelve characters of the SHA-256 of the file.
    notes:
        Remarks about both for the user, a sentence each.
    """

    path: Path
    receptor: Receptor
    pocket: Pocket
    digest: str
    notes: tuple[str, ...] = ()

    def dock(
        self,
        ligand: tuple[Chem.Mol, str],
        settings: Settings,
        *,
        progress: Progress | None = None,
    ) -> DockingResult:
        """Dock a molecule with a name.

        Raises
        ------
        InputError
            If it cannot be docked; the error says why.
        """
        from moldiff.docking.pipeline import dock
        from moldiff.docking.problem import make_problem
        from moldiff.docking.requirement import requirements

        requirements(settings.require, self.receptor.structure)
        mol, name = ligand
        problem = make_problem(
            mol,
            self.pocket,
            name=name,
            conformers=settings.conformers,
            seed=settings.seed,
            ph=settings.ph,
        )
        if isinstance(problem, str):
            raise InputError(f"The ligand '{name}' cannot be docked: {problem}.")
        return dock(problem, settings, progress=progress)


def site(receptor: str | Path, where: Where, *, exclude: Sequence[str] = ()) -> Site:
    """Prepare a receptor and find the pocket.

    Raises
    ------
    InputError
        If the receptor cannot be read, or the box cannot be searched.
    """
    path = Path(receptor)
    _check_receptor(path)
    edges = _edges(where.size)
    from moldiff.docking.problem import Pocket
    from moldiff.protein.read import read_structure
    from moldiff.protein.receptor import prepare_receptor
    from moldiff.text import digest_of

    reference = None if where.ligand is None else _positions(Path(where.ligand))
    structure = read_structure(path, exclude=exclude)
    if reference is not None:
        _check_near(structure, reference, path, Path(str(where.ligand)))
        structure = structure.without_overlap(reference)
    whole = prepare_receptor(structure)
    box, notes = _box(whole, where, reference, edges)
    digest = digest_of(path)
    origin = {"receptor": path.name, "receptor_sha256": digest}
    pocket = Pocket.of(whole, box, origin=origin)
    return Site(path, whole, pocket, digest, (*whole.structure.notes, *notes))


# --- the pocket ------------------------------------------------------------------------------


def _box(
    receptor: Receptor,
    where: Where,
    reference: npt.NDArray[np.float64] | None,
    edges: list[float] | None,
) -> tuple[Box, list[str]]:
    """The box, and notes on it."""
    import numpy as np

    from moldiff.protein import pocket

    size = np.array(edges or [DEFAULT_SIZE], dtype=np.float32)
    if reference is not None:
        return pocket.Box(reference.mean(0).astype(np.float32), size), []
    if where.center is not None:
        return pocket.Box(np.array(_point(where.center), dtype=np.float32), size), []
    if where.residues is not None:
        names = where.residues
        words = names.split(",") if isinstance(names, str) else list(names)
        words = [word.strip() for word in words if word.strip()]
        return pocket.box_from_residues(receptor.structure, words, edges), []
    cavities = pocket.autobox(receptor)
    if not cavities:
        raise InputError(
            "No cavity was found in the receptor.", fix="Give --center or --residues instead."
        )
    box = cavities[0] if edges is None else pocket.Box(cavities[0].centre, size)
    note = f"the pocket found is at {_triple(box.centre)}, its box is {_triple(box.size)} Å"
    others = "; ".join(_triple(other.centre) for other in cavities[1:4])
    return box, [f"{note}; others, for --center: {others}" if others else note]


def _edges(size: float | Sequence[float] | str | None) -> list[float] | None:
    """Read one or three numbers as three edges in Å."""
    if size is None:
        return None
    values = _numbers(size, "--size")
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
    if len(values) != 3 or not all(math.isfinite(v) and abs(v) < 1e5 for v in values):
        raise InputError(
            f"--center {center!s} is not a point.", fix="Give three numbers: --center 1.5,-3,20."
        )
    return values


def _numbers(given: float | Sequence[float] | str, option: str) -> list[float]:
    words: Sequence[Any]
    if isinstance(given, str):
        words = given.replace(",", " ").split()
    else:
        words = [given] if isinstance(given, int | float) else list(given)
    try:
        return [float(word) for word in words]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{option} {given!s} is not made of numbers.", fix=f"For example {option} 20,20,25."
        ) from error


def _positions(path: Path) -> npt.NDArray[np.float64]:
    """Heavy atoms (n, 3) of the molecule that lies in the pocket, in Å."""
    import numpy as np

    mol = read_reference(path)
    heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    x = np.asarray(mol.GetConformer().GetPositions(), dtype=np.float64)[heavy]
    if not len(x) or not np.isfinite(x).all():
        raise InputError(
            f"The pocket's ligand {path} has no usable coordinates.", fix="Give another file."
        )
    return x


def _check_near(
    structure: Structure, reference: npt.NDArray[np.float64], path: Path, ligand: Path
) -> None:
    import numpy as np

    distance = np.linalg.norm(structure.positions[:, None] - reference[None], axis=-1).min()
    if distance > _FAR:
        raise InputError(
            f"The pocket's ligand {ligand} is {distance:.0f} Å away from every atom of {path}.",
            fix="Give a ligand in the frame of this receptor, or --center or --residues.",
        )


def _check_receptor(path: Path) -> None:
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "is not there"
        raise InputError(f"The receptor {path} {what}.", fix="Check the path.")
    if not {suffix.lower() for suffix in path.suffixes[-2:]} & set(_RECEPTORS):
        raise InputError(
            f"The receptor {path} has the unknown suffix '{path.suffix}'.",
            fix="Give a .pdb or .cif file (also gzipped).",
        )


def _triple(values: Any) -> str:
    return ",".join(f"{float(v):.1f}" for v in values)
