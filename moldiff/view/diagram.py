"""Interaction diagrams: a ligand in two dimensions, and around it the residues it meets.

RDKit lays the ligand out and draws it.  Residues stand on an ellipse about it, in the order of
the atoms they meet, as far apart as their labels need; a line of the kind's colour leads to the
atom, or to the middle of a ring.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from moldiff.protein.interactions import KINDS, label
from moldiff.view.drawing import drawn_shapes, style_drawer
from moldiff.view.layout import lay_flat

if TYPE_CHECKING:
    from moldiff.protein.interactions import Interaction

__all__ = ["COLOURS", "diagram"]

#: Kind of interaction -> its colour on a page, light or dark.
COLOURS = {
    "hbond": "#2f7de1",
    "salt_bridge": "#c2339b",
    "halogen_bond": "#1aa6a6",
    "metal": "#8a4fd0",
    "pi_stacking": "#3a9a3f",
    "cation_pi": "#d9760b",
    "hydrophobic": "#b08900",
    "clash": "#e0323a",
}

_BOND = 26.0  # px
_FONT, _LETTER = 11.0, 6.9  # px: size of the labels, width of a letter at most
_HIGH = 20.0  # px, of a label
_ROOM = 34.0  # px between ligand and labels
_GAP = 7.0  # px between labels
_STEP, _ROUNDS = 0.02, 30  # radians; attempts before the ellipse grows

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Residue:
    """A residue's label, its half width in px, and (kind, end (2,)) of its lines."""

    text: str
    half: float
    lines: list[tuple[str, Floats]]

    @property
    def anchor(self) -> Floats:
        return np.mean([end for _, end in self.lines], axis=0)


def diagram(mol: Chem.Mol, interactions: Sequence[Interaction]) -> str | None:
    """Return the diagram of a sanitised molecule as SVG; None if it cannot be drawn.

    The text's colour is ``currentColor``; nothing but shapes, numbers and escaped names of
    residues is in it.
    """
    try:
        shapes, at, size = _ligand(mol)
    except (RuntimeError, ValueError):  # RDKit's own failures; a drawing is never worth a crash
        return None
    residues = _residues(interactions, at)
    middle = size / 2
    places = _places(residues, middle, size / 2 + _ROOM)
    corners = [np.zeros(2), size]
    for residue, place in zip(residues, places, strict=True):
        half = np.array([residue.half, _HIGH / 2])
        corners += [place - half, place + half]
    low, high = np.min(corners, axis=0) - 4, np.max(corners, axis=0) + 4
    lines = [
        _line(place, *line) for r, place in zip(residues, places, strict=True) for line in r.lines
    ]
    labels = [_label(*pair) for pair in zip(residues, places, strict=True)]
    width, height = high - low
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{low[0]:.0f} {low[1]:.0f} {width:.0f} {height:.0f}" '
        f'font-family="system-ui, Helvetica, Arial, sans-serif" font-size="{_FONT:g}" '
        f'text-anchor="middle">{"".join([*lines, shapes, *labels])}</svg>'
    )


def _ligand(mol: Chem.Mol) -> tuple[str, dict[int, Floats], Floats]:
    """Shapes of the ligand, where each of its atoms is, and the size (2,), all in px."""
    flat = Chem.Mol(mol)
    for atom in flat.GetAtoms():
        atom.SetIntProp("_index", atom.GetIdx())
    if flat.GetConformer().Is3D():
        Chem.AssignStereochemistryFrom3D(flat)
    flat = Chem.RemoveHs(flat)
    lay_flat(flat)
    flat = rdMolDraw2D.PrepareMolForDrawing(flat, addChiralHs=False)
    rdDepictor.StraightenDepiction(flat)
    x = flat.GetConformer().GetPositions()[:, :2]
    size = (np.ptp(x, axis=0) / 1.5 + 2.0) * _BOND
    drawer = rdMolDraw2D.MolDraw2DSVG(int(size[0]), int(size[1]))
    style_drawer(drawer, bond=_BOND)
    drawer.DrawMolecule(flat)
    drawer.FinishDrawing()
    at = {}
    for atom in flat.GetAtoms():
        point = drawer.GetDrawCoords(atom.GetIdx())
        at[atom.GetIntProp("_index")] = np.array([point.x, point.y])
    shapes = drawn_shapes(drawer.GetDrawingText())
    for name, paint in _PAINT.items():
        shapes = shapes.replace(f'class="{name}"', paint)
    return shapes, at, np.array([int(size[0]), int(size[1])], dtype=float)


# The classes of `drawing`, for a figure that brings no style sheet.
_PAINT = {
    "s ink": 'fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round"',
    "f ink": 'fill="currentColor"',
    "s": 'fill="none" stroke-width="1.4" stroke-linecap="round"',
    "f": 'stroke-width="0.4"',
}


def _residues(interactions: Sequence[Interaction], at: dict[int, Floats]) -> list[_Residue]:
    """The residues in the order of their kinds, with one line for each kind and place."""
    rows: dict[str, dict[tuple[str, tuple[int, ...]], Floats]] = {}
    for one in interactions:
        ends = [at[i] for i in one.ligand if i in at]
        if ends:
            lines = rows.setdefault(label(one.residue), {})
            lines.setdefault((one.kind, one.ligand), np.mean(ends, axis=0))
    return [
        _Residue(name, len(name) * _LETTER / 2 + 6, [(key[0], end) for key, end in lines.items()])
        for name, lines in rows.items()
    ]


def _places(residues: Sequence[_Residue], middle: Floats, axes: Floats) -> list[Floats]:
    """Centres (2,) of the labels on an ellipse, which grows until none overlaps another."""
    if not residues:
        return []
    aims = [(r.anchor - middle) / axes for r in residues]
    directions = np.array([np.arctan2(aim[1], aim[0]) for aim in aims])
    order = np.argsort(directions, kind="stable")
    half = np.array([[residues[i].half, _HIGH / 2] for i in order])
    reach, angles = axes + half.max(0), directions[order]
    following = np.roll(np.arange(len(order)), -1)
    for attempt in itertools.count(1):
        places = middle + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        touching = _touching(places, half)
        if not np.any(touching):
            break
        gaps = np.append(angles[1:], angles[0] + 2 * np.pi) - angles  # to the next one around
        push = _STEP * (touching[np.arange(len(order)), following] & (gaps < np.pi))
        angles = angles - push + np.roll(push, 1)
        if attempt % _ROUNDS == 0:
            reach = reach * 1.1
    return [places[k] for k in np.argsort(order)]


def _touching(places: Floats, half: Floats) -> npt.NDArray[np.bool_]:
    """Which of k labels touch each other, (k, k): centres and half sizes, (k, 2) in px."""
    apart = np.abs(places[:, None] - places[None])
    near = (apart < half[:, None] + half[None] + _GAP).all(-1)
    return np.asarray(near & ~np.eye(len(places), dtype=bool))


def _line(place: Floats, kind: str, end: Floats) -> str:
    dash = "" if kind in ("hbond", "salt_bridge", "metal") else ' stroke-dasharray="1 4"'
    dash = ' stroke-dasharray="5 3"' if kind == "hbond" else dash
    return (
        f'<path fill="none" stroke="{COLOURS[kind]}" stroke-width="1.6" stroke-linecap="round"'
        f'{dash} d="M{place[0]:.1f} {place[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"/>'
    )


def _label(residue: _Residue, place: Floats) -> str:
    kinds = sorted({kind for kind, _ in residue.lines}, key=list(KINDS).index)
    kind_names = ", ".join(KINDS[kind] for kind in kinds)
    return (
        f"<g><title>{html.escape(residue.text)}: {kind_names}</title>"
        f'<rect x="{place[0] - residue.half:.1f}" y="{place[1] - _HIGH / 2:.1f}" rx="6" '
        f'width="{2 * residue.half:.1f}" height="{_HIGH:g}" fill="{COLOURS[kinds[0]]}"/>'
        f'<text x="{place[0]:.1f}" y="{place[1] + 4:.1f}" fill="#fff" font-weight="600">'
        f"{html.escape(residue.text)}</text></g>"
    )
