"""A report as a section of the README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moldiff.metrics.evaluation import evaluate
from moldiff.metrics.readme import results_section

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "datasets" / "qm9" / "published.yaml"
MADE = {"model": ["qm9 0123abcd"], "seed": ["7"], "steps": ["50"]}


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return evaluate(
        ROOT / "datasets" / "qm9" / "sample.sdf", posebusters=0, relax=0, xtb=0
    ).to_dict()


def section(report: dict[str, Any], **changes: Any) -> str:
    return results_section([{**report, **changes}], PUBLISHED)


def test_the_data_row_names_its_split(report: dict[str, Any]) -> None:
    text = section(report)
    assert text.count("| QM9 itself (validation split) |  |") == 2
    assert "test split" not in text and "nobody else" not in text
    row = {"name": "qm9", "row": "qm9, 9 molecules of the test split"}
    assert "QM9 itself (test split)" in section(report, reference=row)
    assert "| data |" in section(report, reference=None)


def test_the_heading_says_what_was_measured(report: dict[str, Any]) -> None:
    versions = {**report["versions"], "cpu": "Abacus 3", "rdkit": "1.2", "posebusters": "0.6"}
    known: dict[str, Any] = {"versions": versions}
    made = {**MADE, "sampling": ['{"steps":50,"temperature":0.7}']}
    head = section(report, provenance=made, **known).splitlines()[0]
    for part in (
        f"{report['n']} samples", "model qm9 0123abcd", "seed 7", "steps 50", "temperature 0.7",
        "Abacus 3", "RDKit 1.2", "PoseBusters 0.6",
    ):  # fmt: skip
        assert part in head
    assert "| **moldiff** | 50 |" in section(report, provenance=made)


@pytest.mark.parametrize("sampling", [[], ['{"temperature":1.0}'], ["{}"], ["[1]"], ["no JSON"]])
def test_a_temperature_of_one_is_not_mentioned(sampling: list[str], report: dict[str, Any]) -> None:
    head = section(report, provenance={**MADE, "sampling": sampling}).splitlines()[0]
    assert "temperature" not in head and "seed 7" in head


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        (['{"keep_valid": false, "n": 2}', '{"keep_valid": false, "n": 3}'], "samples, no filter;"),
        (['{"keep_valid": false}', '{"keep_valid": true}'], "only strictly valid ones kept"),
        ([], "samples;"),
    ],
)
def test_a_filter_is_disclosed(requests: list[str], words: str, report: dict[str, Any]) -> None:
    assert words in section(report, provenance={**MADE, "request": requests}).splitlines()[0]


def test_seeds_are_one_row_and_other_steps_another(report: dict[str, Any]) -> None:
    def made(seed: str, steps: str, stable: float) -> dict[str, Any]:
        entry = {**report["metrics"]["graph.molecule_stability"], "value": stable}
        metrics = {**report["metrics"], "graph.molecule_stability": entry}
        provenance = {**MADE, "seed": [seed], "steps": [steps]}
        return {**report, "metrics": metrics, "provenance": provenance}

    runs = [made("0", "30", 0.97), made("1", "30", 0.99), made("0", "10", 0.9)]
    text = results_section(runs, PUBLISHED)
    assert "for each seed" in text and "seeds 0, 1" in text.splitlines()[0]
    assert "| **moldiff** | 30 | 98.0 ± 1.4 |" in text
    assert "| **moldiff** | 10 | 90.0 |" in text


def test_models_have_rows_and_a_column_of_their_own(report: dict[str, Any]) -> None:
    def made(model: str, drop: float, **more: list[str]) -> dict[str, Any]:
        entry = {**report["metrics"]["relaxation.drop_median"], "value": drop, "n": 3}
        metrics = {**report["metrics"], "relaxation.drop_median": entry}
        return {**report, "metrics": metrics, "provenance": {**MADE, "model": [model], **more}}

    text = results_section(
        [made("folded 01", 2.0, hydrogens=["placed somehow"]), made("whole 02", 3.0)], PUBLISHED
    )
    first, second = text.split("\n\n")[:2]
    assert "model folded 01" in first and "hydrogens placed somehow" in first
    assert "model whole 02" in second and "hydrogens" not in second
    assert (
        text.count("| **moldiff** folded | 50 |") == text.count("| **moldiff** whole | 50 |") == 2
    )
    assert "|  | **moldiff** folded | **moldiff** whole | data | molecules of each |" in text
    assert "| 2.000 kcal/mol | 3.000 kcal/mol |" in text


def test_a_report_without_provenance_will_do(report: dict[str, Any]) -> None:
    old = {key: value for key, value in report.items() if key != "provenance"}
    old["versions"] = {key: value for key, value in old["versions"].items() if key != "cpu"}
    assert "| **moldiff** |  |" in results_section([old], PUBLISHED)


def test_a_report_without_xtb_will_do(report: dict[str, Any]) -> None:
    assert "| GFN2-xTB energy drop on relaxing, median | – |" in section(report)
    old = {k: v for k, v in report["metrics"].items() if not k.startswith("xtb.")}
    assert "xTB" not in section(report, metrics=old)


def test_the_composition_is_shown_beside_the_data(report: dict[str, Any]) -> None:
    text = section(report)
    share = report["metrics"]["composition.aromatic"]
    cells = (
        f"| {100 * share['value']:.1f} % | {100 * share['data']['value']:.1f} % | {share['n']} |"
    )
    assert f"| aromatic {cells}" in text
    rings = report["metrics"]["composition.rings_4"]
    assert f"| rings of four | {rings['value']:.3f} | {rings['data']['value']:.3f} |" in text
    old = {k: v for k, v in report["metrics"].items() if not k.startswith("composition.")}
    assert "omposition" not in section(report, metrics=old)
