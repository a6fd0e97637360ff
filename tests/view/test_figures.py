"""Figures measured elsewhere reach the molecules they were measured of, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

import moldiff
from moldiff.errors import InputError
from moldiff.io import Record
from moldiff.io.seal import molecule_digest
from moldiff.view import Figures, render_html

HEAD = (
    "number,name,digest,strictly_valid,novel,reference,posebusters,posebusters_failed,mmff94_drop"
)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def table(path: Path, records: list[Record]) -> Path:
    """Figures of the first two records, and the row of a record that cannot be read."""
    first, second = (molecule_digest(record.mol) for record in records[:2])
    rows = [
        HEAD + ",mine,notes",
        f"1,amide,{first},yes,no,qm9,pass,,4.25,7,",
        f'2,alkyne,{second},yes,yes,qm9,fail,"bond_lengths, internal_energy",nan,,MMFF94: tired',
        "3,lost,,no,,qm9,fail,not strictly valid,,,",
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_each_molecule_gets_its_own(records: list[Record], tmp_path: Path) -> None:
    figures = Figures.of(table(tmp_path / "f.csv", records))
    data = data_of(render_html([*records[1:3], records[0]], title="", figures=figures))
    alkyne, texas, amide = data["molecules"]
    assert amide["figures"] == {
        "novel": "no",
        "posebusters": "pass",
        "mmff94_drop": 4.25,
        "mine": 7,
    }
    assert alkyne["figures"]["posebusters_failed"] == "bond_lengths, internal_energy"
    assert alkyne["figures"]["notes"] == "MMFF94: tired" and "mmff94_drop" not in alkyne["figures"]
    assert "figures" not in texas, "it was not measured"
    about = data["figures"]
    assert (about["found"], about["reference"]) == (2, "qm9")
    keys = [column["key"] for column in about["columns"]]
    assert keys == ["posebusters", "posebusters_failed", "mmff94_drop", "novel", "mine"]
    assert about["columns"][2] == {
        "key": "mmff94_drop",
        "label": "MMFF94 drop",
        "unit": "kcal/mol",
        "digits": 1,
    }


def test_a_molecule_that_was_changed_since_has_none(records: list[Record], tmp_path: Path) -> None:
    figures = Figures.of(table(tmp_path / "f.csv", records))
    moved = Chem.Mol(records[0].mol)
    moved.GetConformer().SetAtomPosition(0, (9.0, 9.0, 9.0))
    changed = Record(moved, "amide", None, "a.sdf", 0, {})
    with pytest.raises(InputError, match="figures of none of these molecules") as caught:
        render_html([changed], title="", figures=figures)
    assert "f.csv" in str(caught.value)


def test_what_is_no_table_of_figures_is_said(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    for text in ("", "name,energy\na,1\n", "digest\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="no column 'digest'"):
            Figures.of(path)
    with pytest.raises(InputError, match="Cannot read"):
        Figures.of(tmp_path / "none.csv")


def test_a_report_has_the_rows_that_a_page_takes() -> None:
    mols = [Chem.MolFromSmiles(smiles) for smiles in ("CCO", "c1ccncc1", "CCO")]
    report = moldiff.evaluate(mols, reference="qm9", xtb=0)
    page = moldiff.view(mols, figures=report.molecules, highlight="cn")
    cards = data_of(page.html)["molecules"]
    assert [card["figures"]["copies"] for card in cards] == [2, 1, 2]
    assert {card["figures"]["novel"] for card in cards} <= {"yes", "no"}
    assert cards[0].get("hits") is None and len(cards[1]["hits"]) == 2
    with pytest.raises(InputError, match="substructure"):
        moldiff.view(mols, receptor="a.pdb", highlight="cn")


def test_rows_of_a_data_frame_are_figures(records: list[Record]) -> None:
    rows = [
        {
            "digest": molecule_digest(records[k].mol),
            "score": score,
            "count": np.int64(3),
            "good": np.bool_(True),
            "half": np.float32(0.5),
            "maybe": pd.NA,
            "when": pd.NaT,
        }
        for k, score in enumerate((np.nan, float("inf")))
    ] + [{"digest": np.nan, "score": 1.0}]
    frame = pd.DataFrame(rows).astype({"count": "Int64"})
    for given in (rows, frame.to_dict("records")):
        data = data_of(render_html(records[:2], title="", figures=Figures.of(given)))
        for card in data["molecules"]:
            assert card["figures"] == {"count": 3, "good": True, "half": 0.5}
        assert data["figures"]["found"] == 2


def test_names_that_look_like_numbers_stay_names(records: list[Record], tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    cells = "0001234,1E5,1_0, 2.5,-inf"
    path.write_text(f"digest,a,b,c,d,e\n{molecule_digest(records[0].mol)},{cells}\n")
    (card,) = data_of(render_html(records[:1], title="", figures=Figures.of(path)))["molecules"]
    assert card["figures"] == {"a": "0001234", "b": "1E5", "c": "1_0", "d": 2.5}


@pytest.mark.parametrize("value", [[1, 2], np.zeros(2), {"a": 1}, 1j])
def test_values_that_no_page_can_show_are_refused(records: list[Record], value: object) -> None:
    with pytest.raises(InputError, match="column 'mine' of the table holds a"):
        Figures.of([{"digest": molecule_digest(records[0].mol), "mine": value}])


def test_a_line_longer_than_the_header_is_refused(records: list[Record], tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(f"digest,mine\n{molecule_digest(records[0].mol)},1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="cells beyond the header"):
        Figures.of(path)
