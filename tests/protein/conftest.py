"""A peptide with real geometry, and single PDB lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


def pdb_line(
    name: str = "CA",
    residue: str = "ALA",
    number: int | str = 1,
    x: tuple[float, float, float] = (0, 0, 0),
    *,
    chain: str = "A",
    altloc: str = " ",
    insertion: str = " ",
    occupancy: float = 1.0,
    element: str = "C",
    record: str = "ATOM",
    serial: int | str = 1,
) -> str:
    """One atom in the PDB format; a name of four characters keeps its columns."""
    label = name if len(name) == 4 else f" {name:<3}"
    return (
        f"{record:<6}{serial:>5} {label}{altloc}{residue:>3} {chain}{number:>4}{insertion}   "
        f"{x[0]:8.3f}{x[1]:8.3f}{x[2]:8.3f}{occupancy:6.2f}{10:6.2f}          {element:>2}"
    )


@pytest.fixture
def line() -> Callable[..., str]:
    return pdb_line


@pytest.fixture
def peptide_text() -> str:
    """GSHKWRNDPYTC, embedded and minimised with RDKit; heavy atoms only."""
    return (Path(__file__).parent / "peptide.pdb").read_text(encoding="ascii")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write text or bytes to a file and return its path."""

    def write(content: str | bytes, name: str = "r.pdb") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))
        return path

    return write
