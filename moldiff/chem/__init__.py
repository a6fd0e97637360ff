"""Chemistry: molecules to arrays and back, and what counts as a valid molecule.

Knows nothing of networks; needs numpy and RDKit only.
"""

from __future__ import annotations

from moldiff.chem.decode import decode
from moldiff.chem.encode import encode, fold
from moldiff.chem.encoded import Encoded, Rejected, pair_indices
from moldiff.chem.hydrogens import place_hydrogens, relax_hydrogens
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import canonical_smiles, reason_kind, sanitised, strict_failure
from moldiff.chem.vocabulary import QM9, Vocabulary

__all__ = [
    "QM9",
    "Encoded",
    "Rejected",
    "Vocabulary",
    "canonical_smiles",
    "decode",
    "encode",
    "fold",
    "pair_indices",
    "place_hydrogens",
    "quiet",
    "reason_kind",
    "relax_hydrogens",
    "sanitised",
    "strict_failure",
]
