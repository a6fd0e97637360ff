"""The README's tables are those of the committed reports, and those are of the bundled model."""

from __future__ import annotations

import json
from pathlib import Path

from moldiff import load
from moldiff.metrics.readme import results_section

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "datasets/qm9/results"
FILES = [*sorted(FOLDER.glob("seed-*.json")), *sorted(FOLDER.glob("steps-*.json"))]
REPORTS = [json.loads(file.read_text(encoding="utf-8")) for file in FILES]


def test_the_readme_shows_the_committed_report() -> None:
    section = results_section(REPORTS, ROOT / "datasets/qm9/published.yaml")
    assert section in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_reports_are_of_the_bundled_model_as_it_samples() -> None:
    model = load("qm9")
    assert len(REPORTS) >= 4
    for file, report in zip(FILES, REPORTS, strict=True):
        assert report["provenance"]["model"] == [f"qm9 {model.digest}"]
        assert report["n"] >= 10_000
        (sampling,) = map(json.loads, report["provenance"]["sampling"])
        own = model.sampling if file.name.startswith("seed") else {**model.sampling, "steps": 10}
        assert sampling == own
