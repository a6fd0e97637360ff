"""Protocol B and strict validity on molecules made to fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.io import read_molecules, write
from moldiff.metrics.evaluation import evaluate
from moldiff.metrics.graph import Graph, judge, measure
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.sample import samples
from tests.molecules import embedded

# name -> (all valences fit, sanitises, connected, why it is not strictly valid)
EXPECTED: dict[str, tuple[bool, bool, bool, str | None]] = {
    "methane": (True, True, True, None),
    "ethanol": (True, True, True, None),
    "benzene": (True, True, True, None),
    "nitro": (True, True, True, None),
    "ammonium": (True, True, True, "net charge +1"),
    "two fragments": (True, True, False, "fragments: 2"),
    "missing hydrogen": (False, True, True, "radical on O3"),
    "methyl radical": (False, True, True, "radical on C1"),
    "not finite": (True, True, True, "non-finite coordinates"),
    "five-valent": (False, False, True, "valence: C1 has 5"),
    "chlorine": (True, True, True, None),
    "empty": (False, False, False, "empty"),
    "nothing": (False, False, False, "no molecule"),
}


@pytest.mark.parametrize("name", list(EXPECTED))
def test_hand_made(name: str, hand_made: dict[str, Chem.Mol | None]) -> None:
    judged = judge((samples([hand_made[name]])[0], 0))
    found = (judged.stable, judged.smiles is not None, judged.connected, judged.failure)
    assert found == EXPECTED[name]


def test_a_charge_can_be_asked_for(hand_made: dict[str, Chem.Mol | None]) -> None:
    (sample,) = samples([hand_made["ammonium"]])
    assert judge((sample, 1)).failure is None and judge((sample, None)).failure is None


def test_aromatic_bonds_are_kekulised(hand_made: dict[str, Chem.Mol | None]) -> None:
    aromatic = Chem.Mol(hand_made["benzene"])
    Chem.SanitizeMol(aromatic)
    assert aromatic.GetBondWithIdx(0).GetIsAromatic()
    assert judge((samples([aromatic])[0], 0)).stable
    # a ring of five aromatic carbons has no Kekulé structure; no half-orders count as valences
    broken = Chem.MolFromSmiles("[cH]1[cH][cH][cH][cH]1", sanitize=False)
    judged = judge((samples([broken])[0], 0))
    assert judged.stable_atoms == 0 and judged.smiles is None


@pytest.mark.parametrize(
    "smiles",
    ["CS(=O)(=O)Nc1ccc(Cl)cc1Br", "COP(=O)(O)OC", "OB(O)c1ccccc1", "C[Si](C)(C)I", "C[S+](C)[O-]"],
)
def test_molecules_of_drugs_elements_are_stable(smiles: str) -> None:
    assert judge((samples([Chem.AddHs(Chem.MolFromSmiles(smiles))])[0], 0)).stable


def test_perchloric_acid_is_stable_as_rdkit_writes_it() -> None:
    assert judge(
        (samples([Chem.AddHs(Chem.MolFromSmiles("O[Cl+3]([O-])([O-])[O-]"))])[0], 0)
    ).stable


def test_elements_outside_the_table_are_not_applicable(
    hand_made: dict[str, Chem.Mol | None],
) -> None:
    ferrous = Chem.AddHs(Chem.MolFromSmiles("[CH3][Fe][CH3]"))
    result = measure(samples([ferrous, hand_made["methane"]]), None)
    assert result.rows[0].outside == ("Fe",) and not result.failures()
    assert (result.molecule_stability().value, result.molecule_stability().n) == (1.0, 1)
    assert (result.atom_stability().value, result.validity().n) == (1.0, 2)
    alone = measure(samples([ferrous]), None)
    assert alone.molecule_stability().reason == "no molecules of elements in the table"
    assert alone.strict_validity().value == 1.0


def test_reports_say_what_is_not_applicable() -> None:
    helium = Chem.MolFromSmiles("[He]")
    AllChem.EmbedMolecule(helium)
    report = evaluate([helium, embedded("CS(C)=O")], posebusters=0, relax=0, xtb=0)
    assert [w.split(":")[0] for w in report.warnings if "not applicable" in w and "He" in w] == [
        "A. EDM look-up",
        "B. Predicted graph",
        "C. GEOM-Drugs, corrected",
    ]
    assert report.values["lookup.validity"].n == 1 and not report.failures["graph"]


def test_rates(hand_made: dict[str, Chem.Mol | None]) -> None:
    names = ["methane", "methane", "ethanol", "two fragments", "five-valent", "nothing"]
    result: Graph = measure(samples([hand_made[n] for n in names]), SmilesSet.of(["C"]))
    assert result.validity().value == pytest.approx(4 / 6)
    assert result.strict_validity().value == pytest.approx(3 / 6)
    assert result.connectedness().value == pytest.approx(4 / 6)
    assert result.molecule_stability().value == pytest.approx(4 / 6)
    assert result.uniqueness().value == pytest.approx(3 / 4)
    assert result.valid_unique().value == pytest.approx(3 / 6)
    assert result.strict_unique().value == pytest.approx(2 / 6)
    assert result.novelty().value == pytest.approx(2 / 3)
    assert result.valid_unique_novel().value == pytest.approx(2 / 6)
    value = result.validity()
    assert value.low is not None and value.high is not None
    assert 0 < value.low < value.value < value.high < 1


@pytest.mark.parametrize("suffix", [".sdf", ".json"])
def test_a_file_is_judged_as_the_molecules_in_it(
    suffix: str, hand_made: dict[str, Chem.Mol | None], tmp_path: Path
) -> None:
    mols = [m for name, m in hand_made.items() if m is not None and name != "not finite"]
    write(mols, tmp_path / f"a{suffix}")
    again = samples(read_molecules(tmp_path / f"a{suffix}"))
    assert [judge((s, 0)) for s in again] == [judge((s, 0)) for s in samples(mols)]
