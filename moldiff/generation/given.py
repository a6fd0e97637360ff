"""What is given of molecules: of each group that is sampled together its clean part, its allowed
classes, and how its molecules are finished.

Of free generation nothing is given (`Nothing`); `moldiff.design` gives a part of a molecule.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool
from rdkit import Chem
from torch import Tensor

from moldiff.chem.hydrogens import hydrogens_last, relax_hydrogens
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import strict_failure
from moldiff.diffusion.batch import Batch
from moldiff.domain.molecules import Molecules

__all__ = ["Classes", "Finished", "Given", "GivenBatch", "Nothing"]

Classes = Mapping[str, Bool[Tensor, "_ _ k"]]
"""Classes classes by field, see `moldiff.diffusion.allowed.Allowed`."""


@dataclass(frozen=True, eq=False)
class Finished:
    """A finished molecule.

    Attributes
    ----------
    mol:
        With all hydrogens, and one conformer.
    invalid:
        Why it is not strictly valid, or None.
    lacking:
        What else was asked for and is not there, or None.
    tags:
        What there is to say about it.
    """

    mol: Chem.Mol
    invalid: str | None
    lacking: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class GivenBatch(ABC):
    """What is given of b molecules of n atoms.

    Attributes
    ----------
    x_0:
        Their fields with the values of the clean sites, which its context marks; None if no site
        is clean.
    allowed:
        The allowed classes of the other sites.
    """

    x_0: Batch | None
    allowed: Classes

    @abstractmethod
    def finished(self, i: int, mol: Chem.Mol) -> Finished:
        """Finish molecule i as decoded: hydrogens, frame, checks."""


class Given(ABC):
    """What is given of every molecule of a request.

    Attributes
    ----------
    elements:
        Symbols of the elements of what is given.
    """

    elements: frozenset[str]

    @abstractmethod
    def batch(
        self, domain: Molecules, n: int, allowed: Classes, rngs: Sequence[torch.Generator]
    ) -> GivenBatch:
        """Return what is given of b molecules of n atoms.

        Parameters
        ----------
        domain:
            Of the model.
        allowed:
            Classes that are allowed at sites of which nothing is given.
        rngs:
            For each of the b molecules the source of what differs between them.
        """


@dataclass(frozen=True, eq=False)
class Nothing(Given, GivenBatch):
    """Nothing is given: free generation."""

    domain: Molecules
    allowed: Classes = field(default_factory=dict)
    x_0: Batch | None = None
    elements: frozenset[str] = frozenset()

    def batch(
        self, domain: Molecules, n: int, allowed: Classes, rngs: Sequence[torch.Generator]
    ) -> GivenBatch:
        return Nothing(domain, allowed)

    def finished(self, i: int, mol: Chem.Mol) -> Finished:
        # For folded hydrogens the model gives the number, not the positions.
        folded = bool(self.domain.vocabulary.hydrogens)
        mol = relax_hydrogens(mol) if folded else hydrogens_last(mol)
        with quiet():
            return Finished(mol, strict_failure(mol))
