"""The page of drawn backbones in a browser that can reach no network."""

from __future__ import annotations

from pathlib import Path

import pytest

from moldiff.backbones.result import Backbones, Fold
from tests.backbones import HELIX, STRAND, figures_of, of_torsions
from tests.view import webdriver
from tests.view.webdriver import Browser

REASON = webdriver.missing()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]


def fold(number: int, torsions: tuple[float, float], wanted: str, structure: str) -> Fold:
    atoms = of_torsions([torsions] * 24).astype(float)
    sequence = ("ACDEFGHIKLMNPQRSTVWYACDE",)
    return Fold(number, atoms, wanted, structure, figures_of(atoms), 0.1, sequence, (-1.5,))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    helix = fold(1, HELIX, "C" + 22 * "H" + "C", "C" + 22 * "H" + "C")
    strand = fold(2, STRAND, 24 * "?", 24 * "C")
    drawn = Backbones((helix, strand), {"version": "1 <b>", "seed": 3})
    return drawn.save(tmp_path_factory.mktemp("page") / "backbones.html")


def text(browser: Browser, selector: str) -> str:
    return str(browser.run(f"document.querySelector({selector!r}).innerText"))


def test_backbones_are_listed_and_the_selected_one_is_shown(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.data("scene") == "webgl" and browser.data("selected") == "backbone-1"
    assert text(browser, "#counts") == "2 backbones"
    assert "version=1 <b> seed=3" in text(browser, "#notes")
    details = text(browser, "#details")
    assert "asked for" in details and "structure as asked\t100 %" in details
    assert "helix\t92 %" in details and "ACDEFGHIKLMNPQRSTVWYACDE" in details
    browser.run("document.querySelectorAll('#poses tbody tr')[1].click()")
    assert browser.data("selected") == "backbone-2"
    details = text(browser, "#details")
    assert "asked for" not in details and "helix\t0 %" in details


def test_keys_choose_and_switch(browser: Browser, page: Path) -> None:
    browser.open(page)

    def press(key: str) -> None:
        browser.run(f"document.dispatchEvent(new KeyboardEvent('keydown', {{key: {key!r}}}))")

    press("ArrowDown")
    press("ArrowDown")  # there is none after the last
    assert browser.data("selected") == "backbone-2"
    press("ArrowUp")
    assert browser.data("selected") == "backbone-1"
    for key, name in (("b", "sticks"), ("c", "ends")):
        state = f"document.getElementById({name!r}).getAttribute('aria-pressed')"
        assert browser.run(state) == "false"
        press(key)
        assert browser.run(state) == "true"
