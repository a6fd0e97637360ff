"""Stable, valid, distinct and novel molecules: what protocols A and B count alike."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.value import Value, bootstrap, distinct_share, missing, rate

__all__ = ["Identities", "Identity"]


class Identity(Protocol):
    """One molecule of a protocol."""

    @property
    def atoms(self) -> int:
        """Their number."""

    @property
    def stable_atoms(self) -> int:
        """The number of those whose bonds sum to a valence that the protocol allows."""

    @property
    def stable(self) -> bool:
        """Whether all atoms are."""

    @property
    def smiles(self) -> str | None:
        """What it is; None if it is not valid."""

    @property
    def outside(self) -> tuple[str, ...]:
        """Elements that the protocol's table of valences lacks."""


class Identities(ABC):
    """The molecules of a protocol, and the training set seen the same way.

    Attributes
    ----------
    rows:
        One for each molecule.
    training:
        The training set's identities, or None.
    """

    rows: Sequence[Identity]
    training: SmilesSet | None

    @property
    def applicable(self) -> Sequence[Identity]:
        """The molecules of elements whose valences the protocol knows: stability is theirs."""
        return [row for row in self.rows if not row.outside]

    @property
    def counted(self) -> Sequence[Identity]:
        """The molecules that validity and what builds on it are shares of."""
        return self.rows

    @property
    def _none(self) -> str:
        return "no molecules of elements in the table" if self.rows else "no molecules"

    @property
    def smiles(self) -> list[str]:
        """Identities of the valid molecules."""
        return [row.smiles for row in self.rows if row.smiles is not None]

    def atom_stability(self) -> Value:
        """Stable atoms over all atoms; the interval resamples molecules."""
        rows = [(r.stable_atoms, r.atoms) for r in self.applicable if r.atoms]
        counts = np.array(rows, dtype=float)
        return bootstrap(counts, lambda c: float(c[:, 0].sum() / c[:, 1].sum()), self._none)

    def molecule_stability(self) -> Value:
        """Molecules all of whose atoms are stable, over all."""
        rows = self.applicable
        return rate(sum(row.stable for row in rows), len(rows), self._none)

    def validity(self) -> Value:
        """Molecules RDKit sanitises, over all."""
        return rate(len(self.smiles), len(self.counted), self._none)

    def uniqueness(self) -> Value:
        """Distinct over valid."""
        return distinct_share(len(set(self.smiles)), len(self.smiles), "no valid molecules")

    def valid_unique(self) -> Value:
        """Distinct valid molecules over all."""
        return distinct_share(len(set(self.smiles)), len(self.counted), self._none)

    def novelty(self) -> Value:
        """Distinct valid molecules that are not in the training set, over distinct valid."""
        if self.training is None:
            return missing("no reference")
        distinct = set(self.smiles)
        return distinct_share(self.training.novel(distinct), len(distinct), "no valid molecules")

    def valid_unique_novel(self) -> Value:
        """Distinct valid molecules that are not in the training set, over all."""
        if self.training is None:
            return missing("no reference")
        return distinct_share(self.training.novel(self.smiles), len(self.counted), self._none)
