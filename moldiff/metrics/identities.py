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
    def smiles(self) -> list[str]:
        """Identities of the valid molecules."""
        return [row.smiles for row in self.rows if row.smiles is not None]

    def atom_stability(self) -> Value:
        """Stable atoms over all atoms; the interval resamples molecules."""
        counts = np.array([(r.stable_atoms, r.atoms) for r in self.rows if r.atoms], dtype=float)
        return bootstrap(counts, lambda c: float(c[:, 0].sum() / c[:, 1].sum()))

    def molecule_stability(self) -> Value:
        """Molecules all of whose atoms are stable, over all."""
        return rate(sum(row.stable for row in self.rows), len(self.rows))

    def validity(self) -> Value:
        """Molecules RDKit sanitises, over all."""
        return rate(len(self.smiles), len(self.rows))

    def uniqueness(self) -> Value:
        """Distinct over valid."""
        return distinct_share(len(set(self.smiles)), len(self.smiles), "no valid molecules")

    def valid_unique(self) -> Value:
        """Distinct valid molecules over all."""
        return distinct_share(len(set(self.smiles)), len(self.rows))

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
        return distinct_share(self.training.novel(self.smiles), len(self.rows))
