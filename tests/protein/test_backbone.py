"""Frames of residues, atoms from frames, gaps, and their exact closure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from moldiff.protein.backbone import IDEAL, LETTERS, Backbone, end_oxygens, frames_of, oxygens
from moldiff.protein.closure import CLOSED, close_gap
from moldiff.protein.gap import FLANK, cut, window
from tests.backbones import backbone

PEPTIDE = Path(__file__).parent / "peptide.pdb"


def peptide() -> dict[str, npt.NDArray[np.float64]]:
    """Atoms of the residues of the peptide that have a C-beta, by name."""
    found: dict[int, dict[str, list[float]]] = {}
    for line in PEPTIDE.read_text().splitlines():
        if line.startswith("ATOM"):
            atoms = found.setdefault(int(line[22:26]), {})
            atoms[line[12:16].strip()] = [float(line[k : k + 8]) for k in (30, 38, 46)]
    whole = [atoms for atoms in found.values() if "CB" in atoms]
    return {name: np.array([a[name] for a in whole]) for name in ("N", "CA", "C", "CB")}


def test_frames_are_rotations_in_which_residues_are_ideal() -> None:
    atoms = backbone(30).atoms
    frames = frames_of(atoms)
    np.testing.assert_allclose(
        frames @ frames.swapaxes(1, 2), np.tile(np.eye(3), (30, 1, 1)), atol=1e-5
    )
    np.testing.assert_allclose(np.linalg.det(frames), 1, atol=1e-5)
    built = atoms[:, 1:2] + IDEAL @ frames.swapaxes(1, 2)
    np.testing.assert_allclose(built, atoms[:, :3], atol=2e-3)


def test_amino_acids_of_nature_have_their_side_chain_below() -> None:
    real = peptide()
    frames = frames_of(np.stack([real["N"], real["CA"], real["C"]], 1))
    seen = np.einsum("nij,ni->nj", frames, real["CB"] - real["CA"])
    assert len(seen) and (seen[:, 2] < -1).all()


def test_the_last_oxygen_is_opposite_to_the_nitrogen() -> None:
    atoms = backbone(20).atoms.astype(np.float64)
    n, ca, c = (atoms[:, k] for k in range(3))
    o = end_oxygens(atoms)
    assert np.allclose(np.linalg.norm(o - c, axis=-1), 1.231)
    u, v = (ca - c) / np.linalg.norm(ca - c, axis=-1)[:, None], (o - c) / 1.231
    assert np.allclose(np.degrees(np.arccos((u * v).sum(-1))), 120.4, atol=0.1)
    assert np.allclose(np.abs(torsions(n, ca, c, o)), 180, atol=0.1)


def test_oxygens_lie_where_peptides_have_them() -> None:
    atoms = backbone(30).atoms
    found = oxygens(atoms[:-1, :3], atoms[1:, 0])
    assert np.linalg.norm(found - atoms[:-1, 3], axis=1).max() < 0.06


def test_a_gap_knows_nothing_of_what_is_missing() -> None:
    chain = backbone(60)
    gap = cut(chain, 20, 5, neighbours=24)
    atoms = chain.atoms.copy()
    atoms[20:25] += 7
    moved = cut(replace(chain, atoms=atoms), 20, 5, neighbours=24)
    for name in ("types", "around", "around_types", "around_places"):
        np.testing.assert_array_equal(getattr(gap, name), getattr(moved, name))
    assert len(gap) == 5 and len(gap.around) == 24
    assert gap.around_places[: 2 * FLANK].tolist() == [-2, -1, 5, 6]
    assert not set(gap.around_places) & set(range(5)) and len(set(gap.around_places)) == 24
    np.testing.assert_array_equal(gap.around, chain.atoms[20 + gap.around_places])
    np.testing.assert_array_equal(gap.around_types, chain.types[20 + gap.around_places])
    np.testing.assert_array_equal(gap.anchors, chain.atoms[[19, 25]])
    # Those that are left out are farther from the anchors than those that are not.
    reach = np.linalg.norm(chain.atoms[:, None, 1] - gap.anchors[:, 1], axis=2).sum(1)
    left = np.setdiff1d(np.arange(60), np.append(20 + gap.around_places, np.arange(20, 25)))
    assert reach[left].min() >= reach[20 + gap.around_places[2 * FLANK :]].max()


@pytest.mark.parametrize(("start", "length"), [(1, 3), (54, 5), (10, 0)])
def test_a_gap_has_residues_on_both_sides(start: int, length: int) -> None:
    with pytest.raises(ValueError, match="lacks 2 residues"):
        cut(backbone(60), start, length, neighbours=24)


def test_loops_are_found() -> None:
    chain, rng = backbone(60), np.random.default_rng(0)
    loops = [window(chain, 4, rng, loop=True) for _ in range(50)]
    assert all(chain.regular[k : k + 4].mean() <= 1 / 3 for k in loops)
    anywhere = [window(chain, 4, rng, loop=False) for _ in range(300)]
    assert min(anywhere) == FLANK and max(anywhere) == 60 - 4 - FLANK


def torsions(*atoms: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Torsions in degrees of four atoms (..., 3)."""
    a, b, c = (np.diff(np.stack(atoms), axis=0)).astype(float)
    n, m = np.cross(a, b), np.cross(b, c)
    y = (np.cross(n, m) * b).sum(-1) / np.linalg.norm(b, axis=-1)
    return np.degrees(np.arctan2(y, (n * m).sum(-1)))


def whole(chain: Backbone, start: int, atoms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The conformations (c, n, 4, 3) between the residues beside them."""
    sides = [
        np.broadcast_to(part, (len(atoms), *part.shape))
        for part in (chain.atoms[start - 2 : start], chain.atoms[start + atoms.shape[1] :][:2])
    ]
    return np.concatenate([sides[0], atoms, sides[1]], 1)


@pytest.mark.parametrize("length", [1, 2, 5, 12])
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_gaps_are_closed_exactly(length: int, noise: float) -> None:
    chain, start, rng = backbone(60, seed=3), 22, np.random.default_rng(length)
    true = chain.atoms[start : start + length]
    off = noise * rng.normal(size=(4, length, 1, 3))
    atoms, error = close_gap(true + off, cut(chain, start, length, neighbours=20))
    assert atoms.shape == (4, length, 4, 3) and error.max() < 1e-6 < CLOSED
    full = whole(chain, start, atoms).astype(float)
    n, ca, c, o = (full[:, :, k] for k in range(4))
    inside = slice(1, length + 2)  # the peptides of the gap, and those with its anchors
    bond = np.linalg.norm(n[:, 1:] - c[:, :-1], axis=-1)[:, inside]
    np.testing.assert_allclose(bond, 1.329, atol=2e-3)
    for one, other, ideal in ((n, ca, 1.458), (ca, c, 1.525), (c, o, 1.231)):
        found = np.linalg.norm(one - other, axis=-1)[:, 2:-2]
        np.testing.assert_allclose(found, ideal, atol=2e-3)
    omega = torsions(ca[:, :-1], c[:, :-1], n[:, 1:], ca[:, 1:])[:, inside]
    assert (180 - np.abs(omega)).max() < 20
    assert np.linalg.norm(atoms - true, axis=-1).mean() < 0.02 + 1.5 * noise


@pytest.mark.parametrize(("letter", "cis"), [("P", True), ("A", False)])
def test_only_prolines_may_be_cis(letter: str, cis: bool) -> None:
    chain = backbone(40, seed=5, cis=(20,))
    chain.types[20] = LETTERS.index(letter)
    atoms, error = close_gap(chain.atoms[None, 17:23], cut(chain, 17, 6, neighbours=20))
    before, after = atoms[0, 2:4]
    omega = float(torsions(before[1], before[2], after[0], after[1]))
    assert error.max() < CLOSED
    assert (abs(omega) < 20) if cis else (abs(omega) > 160)


def test_anchors_that_are_too_far_apart_are_told() -> None:
    chain = backbone(60)
    atoms = chain.atoms.copy()
    atoms[24:] += 40
    gap = cut(replace(chain, atoms=atoms), 22, 2, neighbours=10)
    _, error = close_gap(chain.atoms[None, 22:24], gap)
    assert error.min() > 1
