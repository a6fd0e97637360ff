"""Side chains for a backbone: of their usual conformations those that fit together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moldiff.geometry.arrays import torsions
from moldiff.protein.backbone import frames_of
from moldiff.protein.contacts import BACKBONE_RADII, Solid, radii
from moldiff.protein.elements import NUMBERS
from moldiff.protein.rotamers import region, rotamers

__all__ = ["beta_carbons", "packed"]

Array = npt.NDArray[np.float64]

_SWEEPS = 4
_CLASH = 4.0  # per Å of overlap: in units in which a rotamer costs -log of its share
_RARE = 1e-3  # smallest share
_REACH = 12.0  # Å from C-alpha that side chains have contacts in


def beta_carbons(backbone: Array, names: Sequence[str]) -> tuple[Array, npt.NDArray[np.intp]]:
    """Return C-beta (..., k, 3) of the residues that have it, and which (k,) these are.

    ``backbone`` is (..., n, 4, 3) in Å, ``names`` the n three-letter names.
    """
    which = np.array([k for k, name in enumerate(names) if name != "GLY"], dtype=np.intp)
    local = np.array([rotamers(names[k]).positions[0, 0] for k in which]).reshape(-1, 3)
    own = backbone[..., which, :, :]
    turned = frames_of(own.astype(np.float32)) @ local[..., None]
    return own[..., 1, :] + turned[..., 0], which


def packed(
    backbone: Array, anchors: Array, names: Sequence[str], surroundings: Solid
) -> tuple[list[dict[str, Array]], Array]:
    """Choose side chains: in turn each takes the rotamer that costs least, given the others.

    It costs minus the logarithm of its share, and overlaps with all atoms.

    Parameters
    ----------
    backbone:
        (n, 4, 3) N, CA, C and O, in Å.
    anchors:
        (2, 4, 3) the residues before and after.
    names:
        Three-letter names.
    surroundings:
        All other atoms there are, the anchors too.

    Returns
    -------
    atoms, overlap:
        The side-chain atoms of each residue by name, (3,) in Å; by how much they still overlap
        others, (n,) in Å.
    """
    around = surroundings.near(backbone[:, 1], _REACH)
    frames = frames_of(backbone.astype(np.float32))
    sets = [rotamers(name) for name in names]
    places = [backbone[k, 1] + one.positions @ frames[k].T for k, one in enumerate(sets)]
    sizes = [radii(np.array([NUMBERS[atom[0]] for atom in one.names], int)) for one in sets]
    fixed = [
        _without_own(around, backbone, k).overlaps(places[k], sizes[k]).sum((1, 2))
        for k in range(len(sets))
    ]
    costs = [
        -np.log(one.shares[region].clip(_RARE)) + _CLASH * overlap
        for one, region, overlap in zip(sets, _regions(backbone, anchors), fixed, strict=True)
    ]
    chosen = [int(cost.argmin()) for cost in costs]

    def among(k: int) -> Array:
        """By how much each rotamer of a residue overlaps the side chains of the others."""
        others = [i for i in range(len(sets)) if i != k]
        solid = Solid(
            np.concatenate([places[i][chosen[i]] for i in others] or [np.zeros((0, 3))]),
            np.concatenate([sizes[i] for i in others] or [np.zeros(0)]),
        )
        summed: Array = solid.overlaps(places[k], sizes[k]).sum((1, 2))
        return summed

    for _ in range(_SWEEPS):
        before = list(chosen)
        for k, cost in enumerate(costs):
            chosen[k] = int((cost + _CLASH * among(k)).argmin())
        if chosen == before:
            break
    overlap = np.array([fixed[k][one] + among(k)[one] for k, one in enumerate(chosen)])
    atoms = [dict(zip(one.names, places[k][chosen[k]], strict=True)) for k, one in enumerate(sets)]
    return atoms, overlap


def _without_own(around: Solid, backbone: Array, k: int) -> Solid:
    """The surroundings and the backbone of all residues but the own one and what is bonded to it.

    C-beta is bonded to C-alpha, and has all N, C and O of the residue near.
    """
    others = np.delete(np.arange(len(backbone)), k)
    atoms = backbone[others].reshape(-1, 3)
    size = np.tile(BACKBONE_RADII, len(others))
    # The peptide bonds on both sides: C of the residue before, N of the one after.
    bonded = np.linalg.norm(atoms[:, None] - backbone[k, [0, 2]], axis=-1).min(1) < 1.6
    whole = around.joined(atoms[~bonded], size[~bonded])
    near = np.linalg.norm(whole.positions[:, None] - backbone[k, [0, 2]], axis=-1).min(1) < 1.6
    return Solid(whole.positions[~near], whole.radii[~near])


def _regions(backbone: Array, anchors: Array) -> list[int]:
    chain = np.concatenate([anchors[:1], backbone, anchors[1:]])
    regions = []
    for before, own, after in zip(chain, chain[1:], chain[2:], strict=False):
        phi = np.degrees(torsions(before[2], own[0], own[1], own[2]))
        psi = np.degrees(torsions(own[0], own[1], own[2], after[0]))
        regions.append(region(float(phi), float(psi)))
    return regions
