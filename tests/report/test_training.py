"""The page of a run as text: complete, harmless and self-contained."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from moldiff.report.training import Run, render_training

LOGGED = [
    {"step": str(100 * k), "positions": str(0.5 / k), "types": str(1.6 / k), "rate": "0.001",
     "norm": "nan" if k == 2 else "3.1", "skipped": str(int(k > 1)), "precision": "float32",
     "speed": "120.5", "hours": "0.1"}
    for k in range(1, 30)
]  # fmt: skip
JUDGED = [
    {"step": "1000", "samples": "20", "validity": "0.5", "unique": "nan", "rmsd": "3.5"},
    {"step": "2000", "samples": "20", "validity": "0.75", "unique": "0.5", "rmsd": "2.5"},
]


class Page(HTMLParser):
    """The elements, and the text inside each kind of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "path", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.text[tag] = self.text.get(tag, "") + data


def page(**changes: Any) -> str:
    settings: dict[str, Any] = {
        "name": "my <run>", "samples": "poses", "state": "running", "step": 2900, "steps": 5000,
        "left": "3 min left", "logged": LOGGED, "judged": JUDGED,
        "facts": {"Data": "a & <b>"}, "settings": "steps: 5000 # <i>\n",
    }  # fmt: skip
    return render_training(Run(**settings | changes))


def test_it_is_whole_and_names_stay_text() -> None:
    parsed = Page(page())
    assert parsed.text["h1"].startswith("my <run>") and "a & <b>" in parsed.text["dd"]
    assert "steps: 5000 # <i>" in parsed.text["pre"]
    assert "2,900 of 5,000 steps3 min left" in parsed.text["p"]
    assert "$" not in re.sub(r"\$\{", "", page())  # of the template


def test_nothing_is_loaded_from_anywhere() -> None:
    text = page()
    for tag, attributes in Page(text).elements:
        assert tag not in ("link", "img", "iframe", "object", "script") or not (
            {"src", "href"} & attributes.keys()
        )
    assert "http://" not in text and "https://" not in text and "url(" not in text
    assert "default-src 'none'; script-src 'sha256-" in text


def test_the_charts() -> None:
    titles = re.findall(r'role="img" aria-label="([^"]*)"', page())
    assert titles == [
        "Loss by part",
        "Evaluation of 20 samples",
        "Evaluation: rmsd",
        "Learning rate",
        "Gradient norm before clipping",
        "Speed in poses per second",
        "Steps without an update so far",
    ]
    assert "Steps without" not in page(logged=LOGGED[:1])  # there were none
    assert "positions <b>0.0172</b>" in page() and "log scale" in page()
    assert "unique <b>0.5</b>" in page()  # not a number at first, and a share later


def test_all_charts_end_at_the_same_step() -> None:
    ends = re.findall('data-end="([^"]*)"', page(step=1_234_567, steps=2_000_000))
    assert ends == ["1234567"] * 7


def test_a_run_without_rows_says_so() -> None:
    assert "begin with the first row" in page(logged=[], judged=[])
    assert "No curves" in page(logged=[], judged=[], state="stopped")


@pytest.mark.parametrize("state", ["running", "stopped", "finished", "failed"])
def test_only_a_running_run_is_read_again(state: str) -> None:
    text = page(state=state, message="About it.")
    assert ('http-equiv="refresh"' in text) == (state == "running")
    assert f'<body data-state="{state}"' in text and ">About it.</p>" in text
    assert 'id="notice" hidden' in page(state=state)


def test_tables_of_another_version_are_drawn_as_far_as_they_go() -> None:
    old = [{"step": "100", "positions": "0.5"}, {"step": "200", "positions": "", "new": "1"}]
    assert "Loss by part" in page(logged=old)
