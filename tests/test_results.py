"""The README's tables are those of the committed report, and that is of the bundled model."""

from __future__ import annotations

import json
from pathlib import Path

from moldiff import load
from moldiff.metrics.readme import results_section

ROOT = Path(__file__).parents[1]
REPORT = json.loads((ROOT / "datasets/qm9/results.json").read_text(encoding="utf-8"))


def test_the_readme_shows_the_committed_report() -> None:
    section = results_section(REPORT, ROOT / "datasets/qm9/published.yaml")
    assert section in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_report_is_of_the_bundled_model() -> None:
    model = load("qm9")
    assert REPORT["provenance"]["model"] == [f"qm9 {model.digest}"]
    assert REPORT["n"] >= 10_000
