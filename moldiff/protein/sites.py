"""Binding sites: the cavities of a receptor, and how likely each is the one that holds the ligand.

The largest cavity is the ligand's in half of the proteins at most.  What tells the others from it
is known of long: deep and greasy cavities, with metals and with the residues that ligands like to
meet (Soga et al., J. Chem. Inf. Model. 47 (2007) 400; Krivák & Hoksza, J. Cheminform. 10 (2018)
39).  A conditional logit over the cavities of a receptor weighs five such numbers,

.. math::

    P(k) = \\exp(w \\cdot x_k) / \\sum_j \\exp(w \\cdot x_j)

which ``scripts/fit_sites.py`` fits on receptors whose ligands are known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from moldiff.protein.cavity import Cavity, find_cavities

if TYPE_CHECKING:
    from moldiff.protein.structure import Residue, Structure

__all__ = ["FEATURES", "BindingSite", "binding_sites", "distinct", "worth_a_look"]

#: Names of what is weighed, and the weights (``scripts/fit_sites.py``).
FEATURES: Mapping[str, float] = {
    "volume": 2.88,
    "burial": 5.45,
    "carbon": 19.75,
    "metal": 4.71,
    "rings": 8.85,
}
_LINING = 4.5  # Å from a point of a cavity to an atom that lines it
_FOND = frozenset(("HIS", "TRP", "TYR"))  # residues that ligands meet most beyond their share
_FAINTEST = 0.05  # of the likeliest site's chance: what is less likely is not worth a look
_COPY = 0.5  # of the residues of either: two cavities lined by as many are copies of one


@dataclass(frozen=True, eq=False)
class BindingSite:
    """A cavity that may hold the ligand.

    Attributes
    ----------
    cavity:
        Where it is.
    chance:
        The estimated probability that it is the ligand's, of all cavities of the receptor.
    features:
        What that is made of, by the names of `FEATURES`: the logarithm of the volume in Å^3, the
        mean burial, of the atoms that line it the share of carbon, whether there is a metal, and
        of its residues the share of His, Trp and Tyr.
    lining:
        The residues that line it.
    """

    cavity: Cavity
    chance: float
    features: Mapping[str, float]
    lining: tuple[Residue, ...]

    def copies(self, other: BindingSite) -> bool:
        """Whether both are lined by the same residues, such as the sites of a dimer's chains."""
        own, its = ({(r.number, r.name) for r in site.lining} for site in (self, other))
        return len(own & its) >= _COPY * max(1, len(own | its))


def binding_sites(structure: Structure, *, limit: int = 12) -> list[BindingSite]:
    """Return the cavities of a receptor, the likeliest to hold a ligand first.

    Waters do not fill cavities.  The list is empty if there are none (a peptide).
    """
    solid = ~structure.of_kind("water")
    positions, numbers = structure.positions[solid], np.asarray(structure.numbers)[solid]
    residue = structure.residue[solid]
    tree = cKDTree(positions) if len(positions) else None
    described = []
    for cavity in find_cavities(positions, limit=limit):
        assert tree is not None, "a cavity has walls"
        near = np.unique(np.concatenate(tree.query_ball_point(cavity.points, _LINING))).astype(int)
        lining = tuple(structure.residues[i] for i in np.unique(residue[near]))
        described.append((cavity, _features(cavity, numbers[near] == 6, lining), lining))
    if not described:
        return []
    logits = np.array([sum(w * x[name] for name, w in FEATURES.items()) for _, x, _ in described])
    chances = np.exp(logits - logits.max())
    chances /= chances.sum()
    sites = [
        BindingSite(cavity, float(chance), features, lining)
        for (cavity, features, lining), chance in zip(described, chances, strict=True)
    ]
    return sorted(sites, key=lambda site: -site.chance)


def distinct(sites: list[BindingSite]) -> list[tuple[BindingSite, list[BindingSite]]]:
    """Return one of each site and its copies, which are taken out; the likeliest first.

    The chance of a site is then that of all its copies: whichever the ligand is in, it meets the
    same residues.
    """
    groups: list[list[BindingSite]] = []
    for site in sites:
        own = next((group for group in groups if site.copies(group[0])), None)
        if own is None:
            groups.append([site])
        else:
            own.append(site)
    merged = [
        (replace(first, chance=first.chance + sum(c.chance for c in copies)), copies)
        for first, *copies in groups
    ]
    return sorted(merged, key=lambda group: -group[0].chance)


def worth_a_look(sites: Sequence[BindingSite], count: int) -> int:
    """Return how many of some sites, the likeliest first, to dock into, at most ``count``."""
    return sum(site.chance >= _FAINTEST * sites[0].chance for site in sites[:count])


def _features(
    cavity: Cavity, carbon: npt.NDArray[np.bool_], lining: tuple[Residue, ...]
) -> dict[str, float]:
    """What is weighed of a cavity, by the names of `FEATURES`."""
    protein = [residue.name for residue in lining if residue.kind == "protein"]
    return {
        "volume": math.log(cavity.volume),
        "burial": cavity.burial,
        "carbon": float(carbon.mean()) if len(carbon) else 0.0,
        "metal": float(any(residue.kind == "metal" for residue in lining)),
        "rings": sum(name in _FOND for name in protein) / max(1, len(protein)),
    }
