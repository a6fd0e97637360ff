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

from moldiff.errors import InputError
from moldiff.protein.assembly import Assembly
from moldiff.protein.boxes import Candidate, boxes
from moldiff.protein.keeping import Fate, fates, notes_on
from moldiff.protein.occupants import LASTING, SMALLEST, chains_of, molecules
from moldiff.protein.occupants import ligands as ligands_of
from moldiff.protein.read import read_contents
from moldiff.protein.receptor import Receptor, prepare_receptor
from moldiff.protein.selection import place
from moldiff.protein.structure import POLYMERS, Structure
from moldiff.protein.write import receptor_pdb
from moldiff.tabular import Findings, Row, save_as
from moldiff.text import counted, digest_of
from moldiff.verbs import verb
from moldiff.version import __version__

__all__ = ["Preparation", "prepare"]

_SCHEMA = "moldiff.receptor 1"
_WRITTEN = (".pdb", ".ent")
_BOX = tuple(f"{what}_{axis}_angstrom" for what in ("center", "size") for axis in "xyz")
_LIGAND = "a ligand of the experiment"


@dataclass(frozen=True, eq=False)
class Preparation(Findings):
    """A receptor, what became of every residue of its file, and where it can dock.

    A notebook shows its page.

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

    def rows(self) -> list[Row]:
        """Return a row for each of `groups`, then one for each of `boxes`; ``item`` says which.

        ``kind`` of a box is what it is about, "ligand" or "cavity"; boxes have their centre and
        edges in Å, groups whether and why they are kept.  None where there is no value.
        """
        rows: list[Row] = [
            {"item": "group", "name": str(f.residue), "kind": f.residue.kind}
            | {"kept": "yes" if f.kept else "no", "why": f.why}
            | dict.fromkeys(_BOX)
            for f in self.groups
        ]
        for one in self.boxes:
            numbers = (*one.place["center"], *one.place["size"])
            rows.append(
                {"item": "box", "name": one.what, "kind": one.kind, "kept": None, "why": None}
                | dict(zip(_BOX, numbers, strict=True))
            )
        return rows

    def save(self, path: str | Path) -> Path:
        """Write the receptor (.pdb), the rows (.csv), `to_json` (.json) or the page (.html).

        A file that is there is replaced, once the new one is complete.  Returns the path.

        Raises
        ------
        InputError
            If it cannot be written, or has another suffix.
        """
        texts = {".csv": self.to_csv, ".json": self.to_json, ".html": self.to_html}
        structures = dict.fromkeys(_WRITTEN, self._to_pdb)
        return save_as(path, {**structures, **texts}, "Prepared receptors")

    def to_html(self) -> str:
        """Return a page with the receptor and its boxes, which needs no network."""
        from moldiff.view.preparation import render_preparation

        return render_preparation(self)

    def _repr_html_(self) -> str:
        """The page in a frame, for notebooks."""
        from moldiff.view.verb import Page

        return Page(self.to_html(), f"{self.path.name}, prepared")._repr_html_()

    def _to_pdb(self) -> str:
        return receptor_pdb(self.receptor, remark=f"moldiff {__version__} prepared this receptor")

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
        return self.save(path)

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
            "boxes": [{"what": candidate.what, **candidate.place} for candidate in self.boxes],
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
        boxes=tuple(boxes(structure, prepared, ligands)),
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
