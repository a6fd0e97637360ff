"""The text formats, one renderer each: a molecule in, the text of its record out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.validity import canonical_smiles

__all__ = ["FORMATS", "Format", "kekulised"]


@dataclass(frozen=True)
class Format:
    """How records of one format are rendered and put together."""

    render: Callable[[Chem.Mol, str, Mapping[str, str]], str]
    header: str = ""
    separator: str = ""
    footer: str = ""


def kekulised(mol: Chem.Mol) -> Chem.Mol:
    """Return a copy with single, double and triple bonds where that is possible."""
    copy = Chem.Mol(mol)
    if any(bond.GetIsAromatic() for bond in copy.GetBonds()):
        try:
            Chem.Kekulize(copy, clearAromaticFlags=True)
        except (ValueError, RuntimeError):
            copy = Chem.Mol(mol)
    copy.UpdatePropertyCache(strict=False)
    return copy


def _smiles(mol: Chem.Mol) -> str:
    """Canonical SMILES; for what is no valid molecule, its graph as it stands."""
    known = canonical_smiles(mol, stereo=True)
    if known is not None:
        return known
    with quiet():
        return str(Chem.MolToSmiles(kekulised(mol)))


def _sdf(mol: Chem.Mol, name: str, tags: Mapping[str, str]) -> str:
    with quiet():
        copy = kekulised(mol)
        copy.SetProp("_Name", name)
        # Stereochemistry is in the coordinates; asking RDKit to write it too needs a
        # sanitised molecule, which a generated one may not be.
        block = Chem.MolToMolBlock(copy, includeStereo=False, kekulize=False)
    lines = [block.rstrip("\n")]
    for key, value in tags.items():
        clean = "".join("_" if c in "<>\r\n" else c for c in key)
        # A blank line ends the field, so a value keeps its lines but not its gaps.
        rows = [row for row in value.splitlines() if row.strip()]
        lines += [f">  <{clean}>", *rows, ""]
    return "\n".join([*lines, "$$$$", ""])


def _smi(mol: Chem.Mol, name: str, tags: Mapping[str, str]) -> str:
    return f"{_smiles(mol)} {name}".rstrip() + "\n"


def _xyz(mol: Chem.Mol, name: str, tags: Mapping[str, str]) -> str:
    comment = " ".join([name, *(_pair(key, value) for key, value in tags.items())]).strip()
    lines = [str(mol.GetNumAtoms()), comment]
    positions = _positions(mol) or [[0.0, 0.0, 0.0]] * mol.GetNumAtoms()
    for atom, (x, y, z) in zip(mol.GetAtoms(), positions, strict=True):
        lines.append(f"{atom.GetSymbol():<2} {x:12.6f} {y:12.6f} {z:12.6f}")
    return "\n".join([*lines, ""])


def _pair(key: str, value: str) -> str:
    """``key=value`` of extended XYZ, quoted where it must be."""
    plain = " ".join(value.split())
    if not plain or any(letter in plain for letter in ' "{['):
        escaped = plain.replace("\\", r"\\").replace('"', r"\"")
        plain = f'"{escaped}"'
    return f"{'_'.join(key.split())}={plain}"


def _positions(mol: Chem.Mol) -> list[list[float]] | None:
    if mol.GetNumConformers() == 0 or mol.GetNumAtoms() == 0:
        return None if mol.GetNumAtoms() else []
    return [[float(x) for x in row] for row in mol.GetConformer().GetPositions()]


def _json(mol: Chem.Mol, name: str, tags: Mapping[str, str]) -> str:
    """Keys: name, smiles, elements, charges, bonds ([i, j, order], from 0), positions (Å), tags."""
    copy = kekulised(mol)
    positions = _positions(mol)
    if positions is not None:
        positions = [[round(x, 6) if math.isfinite(x) else None for x in row] for row in positions]  # type: ignore[misc]
    document = {
        "name": name,
        "smiles": _smiles(mol),
        "elements": [atom.GetSymbol() for atom in copy.GetAtoms()],
        "charges": [atom.GetFormalCharge() for atom in copy.GetAtoms()],
        "bonds": [
            [bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), int(bond.GetBondTypeAsDouble())]
            for bond in copy.GetBonds()
        ],
        "positions": positions,
        "tags": dict(tags),
    }
    return json.dumps(document, ensure_ascii=False)


#: Format name -> how it is written.
FORMATS: dict[str, Format] = {
    "sdf": Format(_sdf),
    "smi": Format(_smi),
    "xyz": Format(_xyz),
    "json": Format(_json, header="[\n", separator=",\n", footer="\n]\n"),
}
