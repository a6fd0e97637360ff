"""The table of dockings of complexes with known crystal poses, on which a ranking is fitted.

It is a CSV with a row per cluster of poses of each docking:

==============  =========================================================================
complex         name of the complex; the rows of a complex are ranked together
rmsd            symmetry-corrected RMSD to the crystal pose, Å
energy          Vina energy, kcal/mol
fraction        fraction of fast checks passed
atoms           heavy atoms of the ligand
torsions        rotors of the ligand
group           (optional) complexes of one group, best of one protein, share a fold
==============  =========================================================================

optionally the rest of `moldiff.docking.judge.ranking.EVIDENCE`, a column each; empty fields mean
that a docking lacks that evidence.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from moldiff.docking.judge.ranking import EVIDENCE
from moldiff.errors import InputError

__all__ = ["Docking", "read_dockings"]

_GOOD = 2.0  # Å
_COLUMNS = ("complex", "rmsd", "energy", "fraction", "atoms", "torsions")


@dataclass(frozen=True, eq=False)
class Docking:
    """The p clusters of one docking: RMSD in Å, evidence, fraction of checks passed, each (p,).

    ``table`` is the folder of the table it is from.
    """

    name: str
    group: str
    rmsd: Tensor
    evidence: Mapping[str, Tensor]
    fraction: Tensor
    atoms: int
    torsions: int
    table: str = ""

    @property
    def good(self) -> Tensor:
        """Whether each pose is within 2 Å, (p,) bool."""
        return self.rmsd <= _GOOD

    @property
    def informative(self) -> bool:
        """Whether there are both right and wrong poses, so that the docking informs the fit."""
        return 0 < int(self.good.sum()) < len(self.good)


def read_dockings(path: Path, groups: Mapping[str, str] | None = None) -> list[Docking]:
    """Read the table; ``groups`` maps the table's groups to others, for those it contains.

    Raises
    ------
    InputError
        If the file is not such a table, or is empty.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        grouped: dict[str, list[dict[str, str]]] = {}
        for row in rows:
            grouped.setdefault(row["complex"], []).append(row)
        table = Path(path).absolute().parent.name
        dockings = [_docking(name, part, groups or {}, table) for name, part in grouped.items()]
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"'{path}' is not a table of dockings: {error!r}.",
            fix=f"It needs the columns {', '.join(_COLUMNS)}.",
        ) from error
    if not dockings:
        raise InputError(f"'{path}' holds no dockings.", fix="Run some first.")
    return dockings


def _docking(
    name: str, rows: list[dict[str, str]], groups: Mapping[str, str], table: str
) -> Docking:
    def column(key: str) -> Tensor:
        return torch.tensor([float(row[key]) for row in rows])

    available = [key for key in EVIDENCE if key == "energy" or all(row.get(key) for row in rows)]
    group = rows[0].get("group") or name
    return Docking(
        name,
        groups.get(group, group),
        column("rmsd"),
        {key: column(key) for key in available},
        column("fraction"),
        int(float(rows[0]["atoms"])),
        int(float(rows[0]["torsions"])),
        table,
    )
