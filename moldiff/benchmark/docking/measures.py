"""Poses against the crystal: PoseBusters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from rdkit import Chem

from moldiff.chem.quiet import quiet

__all__ = ["validity"]

_DISTANCE = "rmsd"  # in the name of the check that is no matter of validity


def validity(
    poses: Sequence[Chem.Mol], receptor: Path, crystal: Chem.Mol
) -> Iterator[tuple[bool | None, tuple[str, ...]]]:
    """Yield for each pose whether PoseBusters passes it, and the checks that failed.

    Configuration ``redock`` without its own test of the RMSD.  A check that cannot be computed
    is no failure, as in PoseBusters' own counts.  None: the receptor cannot be read.
    """
    from moldiff.metrics.poses import bust

    protein = _protein(receptor)
    for pose in poses:
        if protein is None:
            yield None, ("mol_cond_loaded",)
            continue
        # PoseBusters takes a molecule in place of a file: read once for all poses.
        checks = bust(pose, config="redock", true=crystal, receptor=cast(Path, protein))
        failed = tuple(
            name for name, passed in checks.items() if passed is False and _DISTANCE not in name
        )
        yield not failed, failed


@lru_cache(maxsize=1)
def _protein(path: Path) -> Chem.Mol | None:
    from posebusters import PoseBusters
    from posebusters.tools.loading import safe_load_mol

    with quiet():
        options: dict[str, Any] = PoseBusters(config="redock").config["loading"]["mol_cond"]
        return safe_load_mol(path, **options)
