"""Test complexes that are no test of the bundled weights.

Training leaves out every PDB entry of the benchmark sets, but another entry of the same protein
with the same ligand may be in it.  Listed are the complexes of which this is suspected: the
pocket shares half of its fragments of four residues with a training pocket (nearly always the
same protein or a close homologue), and such a pocket of the training sets holds the same
ligand, bond orders and charges aside.  The benchmark leaves them out unless asked.  The tests
of this package find the list anew where the data is at hand.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["KNOWN", "is_known"]

#: Set -> ids.  A set with another name, or parts of one, has them by their ids.
KNOWN: Mapping[str, frozenset[str]] = {
    "astex": frozenset(
        [
            "1GPK_HUP",
            "1HVY_D16",
            "1JD0_AZM",
            "1JLA_TNK",
            "1M2Z_DEX",
            "1NAV_IH5",
            "1Q41_IXM",
            "1T46_STI",
            "1UNL_RRC",
            "1V4S_MRK",
            "1XOQ_ROF",
            "1XOZ_CIA",
        ]
    ),
    "posebusters": frozenset(
        ["6ZAE_ACV", "7JG0_GAR", "7USH_82V", "7UTW_NAI", "7VWF_K55", "7X9K_8OG", "8G0V_YHT"]
    ),
    "casf2016": frozenset(
        [
            "1c5z",
            "1gpk",
            "1o0h",
            "1o3f",
            "1o5b",
            "1p1n",
            "1p1q",
            "1qkt",
            "1r5y",
            "1syi",
            "1uto",
            "1vso",
            "1w4o",
            "2al5",
            "2j78",
            "2wbg",
            "2wer",
            "2yge",
            "3d4z",
            "3d6q",
            "3dd0",
            "3e5a",
            "3ebp",
            "3fv1",
            "3kgp",
            "3n7a",
            "3pww",
            "4eor",
            "4f09",
            "4ivb",
            "4jsz",
            "4twp",
        ]
    ),
}


def is_known(set: str, id: str) -> bool:
    """Whether a complex of a set (``posebusters_a`` is part of ``posebusters``) is listed."""
    return any(set.startswith(name) and id in ids for name, ids in KNOWN.items())
