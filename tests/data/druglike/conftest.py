"""Some SMILES of a user's, good and bad."""

from __future__ import annotations

from pathlib import Path

import pytest

GOOD = """\
CC(=O)Nc1ccc(O)cc1
CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O
CN1C=NC2=C1C(=O)N(C(=O)N2C)C
CC(=O)Oc1ccccc1C(=O)O
CCCCCCCCCCCO
NS(=O)(=O)c1ccc(Cl)cc1
Brc1cccc2ccccc12
CCOP(=O)(OCC)OCC
O=C(NC1CCCCC1)c1ccccc1I
CC(N)c1ccccc1C(F)(F)F
O=[N+]([O-])c1ccc(/C=C/c2ccncc2)cc1
Nc1ccccc1C(=O)OCCS
"""
BAD = """\
NCC(=O)O glycine

[Na+].CCc1ccccc1C(=O)[O-]
Oc1ccc(NC(C)=O)cc1 again
CCCCCCCCCC[N+](C)(C)C
C(C(
"""
REFUSED = {
    "mine.smi, line 13": "too small: 5 heavy atoms",
    "mine.smi, line 15": "more than one piece",
    "mine.smi, line 16": "taken before",
    "mine.smi, line 17": "net charge: +1",
    "mine.smi, line 18": "unreadable SMILES",
}


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve molecules that are taken, and five that are not."""
    path = tmp_path_factory.mktemp("own") / "mine.smi"
    path.write_text(GOOD + BAD)
    return path
