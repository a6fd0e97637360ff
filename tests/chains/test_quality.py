"""Figures of backbones of known shape, and residues that are joined."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from moldiff.backbones.joining import joined
from moldiff.backbones.quality import obeyed, radius, whole
from moldiff.geometry.arrays import rmsd, torsions
from moldiff.protein.backbone import frames_of
from moldiff.protein.secondary import COIL, HELIX, HIDDEN, secondary
from tests.backbones import HELIX as ALPHA
from tests.backbones import STRAND as BETA
from tests.backbones import backbone, figures_of, of_torsions

TURN = [(55.0, 38.0), (78.0, 20.0)]


def test_a_straight_helix() -> None:
    found = figures_of(of_torsions([ALPHA] * 40))
    assert found.helix == pytest.approx(38 / 40) and found.strand == 0
    assert found.joined == 1 and found.clashes == 0 and found.left == 0 and found.contacts == 0
    assert found.size > 1.7 and found.regular == found.helix


def test_a_mirror_image_is_told_by_its_handedness() -> None:
    atoms = of_torsions([*[ALPHA] * 10, *[BETA] * 10])
    mirrored = atoms * np.array([1, 1, -1], np.float32)
    assert figures_of(atoms).left == 0 and figures_of(mirrored).left == 1


def test_two_parts_beside_each_other_have_contacts() -> None:
    hairpin = of_torsions([*[BETA] * 14, *TURN, *[BETA] * 14])
    assert figures_of(hairpin).contacts == 0  # no more than ten residues apart where it is near
    assert figures_of(hairpin).left == pytest.approx(2 / 29)
    beside = np.concatenate([hairpin, hairpin + np.float32(6) * np.array([0, 0, 1], np.float32)])
    assert 0.5 < figures_of(beside).contacts < 5


def test_what_is_broken_or_clashes_is_counted() -> None:
    atoms = of_torsions([ALPHA] * 30)
    broken = atoms.copy()
    broken[15:] += np.float32(3)
    assert figures_of(broken).joined == pytest.approx(28 / 29)
    folded = atoms.copy()
    folded[20] = atoms[5] + np.float32(0.5)
    assert figures_of(folded).clashes >= 100 / 30


def test_the_size_is_that_of_a_globule() -> None:
    ball = np.random.default_rng(0).normal(size=(4000, 3))
    assert radius(ball * 2.2 * 4000**0.38 / np.sqrt(3)) == pytest.approx(1, abs=0.02)


def test_a_blueprint_is_obeyed_where_it_says_something() -> None:
    states = secondary(of_torsions([ALPHA] * 20))
    wanted = np.full(20, HIDDEN)
    assert np.isnan(obeyed(states, wanted))
    wanted[5:9] = HELIX
    assert obeyed(states, wanted) == 1
    wanted[9] = COIL
    assert obeyed(states, wanted) == pytest.approx(4 / 5)


def test_oxygens_are_put_where_they_were() -> None:
    atoms = of_torsions([*[ALPHA] * 8, *[BETA] * 8])
    off = np.linalg.norm(whole(atoms[:, :3]) - atoms, axis=-1)
    assert off[:-1].max() < 0.06


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.2])
def test_residues_are_joined_by_exact_peptides(noise: float) -> None:
    rng = np.random.default_rng(1)
    chains = np.stack([backbone(40, seed=seed).atoms[:, :3] for seed in (3, 5)])
    drawn = chains + noise * rng.normal(size=(2, 40, 1, 3))
    x = joined(drawn)
    n, ca, c = x[:, :, 0], x[:, :, 1], x[:, :, 2]
    assert np.abs(np.linalg.norm(n[:, 1:] - c[:, :-1], axis=-1) - 1.329).max() < 0.02
    for a, b, d, degrees in (
        (ca[:, :-1], c[:, :-1], n[:, 1:], 117.2),
        (c[:, :-1], n[:, 1:], ca[:, 1:], 121.7),
    ):
        assert np.abs(angles(a, b, d) - degrees).max() < 3
    omega = np.degrees(torsions(ca[:, :-1], c[:, :-1], n[:, 1:], ca[:, 1:]))
    assert np.abs(np.abs(omega) - 180).max() < 12  # planar and trans
    assert rmsd(x.reshape(2, -1, 3), chains.reshape(2, -1, 3)).max() < 0.2 + 2 * noise
    # Residues stay what they are: of L-amino acids with ideal bonds.
    assert np.abs(np.linalg.norm(ca - n, axis=-1) - 1.458).max() < 1e-4
    assert np.abs(np.linalg.det(frames_of(x.astype(np.float32))) - 1).max() < 1e-4


def angles(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], c: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    u, v = a - b, c - b
    cosine = (u * v).sum(-1) / np.linalg.norm(u, axis=-1) / np.linalg.norm(v, axis=-1)
    return np.degrees(np.arccos(cosine))


def test_joining_pushes_apart_what_overlaps() -> None:
    atoms = of_torsions([*[BETA] * 12, *TURN, *[BETA] * 12])[None, :, :3].astype(float)
    pressed = atoms.copy()
    pressed[0, 14:] += 0.35 * (atoms[0, 5, 1] - atoms[0, 20, 1])  # one strand into the other
    before, after = (figures_of(whole(x[0])) for x in (pressed, joined(pressed)))
    assert before.clashes > 0 and after.clashes == 0 and after.joined == 1
