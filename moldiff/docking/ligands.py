"""Reading ligands and reference poses, and what their stereochemistry means for a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from moldiff.errors import InputError

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.chem.ligand import Ligand

__all__ = ["parse_smiles", "read_ligand", "read_reference", "stereo_notes"]


def read_ligand(text: str | Path, option: str = "--ligand") -> tuple[Chem.Mol, str]:
    """Read the one molecule of a file, or a SMILES, with its name.

    ``option`` is where the user gave it, for the errors.

    Raises
    ------
    InputError
        If it is neither, cannot be read, or holds several molecules.
    """
    from moldiff.io import identifier, is_molecule_file, molecule_stem, read_molecules

    path = Path(text)
    if not str(text).strip():
        raise InputError(f"{option} is empty.", fix=_fix(path))
    if not is_molecule_file(path):
        mol = parse_smiles(str(text).strip())
        if mol is None:
            raise InputError(
                f"The ligand {str(text)[:60]!a} is neither a file nor a valid SMILES.",
                fix=_fix(path),
            )
        return mol, "ligand"
    records = list(read_molecules(path))
    if len(records) > 1:
        raise InputError(
            f"{path} holds {len(records)} molecules, {option} takes one.",
            fix="Give a file with one" + (", or --ligands." if option == "--ligand" else "."),
        )
    record = records[0].with_bonds()
    if record.mol is None:
        raise InputError(
            f"The molecule of {option} in {path} cannot be read: {record.reason}.",
            fix="Check what it holds.",
        )
    name = record.name or identifier(record.tags)
    return record.mol, " ".join(name.split()) or molecule_stem(path)


def _fix(path: Path) -> str:
    """What to do about a ligand that is neither a known kind of file nor a SMILES."""
    if path.suffix.lower() in (".pdb", ".ent", ".cif", ".mmcif", ".pdbqt"):
        return "A structure file holds no bond orders: give the ligand as SDF, MOL2 or SMILES."
    return "Give a path that ends in .sdf, .mol, .mol2 or .smi, or quote the SMILES."


def read_reference(path: str | Path, option: str = "--reference") -> Chem.Mol:
    """Read a known pose: a molecule with coordinates.

    ``option`` is where the user gave it, for the errors.

    Raises
    ------
    InputError
        If the file cannot be read, or the molecule has no coordinates.
    """
    mol, _ = read_ligand(Path(path), option)
    if not mol.GetNumConformers() or not mol.GetConformer().Is3D():
        raise InputError(
            f"The molecule of {option} in {path} has no 3D coordinates.",
            fix="Give its pose as SDF or MOL2.",
        )
    return mol


def parse_smiles(smiles: str) -> Chem.Mol | None:
    """Return the molecule of a SMILES, hydrogens implicit; None if there is none."""
    from rdkit import Chem

    from moldiff.chem.quiet import quiet

    with quiet():
        mol = Chem.MolFromSmiles(smiles) if smiles else None
    return mol if mol is not None and mol.GetNumAtoms() else None


def stereo_notes(ligand: Ligand, *, posed: bool = False) -> tuple[str, ...]:
    """Return notes on the stereochemistry that a ligand leaves open, ``posed`` or to be docked."""
    mixed = (
        "the poses mix isomers, each record's SMILES says which; --enumerate-stereo docks each on "
        "its own"
    )
    both = "docked as drawn; --enumerate-stereo docks both"
    count, notes = ligand.unspecified, list[str]()
    if count:
        what = "centre or bond is" if count == 1 else "centres or bonds are"
        means = "its coordinates do not tell it either" if posed else mixed
        notes.append(f"{count} stereo {what} unspecified: {means}")
    if ligand.racemic:
        means = "taken as its coordinates show it" if posed else both
        what = "marked as a racemate, or as one enantiomer of unknown configuration"
        notes.append(f"{what}: {means}")
    return tuple(notes)
