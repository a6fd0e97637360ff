"""The corrected protocol of GEOM-Drugs: valences as pairs of numbers.

F. Nikitin, I. Dunn, D. R. Koes, O. Isayev, "GEOM-Drugs Revisited: toward more chemically accurate
benchmarks for 3D molecule generation" (2025).  An aromatic bond is not 1.5 of anything: an atom's
valence is the number of its aromatic bonds and the sum of the orders of its other bonds, and it is
stable if molecules of the data have such an atom of its element and charge.  A molecule is valid
if RDKit sanitises it, as it is written, and it is one fragment.

The table is no one else's: ``valence_tuples.json`` was counted from drug-like molecules of ten
elements by ``scripts/valence_tuples.py``, and holds for how many of them each entry stands; what
a single molecule has, which may be an error, is not allowed.
Molecules are sanitised first, so that aromatic bonds are RDKit's; those that cannot be are judged
as they are written.  Only bonds that are drawn count.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TypeAlias

from rdkit import Chem

from moldiff.chem.validity import canonical_smiles, sanitised
from moldiff.metrics.identities import Identities
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.parallel import Progress, each
from moldiff.metrics.sample import Sample
from moldiff.metrics.value import Value, rate

__all__ = ["Corrected", "Judged", "Tuple", "allowed", "judge", "measure", "valences"]

_FEWEST = 2  # molecules that have an allowed valence

#: Aromatic bonds, and the sum of the orders of the others.
Tuple: TypeAlias = tuple[int, float]


@functools.cache
def allowed() -> dict[tuple[str, int], frozenset[Tuple]]:
    """Return the table: element and formal charge -> valences."""
    text = (files("moldiff.metrics") / "valence_tuples.json").read_text(encoding="utf-8")
    return {
        (element, int(charge)): frozenset(
            _tuple(key) for key, number in counts.items() if number >= _FEWEST
        )
        for element, charges in json.loads(text)["valences"].items()
        for charge, counts in charges.items()
    }


def _tuple(key: str) -> Tuple:
    aromatic, other = map(int, key.split(","))
    return aromatic, other


def valences(mol: Chem.Mol) -> Iterator[tuple[str, int, Tuple]]:
    """Element, formal charge and valence of each atom; only bonds that are drawn count."""
    for atom in mol.GetAtoms():
        kinds = [bond.GetBondType() for bond in atom.GetBonds()]
        orders = [bond.GetBondTypeAsDouble() for bond in atom.GetBonds()]
        aromatic = kinds.count(Chem.BondType.AROMATIC)
        yield atom.GetSymbol(), atom.GetFormalCharge(), (aromatic, sum(orders) - 1.5 * aromatic)


@dataclass(frozen=True)
class Judged:
    """One molecule.

    ``smiles`` is the identity (None if it is not valid); ``unknown`` names the kinds of atoms
    that are not in the table, ``outside`` the elements that it lacks altogether.
    """

    atoms: int
    stable_atoms: int
    stable: bool
    smiles: str | None
    unknown: tuple[str, ...]
    outside: tuple[str, ...] = ()


def judge(sample: Sample) -> Judged:
    """Judge one molecule."""
    n = len(sample.symbols)
    if sample.mol is None or n == 0:
        return Judged(n, 0, False, None, (sample.reason or "empty",))
    whole = sanitised(sample.mol)
    atoms = list(valences(sample.mol if whole is None else whole))
    unknown = [kind for kind in atoms if kind[2] not in allowed().get(kind[:2], ())]
    connected = len(Chem.GetMolFrags(sample.mol)) == 1
    smiles = canonical_smiles(whole) if connected else None
    names = tuple(sorted({_name(*kind) for kind in unknown}))
    outside = tuple(sorted(set(sample.symbols) - {element for element, _ in allowed()}))
    return Judged(n, n - len(unknown), not unknown, smiles, names, outside)


def _name(element: str, charge: int, valence: Tuple) -> str:
    """Say what is not in the table: ``N+1 with 0 aromatic bonds and orders of 3``."""
    aromatic, other = valence
    sign = f"{charge:+d}" if charge else ""
    return f"{element}{sign} with {aromatic} aromatic bonds and orders of {other:g}"


@dataclass(frozen=True)
class Corrected(Identities):
    """All molecules, and the training set's identities (those of protocol B)."""

    rows: tuple[Judged, ...]
    training: SmilesSet | None = None

    def failures(self) -> list[str]:
        """What molecules have that is not in the table, once for each molecule."""
        return [name for row in self.rows for name in row.unknown]

    def validity(self) -> Value:
        """Molecules in one fragment that RDKit sanitises, over all."""
        return rate(len(self.smiles), len(self.rows))

    def valid_stable(self) -> Value:
        """Molecules that are valid and all of whose atoms are stable, over all."""
        both = sum(row.stable and row.smiles is not None for row in self.rows)
        return rate(both, len(self.rows))


def measure(
    items: Sequence[Sample],
    training: SmilesSet | None = None,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Corrected:
    """Judge all molecules."""
    rows = each(judge, items, jobs=jobs, stage="corrected valences", progress=progress)
    return Corrected(tuple(rows), training)
