"""Protocol B: the graph as predicted (or as inferred by RDKit where a file has no bonds).

C. Vignac et al., "MiDi", ECML 2023, and after it EQGAT-diff, SemlaFlow and JODO; with
kekulised bonds and a valence table in which every entry is a real valence (MiDi's table lets
an aromatic carbon count as 3).  Strict validity is stricter: what is written must be a whole
molecule, see `moldiff.chem.validity`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.valence import ANY, valences
from moldiff.chem.validity import canonical_smiles, strict_failure
from moldiff.metrics.identities import Identities
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.parallel import Progress, each
from moldiff.metrics.sample import Sample
from moldiff.metrics.value import Value, distinct_share, rate

__all__ = ["Graph", "Judged", "allowed", "judge", "measure"]

_NEUTRAL = frozenset({"H", "F"})  # bound without a charge only
# As RDKit writes perchlorates, with Cl3+; others have charges of -1 to 1.
_EXPANDED = frozenset({"P", "S", "Cl", "As", "Se", "Br", "Te", "I"})
_MOST = 3


@functools.cache
def allowed(element: str, charge: int) -> frozenset[int]:
    """Return the allowed sums of kekulised bond orders of an atom in a molecule; empty for none.

    Those of `moldiff.chem.valence` for charges of -1 to 1 (to 3 for P, S, Cl and below), which
    makes H 1, C 4 (3 as an ion), N 3 (4, 2), O 2 (3, 1) and F 1.  An atom without a bond is no
    molecule, so 0 is not among them, and metals, of which RDKit allows any valence, have none.
    """
    expanded = element in _EXPANDED and 1 < charge <= _MOST
    if (abs(charge) > 1 and not expanded) or (charge and element in _NEUTRAL):
        return frozenset()
    try:
        sums = valences(element, charge)
    except RuntimeError:  # not an element
        return frozenset()
    return frozenset() if sums == ANY else sums - {0}


@dataclass(frozen=True)
class Judged:
    """One molecule's graph after all checks.

    ``smiles`` is the identity (None if it cannot be sanitised), ``failure`` why it is not
    strictly valid (None if it is), ``outside`` the elements without valences.
    """

    atoms: int
    stable_atoms: int
    stable: bool
    smiles: str | None
    connected: bool
    failure: str | None
    outside: tuple[str, ...] = ()


def judge(item: tuple[Sample, int | None]) -> Judged:
    """Judge one (sample, net charge asked for)."""
    sample, net_charge = item
    outside = tuple(sorted({s for s in sample.symbols if not allowed(s, 0)}))
    mol, n = sample.mol, len(sample.symbols)
    if mol is None or n == 0:
        return Judged(n, 0, False, None, False, sample.reason or "empty", outside)
    stable = _stable_atoms(mol)
    return Judged(
        n,
        stable,
        stable == n,
        canonical_smiles(mol),
        len(Chem.GetMolFrags(mol)) == 1,
        strict_failure(mol, net_charge=net_charge),
        outside,
    )


def _stable_atoms(mol: Chem.Mol) -> int:
    """Count the atoms whose orders sum to an allowed valence; only bonds that are drawn count."""
    copy = Chem.Mol(mol)
    if any(bond.GetIsAromatic() for bond in copy.GetBonds()):
        try:
            with quiet():
                Chem.Kekulize(copy, clearAromaticFlags=True)
        except (ValueError, RuntimeError):
            copy = Chem.Mol(mol)  # half-orders remain and match no valence
    orders = [0.0] * copy.GetNumAtoms()
    for bond in copy.GetBonds():
        order = bond.GetBondTypeAsDouble()
        orders[bond.GetBeginAtomIdx()] += order
        orders[bond.GetEndAtomIdx()] += order
    return sum(
        orders[k] in allowed(atom.GetSymbol(), atom.GetFormalCharge()) and _whole_orders(atom)
        for k, atom in enumerate(copy.GetAtoms())
    )


def _whole_orders(atom: Chem.Atom) -> bool:
    """Whether no bond of the atom is left aromatic (two half-orders must not add up to a whole)."""
    return not any(bond.GetIsAromatic() for bond in atom.GetBonds())


@dataclass(frozen=True)
class Graph(Identities):
    """All molecules after the checks, and the training set's identities."""

    rows: tuple[Judged, ...]
    training: SmilesSet | None

    @property
    def strict_smiles(self) -> list[str]:
        """Identities of the strictly valid molecules."""
        return [r.smiles for r in self.rows if r.failure is None and r.smiles is not None]

    def failures(self) -> list[str]:
        """Why molecules are not strictly valid."""
        return [row.failure for row in self.rows if row.failure is not None]

    def strict_validity(self) -> Value:
        """Strictly valid molecules over all."""
        return rate(sum(row.failure is None for row in self.rows), len(self.rows))

    def connectedness(self) -> Value:
        """Molecules in one piece over all."""
        return rate(sum(row.connected for row in self.rows), len(self.rows))

    def strict_unique(self) -> Value:
        """Distinct strictly valid molecules over all."""
        return distinct_share(len(set(self.strict_smiles)), len(self.rows))


def measure(
    items: Sequence[Sample],
    training: SmilesSet | None,
    *,
    net_charge: int | None = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Graph:
    """Judge all molecules."""
    pairs = [(sample, net_charge) for sample in items]
    rows = each(judge, pairs, jobs=jobs, stage="graph", progress=progress)
    return Graph(tuple(rows), training)
