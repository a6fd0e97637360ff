"""Poses against the crystal: RMSD and PoseBusters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.quiet import quiet

__all__ = ["posebusters_version", "rmsds", "validity"]

_MATCHES = 20_000  # symmetries looked at: the rare molecule with more gets an upper bound
_DISTANCE = "rmsd"  # in the name of the check that is no matter of validity


def rmsds(poses: Sequence[Chem.Mol], crystal: Chem.Mol) -> npt.NDArray[np.float64] | str:
    """Return the RMSD in Å of each pose, or why there is none.

    Heavy atoms, without superposition, the least over the symmetries of the molecular graph.
    As in spyrmsd (R. Meli & P. C. Biggin, J. Cheminform. 12, 49 (2020)) the graph is that of
    elements and bonds, without their orders: both oxygens of an acid are alike.
    """
    with quiet():
        reference = _skeleton(crystal)
        plain = [_skeleton(pose) for pose in poses]
        if plain[0].GetNumAtoms() != reference.GetNumAtoms():
            return "the docked molecule is not the crystal's"
        matches = reference.GetSubstructMatches(plain[0], uniquify=False, maxMatches=_MATCHES)
    if not matches:
        return "the docked molecule is not the crystal's"
    targets = reference.GetConformer().GetPositions()[np.array(matches)]
    return np.array(
        [
            np.sqrt(((targets - pose.GetConformer().GetPositions()) ** 2).sum(2).mean(1).min())
            for pose in plain
        ]
    )


def _skeleton(mol: Chem.Mol) -> Chem.Mol:
    """Heavy atoms joined by single bonds, without charges and stereochemistry."""
    plain = Chem.RWMol(Chem.RemoveAllHs(Chem.Mol(mol), sanitize=False))
    for atom in plain.GetAtoms():
        atom.SetFormalCharge(0)
        atom.SetIsAromatic(False)
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(0)
        atom.SetNumRadicalElectrons(0)
        atom.SetIsotope(0)
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    for bond in plain.GetBonds():
        bond.SetIsAromatic(False)
        bond.SetBondType(Chem.BondType.SINGLE)
        bond.SetStereo(Chem.BondStereo.STEREONONE)
    return plain.GetMol()


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


def posebusters_version() -> str | None:
    """Return the version of PoseBusters: checks differ between them; None: not installed."""
    try:
        return version("posebusters")
    except PackageNotFoundError:
        return None
