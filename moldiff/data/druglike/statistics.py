"""What is in a set of drug-like molecules: `Tally`, counted shard by shard and added up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rdkit import Chem

from moldiff.chem import quiet, reason_kind
from moldiff.chem.ring_systems import ring_systems

__all__ = ["BANDS", "Tally"]

BANDS = ((10, 18), (19, 26), (27, 40))
"""Heavy atoms, from and to."""
_RINGS = ((3, 4), (5, 6), (7, 8), (9, 12))  # atoms of a ring


@dataclass
class Tally:
    """Counts of molecules, unless something else is said.

    Attributes
    ----------
    made, rejected:
        Kind, as the molecule was listed (``"MOSES"``, ``"19-26 heavy atoms"``, ``"element Br"``,
        ``"largest ring 7-8"``, ...) -> molecules: to see whether a kind is lost.
    sizes:
        Source and band of sizes -> molecules.
    atoms:
        Element, with its charge if it has one -> number of atoms, hydrogens included.
    heavy:
        Number of heavy atoms -> molecules.
    rings:
        Ring system (SMILES without stereochemistry) -> molecules.
    stereo:
        Stereocentres and double bonds with known stereochemistry, and molecules with them.
    scaffolds:
        What a molecule is split by -> molecules.
    reasons:
        Reason of a rejection -> molecules.
    drops:
        Energy that refining has set free, kcal/mol, of each molecule.
    """

    molecules: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    atoms: Counter[str] = field(default_factory=Counter)
    heavy: Counter[str] = field(default_factory=Counter)
    rings: Counter[str] = field(default_factory=Counter)
    stereo: Counter[str] = field(default_factory=Counter)
    scaffolds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    drops: list[float] = field(default_factory=list)

    def make(self, mol: Chem.Mol, listed: str, source: str, group: str, drop: float) -> None:
        """Count a molecule with its hydrogens and coordinates, split by ``group``.

        ``listed`` is its SMILES in the list, ``source`` the name of its source.
        """
        with quiet():
            bare = Chem.RemoveHs(mol)
            self.molecules.update(_kinds(Chem.MolFromSmiles(listed), source))
        heavy = bare.GetNumHeavyAtoms()  # RDKit keeps a hydrogen that shows a double bond's stereo
        self.sizes[f"{source} {_band(heavy)}"] += 1
        self.heavy[str(heavy)] += 1
        for atom in mol.GetAtoms():
            charge = atom.GetFormalCharge()
            self.atoms[atom.GetSymbol() + (f" {charge:+d}" if charge else "")] += 1
        self.rings.update(ring_systems(bare))
        self.stereo.update(_stereo(bare))
        self.scaffolds[group] += 1
        if not math.isnan(drop):
            self.drops.append(round(drop, 3))

    def reject(self, listed: str, source: str, reason: str) -> None:
        """Count a molecule without a conformer."""
        with quiet():
            self.rejected.update(_kinds(Chem.MolFromSmiles(listed), source))
        self.reasons[reason_kind(reason)] += 1

    def add(self, other: Mapping[str, Any]) -> None:
        """Add the counts of another tally, as plain values."""
        for name, values in other.items():
            if name == "drops":
                self.drops += values
            else:
                getattr(self, name).update(values)

    def plain(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _kinds(mol: Chem.Mol, source: str) -> Iterator[str]:
    """Yield the kinds a molecule belongs to."""
    yield from ("all", source, f"{_band(mol.GetNumHeavyAtoms())} heavy atoms")
    for element in sorted({atom.GetSymbol() for atom in mol.GetAtoms()} - {"C", "H"}):
        yield f"element {element}"
    if any(atom.GetFormalCharge() for atom in mol.GetAtoms()):
        yield "charged atoms"
    largest = max(map(len, mol.GetRingInfo().AtomRings()), default=0)
    ranges = [f"largest ring {low}-{high}" for low, high in _RINGS if low <= largest <= high]
    yield ranges[0] if ranges else "no ring"
    yield from (f"with {name}" for name in _stereo(mol) if not name.startswith("molecules"))


def _band(heavy: int) -> str:
    return next(f"{low}-{high}" for low, high in BANDS if heavy <= high)


def _stereo(mol: Chem.Mol) -> Counter[str]:
    """Count stereocentres and double bonds whose stereochemistry is known, where there are any."""
    centres = sum(a.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED for a in mol.GetAtoms())
    bonds = sum(bond.GetStereo() > Chem.BondStereo.STEREOANY for bond in mol.GetBonds())
    counts = {"stereocentres": centres, "E/Z double bonds": bonds}
    kinds = Counter({name: number for name, number in counts.items() if number})
    kinds.update(f"molecules with {name}" for name in list(kinds))
    return kinds
