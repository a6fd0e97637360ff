"""Valences as pairs of numbers, of molecules and of the table."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff.chem.valence import valences as known_valences
from moldiff.metrics.corrected import allowed, judge, measure, valences
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.sample import samples

SCRIPT = Path(__file__).parents[2] / "scripts" / "valence_tuples.py"
ELEMENTS = {"H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"}


def hydrogenated(smiles: str) -> Chem.Mol:
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def test_pairs_of_known_atoms() -> None:
    found = Counter(valences(hydrogenated("Cn1cccc1C(=O)[O-]")))
    assert found == {
        ("C", 0, (0, 4)): 2, ("N", 0, (2, 1)): 1, ("C", 0, (2, 1)): 4, ("O", 0, (0, 2)): 1,
        ("O", -1, (0, 1)): 1, ("H", 0, (0, 1)): 6,
    }  # fmt: skip
    assert ("C", 0, (3, 0)) in set(valences(hydrogenated("c1ccc2ccccc2c1")))


@pytest.mark.parametrize(
    "smiles",
    [
        "c1ccc2ccccc2c1", "Cn1cccc1", "C[n+]1ccccc1", "CS(=O)(=O)c1ccsc1", "CS(C)=O",
        "C[N+](=O)[O-]", "COP(=O)(O)OC", "FC(Cl)(Br)I", "[C-]#[N+]C", "c1ccoc1", "C1=CC=CC=C1",
        "O=c1cc[nH]cc1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kekulised", [False, True])
def test_molecules_are_stable_however_they_are_written(smiles: str, kekulised: bool) -> None:
    mol = hydrogenated(smiles)
    if kekulised:
        Chem.Kekulize(mol, clearAromaticFlags=True)
    judged = judge(samples([mol])[0])
    assert (judged.stable, judged.unknown) == (True, ()) and judged.smiles is not None
    assert judged.stable_atoms == judged.atoms == mol.GetNumAtoms()


def test_what_fails(hand_made: dict[str, Chem.Mol | None]) -> None:
    rows = {name: judge(samples([mol])[0]) for name, mol in hand_made.items()}
    stable = {name for name, row in rows.items() if row.stable}
    valid = {name for name, row in rows.items() if row.smiles is not None}
    # a lost hydrogen is no bond; RDKit minds neither it nor coordinates
    bad = {"missing hydrogen", "methyl radical", "five-valent", "empty", "nothing"}
    assert stable == set(rows) - bad
    assert valid == set(rows) - {"five-valent", "two fragments", "empty", "nothing"}
    five = rows["five-valent"]  # both carbons: 1 + 1 + 1 + 2
    assert (five.atoms, five.stable_atoms) == (8, 6)
    assert five.unknown == ("C with 0 aromatic bonds and orders of 5",)
    assert rows["missing hydrogen"].unknown == ("O with 0 aromatic bonds and orders of 1",)


def test_charges_matter() -> None:
    def unknown(smiles: str) -> tuple[str, ...]:
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
        return judge(samples([mol])[0]).unknown

    assert unknown("[H][N+]([H])([H])[H]") == ()
    assert unknown("[H][N]([H])([H])[H]") == ("N with 0 aromatic bonds and orders of 4",)
    assert unknown("[H][N+]([H])[H]") == ("N+1 with 0 aromatic bonds and orders of 3",)
    assert unknown("[H][Si]([H])([H])[H]") == ("Si with 0 aromatic bonds and orders of 4",)
    # an aromatic bond outside of a ring: not sanitised, and no whole order
    assert unknown("[H]C([H])([H]):C([H])([H])[H]") == ("C with 1 aromatic bonds and orders of 3",)


def test_rates() -> None:
    mols = [hydrogenated(s) for s in ("CO", "CO", "C.O", "[CH3]")]
    found = measure(samples(mols), SmilesSet.of(["CO"]))
    assert found.molecule_stability().value == 3 / 4 and found.validity().value == 3 / 4
    assert found.valid_stable().value == 2 / 4 and found.valid_stable().n == 4
    assert found.atom_stability().value == pytest.approx((6 + 6 + 8 + 3) / (6 + 6 + 8 + 4))
    assert found.failures() == ["C with 0 aromatic bonds and orders of 3"]
    assert found.novelty().value == 1 / 2


def test_the_table_holds_real_valences_of_ten_elements() -> None:
    table = allowed()
    assert {element for element, _ in table} == ELEMENTS
    for (element, charge), pairs in table.items():
        plain = {int(other) for aromatic, other in pairs if aromatic == 0}
        assert plain <= known_valences(element, charge), (element, charge)
    assert table["C", 0] == {(0, 4), (2, 1), (2, 2), (3, 0)}
    assert ("S", 1) in table and (2, 0) not in table["S", 1]  # a single molecule has it
    assert table["S", 0] == {(0, 2), (0, 4), (0, 6), (2, 0)}
    data = json.loads((files("moldiff.metrics") / "valence_tuples.json").read_text("utf-8"))
    assert sum(data["molecules"].values()) > 50_000
    assert data["valences"]["Cl"]["0"]["0,1"] > 5000


def test_the_table_is_counted_by_the_script(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("Cc1ccccc1 toluene\nC[O-]\n\n[CH3] radical\nnonsense\n")
    np.savez(tmp_path / "b.npz", smiles=np.array([b"CC", b"CCl"]))
    command = [sys.executable, SCRIPT, "a=a.smi", "some=b.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    table = json.loads(done.stdout)
    assert table["molecules"] == {"a": 2, "some": 2} and "2 left out" in done.stderr
    assert table["valences"] == {
        "H": {"0": {"0,1": 4}}, "C": {"0": {"0,4": 4, "2,1": 1}}, "O": {"-1": {"0,1": 1}},
        "Cl": {"0": {"0,1": 1}},
    }  # fmt: skip
    assert subprocess.run([sys.executable, SCRIPT], capture_output=True).returncode == 1
