"""Metrics of molecules of some sizes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem
from rich.console import Console

from moldiff.errors import InputError
from moldiff.metrics import METRICS, Reference, Settings, Study, samples
from moldiff.metrics.bands import BANDED, by_band, parse_bands
from moldiff.metrics.build import build_reference, refresh_data, refresh_row
from moldiff.metrics.evaluation import Report, evaluate
from moldiff.metrics.value import Value, rate

QUICK = {"posebusters": 0, "relax": 0, "xtb": 0}


def flat(*smiles: str) -> list[Chem.Mol]:
    """Molecules with their hydrogens, without coordinates."""
    return [Chem.AddHs(Chem.MolFromSmiles(s)) for s in smiles]


#: 10 heavy atoms, 18, 19 and 41; and one of 19 that is not valid
SIZES = ("c1ccc2ccccc2c1", "C" * 18, "C" * 19, "C" * 41)


def broken(mol: Chem.Mol) -> Chem.Mol:
    copy = Chem.RWMol(mol)
    copy.GetBondWithIdx(0).SetBondType(Chem.BondType.TRIPLE)
    return copy.GetMol()


@pytest.fixture(scope="module")
def report() -> Report:
    mols = flat(*SIZES)
    return evaluate([*mols, broken(mols[2]), None], reference=None, **QUICK)


def test_each_molecule_counts_in_its_band(report: Report) -> None:
    assert list(report.bands) == ["10-18", "19-26", "27-40"]
    small, middle, large = report.bands.values()
    assert small["graph.strict_validity"] == rate(2, 2)
    assert middle["graph.strict_validity"] == rate(1, 2)
    assert small["composition.aromatic"] == rate(1, 2) and small["composition.rings"].value == 1
    assert middle["composition.heavy_atoms"].value == 19
    assert large["graph.validity"].n == 0 and large["graph.validity"].reason == "no molecules"
    assert small["posebusters.pass_rate"].reason == "not asked for, or no molecules"
    assert report.values["graph.validity"].n == 6


def test_metrics_of_all_sizes_are_not_parted() -> None:
    assert {"graph.strict_validity", "posebusters.pass_rate", "composition.charged"} < set(BANDED)
    assert not any("distance" in name or "difference" in name for name in BANDED)
    assert not any("unique" in name or "novel" in name for name in BANDED)


def test_default_bands_need_molecules_in_two() -> None:
    one = flat(*SIZES[:2])
    assert evaluate(one, reference=None, **QUICK).bands == {}
    assert evaluate(one, reference=None, **QUICK).bands_table() is None
    asked = evaluate(one, reference=None, bands=[(18, 30)], **QUICK).bands
    assert list(asked) == ["18-30"] and asked["18-30"]["graph.validity"] == rate(1, 1)


def test_rows_are_those_of_the_molecules_that_were_chosen(
    hand_made: dict[str, Chem.Mol | None],
) -> None:
    """PoseBusters looks at every other molecule; it must still know whose its rows are."""
    pytest.importorskip("posebusters")
    names = ["ethanol", "methane", "five-valent", "methane", "two fragments", "ethanol"]
    study = Study(samples([hand_made[n] for n in names]), None, Settings(posebusters=3))
    assert study.places("posebusters") == [0, 2, 4] and study.places("graph") == list(range(6))
    found = by_band(study, [(1, 1), (2, 2), (3, 3)])
    # ethanol; the five-valent one and the two fragments have two heavy atoms
    assert found["3-3"]["posebusters.pass_rate"] == rate(1, 1)
    assert found["2-2"]["posebusters.pass_rate"] == rate(0, 2)
    assert found["1-1"]["posebusters.pass_rate"].n == 0
    assert found["1-1"]["graph.strict_validity"] == rate(2, 2)


def test_strain_is_parted_too(hand_made: dict[str, Chem.Mol | None]) -> None:
    names = ["ethanol", "five-valent", "methane", "ethanol"]
    mols = [hand_made[n] for n in names]
    study = Study(samples(mols), None, Settings(posebusters=0, relax=None, xtb=0))
    found = by_band(study, [(1, 1), (2, 2), (3, 3)])
    key = "relaxation.drop_median"
    assert [found[name][key].n for name in ("1-1", "2-2", "3-3")] == [1, 0, 2]


def _plain(bands: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Without NaN, which equals nothing."""
    return {k: {name: one.to_dict() for name, one in row.items()} for k, row in bands.items()}


def test_the_data_of_the_same_band_stands_beside(tmp_path: Path) -> None:
    mols = flat(*SIZES)
    settings = Settings(0, 0, 0)
    reference = build_reference(
        "small", train=mols[:1], test=mols, row=mols[1:], settings=settings, info={}
    )
    assert list(reference.bands) == ["10-18", "19-26"]  # no molecule in the third
    assert reference.rings is not None and "c1ccc2ccccc2c1" in reference.rings
    assert len(reference.rings) == 1 and reference.info["row_molecules"] == 3
    reference.save(tmp_path)
    known = Reference.load("small", tmp_path)
    assert _plain(known.bands) == _plain(reference.bands)
    report = evaluate([*mols[:2], *mols[:2], mols[2]], reference=known, **QUICK)
    data = report.to_dict()["bands"]
    assert data["10-18"]["n"] == 4 and data["10-18"]["metrics"]["composition.rings"]["value"] == 1
    assert data["10-18"]["metrics"]["composition.rings"]["data"]["value"] == 0
    assert data["27-40"]["metrics"]["composition.rings"]["data"] is None
    json.loads(report.to_json())
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report.bands_table())
    lines = [" ".join(line.replace("│", " ").split()) for line in console.export_text().split("\n")]
    assert "molecules 4 1 1 1 0" in lines
    titles = [line for line in lines if line[1:3] == ". "]
    assert [title[0] for title in titles] == ["B", "C", "H"]  # what was not measured is not there
    assert not any("energy drop" in line for line in lines)
    assert "rings per molecule 1.000 (0.000 to 2.000) 0.000 0.000 (0.000 to 0.000) 0.000 –" in lines


def test_bands_of_some_protocols_are_measured_again() -> None:
    mols = flat(*SIZES)
    reference = build_reference(
        "small", train=[], test=mols, row=mols, settings=Settings(0, 0, 0), info={}
    )
    wrong = {"10-18": {name: rate(1, 7) for name in reference.bands["10-18"]}}
    stale = replace(reference, bands={**reference.bands, **wrong})
    again = refresh_row(stale, row=mols, protocols=["composition"], settings=Settings(0, 0, 0))
    for name, value in again.bands["10-18"].items():
        fresh = METRICS[name].protocol == "composition"
        assert value == (reference.bands["10-18"][name] if fresh else rate(1, 7)), name


def test_bands_are_read() -> None:
    assert parse_bands("10-18, 19-26") == ((10, 18), (19, 26)) and parse_bands("5-5") == ((5, 5),)
    assert parse_bands("10..18, 19-26") == ((10, 18), (19, 26))
    for text in ("", "10", "18-10", "a-b", "10-18,", "10-18-20", "-5-8"):
        with pytest.raises(InputError, match="no band"):
            parse_bands(text)


def test_the_data_is_measured_again_but_its_identities() -> None:
    mols, settings = flat(*SIZES), Settings(0, 0, 0)
    old = build_reference("a", train=mols[:1], test=mols, row=mols, settings=settings, info={})
    new = refresh_data(old, train=flat("C1CC1", "C1CCC1C"), test=mols[:2])
    assert new.rings is not None and len(new.rings) == 2 and "C1CC1" in new.rings
    assert new.graph is old.graph and new.lookup is old.lookup and new.row is old.row
    assert new.distributions.counts["composition/heavy_atoms"][[10, 18]].tolist() == [0.5, 0.5]
    assert len(old.distributions.counts["composition/heavy_atoms"]) == 42
