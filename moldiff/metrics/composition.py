"""What molecules are made of: shares, means and total variation distances, beside the data's own.

Counted are the molecules RDKit sanitises, strictly valid or not; no coordinates are needed.
Elements and charges are those of heavy atoms, because hydrogens would outnumber all others; rings
are the symmetrised smallest set of smallest rings.

The total variation distance of two distributions is half the sum of the absolute differences of
their relative frequencies: 0 if they are equal, 1 if they have nothing in common.  The reference's
is that of its test split, and the data's own distance, of other molecules of the data, is what a
perfect model of as many molecules would show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.ring_systems import ring_systems
from moldiff.chem.validity import sanitised
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.parallel import Progress, each
from moldiff.metrics.sample import Sample
from moldiff.metrics.value import Value, bootstrap, bootstrap_distance, missing, rate

__all__ = ["COLUMNS", "Column", "Composition", "Counts", "count", "histograms", "measure"]

_HALOGENS = (9, 17, 35, 53)
_LARGEST_CHARGE = 8  # charges are counted from minus this; larger ones are taken for it
_NOBODY = "no molecule can be sanitised"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """One molecule.

    Attributes
    ----------
    elements, charges:
        Atomic number, and formal charge -> heavy atoms.
    rings:
        Size -> rings.
    systems:
        Its ring systems (`moldiff.chem.ring_systems`).
    aromatic, triple:
        Whether it has an aromatic atom, and a triple bond.
    """

    elements: Counter[int]
    charges: Counter[int]
    rings: Counter[int]
    systems: frozenset[str]
    aromatic: bool
    triple: bool

    @property
    def heavy(self) -> int:
        """Number of heavy atoms."""
        return self.elements.total()


def count(sample: Sample) -> Counts | None:
    """Count one molecule; None if it has no atom or cannot be sanitised."""
    mol = sanitised(sample.mol)
    if mol is None or mol.GetNumAtoms() == 0:
        return None
    heavy = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    return Counts(
        Counter(atom.GetAtomicNum() for atom in heavy),
        Counter(atom.GetFormalCharge() for atom in heavy),
        Counter(len(ring) for ring in Chem.GetSymmSSSR(mol)),
        ring_systems(mol),
        any(atom.GetIsAromatic() for atom in heavy),
        any(bond.GetBondType() == Chem.BondType.TRIPLE for bond in mol.GetBonds()),
    )


@dataclass(frozen=True)
class Composition:
    """The counted molecules, and what the reference knows.

    Attributes
    ----------
    rows:
        None stands for a molecule that cannot be sanitised.
    data:
        Histograms of the reference's test split, among others.
    systems:
        Ring systems of the reference's training split.
    """

    rows: tuple[Counts | None, ...]
    data: Mapping[str, Array] | None = None
    systems: SmilesSet | None = None

    @property
    def known(self) -> list[Counts]:
        """Those that could be counted."""
        return [row for row in self.rows if row is not None]

    def failures(self) -> list[str]:
        """One entry for each molecule that could not be counted."""
        return ["cannot be sanitised"] * (len(self.rows) - len(self.known))

    def share(self, has: Callable[[Counts], bool]) -> Value:
        """Molecules that have something, over all."""
        return rate(sum(map(has, self.known)), len(self.known), _NOBODY)

    def statistic(
        self, of: Callable[[Counts], float], function: Callable[[Array], float] = np.mean
    ) -> Value:
        """A statistic over the molecules, their mean unless another is given."""
        values = np.array([of(row) for row in self.known], dtype=np.float64)
        return bootstrap(values, lambda x: float(function(x)), _NOBODY)

    def ring_share(self, sizes: range) -> Value:
        """Rings of some sizes over all rings; the interval resamples molecules."""
        pairs = [(_rings(row, sizes), row.rings.total()) for row in self.known if row.rings]
        value = bootstrap(
            np.array(pairs, dtype=np.float64), lambda x: float(x[:, 0].sum() / x[:, 1].sum()),
            "no rings",
        )  # fmt: skip
        return replace(value, n=sum(total for _, total in pairs))

    def distance(self, name: str) -> Value:
        """Total variation distance of one of `_HISTOGRAMS` to the reference's; over molecules."""
        theirs = None if self.data is None else self.data.get(_key(name))
        if theirs is None:
            return missing("no reference")
        table = _table(self.known, _HISTOGRAMS[name])
        ours = np.pad(table, ((0, 0), (0, max(0, len(theirs) - table.shape[1]))))
        data = np.pad(theirs, (0, ours.shape[1] - len(theirs)))
        counted = ours[ours.any(axis=1)]

        def variation(rows: Array) -> float:
            total = rows.sum(axis=0)
            return float(np.abs(total / total.sum() - data).sum() / 2)

        nothing = "no rings" if name == "ring_size" and self.known else _NOBODY
        return bootstrap_distance(counted, variation, nothing)

    def unseen_ring_system(self) -> Value:
        """Molecules with a ring system that no molecule of the training set has."""
        known = self.systems
        if known is None:
            return missing("no reference")
        # Each system is looked up once: there are far fewer than molecules.
        unseen = {s for row in self.known for s in row.systems}
        unseen = {system for system in unseen if system not in known}
        return self.share(lambda row: not unseen.isdisjoint(row.systems))

    def aromatic_difference(self) -> Value:
        """Share of aromatic molecules minus that of the reference, which is taken as exact."""
        theirs = None if self.data is None else self.data.get(_key("aromatic"))
        if theirs is None:
            return missing("no reference")
        ours, data = self.share(lambda row: row.aromatic), 1 - float(theirs[0])
        if ours.low is None or ours.high is None:
            return ours
        return Value(ours.value - data, ours.n, ours.low - data, ours.high - data)


def _charge_index(charge: int) -> int:
    return min(max(charge, -_LARGEST_CHARGE), _LARGEST_CHARGE) + _LARGEST_CHARGE


#: Name -> index in a histogram -> how often a molecule has it.
_HISTOGRAMS: dict[str, Callable[[Counts], Mapping[int, int]]] = {
    "element": lambda row: row.elements,
    "charge": lambda row: {_charge_index(q): n for q, n in row.charges.items()},
    "ring_size": lambda row: row.rings,
    "heavy_atoms": lambda row: {row.heavy: 1},
    "aromatic": lambda row: {int(row.aromatic): 1},
}


def _key(name: str) -> str:
    """The name of a histogram among all of a reference."""
    return f"composition/{name}"


def _table(rows: Sequence[Counts], counts: Callable[[Counts], Mapping[int, int]]) -> Array:
    """(molecules, indices) how often each has each index."""
    tallies = [counts(row) for row in rows]
    table = np.zeros((len(rows), 1 + max((k for own in tallies for k in own), default=0)))
    for line, own in zip(table, tallies, strict=True):
        for index, number in own.items():
            line[index] = number
    return table


def histograms(rows: Sequence[Counts | None]) -> dict[str, Array]:
    """Relative frequencies of 0, 1, 2, ... for a reference, by the names it keeps them under."""
    known = [row for row in rows if row is not None]
    sums = {name: _table(known, counts).sum(axis=0) for name, counts in _HISTOGRAMS.items()}
    return {_key(name): total / max(total.sum(), 1.0) for name, total in sums.items()}


@dataclass(frozen=True)
class Column:
    """One number: a metric of this protocol."""

    name: str
    label: str
    function: Callable[[Composition], Value]
    unit: str
    description: str
    direction: str = "neither"


def _rings(row: Counts, sizes: range) -> int:
    return sum(number for size, number in row.rings.items() if size in sizes)


def _share(name: str, label: str, has: Callable[[Counts], bool]) -> Column:
    return Column(name, label, lambda c: c.share(has), "rate", f"Molecules: {label}.")


def _containing(name: str, label: str, numbers: tuple[int, ...]) -> Column:
    return _share(
        f"with_{name}", f"with {label}", lambda row: any(z in row.elements for z in numbers)
    )


def _mean(name: str, label: str, of: Callable[[Counts], float]) -> Column:
    return Column(name, label, lambda c: c.statistic(of), "count", f"Mean over molecules: {label}.")


def _of_element(name: str, symbol: str, number: int) -> Column:
    return _mean(name, f"{symbol} atoms per molecule", lambda row: row.elements[number])


def _of_rings(name: str, label: str, sizes: range) -> tuple[Column, Column]:
    words = f"Rings of {label} over all rings; the interval resamples molecules."
    return (
        _mean(f"rings_{name}", f"rings of {label} per molecule", lambda row: _rings(row, sizes)),
        Column(f"share_rings_{name}", f"rings of {label}, of all rings",
               lambda c: c.ring_share(sizes), "rate", words),
    )  # fmt: skip


def _distance(name: str, label: str) -> Column:
    words = f"Total variation distance to the reference's test split: {label}."
    return Column(f"{name}_distance", f"{label}, total variation", lambda c: c.distance(name),
                  "rate", words, "lower")  # fmt: skip


_RINGS = (
    *((str(n), f"{n} atoms", range(n, n + 1)) for n in (3, 4, 5, 6)),
    ("7_up", "7 atoms or more", range(7, 1 << 20)),
)

#: The metrics of this protocol, in the order of the report.
COLUMNS: tuple[Column, ...] = (
    _share("aromatic", "aromatic", lambda row: row.aromatic),
    Column("aromatic_difference", "aromatic, minus the data's share",
           Composition.aromatic_difference, "points",
           "Share of aromatic molecules minus that of the reference's test split."),
    _share("acyclic", "acyclic", lambda row: not row.rings),
    _share("triple_bond", "with a triple bond", lambda row: row.triple),
    _share("charged", "with a formal charge", lambda row: any(row.charges.keys() - {0})),
    _containing("nitrogen", "N", (7,)),
    _containing("oxygen", "O", (8,)),
    _containing("fluorine", "F", (9,)),
    _containing("sulfur", "S", (16,)),
    _containing("halogen", "a halogen", _HALOGENS),
    _of_element("nitrogens", "N", 7),
    _of_element("oxygens", "O", 8),
    _of_element("fluorines", "F", 9),
    _mean("heavy_atoms", "heavy atoms, mean", lambda row: row.heavy),
    Column("heavy_atoms_spread", "heavy atoms, standard deviation",
           lambda c: c.statistic(lambda row: row.heavy, np.std), "count",
           "Standard deviation of the number of heavy atoms."),
    _mean("rings", "rings per molecule", lambda row: row.rings.total()),
    *(column for ring in _RINGS for column in _of_rings(*ring)),
    Column("unseen_ring_system", "with a ring system that the data lacks",
           Composition.unseen_ring_system, "rate",
           "Molecules with a ring system that no molecule of the reference's training set has."),
    _distance("element", "elements of heavy atoms"),
    _distance("charge", "charges of heavy atoms"),
    _distance("ring_size", "ring sizes"),
    _distance("heavy_atoms", "numbers of heavy atoms"),
)  # fmt: skip


def measure(
    items: Sequence[Sample],
    data: Mapping[str, Array] | None = None,
    systems: SmilesSet | None = None,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Composition:
    """Count all molecules, beside the reference's histograms and ring systems."""
    rows = each(count, items, jobs=jobs, stage="composition", progress=progress)
    return Composition(tuple(rows), data, systems)
