"""The forms of a ligand that are docked each on its own: tautomers, and isomers it leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moldiff.chem.ligand import prepare_ligand
from moldiff.chem.stereo import MAX_ISOMERS, isomers, smiles_of
from moldiff.chem.tautomers import tautomers
from moldiff.docking.ligands import stereo_notes

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["Form", "Forms", "forms_of"]


@dataclass(frozen=True, eq=False)
class Form:
    """One form: ``label`` is for names, empty for the only one; ``note`` says which it is."""

    mol: Chem.Mol
    label: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Forms:
    """All forms of a ligand, its own ``smiles``, and notes on it; ``capped``: there may be more."""

    forms: tuple[Form, ...]
    smiles: str = ""
    notes: tuple[str, ...] = ()
    capped: bool = False


def forms_of(mol: Chem.Mol, *, stereo: bool = False, tautomers_at_most: int = 1) -> Forms:
    """Return the forms of a molecule; of one that cannot be docked, itself."""
    prepared = prepare_ligand(mol)
    if isinstance(prepared, str):
        return Forms((Form(mol),))
    ways = tautomers(prepared.mol, tautomers_at_most) if tautomers_at_most > 1 else [prepared.mol]
    forms, capped = [], False
    for t, way in enumerate(ways, start=1):
        own = isomers(way) if stereo else [way]
        capped |= len(own) == MAX_ISOMERS
        for k, form in enumerate(own, start=1):
            labels = [f"_tautomer{t}"] if len(ways) > 1 else []
            notes = [f"tautomer {t} of {len(ways)}"] if len(ways) > 1 else []
            if len(own) > 1:
                labels.append(f"_isomer{k}")
                notes.append(f"isomer {k} of {len(own)}")
            forms.append(Form(form, "".join(labels), ", ".join(notes)))
    if len(forms) == 1:
        return Forms((Form(mol),))
    remarks = prepared.notes if stereo else (*prepared.notes, *stereo_notes(prepared))
    return Forms(tuple(forms), smiles_of(prepared.mol), remarks, capped)
