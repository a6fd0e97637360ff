"""Interaction diagrams: every residue once, nothing over another, nothing but shapes and names."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from rdkit import Chem

from moldiff.protein.interactions import Interaction
from moldiff.protein.structure import Residue
from moldiff.view.diagram import diagram
from tests.molecules import embedded

SVG = "{http://www.w3.org/2000/svg}"
MOL = embedded("CC(=O)Nc1ccc(O)cc1")


def interaction(number: int, atoms: tuple[int, ...], kind: str = "hbond") -> Interaction:
    residue = Residue("A", number, "", "ARG", "protein")
    return Interaction(kind, "", atoms, (0,), residue, ("NH1",), 3.0)


def boxes(svg: str) -> np.ndarray:
    """Left, top, right and bottom (k, 4) of the labels."""
    values = [
        [float(rect.get(key, "nan")) for key in ("x", "y", "width", "height")]
        for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect")
    ]
    x = np.array(values)
    x[:, 2:] += x[:, :2]
    return x


@pytest.mark.parametrize("count", [1, 2, 8, 40])
@pytest.mark.parametrize("same", [True, False])
def test_labels_do_not_overlap(count: int, same: bool) -> None:
    """Also when all residues meet one atom, which is the worst that can be asked for."""
    found = [interaction(k, (2 if same else k % 11,)) for k in range(count)]
    svg = diagram(MOL, found)
    assert svg is not None
    x = boxes(svg)
    assert len(x) == count
    for k in range(count):
        for m in range(k):
            assert not ((x[k, :2] < x[m, 2:]).all() and (x[m, :2] < x[k, 2:]).all())
    left, top, width, height = map(float, re.search(r'viewBox="([^"]*)"', svg)[1].split())  # type: ignore[index]
    assert (x[:, :2] >= (left, top)).all()
    assert (x[:, 2:] <= (left + width, top + height)).all()


def test_one_label_for_a_residue_and_a_line_for_each_kind() -> None:
    ring = tuple(MOL.GetSubstructMatch(Chem.MolFromSmarts("c1ccccc1")))
    found = [interaction(7, (2,)), interaction(7, ring, "pi_stacking"), interaction(8, (2,))]
    svg = diagram(MOL, found)
    assert svg is not None and len(boxes(svg)) == 2
    lines = [
        line for line in re.findall(r'<path fill="none" stroke="#[^/]*/>', svg) if "-dash" in line
    ]
    assert len(lines) == 3
    assert svg.count(">A:ARG7</text>") == 1
    assert "A:ARG7: hydrogen bond, pi stacking" in svg


def test_names_stay_text_and_what_cannot_be_drawn_is_none() -> None:
    hostile = replace(interaction(1, (2,)), residue=Residue("<b>", 1, "", "&x", "protein"))
    svg = diagram(MOL, [hostile])
    assert svg is not None and "<b>" not in svg and "&lt;b&gt;:&amp;x1" in svg
    ElementTree.fromstring(svg)
    assert diagram(MOL, []) is not None
