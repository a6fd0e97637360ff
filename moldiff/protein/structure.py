"""A structure: heavy atoms, the residues they belong to, and notes for the user."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["KINDS", "POLYMERS", "Residue", "Structure", "in_chain"]

KINDS = ("protein", "nucleic", "metal", "cofactor", "water")
POLYMERS = KINDS[:2]


@dataclass(frozen=True)
class Residue:
    """A residue, ion or group: chain ("" if blank), number, insertion code ("" if none), name.

    ``kind`` is one of `KINDS`; "cofactor" is every group that is neither polymer, metal ion nor
    water.
    """

    chain: str
    number: int
    insertion: str
    name: str
    kind: str

    def __str__(self) -> str:
        return in_chain(self.chain, f"{self.number}{self.insertion} {self.name}")


def in_chain(chain: str, what: str) -> str:
    """Return something of a chain as users write it, ``A:45``; of a chain without a name ``45``."""
    return f"{chain}:{what}" if chain.strip() else what


@dataclass(frozen=True, eq=False)
class Structure:
    """m heavy atoms.

    Attributes
    ----------
    positions:
        (m, 3) float32, Å.
    numbers:
        (m,) int16 atomic numbers; no hydrogens.
    names:
        m atom names, e.g. ``"CA"``.
    residue:
        (m,) int32 index into ``residues``, ascending.
    residues:
        The residues in the order of the file.
    notes:
        What was chosen, left out or is missing: sentences for the user.
    hydrogens, hydrogen_parent:
        (h, 3) float32 positions of the hydrogens that the file has, in Å, and the (h,) atom each
        is bonded to.
    """

    positions: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.int16]
    names: tuple[str, ...]
    residue: npt.NDArray[np.int32]
    residues: tuple[Residue, ...]
    notes: tuple[str, ...] = ()
    hydrogens: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 3), dtype=np.float32)
    )
    hydrogen_parent: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(0, dtype=np.int64)
    )

    def __len__(self) -> int:
        return len(self.numbers)

    def subset(self, mask: npt.NDArray[np.bool_]) -> Structure:
        """Return the atoms of a mask (m,) and the residues they belong to."""
        mask = np.asarray(mask, dtype=bool)
        used, residue = np.unique(self.residue[mask], return_inverse=True)
        carried = mask[self.hydrogen_parent]
        place = np.cumsum(mask) - 1
        return Structure(
            hydrogens=self.hydrogens[carried],
            hydrogen_parent=place[self.hydrogen_parent[carried]].astype(np.int64),
            positions=self.positions[mask],
            numbers=self.numbers[mask],
            names=tuple(self.names[i] for i in np.flatnonzero(mask)),
            residue=residue.astype(np.int32),
            residues=tuple(self.residues[i] for i in used),
            notes=self.notes,
        )

    def of_kind(self, *kinds: str) -> npt.NDArray[np.bool_]:
        """Return which atoms (m,) belong to residues of these kinds."""
        return np.array([r.kind in kinds for r in self.residues], dtype=bool)[self.residue]
