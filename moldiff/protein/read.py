"""Structures from PDB and mmCIF files: one model, one conformation, heavy atoms, and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError
from moldiff.protein.assembly import Assembly, build
from moldiff.protein.conformation import listed, one_conformation
from moldiff.protein.elements import SYMBOLS
from moldiff.protein.keeping import Fate, fates, is_additive, notes_on
from moldiff.protein.kinds import classify
from moldiff.protein.mmcif import parse_mmcif
from moldiff.protein.pdb import parse_pdb
from moldiff.protein.records import Missing, Records, read_bytes, sniff
from moldiff.protein.structure import Residue, Structure
from moldiff.protein.survey import survey
from moldiff.text import counted

_BONDED = 1.35  # Å, of a hydrogen; S-H is the longest

__all__ = ["Contents", "contents_of", "read_contents", "read_structure"]


@dataclass(frozen=True, eq=False)
class Contents:
    """One model of a structure file in one conformation, before anything is left out.

    Attributes
    ----------
    path:
        The file.
    structure:
        All heavy atoms, waters and additives too; its notes are about the reading.
    occupancy:
        (m,) of these atoms.
    missing:
        The residues that the file itself lists as missing.
    assemblies:
        The biological assemblies that the file describes.
    """

    path: Path
    structure: Structure
    occupancy: npt.NDArray[np.float32]
    missing: tuple[Missing, ...]
    assemblies: tuple[Assembly, ...] = ()

    def receptor(
        self,
        *,
        waters: bool | float = False,
        additives: bool = False,
        exclude: str | Sequence[str] = (),
        keep: str | Sequence[str] = (),
        leave: Mapping[int, str] = MappingProxyType({}),
    ) -> Structure:
        """Return the atoms of the receptor; the notes say what was left out and what was kept.

        Parameters
        ----------
        waters, additives, exclude, keep:
            See `read_structure`.
        leave:
            Further residues to leave out, and why: the ligand that defines the pocket.

        Raises
        ------
        InputError
            What is to be left out or kept is not there, or nothing else is.
        """
        return self.part(
            fates(
                self.structure,
                waters=waters,
                additives=additives,
                exclude=exclude,
                keep=keep,
                leave=leave,
            )
        )

    def part(self, outcomes: Sequence[Fate]) -> Structure:
        """Return the atoms of the residues that are kept; see `receptor`."""
        notes = [*self.structure.notes, *notes_on(outcomes)]
        kept = np.array([fate.kept for fate in outcomes], dtype=bool)
        atoms = kept[self.structure.residue]
        if not atoms.any():
            raise InputError(
                f"Nothing of the receptor file {self.path} is left: {'; '.join(notes)}.",
                fix="Give the structure of the protein, or keep more (waters, additives, exclude).",
            )
        structure = self.structure.subset(atoms)
        notes += survey(structure, self.occupancy[atoms], self.missing)
        return replace(structure, notes=tuple(notes))


def read_structure(
    path: str | Path,
    *,
    model: int = 1,
    assembly: str | None = None,
    waters: bool | float = False,
    additives: bool = False,
    exclude: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
) -> Structure:
    """Read the receptor of a docking from a PDB or mmCIF file, gzipped or not.

    The format is told from the content.  Hydrogens (and deuterium) stand apart from the atoms.

    Parameters
    ----------
    path:
        The file.
    model:
        Which model to take, counted from 1 in the order of the file.
    assembly:
        The biological assembly to build, as the file numbers them; by default the chains are
        those of the file.
    waters:
        Keep the waters; of a number, those within so many Å of a ligand of the file.
    additives:
        Keep what `residues.ADDITIVES` lists: buffers, salts, cryoprotectants.
    exclude:
        Groups to leave out, e.g. the ligand of the crystal: by name (``"LIG"``; not for
        the standard residues), as ``"A:401"`` (chain:number with insertion code), or a whole
        chain, ``"B:"``.
    keep:
        Groups, waters or additives to keep whatever else says, named alike: ``"HOH"``.

    Raises
    ------
    InputError
        No readable structure, no such model or assembly, or something to exclude or keep that is
        not there.
    """
    contents = read_contents(path, model=model, assembly=assembly)
    return contents.receptor(waters=waters, additives=additives, exclude=exclude, keep=keep)


def read_contents(path: str | Path, *, model: int = 1, assembly: str | None = None) -> Contents:
    """Read all that a structure file holds of one model; see `read_structure`."""
    return contents_of(read_bytes(Path(path)), Path(path), model=model, assembly=assembly)


def contents_of(
    content: bytes, path: Path, *, model: int = 1, assembly: str | None = None
) -> Contents:
    """Return what the content of a structure file holds; ``path`` is for messages."""
    if sniff(content, path) == "cif":
        records, missing, assemblies, notes = parse_mmcif(content, str(path))
    else:
        types = path.name.lower().removesuffix(".gz").endswith(".pdbqt")
        parsed = parse_pdb(content, elements=not types, where=str(path))
        records, missing, assemblies, notes = parsed
    if not len(records):
        raise InputError(
            f"No atom of the structure file {path} could be read: {'; '.join(notes)}.",
            fix="Check that the columns follow the PDB format, or download the entry again.",
        )
    records = _one_model(records, model, path, notes)
    if assembly is not None:
        records, copied = build(records, _assembly(assemblies, assembly, path))
        notes += copied
        missing = tuple(one for one in missing if one.chain in records.chain)
    light = records.take(records.numbers == 1)
    records = _heavy(records, path, notes)
    records, residue, chosen = one_conformation(records)
    structure = Structure(
        positions=records.positions,
        numbers=records.numbers,
        names=tuple(records.names.tolist()),
        residue=residue,
        residues=tuple(Residue(*key, kind=kind) for key, kind in classify(records, residue)),
        notes=(*notes, *chosen),
    )
    hydrogens, parents = _hydrogens(light, records)
    structure = replace(structure, hydrogens=hydrogens, hydrogen_parent=parents)
    structure = replace(structure, notes=(*structure.notes, *_lone(structure)))
    return Contents(path, structure, records.occupancy, missing, assemblies)


def _one_model(records: Records, model: int, path: Path, notes: list[str]) -> Records:
    """The atoms of one model, counted from 1."""
    models = np.unique(records.model)
    if not 1 <= model <= len(models):
        raise InputError(
            f"{path} has {counted(len(models), 'model')}, so there is no model {model}.",
            fix=f"Choose a model from 1 to {len(models)}."
            if len(models) > 1
            else "Leave the choice out.",
        )
    if len(models) > 1:
        notes.append(f"model {model} of {len(models)} taken, the others left out")
    return records.take(records.model == models[model - 1])


def _assembly(there: Sequence[Assembly], name: str, path: Path) -> Assembly:
    """The assembly of a name."""
    for assembly in there:
        if assembly.name == name.strip():
            return assembly
    names = ", ".join(assembly.name for assembly in there)
    raise InputError(
        f"{path} describes no assembly {name!r}.",
        fix=f"Choose one of: {names}." if names else "It describes none: leave --assembly out.",
    )


def _heavy(records: Records, path: Path, notes: list[str]) -> Records:
    """The atoms that are neither hydrogens nor of unknown element."""
    unknown = records.numbers == 0
    if unknown.any():
        names = [
            f"{n!r} of {r}"
            for n, r in zip(
                records.names[unknown].tolist(), records.residue[unknown].tolist(), strict=True
            )
        ]
        notes.append(
            f"{unknown.sum()} atoms of unknown element left out: {listed(sorted(set(names)))}"
        )
    heavy = records.numbers > 1
    if not heavy.any():
        raise InputError(
            f"The structure file {path} holds no heavy atoms.",
            fix="Check its atom names and its element column (77-78).",
        )
    return records.take(heavy)


def _hydrogens(
    light: Records, heavy: Records
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The hydrogens (h, 3) of a file and the atoms (h,) they are bonded to; each name once."""
    from scipy.spatial import cKDTree

    if not len(light):
        return light.positions.reshape(0, 3), np.zeros(0, dtype=np.int64)
    far, parent = cKDTree(heavy.positions).query(light.positions)
    seen: set[tuple[int, str]] = set()
    rows = []
    for row in np.flatnonzero(far < _BONDED).tolist():
        key = (int(parent[row]), str(light.names[row]))
        if key not in seen:
            rows.append(row)
            seen.add(key)
    order = sorted(rows, key=lambda row: int(parent[row]))
    return light.positions[order], parent[order].astype(np.int64)


def _lone(structure: Structure) -> list[str]:
    """A note on single atoms that are no known ion: what they were read as may be wrong."""
    size = np.bincount(structure.residue, minlength=len(structure.residues))
    names = [
        f"{residue} (as {SYMBOLS[structure.numbers[structure.residue == i][0]]})"
        for i, residue in enumerate(structure.residues)
        if size[i] == 1 and residue.kind == "cofactor" and not is_additive(residue, structure, i)
    ]
    return [f"single atoms that are no known ion: {listed(names)}"] if names else []
