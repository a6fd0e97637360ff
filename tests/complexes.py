"""Made-up complexes: a ligand inside a shell of residues."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from rdkit import Chem

from tests.molecules import embedded

LIGANDS = ("CC(=O)Nc1ccc(O)cc1", "OC(=O)CCc1ccccc1", "CCOC(=O)c1ccc(N)cc1", "CN1CCC(CO)CC1")
NAMES = ("ALA", "SER", "ASP", "LEU", "LYS", "PHE", "GLY", "THR")
OFFSETS = {"N": (1.4, 0, 0), "CA": (0, 0, 0), "C": (-0.6, 1.4, 0), "O": (-1.8, 1.5, 0)}


def write_complex(
    folder: Path, smiles: str, *, seed: int = 0, residues: int = 36, radius: float = 7.5
) -> None:
    """Write ``ligand.sdf`` and ``pocket.pdb`` of a ligand in a spherical shell."""
    folder.mkdir(parents=True)
    mol = embedded(smiles, seed=seed + 7)
    mol = Chem.RemoveHs(mol)
    x = mol.GetConformer().GetPositions()
    Chem.MolToMolFile(mol, str(folder / "ligand.sdf"))
    random = np.random.default_rng(seed)
    k = np.arange(residues) + 0.5
    polar, turn = np.arccos(1 - 2 * k / residues), np.pi * (1 + 5**0.5) * k
    sphere = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)])
    lines = []
    for number, direction in enumerate(sphere.T, start=1):
        name = NAMES[random.integers(len(NAMES))]
        atoms = dict(OFFSETS) | ({} if name == "GLY" else {"CB": (-0.5, -0.8, 1.2)})
        for atom, offset in atoms.items():
            p = x.mean(0) + radius * direction + np.array(offset)
            if np.linalg.norm(x - p, axis=1).min() < 3.0:
                p = p + 3.0 * direction
            lines.append(
                f"ATOM  {len(lines) + 1:5d}  {atom:<3s} {name} A{number:4d}    "
                f"{p[0]:8.3f}{p[1]:8.3f}{p[2]:8.3f}  1.00  0.00          {atom[0]:>2s}"
            )
    (folder / "pocket.pdb").write_text("\n".join([*lines, "END"]) + "\n")


def write_set(path: Path, count: int) -> Path:
    """Write a folder of complexes that `moldiff.data.prepare_complexes` reads."""
    names = [f"c{k}" for k in range(count)]
    for k, name in enumerate(names):
        write_complex(path / name, LIGANDS[k % len(LIGANDS)], seed=k)
    with (path / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id",), *[(name,) for name in names]])
    return path
