"""The tables in docs/evaluate.md are those of the reports, and these of the bundled models."""

from __future__ import annotations

import json
from pathlib import Path

from moldiff import load
from moldiff.metrics.readme import results_section

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
