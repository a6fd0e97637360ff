"""Secondary structure of chains whose torsions are known, and of a real protein."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from moldiff.protein.read import read_contents
from moldiff.protein.secondary import COIL, HELIX, STATES, STRAND, _strands, _turns, secondary
from moldiff.protein.trace import trace
from tests.backbones import HELIX as ALPHA
from tests.backbones import STRAND as BETA
from tests.backbones import of_torsions

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z" / "receptor.pdb"
TURN = [(55.0, 38.0), (78.0, 20.0)]  # type I'


def states(pairs: list[tuple[float, float]]) -> str:
    return "".join(STATES[k] for k in secondary(of_torsions(pairs)).tolist())


def test_a_helix_is_found_between_its_ends() -> None:
    assert states([ALPHA] * 14) == "C" + 12 * "H" + "C"
    assert states([(-49.0, -26.0)] * 14) == "C" + 12 * "H" + "C"  # 3-10: bonds to the third
    assert set(states([BETA] * 14)) == {"C"}  # a strand alone has no partner


def test_a_hairpin_is_two_strands() -> None:
    assert states([*[BETA] * 8, *TURN, *[BETA] * 8]) == 5 * "C" + "EEECCEEE" + 5 * "C"


def bonds(n: int, *pairs: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A table of bonds from C=O of the first of each pair to N-H of the second."""
    table = np.zeros((n, n), bool)
    table[tuple(zip(*pairs, strict=True))] = True
    return table


def runs(found: npt.NDArray[np.bool_]) -> str:
    return "".join("E" if one else "." for one in found)


def test_ladders_go_along_or_against_and_may_have_a_bulge() -> None:
    # Parallel: residues 3, 5 with 13, 15; antiparallel: 3, 5 with 15, 13.
    along = bonds(20, (2, 13), (13, 4), (4, 15), (15, 6))
    assert runs(_strands(along)[0]) == "...EEE.......EEE...."
    against = bonds(20, (3, 15), (15, 3), (5, 13), (13, 5))
    assert runs(_strands(against)[0]) == "...EEE.......EEE...."
    bulge = bonds(20, (3, 15), (15, 3), (5, 11), (11, 5))  # four steps on the other side
    assert runs(_strands(bulge)[0]) == "...EEE.....EEEEE...."
    assert not _strands(bonds(20, (3, 15), (15, 3), (5, 9), (9, 5)))[0].any()  # six
    assert not _strands(bonds(20, (3, 15), (15, 3)))[0].any()  # a bridge alone
    assert _strands(bonds(20, (3, 15), (15, 3)))[1].sum() == 2
    # Bonds of the first residue bridge the second, and not itself, which has none before it.
    assert (
        runs(_strands(bonds(20, (0, 15), (15, 0), (2, 13), (13, 2)))[0]) == ".EE..........EE....."
    )


def test_turns_of_five_make_helices_too() -> None:
    assert _turns(bonds(12, (2, 7), (3, 8)), 5) == [2]
    assert _turns(bonds(12, (2, 7), (4, 9)), 5) == []


def test_it_does_not_depend_on_where_the_chain_is() -> None:
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    atoms = of_torsions([*[ALPHA] * 9, *TURN, *[ALPHA] * 9])
    assert (secondary(atoms) == secondary(atoms @ turn.T + 30.0)).all()


@pytest.fixture(scope="module")
def receptor() -> npt.NDArray[np.float32]:
    read = trace(read_contents(EXAMPLE).structure)
    longest = max((run for runs in read.fragments.values() for run in runs), key=len)
    return read.atoms[longest]


def test_a_protein_of_helices(receptor: npt.NDArray[np.float32]) -> None:
    """The ligand-binding domain of the glucocorticoid receptor: helices and four short strands."""
    shares = np.bincount(secondary(receptor), minlength=3) / len(receptor)
    assert 0.55 < shares[HELIX] < 0.75 and 0.02 < shares[STRAND] < 0.12 and shares[COIL] > 0.2
