"""The ranges of a histogram hold every value, as the page computes them."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from tests.view import webdriver
from tests.view.webdriver import Browser

REASON = webdriver.missing()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]


def test_every_value_is_in_one_bar(browser: Browser, tmp_path: Path) -> None:
    code = (files("moldiff.view") / "page" / "histogram.js").read_text("utf-8")
    tried = (
        "const bars = (sets) => sets.map((values) => { const all = rangesOf(values);"
        " return [all.length, values.map((v) => all.filter((bar) => inBar(bar, v)).length)]; });"
    )
    page = tmp_path / "histogram.html"
    page.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><body data-ready="true">'
        f"<script>{code}\n{tried}</script>",
        encoding="utf-8",
    )
    browser.open(page)
    rng = np.random.default_rng(0)
    sets = [[0, 0.7], [-0.9, 0.3], [0, 0.6], [0, 12], [-3, 3], [1e6, 1e6 + 1]]
    sets += [
        np.round(rng.normal(0, 10.0 ** (k % 5 - 2), 6), 2 + k % 3).tolist() for k in range(500)
    ]
    sets = [values for values in sets if len(set(values)) > 1]
    for values, (count, found) in zip(sets, browser.run(f"bars({json.dumps(sets)})"), strict=True):
        assert set(found) == {1}, values
        assert 2 <= count <= 14, values
