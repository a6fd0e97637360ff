"""What is known already: molecules and ring systems of a file, a reference, or a bundled table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from rdkit import Chem

from moldiff.chem.ring_systems import ring_systems
from moldiff.chem.validity import canonical_smiles, sanitised
from moldiff.errors import DataError, InputError, did_you_mean
from moldiff.io import READABLE, read_molecules
from moldiff.metrics.novelty import SmilesSet, smiles_hash
from moldiff.metrics.reference_data import Reference, located
from moldiff.parallel import Progress

__all__ = ["DRUGLIKE", "known_molecules", "known_rings"]

DRUGLIKE, QM9 = "druglike", "qm9"


def known_molecules(source: str, progress: Progress | None = None) -> SmilesSet:
    """Return the molecules of a file, or of a reference's training set, without stereochemistry.

    Of a record of several molecules, such as a salt, each is known.

    Raises
    ------
    InputError
        If there is neither, or the file holds no molecule.
    """
    if not _is_file(source):
        return Reference.load(*located(source)).graph
    return _of_file(source, "known molecules", progress, _pieces)


def known_rings(source: str, progress: Progress | None = None) -> SmilesSet:
    """Return the ring systems of a file, of a reference's training set, or the bundled table.

    The table, "druglike", is of the list of `moldiff data druglike`; ``scripts/ring_table.py``
    makes it.

    Raises
    ------
    InputError
        If there is none of these, or the file holds no molecule.
    DataError
        If the reference is of a version that had no ring systems.
    """
    if source == DRUGLIKE:
        with as_file(files("moldiff.filtering") / "druglike-rings.npz") as path:
            return SmilesSet.from_deltas(np.load(path, allow_pickle=False)["rings"])
    if _is_file(source):
        return _of_file(source, "known rings", progress, ring_systems)
    if source != QM9 and not Path(source).is_dir():
        raise InputError(
            f"There is no reference '{source}'.",
            fix=f"{did_you_mean(source, (DRUGLIKE, QM9))} Or give a folder or a file.",
        )
    rings = Reference.load(*located(source)).rings
    if rings is None:
        raise DataError(
            f"The reference '{source}' has no ring systems.",
            fix=f"Measure it again: moldiff data reference {source}",
        )
    return rings


def _is_file(source: str) -> bool:
    return any(suffix.lower() in READABLE for suffix in Path(source).suffixes[-2:])


def _of_file(
    source: str,
    stage: str,
    progress: Progress | None,
    of: Callable[[Chem.Mol], Iterable[str]],
) -> SmilesSet:
    """What is ``of`` the molecules of a file; records without a molecule are passed over."""
    hashes: set[int] = set()
    for done, record in enumerate(read_molecules(source), 1):
        mol = sanitised(record.mol)
        if mol is not None:
            hashes.update(map(smiles_hash, of(mol)))
        if progress is not None:
            progress(stage, done, 0)
    if not hashes:
        raise InputError(f"There are no {stage} in {source}.", fix="Check what the file holds.")
    return SmilesSet(np.array(sorted(hashes), dtype=np.uint64))


def _pieces(mol: Chem.Mol) -> list[str]:
    smiles = canonical_smiles(mol)
    return [smiles, *smiles.split(".")] if smiles else []
