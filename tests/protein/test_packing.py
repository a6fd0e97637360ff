"""Rotamers, side chains that fit, and atoms that are too close."""

from __future__ import annotations

import numpy as np
import pytest

from moldiff.geometry.arrays import torsions
from moldiff.protein.backbone import IDEAL, frames_of
from moldiff.protein.contacts import Solid, radii
from moldiff.protein.packing import beta_carbons, packed
from moldiff.protein.residues import TEMPLATES
from moldiff.protein.rotamers import CHI, rotamers
from tests.backbones import backbone

NOTHING = Solid(np.zeros((0, 3)), np.zeros(0))
STANDARD = sorted(set(TEMPLATES) - {"MSE"})


@pytest.mark.parametrize("name", STANDARD)
def test_rotamers_have_the_geometry_of_their_amino_acid(name: str) -> None:
    found = rotamers(name)
    assert found.names == TEMPLATES[name]
    assert (found.shares > 0).any(1).all() and (found.shares.sum(1) < 1.001).all()
    if name == "GLY":
        return
    assert (found.positions[:, 0, 2] < -1).all()  # L: C-beta is below the plane of N, CA and C
    atoms = dict(zip(("N", "CA", "C"), IDEAL.astype(float), strict=True))
    for one in found.positions:
        own = atoms | dict(zip(found.names, one, strict=True))
        apart = np.linalg.norm(one[:, None] - one, axis=-1)[np.triu_indices(len(one), 1)]
        assert (apart > 1.15).all()
        # Every atom is bonded to one that is nearer to the backbone.
        assert all(
            min(np.linalg.norm(own[atom] - x) for other, x in own.items() if other != atom) < 1.9
            for atom in found.names
        )
        if name in ("THR", "ILE"):  # the second centre
            a, b = ("OG1", "CG2") if name == "THR" else ("CG1", "CG2")
            turn = np.cross(own[a] - own["CB"], own[b] - own["CB"]) @ (own["CA"] - own["CB"])
            assert turn > 0


def test_torsions_are_those_of_the_table() -> None:
    found = rotamers("LEU")
    own = dict(zip(("N", "CA", "C"), IDEAL.astype(float), strict=True))
    chi1 = []
    for one in found.positions:
        atoms = own | dict(zip(found.names, one, strict=True))
        chi1.append(np.degrees(torsions(*(atoms[atom] for atom in CHI["LEU"][0]))))
    assert min(abs(value + 65) for value in chi1) < 8  # gauche minus leads in leucine


def test_side_chains_make_way() -> None:
    chain = backbone(9, seed=2).atoms.astype(float)
    own, anchors = chain[1:-1], chain[[0, -1]]
    names = ["SER"] * len(own)
    free, overlap = packed(own, anchors, names, NOTHING)
    assert overlap.shape == (len(own),)
    obstacle = Solid(free[3]["OG"][None], radii(np.array([6])))
    made_way, _ = packed(own, anchors, names, obstacle)
    assert np.linalg.norm(made_way[3]["OG"] - free[3]["OG"]) > 1.5
    np.testing.assert_allclose(made_way[3]["CB"], free[3]["CB"])


def test_beta_carbons_follow_the_frames() -> None:
    chain = backbone(5, seed=4).atoms.astype(float)
    beta, which = beta_carbons(chain[None], ["ALA", "GLY", "LYS", "ALA", "ALA"])
    assert which.tolist() == [0, 2, 3, 4] and beta.shape == (1, 4, 3)
    local = np.einsum(
        "kij,ki->kj", frames_of(chain[which].astype(np.float32)), beta[0] - chain[which, 1]
    )
    assert (local[:, 2] < -1).all()


def test_hydrogen_bonds_and_coordination_are_no_overlaps() -> None:
    oxygen = radii(np.array([8]))
    for other, distance, clash in (
        (7, 2.7, False),
        (6, 2.4, True),
        (30, 2.1, False),
        (8, 2.2, True),
    ):
        solid = Solid(np.zeros((1, 3)), radii(np.array([other])))
        overlap = solid.overlaps(np.array([[distance, 0.0, 0.0]]), oxygen)
        assert (overlap.sum() > 0) == clash
