"""The page of drawn backbones: a list with their secondary structure, and each in 3D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moldiff.view.render import SCENE, assemble

__all__ = ["render_backbones"]

_SHOWN = ("helix", "strand", "contacts", "size", "clashes", "left", "hesitation", "obeyed")


def render_backbones(
    rows: Sequence[Mapping[str, str | int | float | None]],
    pdbs: Sequence[str],
    *,
    title: str,
    about: str = "",
) -> str:
    """Return one self-contained HTML page.

    Parameters
    ----------
    rows:
        Of each backbone its ``name``, ``residues``, ``structure``, ``wanted`` and figures; also
        ``sequence`` and ``motif``, if there are.
    pdbs:
        The backbones in the PDB format.
    title:
        Heading of the page, any text.
    about:
        What they were made with.
    """
    items = [
        {
            "name": row["name"],
            "structure": row["structure"],
            "wanted": row["wanted"],
            "sequence": row["sequence"],
            "motif": row.get("motif", ""),
            "unlike": row["unlike"],
            "figures": {key: row[key] for key in _SHOWN if row[key] is not None},
            "pdb": pdb,
        }
        for row, pdb in zip(rows, pdbs, strict=True)
    ]
    scripts, styles = (*SCENE, "backbones.js"), ("tables.css",)
    data = {"items": items, "notes": [about] if about else []}
    return assemble("backbones.html", scripts, title, data, styles=styles)
