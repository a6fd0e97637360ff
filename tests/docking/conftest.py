"""The example's receptor with its ligand still in it, as most people have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"


def hetatm(name: str, residue: str, number: int, x: np.ndarray, chain: str = "A") -> str:
    """One HETATM line; the element is the name's first letter."""
    return (
        f"HETATM{9000:>5}  {name:<3}{residue:>4} {chain}{number:>4}    "
        f"{x[0]:8.3f}{x[1]:8.3f}{x[2]:8.3f}{1:6.2f}{20:6.2f}          {name[0]:>2}"
    )


@pytest.fixture(scope="session")
def dex() -> Chem.Mol:
    """The ligand in its crystal pose."""
    return Chem.RemoveHs(Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf")))


@pytest.fixture
def with_ligand(tmp_path: Path, dex: Chem.Mol) -> Callable[..., Path]:
    """Write the receptor with its ligand as residues of chosen names, numbers and chains."""

    def write(*groups: tuple[str, int, str], shift: float = 0.0) -> Path:
        positions = dex.GetConformer().GetPositions()
        rows = [
            line
            for line in (EXAMPLE / "receptor.pdb").read_text(encoding="ascii").splitlines()
            if line.startswith("ATOM")
        ]
        for k, (name, number, chain) in enumerate(groups or (("DEX", 301, "A"),)):
            for i, atom in enumerate(dex.GetAtoms()):
                x = positions[i] + (shift if k else 0.0) * np.array([0.0, 0.0, k])
                rows.append(hetatm(f"{atom.GetSymbol()}{i + 1}", name, number, x, chain))
        path = tmp_path / "complex.pdb"
        path.write_text("\n".join([*rows, "END", ""]), encoding="ascii")
        return path

    return write
