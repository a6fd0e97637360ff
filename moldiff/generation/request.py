"""Requests for molecules, and the generated molecules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rdkit import Chem

from moldiff.chem.encoded import Encoded

__all__ = ["Frame", "Generated", "Request"]


@dataclass(frozen=True)
class Request:
    """What to generate.

    Attributes
    ----------
    n:
        Number of molecules.
    seed:
        The same request, settings and seed give the same molecules (on the same kind of machine).
    size:
        Number of atoms of every molecule, hydrogens included unless the model folds them;
        None draws sizes with their frequencies in the training data.
    formula:
        Molecular formula every molecule must have, e.g. ``C7H8O``; fixes the size.
    keep_valid:
        Continue until n strictly valid molecules are found, and leave out the others.
    conditions:
        Target values of properties with which the model was trained.
    """

    n: int
    seed: int = 0
    size: int | None = None
    formula: str | None = None
    keep_valid: bool = False
    conditions: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; conditions only if there are any."""
        values = dataclasses.asdict(self)
        return values if self.conditions else {k: v for k, v in values.items() if k != "conditions"}


@dataclass(frozen=True, eq=False)
class Frame:
    """One moment of a molecule's denoising: time, and the molecule predicted at it."""

    t: float
    molecule: Encoded


@dataclass(frozen=True, eq=False)
class Generated:
    """A generated molecule and its provenance.

    Attributes
    ----------
    mol:
        Unsanitised molecule with explicit hydrogens, formal charges and one conformer.
    failure:
        Why it is not strictly valid, or None.
    tags:
        Provenance: canonical SMILES, validity, model, seed, version.
    frames:
        The denoising trajectory, if it was recorded.
    """

    mol: Chem.Mol
    failure: str | None
    tags: Mapping[str, str]
    frames: tuple[Frame, ...] = ()
