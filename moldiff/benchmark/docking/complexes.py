"""Sets of complexes with known poses, and the box in which a ligand is docked again.

Layout of a set: ``index.csv`` with a column ``id`` (without it every subfolder counts), and
for each complex ``ID/ligand.sdf`` (the crystal pose with bond orders) and ``ID/protein.pdb``
or, where there is none, ``ID/pocket.pdb``.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.docking.where import Place
from moldiff.errors import InputError
from moldiff.protein.pocket import Box, box_from_residues, box_of
from moldiff.protein.selection import place
from moldiff.protein.sites import BindingSite, binding_sites, distinct, worth_a_look
from moldiff.protein.structure import POLYMERS

if TYPE_CHECKING:
    from moldiff.protein.structure import Structure

__all__ = [
    "BOXES",
    "Case",
    "choose",
    "graph_of",
    "has_cofactor",
    "read_crystal",
    "read_set",
    "search_places",
]

_EDGE, _JITTER = 25.0, 2.0  # Å
_CAVITIES = 5  # that a method may look into, at most
#: Where the box may be, for reports.
BOXES: Mapping[str, str] = {
    "centred": "a cube of 25 Å about the crystal ligand's centroid",
    "jitter2": "a cube of 25 Å about the crystal ligand's centroid, moved by up to 2 Å at random",
    "jitter5": "a cube of 25 Å whose centre is 5 Å off the crystal ligand's centroid, in a random "
    "direction",
    "residues": "about the residues with an atom within 4.5 Å of the crystal ligand, 25 Å or more",
    "autobox": "the likeliest cavity of the receptor without its ligand, of its copies in several "
    "chains the one nearest to the crystal ligand; `moldiff+cavities=3` looks into others too",
    "largest": "the largest cavity of the receptor without its ligand",
}
_OFFSETS: Mapping[str, float | None] = {"centred": 0.0, "jitter2": None, "jitter5": 5.0}
_LINING = 4.5  # Å to the ligand
_NEAR = 4.0  # Å: a cofactor this near the ligand counts (PoseBusters' paper)
_RECEPTORS = ("protein.pdb", "pocket.pdb")


@dataclass(frozen=True)
class Case:
    """A complex: its set, its id, and its folder."""

    set: str
    id: str
    folder: Path

    @property
    def key(self) -> str:
        """``set/id``."""
        return f"{self.set}/{self.id}"

    @property
    def receptor(self) -> Path:
        """The whole protein if it is there, else the pocket."""
        paths = [self.folder / name for name in _RECEPTORS]
        return next((path for path in paths if path.is_file()), paths[0])


def read_set(folder: Path) -> list[Case]:
    """Return the complexes of a set in the order of its index.

    Raises
    ------
    InputError
        If it is no folder or holds no complexes.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder '{folder}'.", fix="Give a set of complexes.")
    index = folder / "index.csv"
    name = folder.resolve().name
    if index.is_file():
        try:
            with index.open(newline="", encoding="utf-8-sig") as file:
                ids = [row["id"] for row in csv.DictReader(file) if row.get("id")]
        except (UnicodeDecodeError, csv.Error, OSError) as error:
            raise InputError(f"'{index}' cannot be read: {error}.", fix="Check it.") from error
    else:
        ids = sorted(path.parent.name for path in folder.glob("*/ligand.sdf"))
    if not ids:
        raise InputError(
            f"The set '{folder}' holds no complexes.",
            fix="It needs an index.csv with a column id, and ID/ligand.sdf, ID/protein.pdb.",
        )
    return [Case(name, id, folder / id) for id in dict.fromkeys(ids)]


def choose(
    sets: Sequence[Sequence[Case]],
    *,
    limit: int | None = None,
    seed: int = 0,
    only: frozenset[str] | None = None,
) -> list[Case]:
    """Return complexes in random order, those of several sets by turns.

    The order depends on the seed alone, so a smaller ``limit`` gives the first of a larger one,
    and an interrupted run has finished a random part.

    Parameters
    ----------
    limit:
        How many in all, spread evenly over the sets.
    only:
        Ids, or ``set/id``: the others are left out.

    Raises
    ------
    InputError
        If none are left.
    """
    shuffled = []
    for cases in sets:
        kept = [c for c in cases if only is None or c.id in only or c.key in only]
        shuffled.append(sorted(kept, key=lambda case: _words(case.key, seed)))
    turns = max((len(cases) for cases in shuffled), default=0)
    order = [cases[k] for k in range(turns) for cases in shuffled if k < len(cases)]
    if not order:
        raise InputError("None of the complexes asked for is in the sets.", fix="Check --ids.")
    return order[:limit]


def read_crystal(case: Case) -> Chem.Mol | str:
    """Return the ligand with its crystal pose, without hydrogens, or why there is none."""
    path = case.folder / "ligand.sdf"
    if not path.is_file():
        return f"there is no {path.name}"
    with quiet():
        mol = next(iter(Chem.SDMolSupplier(str(path))), None)
        if mol is None or mol.GetNumAtoms() == 0:
            return f"{path.name} cannot be read"
        mol = Chem.RemoveHs(mol)
    if not np.isfinite(mol.GetConformer().GetPositions()).all():
        return f"{path.name} holds coordinates that are no numbers"
    return mol


def graph_of(crystal: Chem.Mol) -> Chem.Mol:
    """Return the ligand as a graph: stereochemistry from the crystal pose, no coordinates."""
    mol = Chem.Mol(crystal)
    with quiet():
        Chem.AssignStereochemistryFrom3D(mol)
    mol.RemoveAllConformers()
    return mol


def search_places(
    crystal: Chem.Mol,
    key: str,
    seed: int,
    kind: str = "jitter2",
    structure: Structure | None = None,
) -> list[Place]:
    """Return where to search: a box in which the ligand is to be found, or the likeliest cavities.

    They depend on the complex and the seed alone: every method searches the same ones.

    Parameters
    ----------
    kind:
        One of `BOXES`.
    structure:
        The receptor without the ligand, for boxes that are made from it.

    Raises
    ------
    InputError
        If the receptor has no pocket, or no residue is near the ligand.
    """
    known = crystal.GetConformer().GetPositions()
    if kind in _OFFSETS:
        centre = known.mean(0) + _shift(key, seed, _OFFSETS[kind])
        return [Place(Box(centre.astype(np.float32), np.float32(_EDGE) * np.ones(3, np.float32)))]
    if structure is None:
        raise ValueError(f"a box of the kind '{kind}' is made from a receptor")
    if kind == "residues":
        return [Place(box_from_residues(structure, _lining(structure, known)))]
    sites = binding_sites(structure)
    if not sites:
        raise InputError("No pocket was found in the receptor.", fix="Choose another --box.")
    if kind == "largest":
        return [Place(box_of(max(sites, key=lambda site: site.cavity.volume)))]
    likeliest = [_nearest([site, *copies], known.mean(0)) for site, copies in distinct(sites)]
    return [Place(box_of(s), s.chance) for s in likeliest[: worth_a_look(likeliest, _CAVITIES)]]


def _nearest(alike: Sequence[BindingSite], middle: npt.NDArray[np.float64]) -> BindingSite:
    """The copy of a site that is nearest to the ligand, with the chance of the first.

    A ligand meets the same residues in each, but the crystal's pose to compare with is in one.
    """
    near = min(alike, key=lambda site: float(np.linalg.norm(site.cavity.centre - middle)))
    return replace(near, chance=alike[0].chance)


def _shift(key: str, seed: int, offset: float | None) -> npt.NDArray[np.float64]:
    """A shift in Å of the given length, or evenly in the ball of `_JITTER` Å."""
    rng = np.random.default_rng(_words(key, seed))
    direction = rng.normal(size=3)
    length = _JITTER * rng.random() ** (1 / 3) if offset is None else offset
    shift: npt.NDArray[np.float64] = direction / np.linalg.norm(direction) * length
    return shift


def _lining(structure: Structure, ligand: npt.NDArray[np.float64]) -> list[str]:
    """The residues of polymers with an atom near the ligand, as users name them."""
    from scipy.spatial import cKDTree

    near = cKDTree(ligand).query(structure.positions)[0] <= _LINING
    near &= structure.of_kind(*POLYMERS)
    return [place(structure.residues[i]) for i in np.unique(structure.residue[near])]


def has_cofactor(structure: Structure, ligand: npt.NDArray[np.float64]) -> bool:
    """Whether a metal or cofactor of the receptor is within 4 Å of the ligand (n, 3)."""
    from scipy.spatial import cKDTree

    others = structure.positions[structure.of_kind("metal", "cofactor")]
    return bool(len(others)) and bool((cKDTree(others).query(ligand)[0] <= _NEAR).any())


def _words(key: str, seed: int) -> list[int]:
    """Integers that depend on a name and a seed alone."""
    digest = hashlib.sha256(f"{key} {seed}".encode()).digest()
    return np.frombuffer(digest, dtype=np.uint32).tolist()
