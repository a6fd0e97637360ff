"""Structures from PDB and mmCIF files: one model, one conformation, heavy atoms, and notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff.errors import InputError
from moldiff.protein.conformation import listed, one_conformation
from moldiff.protein.kinds import classify
from moldiff.protein.mmcif import parse_mmcif
from moldiff.protein.pdb import parse_pdb
from moldiff.protein.records import Records, read_bytes, sniff
from moldiff.protein.residues import ADDITIVES, STANDARD_BASES, TEMPLATES
from moldiff.protein.structure import POLYMERS, Residue, Structure
from moldiff.protein.survey import survey

__all__ = ["read_structure"]

_STANDARD = STANDARD_BASES | set(TEMPLATES)


def read_structure(
    path: str | Path,
    *,
    model: int = 1,
    waters: bool = False,
    additives: bool = False,
    exclude: Sequence[str] = (),
) -> Structure:
    """Read the receptor of a docking from a PDB or mmCIF file, gzipped or not.

    The format is told from the content.  Hydrogens (and deuterium) are left out.

    Parameters
    ----------
    path:
        The file.
    model:
        Which model to take, counted from 1 in the order of the file.
    waters:
        Keep the waters.
    additives:
        Keep what `residues.ADDITIVES` lists: buffers, salts, cryoprotectants.
    exclude:
        Groups to leave out, e.g. the ligand of the crystal: by name (``"LIG"``; not for
        the standard residues), as ``"A:401"`` (chain:number with insertion code), or a whole
        chain, ``"B:"``.

    Raises
    ------
    InputError
        No readable structure, no such model, or something to exclude that is not there.
    """
    path = Path(path)
    content = read_bytes(path)
    if sniff(content, path) == "cif":
        records, missing, notes = parse_mmcif(content, str(path))
    else:
        types = path.name.lower().removesuffix(".gz").endswith(".pdbqt")
        records, missing, notes = parse_pdb(content, elements=not types)
    if not len(records):
        raise InputError(
            f"No atom of the receptor file {path} could be read: {'; '.join(notes)}.",
            fix="Check that the columns follow the PDB format, or download the entry again.",
        )
    records = _one_model(records, model, path, notes)
    records = _heavy(records, path, notes)
    records, residue, chosen = one_conformation(records)
    notes += chosen
    residues = tuple(Residue(*key, kind=kind) for key, kind in classify(records, residue))
    keep = _kept(residues, waters=waters, additives=additives, exclude=exclude, notes=notes)
    structure = Structure(
        positions=records.positions,
        numbers=records.numbers,
        names=tuple(records.names.tolist()),
        residue=residue,
        residues=residues,
    )
    atoms = keep[residue]
    if not atoms.any():
        raise InputError(
            f"Nothing of the receptor file {path} is left: {'; '.join(notes)}.",
            fix="Give the structure of the protein, or keep more (waters, additives, exclude).",
        )
    structure, occupancy = structure.subset(atoms), records.occupancy[atoms]
    notes += survey(structure, occupancy, missing)
    return replace(structure, notes=tuple(notes))


def _one_model(records: Records, model: int, path: Path, notes: list[str]) -> Records:
    """The atoms of one model, counted from 1."""
    models = np.unique(records.model)
    if not 1 <= model <= len(models):
        raise InputError(
            f"{path} has {len(models)} model(s), so there is no model {model}.",
            fix=f"Choose a model from 1 to {len(models)}.",
        )
    if len(models) > 1:
        notes.append(f"model {model} of {len(models)} taken, the others left out")
    return records.take(records.model == models[model - 1])


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
            f"The receptor file {path} holds no heavy atoms.",
            fix="Check its atom names and its element column (77-78).",
        )
    return records.take(heavy)


def _kept(
    residues: Sequence[Residue],
    *,
    waters: bool,
    additives: bool,
    exclude: Sequence[str],
    notes: list[str],
) -> npt.NDArray[np.bool_]:
    """Which residues stay; what goes and what of the groups stays is noted."""
    excluded = _excluded(residues, exclude)
    water = np.array([r.kind == "water" for r in residues], dtype=bool)
    polymer = np.array([r.kind in POLYMERS for r in residues], dtype=bool)
    additive = np.array([r.name in ADDITIVES for r in residues], dtype=bool) & ~polymer & ~water
    gone = {
        "left out as asked": excluded,
        "waters left out": water & ~excluded if not waters else np.zeros_like(water),
        "additives left out": additive & ~excluded if not additives else np.zeros_like(water),
    }
    keep = ~np.logical_or.reduce(list(gone.values()))
    for what, mask in gone.items():
        if not mask.any():
            continue
        members = [r for r, hit in zip(residues, mask, strict=True) if hit]
        names = [f"{name} x{count}" for name, count in Counter(r.name for r in members).items()]
        if what == "waters left out":
            names = [str(len(members))]
        elif len(members) <= 8:
            names = [str(r) for r in members]
        notes.append(f"{what}: {listed(names)}")
    for kind, what in (
        ("metal", "metal ions"),
        ("cofactor", "groups (cofactors, ligands, sugars)"),
    ):
        names = [str(r) for r, kept in zip(residues, keep, strict=True) if kept and r.kind == kind]
        if names:
            notes.append(f"{what} kept as part of the receptor: {listed(names)}")
    return keep


def _excluded(residues: Sequence[Residue], exclude: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which residues the user's list names; InputError for an entry that names none."""
    result = np.zeros(len(residues), dtype=bool)
    for entry in exclude:
        wanted = entry.strip()
        chain, colon, number = wanted.partition(":")
        if colon and number:
            hit = [f"{r.chain}:{r.number}{r.insertion}" == wanted for r in residues]
        elif colon:
            hit = [r.chain == chain for r in residues]
        else:
            hit = [
                r.name.upper() == wanted.upper()
                and (r.kind not in POLYMERS or r.name not in _STANDARD)
                for r in residues
            ]
        if not any(hit):
            groups = [str(r) for r in residues if r.kind in ("cofactor", "metal")]
            raise InputError(
                f"The receptor has no group {entry!r} to leave out.",
                fix="Give a name (LIG), chain:number (A:401) or a chain (B:); the groups there "
                f"are: {listed(groups, 20) or 'none'}.",
            )
        result |= np.array(hit, dtype=bool)
    return result
