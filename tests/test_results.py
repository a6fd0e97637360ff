"""The tables in docs/evaluate.md are those of the reports, and these of the bundled models."""

from __future__ import annotations

import json
from pathlib import Path

from moldiff import load
from moldiff.bundled import bundled_models
from moldiff.metrics.readme import results_section
from moldiff.model import Model

ROOT = Path(__file__).parents[1]
MODELS = ("qm9-skeleton", "qm9", "qm9-fast")
FILES = [f for m in MODELS for f in sorted((ROOT / "datasets/qm9/results" / m).glob("*.json"))]
REPORTS = [json.loads(file.read_text(encoding="utf-8")) for file in FILES]


def test_the_document_shows_the_committed_reports() -> None:
    section = results_section(REPORTS, ROOT / "datasets/qm9/published.yaml")
    assert section in (ROOT / "docs/evaluate.md").read_text(encoding="utf-8")


def test_the_reports_are_of_the_bundled_models_as_they_sample() -> None:
    models = {name: load(name) for name in MODELS}
    assert [file.parent.name for file in FILES].count("qm9-skeleton") >= 4
    for file, report in zip(FILES, REPORTS, strict=True):
        model = models[file.parent.name]
        assert report["provenance"]["model"] == [f"{file.parent.name} {model.digest}"]
        assert report["n"] >= 10_000
        (sampling,) = map(json.loads, report["provenance"]["sampling"])
        own = model.sampling if file.name.startswith("seed") else {**model.sampling, "steps": 10}
        assert sampling == own


def test_the_card_of_every_bundled_model_says_what_it_is() -> None:
    for name, path in bundled_models().items():
        card = Model.load(path).card
        assert card["name"] == name and card["licence"] == "MIT", name
        assert all(len(card[key]) > 10 for key in ("data", "limits")), name
        assert len(card["measured"]) > 2 and card["measured"]["protocol"], name
    card, report = load("qm9-skeleton").card["measured"], REPORTS[0]
    value = report["metrics"]["lookup.molecule_stability"]["value"]
    assert abs(float(card["look-up molecule stability"].split()[0]) - 100 * value) < 1
