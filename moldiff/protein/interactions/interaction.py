"""An interaction, its kinds, and what results call them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moldiff.protein.structure import in_chain

if TYPE_CHECKING:
    from moldiff.protein.structure import Residue

__all__ = ["FIELDS", "KINDS", "Interaction", "by_kind", "label"]

#: Kinds of interactions -> how they are called, the most telling first.
KINDS = {
    "hbond": "hydrogen bond",
    "salt_bridge": "salt bridge",
    "halogen_bond": "halogen bond",
    "metal": "metal",
    "pi_stacking": "pi stacking",
    "cation_pi": "cation-pi",
    "hydrophobic": "hydrophobic",
    "clash": "clash",
}

#: What is told of an interaction, in order; see `Interaction.to_dict`.
FIELDS = (
    "kind",
    "role",
    "residue",
    "chain",
    "number",
    "insertion",
    "name",
    "receptor_atoms",
    "ligand_atoms",
    "distance",
    "angle",
)


@dataclass(frozen=True)
class Interaction:
    """One interaction.

    Attributes
    ----------
    kind:
        A key of `KINDS`.
    role:
        What the ligand is in it: donor, acceptor, cation, anion, ring; how two rings are
        stacked: face, edge; else empty.
    ligand, receptor:
        Atoms in the molecule and in the receptor's structure: one, or those of a ring.
    residue:
        The receptor's.
    names:
        Names of the receptor's atoms.
    distance:
        Between the atoms or centroids, in Å.
    angle:
        In degrees: at the hydrogen, at the halogen, between planes, or of the offset.
    """

    kind: str
    role: str
    ligand: tuple[int, ...]
    receptor: tuple[int, ...]
    residue: Residue
    names: tuple[str, ...]
    distance: float
    angle: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready; the ligand's atoms count from 1, as in an SDF file."""
        residue = self.residue
        values = (
            self.kind,
            self.role,
            label(residue),
            residue.chain,
            residue.number,
            residue.insertion.strip(),
            residue.name,
            list(self.names),
            [index + 1 for index in self.ligand],
            round(self.distance, 2),
            None if self.angle is None else round(self.angle, 1),
        )
        return dict(zip(FIELDS, values, strict=True))


def label(residue: Residue) -> str:
    """Return how a residue is called in the results: ``A:ARG611``, or ``ARG611`` without chain."""
    return in_chain(residue.chain, f"{residue.name}{residue.number}{residue.insertion.strip()}")


def by_kind(interactions: Iterable[Interaction]) -> dict[str, str]:
    """Return the residues of each kind that occurs: ``{"hbond": "A:ARG611 A:GLN570"}``."""
    residues: dict[str, dict[str, None]] = {kind: {} for kind in KINDS}
    for one in interactions:
        residues[one.kind][label(one.residue)] = None
    return {kind: " ".join(labels) for kind, labels in residues.items() if labels}
