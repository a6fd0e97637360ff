"""Requests for molecules, and the generated molecules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rdkit import Chem

from moldiff.chem.demands import Interval
from moldiff.chem.encoded import Encoded
from moldiff.io import Record, record_of

__all__ = ["Conditions", "Frame", "Generated", "Request", "Size"]

Conditions: TypeAlias = Mapping[str, float | Interval]
"""Wanted values of properties: one, or an interval any value of which will do."""

Size: TypeAlias = int | Interval | None
"""Number of atoms: one, an interval, or any."""


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
        Number of atoms of every molecule, hydrogens included unless the model folds them, or an
        interval of numbers; sizes are drawn with their frequencies in the training data.
    formula:
        Molecular formula every molecule must have, e.g. ``C7H8O``; fixes the size.
    keep_valid:
        Continue until n strictly valid molecules are found, and leave out the others.
    conditions:
        Target values of properties with which the model was trained.  From an interval, each
        molecule's target is drawn with the frequencies of the training data.
    without:
        Symbols of elements that no molecule may have.
    """

    n: int
    seed: int = 0
    size: Size = None
    formula: str | None = None
    keep_valid: bool = False
    conditions: Conditions = field(default_factory=dict)
    without: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; conditions and excluded elements only if there are any."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["size"] = _plain(self.size)
        values["conditions"] = {name: _plain(value) for name, value in self.conditions.items()}
        values["without"] = list(self.without)
        return {k: v for k, v in values.items() if v or k not in ("conditions", "without")}


def _plain(value: float | Interval | None) -> float | str | None:
    return value.plain() if isinstance(value, Interval) else value


@dataclass(frozen=True, eq=False)
class Frame:
    """One moment of a molecule's denoising: its time and state, and the end predicted from it."""

    t: float
    molecule: Encoded
    prediction: Encoded | None = None


@dataclass(frozen=True, eq=False)
class Generated:
    """A generated molecule and its provenance.

    Attributes
    ----------
    mol:
        Unsanitised molecule with explicit hydrogens, formal charges and one conformer.
    failure:
        Why it is not strictly valid, or lacks a part that it was to keep; or None.
    tags:
        Provenance: canonical SMILES, validity, model, seed, version.
    frames:
        The denoising trajectory, if it was recorded.
    """

    mol: Chem.Mol
    failure: str | None
    tags: Mapping[str, str]
    frames: tuple[Frame, ...] = ()

    def as_records(self) -> tuple[Record, ...]:
        """Return it as one record, named by its seed and its place in the drawn order."""
        return (record_of(self.mol, name=self.name, tags=self.tags),)

    @property
    def name(self) -> str:
        """Seed and place in the drawn order: ``moldiff-0-17``."""
        numbers = (self.tags.get("seed", ""), self.tags.get("place", ""))
        return "-".join(["moldiff", *(number for number in numbers if number)])
