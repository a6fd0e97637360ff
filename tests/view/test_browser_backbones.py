"""The page of drawn backbones in a browser that can reach no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from moldiff.backbones.contig import motif_of
from moldiff.backbones.result import Backbones, Fold
from moldiff.seeds import generator
from tests.backbones import HELIX, STRAND, backbone, figures_of, of_torsions
from tests.proteins import pdb_lines
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
    return Fold(number, atoms, wanted, structure, figures_of(atoms), 2.0, 0.1, sequence, (-1.5,))


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


def test_a_motif_is_named_and_shown(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "given.pdb"
    file.write_text(pdb_lines(backbone(24, seed=1)))
    given = motif_of(file, "8/A5-9/11")
    around = replace(
        fold(1, HELIX, 24 * "?", "C" + 22 * "H" + "C"),
        motif=given,
        layout=given.layout(24, 24, rng=generator(0)),
    )
    browser.open(Backbones((around,), {"seed": 3}).save(tmp_path / "page.html"))
    assert browser.data("scene") == "webgl" and not browser.errors()
    assert "motif\t9-13=A:5-9" in text(browser, "#details")
    assert "motif" in text(browser, "#key")
    assert "unlike natives" not in text(browser, "#details")  # too short to say


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
