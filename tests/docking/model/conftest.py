"""Small made-up complexes: a ligand inside a shell of residues."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

from moldiff.data.complexes import ComplexStore
from moldiff.data.prepare_complexes import prepare_complexes
from moldiff.train import TrainConfig
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


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of eight complexes."""
    path = tmp_path_factory.mktemp("complexes") / "small"
    names = [f"c{k}" for k in range(8)]
    for k, name in enumerate(names):
        write_complex(path / name, LIGANDS[k % len(LIGANDS)], seed=k)
    with (path / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id",), *[(name,) for name in names]])
    return path


@pytest.fixture(scope="session")
def complexes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ComplexStore:
    """The set, prepared; two complexes are for validation."""
    return prepare_complexes([folder], tmp_path_factory.mktemp("store") / "store", share=0.25)


NETWORK = {
    "name": "contacts",
    "width": 32,
    "channels": 8,
    "layers": 2,
    "heads": 2,
    "pair_width": 16,
    "neighbours": 8,
    "pocket_channels": 4,
    "pocket_layers": 1,
    "pocket_neighbours": 8,
}


@pytest.fixture
def config(complexes: ComplexStore, tmp_path: Path) -> Callable[..., TrainConfig]:
    """``config(key=value, ...)``: a run of four steps, with some settings changed."""

    def made(**changes: Any) -> TrainConfig:
        flow = {"name": "geodesic", "schedule": "rectified"}
        settings: dict[str, Any] = {
            "task": "poses",
            "data": str(complexes.path),
            "output": str(tmp_path / "run"),
            "steps": 4,
            "batch": 2,
            "seed": 3,
            "network": NETWORK,
            "process": {
                "translation": {
                    "name": "gaussian",
                    "schedule": "rectified",
                    "space": "euclidean",
                    "scale": 3.0,
                },
                "rotation": flow | {"space": "so3"},
                "torsions": flow | {"space": "torus"},
            },
            "objective": {"name": "displacement", "poses": 4},
            "sampling": {"steps": 3},
            "evaluation": {"every": 0},
            "optimizer": {"name": "muon", "warmup": 2, "decay": 1, "ema": 0.9},
        }
        return TrainConfig.from_dict(settings | changes)

    return made
