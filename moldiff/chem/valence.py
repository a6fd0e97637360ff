"""Which valences an atom of an element and a formal charge may have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.vocabulary import Vocabulary

__all__ = ["ANY", "valence_table", "valences"]

#: What RDKit calls -1: no atom has more neighbours in a molecule.
ANY = frozenset(range(13))


def valences(element: str, charge: int) -> frozenset[int]:
    """Return the allowed sums of kekulised bond orders, hydrogens included; empty for none.

    An ion has the valences of the neutral atom with as many electrons: N+ those of C, O- those
    of F.  They are RDKit's; its "any", of metals, is 0 to 12.

    Raises
    ------
    RuntimeError
        If RDKit does not know the element.
    """
    table = Chem.GetPeriodicTable()
    electrons = table.GetAtomicNumber(element) - charge
    if electrons < 1:
        return frozenset({0})
    known = frozenset(table.GetValenceList(electrons))
    return ANY if -1 in known else known


def valence_table(vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
    """Return whether class a with charge class c may have orders of sum v to other atoms.

    Parameters
    ----------
    vocabulary:
        With a classes of ``types`` and c of ``charges``.  Folded hydrogens count as bonds.

    Returns
    -------
    bool, (a, c, v)
        With v from 0 to the largest valence of all.
    """
    sums_of = {
        (a, c): {v - hydrogens for v in valences(element, charge) if v >= hydrogens}
        for a, (element, hydrogens) in enumerate(vocabulary.kinds)
        for c, charge in enumerate(vocabulary.charges)
    }
    most = max((max(sums) for sums in sums_of.values() if sums), default=0)
    table = np.zeros((len(vocabulary.elements), len(vocabulary.charges), most + 1), dtype=bool)
    for (a, c), sums in sums_of.items():
        table[a, c, sorted(sums)] = True
    return table
