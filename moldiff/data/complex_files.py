"""Reading the folder of a protein-ligand complex into a `Complex`, or a reason for failure."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.chem.graph import molecular_graph, symmetries
from moldiff.chem.quiet import quiet
from moldiff.chem.rotors import find_rotors
from moldiff.data.complexes import Complex
from moldiff.data.match import match
from moldiff.protein.tokens import atom_tokens

__all__ = ["LIGAND", "POCKET", "fragments", "read_complex", "read_pocket"]

LIGAND, POCKET = "ligand.sdf", "pocket.pdb"
"""The files of a complex."""
LARGEST = 60  # heavy atoms
CLASH = 2.2  # Å between ligand and pocket; closer atoms are bonded or misplaced
COORDINATION = 1.6  # Å, the limit for metals
MISFIT = 1.0  # Å; largest RMSD of the best conformer to the crystal pose
CONFORMERS = 3
_ATTEMPTS = 3
_NONMETALS = (5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53)
_SPARE = 1.5  # Å, largest misfit of further conformers

_Pocket = tuple[npt.NDArray[np.float32], list[str], list[str], npt.NDArray[np.int16], list[str]]


def read_complex(folder: Path, *, seed: int = 0) -> Complex | str:
    """Return the complex in ``folder`` (``ligand.sdf``, ``pocket.pdb``), or a reason."""
    with quiet():
        try:
            return _read(folder, seed)
        except (OSError, UnicodeDecodeError) as error:
            return f"unreadable file: {error.__class__.__name__}"
        except (ValueError, RuntimeError) as error:  # raised by RDKit at any stage
            return f"failed: {str(error).splitlines()[0][:60]}"


def _read(folder: Path, seed: int) -> Complex | str:
    mol = _ligand(folder)
    if isinstance(mol, str):
        return mol
    n = mol.GetNumAtoms()
    crystal = mol.GetConformer().GetPositions().astype(np.float32)
    x, residues, names, numbers, keys = read_pocket(folder / POCKET)
    if len(x) < 50 or "CB" not in names:
        return "pocket: C-alpha atoms only, or hardly any"
    square = ((x[:, None] - crystal) ** 2).sum(-1)
    metal = ~np.isin(numbers, _NONMETALS)
    if (square.min(1) < np.where(metal, COORDINATION, CLASH) ** 2).any():
        return f"closest contact under {CLASH} Å ({COORDINATION} Å to metals)"
    if (square.min(0) < 4.5**2).mean() < 0.3:
        return "ligand: less than a third in contact with the pocket"
    rotors = find_rotors(mol)
    for attempt in range(_ATTEMPTS):
        conformers = _conformers(mol, seed + attempt * 1000)
        if conformers is None:
            return "ligand: cannot be embedded"
        matches = [match(c, rotors, crystal) for c in conformers]
        best = min(m.rmsd for m in matches)
        if best <= MISFIT:
            break
    else:
        return f"ligand: no conformer within {MISFIT} Å"
    accepted = [k for k, m in enumerate(matches) if m.rmsd <= max(best, _SPARE)]
    graph = molecular_graph(mol)
    _, residue = np.unique(keys, return_inverse=True)
    return Complex(
        x,
        atom_tokens(residues, names, numbers),
        residue.astype(np.int16),
        graph.atoms,
        graph.pairs,
        crystal,
        rotors.axis.astype(np.int16).reshape(-1, 2),
        rotors.moves.astype(np.bool_).reshape(-1, n),
        conformers[accepted],
        np.array([matches[k].torsions for k in accepted], np.float32).reshape(len(accepted), -1),
        np.array([matches[k].rotation for k in accepted], np.float32),
        np.array([matches[k].centre for k in accepted], np.float32),
        np.array([matches[k].rmsd for k in accepted], np.float32),
        symmetries(mol),
        fragments(keys),
    )


def _ligand(folder: Path) -> Any:
    """The ligand's heavy atoms, or the reason why the folder is no complex."""
    from rdkit import Chem

    for name in (LIGAND, POCKET):
        if not (folder / name).is_file():
            return _absent(folder, name)
    text = (folder / LIGAND).read_text(encoding="utf-8-sig")
    if text.count("\nM  END") > 1:
        return f"ligand: several molecules in {LIGAND}"
    mol = Chem.MolFromMolBlock(text)
    if mol is None:
        return "ligand: fails to sanitise"
    mol = Chem.RemoveHs(mol)
    if not 5 <= mol.GetNumAtoms() <= LARGEST:
        return f"ligand: not between 5 and {LARGEST} heavy atoms"
    return "ligand: several fragments" if len(Chem.GetMolFrags(mol)) > 1 else mol


def _absent(folder: Path, name: str) -> str:
    """The reason for a missing file, and what stands in its place."""
    part, _, suffix = name.partition(".")
    others = sorted(p.name for p in folder.glob(f"{part}.*")) if folder.is_dir() else []
    alternatives = f", but {', '.join(others[:3])}: convert it to .{suffix}" if others else ""
    return f"{part}: no {name}{alternatives}"


def _conformers(mol: Any, seed: int) -> npt.NDArray[np.float32] | None:
    """Return up to `CONFORMERS` centred ETKDG conformers (c, n, 3) of the heavy atoms, Å."""
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    Chem.AssignStereochemistryFrom3D(mol)
    full = Chem.AddHs(mol)
    parameters = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed + 1
    parameters.maxIterations = 10
    parameters.timeout = 2
    rdDistGeom.EmbedMultipleConfs(full, CONFORMERS, parameters)
    if not full.GetNumConformers():
        parameters.useRandomCoords = True
        rdDistGeom.EmbedMultipleConfs(full, 1, parameters)
    if not full.GetNumConformers():
        return None
    n = mol.GetNumAtoms()
    x = np.array([conformer.GetPositions()[:n] for conformer in full.GetConformers()])
    return (x - x.mean(1, keepdims=True)).astype(np.float32)


def read_pocket(path: Path) -> _Pocket:
    """Return positions (m, 3) in Å, residue and atom names, atomic numbers, residue keys.

    Prepared pockets are simple (one model, heavy atoms, no alternatives), so the fixed columns are
    read directly, which takes a tenth of the time of a general reader.
    """
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("ATOM", "HETATM")) and line[16] in " A1"
    ]
    symbols = [(line[76:78].strip() or line[12:14].strip(" 0123456789")).title() for line in lines]
    heavy = [k for k, symbol in enumerate(symbols) if symbol not in ("H", "D")]
    lines = [lines[k] for k in heavy]
    x = np.array([(line[30:38], line[38:46], line[46:54]) for line in lines], dtype=np.float32)
    numbers = np.array([_number(table, symbols[k]) for k in heavy], np.int16)
    keys = [f"{line[21]}{line[22:26]}{line[26]}{line[17:20]}" for line in lines]
    return (
        x.reshape(-1, 3),
        [line[17:20].strip() for line in lines],
        [line[12:16].strip() for line in lines],
        numbers,
        keys,
    )


def _number(table: Any, symbol: str) -> int:
    try:
        return int(table.GetAtomicNumber(symbol))
    except RuntimeError:
        return 0


def fragments(keys: list[str]) -> npt.NDArray[np.int64]:
    """Return hashes (k,) of all runs of four consecutive residues in a chain."""
    residues = sorted({(key[0], int(key[1:5]), key[6:9]) for key in keys if key[1:5].strip()})
    hashes = set()
    for k in range(len(residues) - 3):
        run = residues[k : k + 4]
        if all(r[0] == run[0][0] and r[1] == run[0][1] + i for i, r in enumerate(run)):
            hashes.add(zlib.crc32("-".join(r[2] for r in run).encode()))
    return np.array(sorted(hashes), dtype=np.int64)
