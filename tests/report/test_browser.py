"""The page of a run in a browser: its script runs under its policy, and a phone shows it all."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moldiff.report.training import Run, State, render_training
from tests.view.webdriver import BINARIES

BROWSER = next(filter(None, map(shutil.which, BINARIES)), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]
Shown = Callable[..., str]
LOGGED = [
    {"step": str(100 * k), "positions": str(0.5 / k), "types": "nan" if k == 3 else str(1.5 / k)}
    for k in range(1, 200)
]


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    """``shown(state)``: the document of a page after its script, and another one, have run."""

    def show(state: State = "finished", *, age: float = 0, script: str = "", **changes: Any) -> str:
        run = Run("my run", "molecules", state, 19900, 20000, logged=LOGGED, **changes)
        text = render_training(run).replace("</body>", f"<script>{script}</script></body>")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        text = text.replace("script-src ", f"script-src 'sha256-{digest}' ")
        text = re.sub('data-written="[0-9]+"', f'data-written="{time.time() - age:.0f}"', text)
        path = tmp_path / "training.html"
        path.write_text(text)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=390,800"]
        flags += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
        done = subprocess.run([str(BROWSER), *flags, path.as_uri()], capture_output=True, text=True)
        assert done.returncode == 0 and 'data-ready="true"' in done.stdout, done.stderr
        return done.stdout

    return show


def test_values_are_shown_under_the_pointer(shown: Shown) -> None:
    document = shown(
        script="const plot = document.querySelector('.plot'), a = plot.getBoundingClientRect();"
        "plot.dispatchEvent(new PointerEvent('pointermove', {clientX: a.left + 0.015 * a.width}));"
    )
    (told,) = re.findall('<div id="values" style[^>]*>(.*?)</div></div>', document)
    assert re.sub("<[^>]*>", "|", told) == "|step 300|||positions 0.1667||||types –|"


def test_it_fits_a_telephone(shown: Shown) -> None:
    document = shown(
        message="A message that is long: " + "moldiff train " * 30,
        settings="a: " + "b" * 999,
        facts={"Data": "/a/long/path" * 30},
        script="document.title = [document.documentElement.scrollWidth, innerWidth].join()",
    )
    wide, window = map(int, re.findall("<title>([0-9]+),([0-9]+)</title>", document)[0])
    assert wide <= window < 600


def test_a_page_nobody_writes_any_more_says_so(shown: Shown) -> None:
    assert "Nothing new" not in re.sub("(?s)<script>.*", "", shown("running", age=200))
    assert "Nothing new for 2 h: the run may have been killed" in shown("running", age=7200)
    assert "Nothing new for 2 h" not in shown("finished", age=7200)
