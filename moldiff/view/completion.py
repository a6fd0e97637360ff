"""The page of a completed structure: its fold, what was built, and the ensemble of each gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moldiff.protein.write import backbone_pdb
from moldiff.view.render import SCENE, assemble

__all__ = ["GapView", "render_completion"]


@dataclass(frozen=True, eq=False)
class GapView:
    """A gap as the page shows it.

    Attributes
    ----------
    name:
        Where it is, such as ``A:45-56``.
    residues:
        Chain, number, insertion code and three-letter name of its n residues; one letter of each.
    letters:
        One letter for each.
    spread:
        (n,) Å; NaN where it is not known.
    ensemble:
        (c, n, 4, 3) N, CA, C and O in Å; the first is the one that was built.
    """

    name: str
    residues: Sequence[tuple[str, int, str, str]]
    letters: str
    spread: npt.NDArray[np.float64]
    ensemble: npt.NDArray[np.float32]


def render_completion(
    structure: str,
    gaps: Sequence[GapView],
    *,
    title: str,
    kind: str = "pdb",
    refused: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> str:
    """Return one self-contained HTML page.

    Parameters
    ----------
    structure:
        The text of the completed structure, a "pdb" or "cif" file by ``kind``.
    gaps:
        Those that were built.
    title:
        Heading of the page, any text.
    refused:
        Where residues were not built, and why.
    notes:
        Sentences to show above the list.
    """
    data = {
        "structure": structure,
        "kind": kind,
        "gaps": [_gap(one) for one in gaps],
        "refused": [{"where": where, "reason": reason} for where, reason in refused],
        "notes": list(notes),
    }
    scripts, styles = (*SCENE, "completion.js"), ("tables.css",)
    return assemble("completion.html", scripts, title, data, styles=styles)


def _gap(one: GapView) -> dict[str, object]:
    spread = [None if np.isnan(value) else round(float(value), 2) for value in one.spread]
    known = [value for value in spread if value is not None]
    names = [name for _, _, _, name in one.residues]
    return {
        "name": one.name,
        "letters": one.letters,
        "mean": round(float(np.sqrt(np.mean(np.square(known)))), 2) if known else None,
        "residues": [
            {"chain": chain, "number": number, "insertion": code, "name": name, "spread": value}
            for (chain, number, code, name), value in zip(one.residues, spread, strict=True)
        ],
        "ensemble": [backbone_pdb(conformation, names) for conformation in one.ensemble],
    }
