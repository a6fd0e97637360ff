"""A receptor made ready for docking, with an account of what was done and where it can dock.

``moldiff dock`` reads its receptor in the same way, so the file that is written gives the poses of
the file it was made of.  Beyond that the ligands of the experiment are left out, wherever they
are: their places are boxes to dock into.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError
from moldiff.protein.assembly import Assembly
from moldiff.protein.keeping import Fate, fates, notes_on
from moldiff.protein.occupants import LASTING, SMALLEST, chains_of, molecules
from moldiff.protein.occupants import ligands as ligands_of
from moldiff.protein.pocket import EDGE, Box, box_of
from moldiff.protein.read import read_contents
from moldiff.protein.receptor import Receptor, prepare_receptor
from moldiff.protein.selection import place
from moldiff.protein.sites import binding_sites, distinct
from moldiff.protein.structure import POLYMERS, Structure
from moldiff.protein.write import write_pdb
from moldiff.text import counted, digest_of
from moldiff.verbs import verb
from moldiff.version import __version__

__all__ = ["Candidate", "Preparation", "prepare"]

_SCHEMA = "moldiff.receptor 1"
_WRITTEN = (".pdb", ".ent")
_INSIDE = 5.0  # Å between a cavity's middle and an atom of what fills it
_LIGAND = "a ligand of the experiment"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A box to dock into, and what is there: a ligand, or a cavity."""

    box: Box
    what: str

    @property
    def options(self) -> str:
        """The options of ``moldiff dock`` that stand for the box."""
        centre, size = (_commas(v) for v in (self.box.centre, self.box.size))
        return f"--center={centre} --box-size {size}"


@dataclass(frozen=True, eq=False)
class Preparation:
    """A receptor, what became of every residue of its file, and where it can dock.

    Attributes
    ----------
    path, digest:
        The file, and twelve characters of the SHA-256 of its content.
    receptor:
        What is kept, typed and with polar hydrogens.
    fates:
        Of every residue of the file (of its assembly), in order.
    boxes:
        Where ligands are or were, then the cavities, the likeliest first.
    assemblies:
        The biological assemblies that the file describes.
    notes:
        Remarks on the reading, sentences each.
    ligands:
        The atoms of the ligands that are left out.
    """

    path: Path
    digest: str
    receptor: Receptor
    fates: tuple[Fate, ...]
    boxes: tuple[Candidate, ...]
    assemblies: tuple[Assembly, ...]
    notes: tuple[str, ...]
    ligands: Structure

    def __repr__(self) -> str:
        """What it holds, in a line."""
        kept = sum(fate.kept for fate in self.fates)
        return (
            f"<{self.path.name} prepared: {kept} of {counted(len(self.fates), 'residue')} kept, "
            f"{counted(len(self.boxes), 'box')}>"
        )

    @property
    def groups(self) -> list[Fate]:
        """What is neither polymer nor water, and all of a polymer that has a reason."""
        ordinary = (*POLYMERS, "water")
        return [f for f in self.fates if f.residue.kind not in ordinary or _odd(f)]

    @property
    def waters(self) -> tuple[int, int]:
        """How many waters are kept, and how many there are."""
        kept = [fate.kept for fate in self.fates if fate.residue.kind == "water"]
        return sum(kept), len(kept)

    @property
    def hydrogens(self) -> dict[str, int]:
        """How many polar hydrogens are the file's, and how many were placed."""
        total, given = len(self.receptor.hydrogens), self.receptor.structure.hydrogens
        known = {tuple(x) for x in given.tolist()}
        own = sum(tuple(x) in known for x in self.receptor.hydrogens.tolist())
        return {"of the file": own, "placed": total - own}

    def chains(self) -> list[tuple[str, int, str]]:
        """Return chain, number of residues and kind of each polymer that is kept."""
        kept = [f.residue for f in self.fates if f.kept and f.residue.kind in POLYMERS]
        count = Counter((residue.chain, residue.kind) for residue in kept)
        return [(chain, number, kind) for (chain, kind), number in count.items()]

    def write(self, path: str | Path) -> Path:
        """Write the receptor as PDB, which docks as the file it was made of; return the path.

        Raises
        ------
        InputError
            If it has another suffix or cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in _WRITTEN:
            raise InputError(
                f"The output '{path}' has the unknown suffix '{path.suffix}'.",
                fix=f"Prepared receptors are {' or '.join(_WRITTEN)} files.",
            )
        write_pdb(self.receptor, path, remark=f"moldiff {__version__} prepared this receptor")
        return path

    def to_json(self) -> str:
        """Return `to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but coordinates, JSON-ready."""
        return {
            "schema": _SCHEMA,
            "receptor": {"file": self.path.name, "sha256": self.digest},
            "chains": [
                {"chain": chain, "residues": number, "kind": kind}
                for chain, number, kind in self.chains()
            ],
            "residues": [
                {"residue": place(f.residue), "name": f.residue.name, "kind": f.residue.kind}
                | {"kept": f.kept, "why": f.why}
                for f in self.fates
                if f.residue.kind not in POLYMERS or _odd(f)
            ],
            "hydrogens": self.hydrogens,
            "protonation": [
                {"residue": place(s.residue), "name": s.residue.name}
                | {"hydrogen_on": list(s.atoms), "decided_by": s.why}
                for s in self.receptor.states
            ],
            "boxes": [
                {"what": c.what, "center": _rounded(c.box.centre), "size": _rounded(c.box.size)}
                for c in self.boxes
            ],
            "assemblies": {
                assembly.name: sum(len(copy.units) for copy in assembly.copies)
                for assembly in self.assemblies
            },
            "notes": list(self.notes),
        }


@verb
def prepare(
    receptor: str | Path,
    *,
    model: int = 1,
    assembly: str | None = None,
    waters: bool | float = False,
    exclude: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
) -> Preparation:
    """Prepare a receptor for docking: what is kept, left out and protonated, and where to dock.

    Ligands that are molecules of their own are left out unless ``keep`` names them; short chains,
    which may be ligands too, stay.

    >>> prepared = moldiff.prepare("1abc.cif")  # doctest: +SKIP
    >>> box = prepared.boxes[0].box  # doctest: +SKIP
    >>> moldiff.dock(prepared.write("1abc.pdb"), "CCO", center=box.centre)  # doctest: +SKIP

    Parameters
    ----------
    receptor:
        A ``.pdb`` or ``.cif`` file, also gzipped.
    model:
        The model to take, of a file with several.
    assembly:
        The biological assembly to build, by its name; by default the chains as they are.
    waters:
        Keep all (True), none (False), or those within so many Å of a ligand of the file.
    exclude:
        Groups to leave out, such as ``"LIG"`` or ``"A:401"``.
    keep:
        Groups to keep: waters (``"HOH"``), ligands, additives.

    Raises
    ------
    InputError
        The file cannot be read, or lacks what is asked for.
    """
    contents = read_contents(receptor, model=model, assembly=assembly)
    structure = contents.structure
    ligands = [m for m in ligands_of(structure) if structure.residues[m[0]].kind not in POLYMERS]
    leave = {i: _LIGAND for whole in ligands for i in whole}
    outcomes = fates(structure, waters=waters, exclude=exclude, keep=keep, leave=leave)
    prepared = prepare_receptor(contents.part(outcomes))
    repeats = set(notes_on(outcomes))  # which the fates say better
    notes = [note for note in prepared.structure.notes if note not in repeats]
    left = np.array([fate.why == _LIGAND for fate in outcomes], dtype=bool)
    return Preparation(
        path=contents.path,
        digest=digest_of(contents.path),
        receptor=prepared,
        fates=_explained(outcomes, structure),
        boxes=tuple(_boxes(structure, prepared, ligands)),
        assemblies=contents.assemblies,
        notes=(*notes, *_short_chains(prepared.structure)),
        ligands=structure.subset(left[structure.residue]),
    )


def _odd(fate: Fate) -> bool:
    """Whether something was decided about a residue of a chain; waters are counted."""
    return fate.residue.kind in POLYMERS and (not fate.kept or bool(fate.why))


def _explained(outcomes: Sequence[Fate], structure: Structure) -> tuple[Fate, ...]:
    """Say of groups that stay why, too."""
    size = np.bincount(structure.residue, minlength=len(outcomes))
    atoms = {i: int(size[whole].sum()) for whole in molecules(structure) for i in whole}
    result = []
    for i, fate in enumerate(outcomes):
        why = fate.why
        if fate.kept and not why and fate.residue.kind == "metal":
            why = "a metal ion"
        elif fate.kept and not why and fate.residue.kind == "cofactor":
            small = "too small for a ligand" if atoms[i] < SMALLEST else "bonded to the chain"
            why = "a cofactor" if fate.residue.name in LASTING else small
        result.append(replace(fate, why=why))
    return tuple(result)


def _short_chains(structure: Structure) -> list[str]:
    return [
        f"chain {structure.residues[members[0]].chain} is short enough ({len(members)} residues) "
        f"to be a ligand; to leave it out: --exclude {structure.residues[members[0]].chain}:"
        for members in chains_of(structure)
        if structure.residues[members[0]].chain
    ]


def _boxes(
    structure: Structure, receptor: Receptor, ligands: Sequence[Sequence[int]]
) -> list[Candidate]:
    """Where ligands are, then the cavities of what is kept, and which ligand lies in them.

    Of the copies of a cavity in the chains of an oligomer there is one, as `moldiff dock` has it.
    """
    places = {
        ", ".join(str(structure.residues[i]) for i in members): structure.positions[
            np.isin(structure.residue, list(members))
        ]
        for members in ligands
    }
    candidates = [
        Candidate(Box(atoms.mean(0), np.array([EDGE])), f"ligand {name}")
        for name, atoms in places.items()
    ]
    for rank, (site, copies) in enumerate(distinct(binding_sites(receptor.structure)), start=1):
        centres = [one.cavity.centre for one in (site, *copies)]
        inside = [name for name, atoms in places.items() if _fills(atoms, centres)]
        lies = "lies" if len(inside) == 1 else "lie"
        what = f"cavity {rank}" + (f", where {' and '.join(inside)} {lies}" if inside else "")
        if copies:
            others = "; ".join(_commas(np.round(centre, 1)) for centre in centres[1:])
            what += f"; copies of it are at {others}"
        candidates.append(Candidate(box_of(site), what))
    return candidates


def _fills(
    atoms: npt.NDArray[np.float32], centres: Sequence[npt.NDArray[np.floating[Any]]]
) -> bool:
    """Whether an atom is near the middle of a cavity or of one of its copies."""
    return any(np.linalg.norm(atoms - centre, axis=1).min() < _INSIDE for centre in centres)


def _commas(values: npt.NDArray[np.float32]) -> str:
    return ",".join(f"{value:g}" for value in _rounded(values))


def _rounded(values: npt.NDArray[np.float32]) -> list[float]:
    return [round(float(value), 3) + 0.0 for value in values]  # no -0
