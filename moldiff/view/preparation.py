"""The page of a prepared receptor: its groups, its protonation, and the boxes to dock into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moldiff.protein.receptor import prepare_receptor
from moldiff.protein.selection import place
from moldiff.protein.write import pdb_text
from moldiff.view.render import SCENE, assemble

if TYPE_CHECKING:
    from moldiff.docking.preparation import Preparation

__all__ = ["render_preparation"]

_LARGE = 20_000  # atoms: of a larger receptor the chains are drawn by their backbone alone
_BACKBONE = ("N", "CA", "C", "O", "P", "C3'", "O3'", "C5'", "O5'")


def render_preparation(preparation: Preparation) -> str:
    """Return one self-contained HTML page about a prepared receptor."""
    receptor, ligands = preparation.receptor, preparation.ligands
    if len(receptor) > _LARGE:
        polymer = receptor.structure.of_kind("protein", "nucleic")
        receptor = receptor.subset(~polymer | np.isin(receptor.structure.names, _BACKBONE))
    kept, waters = preparation.waters
    counts = [
        f"{number} residues of {kind} in chain {c}" for c, number, kind in _chains(preparation)
    ]
    if waters:
        counts.append(f"{kept} of {waters} waters")
    data: dict[str, Any] = {
        "receptor": pdb_text(receptor, hydrogens=False),
        "ligands": pdb_text(prepare_receptor(ligands), hydrogens=False) if len(ligands) else "",
        "counts": ", ".join(counts),
        "notes": preparation.notes,
        "hydrogens": ", ".join(
            f"{number} polar hydrogens {source}" for source, number in preparation.hydrogens.items()
        ),
        "boxes": [
            {**box, "kind": candidate.kind, "options": candidate.options}
            for candidate, box in zip(
                preparation.boxes, preparation.to_dict()["boxes"], strict=True
            )
        ],
        "groups": [
            [str(f.residue), f.residue.kind, "kept" if f.kept else "left out", f.why]
            for f in preparation.groups
        ],
        "states": [
            [f"{place(s.residue)} {s.residue.name}", " and ".join(s.atoms), s.why]
            for s in receptor.states
        ],
    }
    title = f"{preparation.path.name}, prepared"
    scripts, styles = (*SCENE, "preparation.js"), ("tables.css",)
    return assemble("preparation.html", scripts, title, data, styles=styles)


def _chains(preparation: Preparation) -> list[tuple[str, int, str]]:
    return [(chain or "(blank)", number, kind) for chain, number, kind in preparation.chains()]
