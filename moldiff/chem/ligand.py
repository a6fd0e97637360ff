"""From whatever a file holds to a ligand that can be docked, or the reason why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from moldiff.chem.protonate import protonate
from moldiff.chem.quiet import quiet
from moldiff.chem.salts import compound
from moldiff.chem.stereo import open_stereo, racemic
from moldiff.chem.tripos import with_charges_of_types

__all__ = ["ELEMENTS", "MAX_HEAVY_ATOMS", "PH", "Ligand", "prepare_ligand"]

MAX_HEAVY_ATOMS = 100
"""Ligands beyond this are refused: peptides and lipids no rigid-pocket search can place."""

PH = 7.4
"""The one pH the protonation rules are written for."""

_SOME = 3  # unpaired electrons: so many mean that hydrogens were left out

ELEMENTS = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53})
"""Atomic numbers a ligand may hold: H B C N O F Si P S Cl Se Br I."""


@dataclass(frozen=True, eq=False)
class Ligand:
    """A sanitised molecule of one fragment.

    Attributes
    ----------
    mol:
        Atoms in the input's order, with the hydrogens the input has, stereo perceived (from 3D
        coordinates where there are any).
    notes:
        What was changed or is doubtful, one sentence each.
    unspecified:
        Number of stereo centres and bonds that are open.
    racemic:
        Whether it is marked as a racemate, or as one enantiomer of unknown configuration.
    """

    mol: Chem.Mol
    notes: tuple[str, ...] = ()
    unspecified: int = 0
    racemic: bool = False


def prepare_ligand(mol: Chem.Mol | None, *, ph: float | None = None) -> Ligand | str:
    """Prepare a molecule, sanitised or not, for docking.

    Of a salt or mixture the compound is kept (`moldiff.chem.salts`); hydrogens that the file left
    out are added.  With ``ph=None`` the protonation is the
    input's; with 7.4 the rules of `moldiff.chem.protonate` decide.

    Returns
    -------
    Ligand or str
        Or the reason why it cannot be docked.

    Raises
    ------
    ValueError
        For another pH, for which there are no rules.
    """
    if ph is not None and ph != PH:
        raise ValueError(
            f"ph is {ph:g}; there are rules for {PH:g} only, or None to keep the input"
        )
    if mol is None or mol.GetNumAtoms() == 0:
        return "empty molecule"
    with quiet():
        if _bondless(mol):
            return "atoms without bonds: give the ligand as SDF, MOL2 or SMILES"
        typed = with_charges_of_types(mol)
        clean = _sanitised(typed)
        if isinstance(clean, str):
            return clean
        if clean.GetNumHeavyAtoms() == 1 and _radicals(clean):
            return "a bare atom with unpaired electrons is no molecule"
        clean, notes = _complete(clean, bare=typed is not mol)
        chosen = compound(clean)
        if isinstance(chosen, str):
            return chosen
        clean, notes = chosen[0], [*notes, *chosen[1]]
        reason = _refusal(clean)
        if reason is not None:
            return reason
        notes += _radicals(clean)
        if ph is not None:
            clean = protonate(clean)
        unspecified, mixed = len(open_stereo(clean)), racemic(clean)
    return Ligand(clean, tuple(notes), unspecified, mixed)


def _bondless(mol: Chem.Mol) -> bool:
    """Whether these are the atoms of a molecule without its bonds, as XYZ files have them."""
    carbon = any(atom.GetAtomicNum() == 6 for atom in mol.GetAtoms())
    return bool(mol.GetNumConformers() and mol.GetNumAtoms() > 1 and carbon) and (
        mol.GetNumBonds() == 0
    )


def _complete(mol: Chem.Mol, *, bare: bool) -> tuple[Chem.Mol, list[str]]:
    """Add hydrogens that a file left out, and say so; a lone radical is taken for one.

    A ``bare`` molecule has room for all its hydrogens already.
    """
    if bare:
        count = sum(atom.GetTotalNumHs() for atom in mol.GetAtoms())
        return mol, [_added(mol, count)] if count else []
    open_shell = [atom for atom in mol.GetAtoms() if atom.GetNumRadicalElectrons()]
    electrons = [atom.GetNumRadicalElectrons() for atom in open_shell]
    if sum(electrons) < _SOME and max(electrons, default=0) < _SOME - 1:
        return mol, []
    copy = Chem.RWMol(mol)
    for atom in open_shell:
        filled = copy.GetAtomWithIdx(atom.GetIdx())
        filled.SetNoImplicit(False)
        filled.SetNumRadicalElectrons(0)
    Chem.SanitizeMol(copy)
    added = sum(copy.GetAtomWithIdx(a.GetIdx()).GetNumImplicitHs() for a in open_shell)
    return copy.GetMol(), [_added(copy, added)]


def _added(mol: Chem.Mol, count: int) -> str:
    smiles = Chem.MolToSmiles(Chem.RemoveHs(mol))
    return f"hydrogens that the input lacked were added, {count} of them: they make it {smiles}"


def _radicals(mol: Chem.Mol) -> list[str]:
    """Notes on unpaired electrons, which docking does not know."""
    radicals = [
        f"{atom.GetSymbol()}{atom.GetIdx() + 1}"
        for atom in mol.GetAtoms()
        if atom.GetNumRadicalElectrons()
    ]
    note = (
        f"a radical, unpaired electrons on {', '.join(radicals)}: taken as it is; check the input"
    )
    return [note] if radicals else []


def _sanitised(mol: Chem.Mol) -> Chem.Mol | str:
    copy = Chem.Mol(mol)
    copy.UpdatePropertyCache(strict=False)
    _charge_crowded_nitrogen(copy)
    try:
        Chem.SanitizeMol(copy)
    except (ValueError, RuntimeError) as error:
        return f"cannot be sanitised: {str(error).strip()}"
    if not copy.GetNumConformers():
        Chem.AssignStereochemistry(copy, cleanIt=True, force=True)
        return copy
    x = copy.GetConformer().GetPositions()
    if not np.isfinite(x).all():
        copy.RemoveAllConformers()
    elif np.ptp(x[:, 2]) > 1e-3:
        copy.GetConformer().Set3D(True)
        Chem.AssignStereochemistryFrom3D(copy)
    else:
        Chem.AssignChiralTypesFromBondDirs(copy)
        Chem.DetectBondStereochemistry(copy)
        Chem.AssignStereochemistry(copy, cleanIt=True, force=True)
    return copy


def _charge_crowded_nitrogen(mol: Chem.Mol) -> None:
    """Nitrogen of four single bonds without its charge, as many MOL2 files have it."""
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 7 and atom.GetFormalCharge() == 0:
            single = all(b.GetBondType() == Chem.BondType.SINGLE for b in atom.GetBonds())
            if single and atom.GetDegree() == 4:
                atom.SetFormalCharge(1)


def _refusal(mol: Chem.Mol) -> str | None:
    heavy = mol.GetNumHeavyAtoms()
    if heavy == 0:
        return "no heavy atoms"
    if heavy > MAX_HEAVY_ATOMS:
        return f"too large: {heavy} heavy atoms, at most {MAX_HEAVY_ATOMS}"
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() not in ELEMENTS:
            return f"unsupported element: {atom.GetSymbol()} (atom {atom.GetIdx() + 1})"
    return None
