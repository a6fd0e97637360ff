"""Boxes, crops and cavities."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moldiff.errors import InputError
from moldiff.protein import (
    Box,
    Receptor,
    Residue,
    Structure,
    box_from_residues,
    check_box,
    crop,
    prepare_receptor,
    read_structure,
)
from moldiff.protein.cavity import burial, find_cavities
from moldiff.protein.pocket import box_of
from moldiff.protein.sites import binding_sites

Write = Callable[..., Path]


@pytest.fixture
def receptor(write: Write, peptide_text: str) -> Receptor:
    return prepare_receptor(read_structure(write(peptide_text)))


def hollow(radius: float, holes: list[np.ndarray], inner: float) -> np.ndarray:
    """A ball of atoms 2.2 Å apart with spherical hollows."""
    axis = np.arange(-radius, radius + 0.1, 2.2)
    points = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    points = points[np.linalg.norm(points, axis=1) <= radius]
    for k, hole in enumerate(holes):
        points = points[np.linalg.norm(points - hole, axis=1) > inner - k]
    return points.astype(np.float32)


def as_receptor(positions: np.ndarray, kinds: list[str] | None = None) -> Receptor:
    m = len(positions)
    structure = Structure(
        positions=positions.astype(np.float32),
        numbers=np.full(m, 6, dtype=np.int16),
        names=("CA",) * m,
        residue=np.arange(m, dtype=np.int32),
        residues=tuple(
            Residue("A", k, "", "ALA", kinds[k] if kinds else "protein") for k in range(m)
        ),
    )
    return prepare_receptor(structure)


def test_box_takes_one_size_or_three() -> None:
    box = Box((1, 2, 3), 20)
    assert box.size.tolist() == [20, 20, 20] and box.centre.dtype == np.float32
    assert box.lower.tolist() == [-9, -8, -7] and box.upper.tolist() == [11, 12, 13]
    inside = box.contains(np.array([[1, 2, 3], [11.5, 2, 3], [30, 0, 0]]))
    assert inside.tolist() == [True, False, False]
    assert box.contains(np.array([[11.5, 2, 3]]), margin=1).all()
    with pytest.raises(ValueError):
        box.centre[0] = 5  # a box is a value


@pytest.mark.parametrize(
    ("centre", "size"),
    [
        ((0, 0, 0), 0),
        ((0, 0, 0), -5),
        ((0, 0, 0), 61),
        ((0, 0, 0), (20, 20, float("nan"))),
        ((0, 0, float("inf")), 20),
        ((0, 0), 20),
        ((0, 0, 0), (20, 20)),
        ("abc", 20),
    ],
)
def test_absurd_boxes_are_refused(centre: object, size: object) -> None:
    with pytest.raises(InputError) as caught:
        Box(centre, size)  # type: ignore[arg-type]
    assert caught.value.fix


def test_box_from_residues(receptor: Receptor) -> None:
    structure = receptor.structure
    box = box_from_residues(structure, ["A:3", "A:5"])
    atoms = structure.positions[np.isin(structure.residue, [2, 4])]
    np.testing.assert_allclose(box.centre, (atoms.min(0) + atoms.max(0)) / 2, atol=1e-5)
    assert (box.size >= 25).all()
    np.testing.assert_array_equal(box_from_residues(structure, ["3", "5"]).centre, box.centre)
    assert box_from_residues(structure, ["A:3"], 18).size.tolist() == [18, 18, 18]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A:99", "A:12 CYS"),
        ("A:3B", "A:3 HIS"),
        ("B:3", "no chain 'B'"),
        ("three", "is no residue"),
        ("", "is no residue"),
        ("A:", "is no residue"),
    ],
)
def test_unknown_residues(receptor: Receptor, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        box_from_residues(receptor.structure, [text])


def test_residues_of_insertion_codes_and_chains() -> None:
    base = as_receptor(np.array([[0.0, 0, 0], [10, 0, 0], [20, 0, 0]])).structure
    residues = (
        Residue("A", 60, "", "ALA", "protein"),
        Residue("A", 60, "B", "ALA", "protein"),
        Residue("", 60, "", "ALA", "protein"),
    )
    structure = replace(base, residues=residues)
    assert box_from_residues(structure, ["A:60B"]).centre[0] == 10
    assert box_from_residues(structure, [":60"]).centre[0] == 20
    with pytest.raises(InputError, match="has no chain"):
        box_from_residues(structure, ["60"])
    far = replace(base, positions=base.positions * 10)
    with pytest.raises(InputError, match="too far"):
        box_from_residues(replace(far, residues=residues), ["A:60", "A:60B"])
    with pytest.raises(InputError):
        box_from_residues(structure, [])


def test_crop_keeps_whole_residues_and_their_types(receptor: Receptor) -> None:
    middle = receptor.structure.positions[10]
    part = crop(receptor, Box(middle, 4), margin=1.0)
    assert 0 < len(part) < len(receptor)
    full = np.bincount(receptor.structure.residue)
    for k, residue in enumerate(part.structure.residues):
        index = receptor.structure.residues.index(residue)
        assert (part.structure.residue == k).sum() == full[index]
    assert part.donor.sum() <= receptor.donor.sum() and len(part.hydrogens) > 0
    assert len(crop(receptor, Box(middle, 60), margin=60)) == len(receptor)


def test_empty_boxes_are_refused(receptor: Receptor) -> None:
    for act in (
        lambda box: check_box(receptor.structure, box),
        lambda box: crop(receptor, box, margin=100),
    ):
        with pytest.raises(InputError, match="holds no atom"):
            act(Box((200, 0, 0), 20))


def test_burial_counts_rays() -> None:
    solid = np.zeros((21, 21, 21), dtype=bool)
    solid[10, 10, 15] = True
    count = burial(solid, 10.0)
    assert count[10, 10, 10] == 1 and count[10, 10, 0] == 0  # 15 Å away
    assert count[10, 5, 10] == 1 and count[9, 10, 10] == 0
    wall = np.zeros((21, 21, 21), dtype=bool)
    wall[:, :, 14] = True
    assert burial(wall, 10.0)[10, 10, 10] == 9


def test_cavities_are_found_largest_first() -> None:
    holes = [np.array([8.0, 0, 0]), np.array([-9.0, 2, 0])]
    found = find_cavities(hollow(20.0, holes, 6.5))
    for cavity, hole in zip(found, holes, strict=False):
        assert np.linalg.norm(cavity.centre - hole) < 2.0
    assert found[0].volume > found[1].volume


def boxes_of(structure: Structure) -> list[Box]:
    return [box_of(site) for site in binding_sites(structure)]


def test_boxes_about_cavities() -> None:
    hole = np.array([6.0, 3.0, 0])
    positions = hollow(20.0, [hole], 6.5)
    boxes = boxes_of(as_receptor(positions).structure)
    assert np.linalg.norm(boxes[0].centre - hole) < 2.0
    assert all(box.size.min() >= 22.5 and box.size.max() <= 25 for box in boxes)
    filled = np.concatenate([positions, hole[None]])  # a water does not fill the cavity
    kinds = ["protein"] * len(positions) + ["water"]
    again = boxes_of(as_receptor(filled, kinds).structure)
    np.testing.assert_allclose(again[0].centre, boxes[0].centre)


def test_boxes_about_cavities_follow_the_receptor() -> None:
    """Moved by whole grid steps, the boxes move along."""
    positions = hollow(16.0, [np.array([4.0, 0, 0])], 6.0)
    moved = boxes_of(as_receptor(positions + np.array([100, -50, 30])).structure)
    still = boxes_of(as_receptor(positions).structure)
    assert len(moved) == len(still) > 0
    np.testing.assert_allclose(moved[0].centre - still[0].centre, [100, -50, 30], atol=0.5)


def test_what_has_no_cavities(receptor: Receptor) -> None:
    assert boxes_of(as_receptor(np.arange(9.0).reshape(3, 3)).structure) == []
    assert all(isinstance(box, Box) for box in boxes_of(receptor.structure))


def test_autobox_is_fast() -> None:
    positions = hollow(30.0, [np.zeros(3)], 8.0)
    assert len(positions) > 9000
    start = time.process_time()
    find_cavities(positions)
    assert time.process_time() - start < 5.0
