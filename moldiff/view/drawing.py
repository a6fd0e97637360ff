"""2D drawings: RDKit's SVG, rewritten small, safe and theme-aware.

RDKit writes one element per half bond and glyph (about 10 kB a molecule).  Here all paths
of one style are joined into one, numbers lose their padding, and black becomes the
page's text colour.  Only shapes and numbers pass through, never text from the file, so
the result can be put into a page as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from moldiff.view.layout import lay_flat

__all__ = ["Drawing", "drawing", "drawn_shapes", "style_drawer", "without_plain_hydrogens"]

WIDTH, HEIGHT = 160, 120

# Mid-tone colours that read on a light and on a dark page.
_PALETTE = {
    7: "#3B74E8",
    8: "#DF3F45",
    9: "#1F9D63",
    15: "#D9760B",
    16: "#B98A00",
    17: "#1F9D63",
    35: "#B0512E",
    53: "#8A4FD0",
}
_PROBLEM = "#E5484D"
_KEPT = "#2F62D9"
_CLASS_OF_COLOUR = {"#000000": "ink", _PROBLEM: "bad", _KEPT: "kept"}

_SHAPE = re.compile(r"<(path|ellipse)\s(.*?)/>", re.DOTALL)
_ATTRIBUTE = re.compile(r"([\w-]+)='([^']*)'")
_STYLE = re.compile(r"([\w-]+)\s*:\s*([^;]+)")
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_COMMAND = re.compile(r"[MLQCZ]|-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Drawing:
    """A compact inline ``<svg>``, and where in it (px) the atoms drawn are, by 0-based atom."""

    svg: str
    places: Mapping[int, tuple[float, float]]


def drawing(
    mol: Chem.Mol, problem_atoms: Collection[int] = (), kept_atoms: Collection[int] = ()
) -> Drawing | None:
    """Return a drawing of ``mol`` without its plain hydrogens.

    The molecule may break every rule of valence: it is drawn unsanitised when RDKit's
    own preparation fails.  Atoms of ``problem_atoms`` (0-based) are marked, and so is the part of
    ``kept_atoms``, in another colour.  None when nothing can be drawn.  ``mol`` is not changed.
    """
    try:
        flat = _prepare(mol, frozenset(problem_atoms), frozenset(kept_atoms))
        drawer = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
        style_drawer(drawer, bond=27.0)
        _draw_marked(drawer, flat)
        drawer.FinishDrawing()
        shapes = drawn_shapes(drawer.GetDrawingText())
        points = {a.GetIntProp("_atom"): drawer.GetDrawCoords(a.GetIdx()) for a in flat.GetAtoms()}
        places = {index: (round(p.x, 1), round(p.y, 1)) for index, p in points.items()}
        return Drawing(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}">{shapes}</svg>', places)
    except (RuntimeError, ValueError):  # RDKit's own failures; a drawing is never worth a crash
        return None


def style_drawer(drawer: rdMolDraw2D.MolDraw2DSVG, *, bond: float) -> None:
    """Set the options of a drawer for `drawn_shapes`; bonds are ``bond`` px long at most."""
    options = drawer.drawOptions()
    options.clearBackground = False
    options.prepareMolsBeforeDrawing = False
    options.padding = 0.05
    options.bondLineWidth = 1.3
    options.fixedBondLength = bond
    options.updateAtomPalette({number: _rgb(c) for number, c in _PALETTE.items()})


def _draw_marked(drawer: rdMolDraw2D.MolDraw2DSVG, flat: Chem.Mol) -> None:
    """Draw a prepared molecule with its problems and its kept part behind it."""
    marks = {"_kept": _rgb(_KEPT), "_problem": _rgb(_PROBLEM)}
    atoms = {
        atom.GetIdx(): colour
        for name, colour in marks.items()
        for atom in flat.GetAtoms()
        if atom.HasProp(name)
    }
    bonds = {
        bond.GetIdx(): marks["_kept"]
        for bond in flat.GetBonds()
        if bond.GetBeginAtom().HasProp("_kept") and bond.GetEndAtom().HasProp("_kept")
    }
    drawer.DrawMolecule(
        flat,
        highlightAtoms=list(atoms),
        highlightBonds=list(bonds),
        highlightAtomColors=atoms,
        highlightBondColors=bonds,
    )


def _prepare(mol: Chem.Mol, problem_atoms: frozenset[int], kept_atoms: frozenset[int]) -> Chem.Mol:
    """Copy without hydrogens, conformers and labels, with 2D coordinates."""
    flat = Chem.RWMol(mol)
    for atom in flat.GetAtoms():
        for name in atom.GetPropNames(includePrivate=True, includeComputed=False):
            atom.ClearProp(name)
        atom.SetIntProp("_atom", atom.GetIdx())
        if atom.GetIdx() in problem_atoms:
            atom.SetBoolProp("_problem", True)
        if atom.GetIdx() in kept_atoms:
            atom.SetBoolProp("_kept", True)
    try:
        whole = Chem.Mol(flat)
        Chem.SanitizeMol(whole)
        _find_stereo(whole)
        bare = Chem.RemoveHs(whole)
        lay_flat(bare)
        prepared = rdMolDraw2D.PrepareMolForDrawing(bare, addChiralHs=False)
    except (RuntimeError, ValueError):
        prepared = without_plain_hydrogens(flat)
        for atom in prepared.GetAtoms():
            atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    return prepared


def _find_stereo(mol: Chem.Mol) -> None:
    """Keep true stereocentres only: an unsanitised reader tags every pyramidal atom."""
    if mol.GetNumConformers() and mol.GetConformer().Is3D():
        Chem.AssignStereochemistryFrom3D(mol)
    else:
        Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    mol.RemoveAllConformers()


def without_plain_hydrogens(mol: Chem.RWMol) -> Chem.Mol:
    """Remove singly bound hydrogens of a molecule that cannot be sanitised; lay it flat."""
    plain = [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if atom.GetAtomicNum() == 1
        and atom.GetDegree() == 1
        and atom.GetNeighbors()[0].GetAtomicNum() > 1
        # the bonds of a marked atom are the point of the drawing
        and not any(a.HasProp("_problem") for a in (atom, atom.GetNeighbors()[0]))
    ]
    kept = Chem.RWMol(mol)
    kept.BeginBatchEdit()
    for index in plain:
        heavy = kept.GetAtomWithIdx(index).GetNeighbors()[0]
        heavy.SetNumExplicitHs(heavy.GetNumExplicitHs() + 1)
        heavy.SetNoImplicit(True)
        kept.RemoveAtom(index)
    kept.CommitBatchEdit()
    kept.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(kept)
    lay_flat(kept)
    return kept.GetMol()


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red / 255, green / 255, blue / 255


def drawn_shapes(svg: str) -> str:
    """Join the shapes of RDKit's SVG by style; only numbers and known words survive."""
    paths: dict[str, list[str]] = {}
    for kind, body in _SHAPE.findall(svg):
        attributes = dict(_ATTRIBUTE.findall(body))
        style = dict(_STYLE.findall(attributes.get("style", ""))) | attributes
        data = _path(attributes.get("d", "")) if kind == "path" else _circle(attributes)
        paths.setdefault(_paint(style), []).append(data)
    # highlights first, so that the atoms they mark stay readable
    ordered = sorted(
        paths.items(), key=lambda item: not any(name in item[0] for name in ("bad", "kept"))
    )
    return "".join(f'<path {paint} d="{"".join(data)}"/>' for paint, data in ordered)


def _paint(style: dict[str, str]) -> str:
    """The class (fill ``f`` or stroke ``s``) and colour of a shape as attributes."""
    fill = _COLOUR.match(style.get("fill", ""))
    stroke = _COLOUR.match(style.get("stroke", ""))
    colour = (fill or stroke or ["#000000"])[0].upper()
    classes = ["f"] if fill else ["s"]
    colour_class = _CLASS_OF_COLOUR.get(colour)
    if colour_class:
        return f'class="{" ".join([*classes, colour_class])}"'
    # glyphs get a hairline stroke too: a minus sign must survive on a small card
    return f'class="{classes[0]}" stroke="{colour}"' + (f' fill="{colour}"' if fill else "")


def _path(data: str) -> str:
    words = _COMMAND.findall(data)
    text = ""
    for word in words:
        joint = "" if word.isalpha() or text[-1:].isalpha() or not text else " "
        text += joint + word
    return text


def _circle(attributes: dict[str, str]) -> str:
    """An ellipse as path data, so that it joins the other paths of its style."""
    cx, cy, rx, ry = (float(attributes.get(key, "0")) for key in ("cx", "cy", "rx", "ry"))
    return (
        f"M{cx - rx:.1f} {cy:.1f}a{rx:.1f} {ry:.1f} 0 1 0 {2 * rx:.1f} 0"
        f"a{rx:.1f} {ry:.1f} 0 1 0 {-2 * rx:.1f} 0Z"
    )
