"""Secondary structure of chains whose torsions are known, and of a real protein."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from moldiff.protein.read import read_contents
from moldiff.protein.secondary import COIL, HELIX, STATES, STRAND, secondary
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


def test_an_independent_program_agrees(receptor: npt.NDArray[np.float32]) -> None:
    """pydssp (MIT) says nearly the same; it counts alpha helices only, and no bulges."""
    pydssp = pytest.importorskip("pydssp")
    theirs = pydssp.assign(receptor, out_type="c3")
    own = np.array(list("HE-"))[secondary(receptor)]
    assert (own == theirs).mean() > 0.93
