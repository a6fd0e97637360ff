"""Rows without dockings, and a small complex that can be docked in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.benchmark.docking.rows import DOCKED, FAILED, Judged, Row

CAGE = Path(__file__).parents[2] / "data" / "dock" / "cage.pdb"


def _made(
    id: str,
    method: str,
    *rmsd: float,
    seed: int = 0,
    valid: bool = True,
    cpu: float = 1.0,
    torsions: int | None = 2,
    cofactor: bool | None = False,
) -> Row:
    """A row whose poses have these RMSD; without one it has failed."""
    poses = tuple(Judged(r, -9.0 + k, 1.0, valid=valid) for k, r in enumerate(rmsd))
    return Row(
        "set",
        id,
        method,
        seed,
        status=DOCKED if rmsd else FAILED,
        reason="" if rmsd else "no luck",
        torsions=torsions,
        cofactor=cofactor,
        atoms=20,
        cpu=cpu,
        poses=poses,
    )


@pytest.fixture(scope="session")
def made() -> Callable[..., Row]:
    """Makes rows."""
    return _made


@pytest.fixture(scope="session")
def complexes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set: toluic acid in a made-up hollow, a broken ligand, and one without any."""
    folder = tmp_path_factory.mktemp("sets") / "cage"
    ids = ("acid", "broken", "empty")
    for id in ids:
        (folder / id).mkdir(parents=True)
        (folder / id / "protein.pdb").write_bytes(CAGE.read_bytes())
    mol = Chem.AddHs(Chem.MolFromSmiles("Cc1ccc(cc1)C(=O)O"))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    mol = Chem.RemoveHs(mol)
    x = mol.GetConformer().GetPositions()
    mol.GetConformer().SetPositions(np.ascontiguousarray(x - x.mean(0) + [10.0, 20.0, 30.0]))
    Chem.MolToMolFile(mol, str(folder / "acid" / "ligand.sdf"))
    (folder / "broken" / "ligand.sdf").write_text("not a molecule\n")
    (folder / "index.csv").write_text("id,smiles\n" + "".join(f"{id},\n" for id in ids))
    return folder
