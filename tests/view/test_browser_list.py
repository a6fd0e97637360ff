"""The page of molecules in a browser: figures, searches, favourites, histograms, trajectories."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rdkit import Chem

from moldiff.chem.validity import canonical_smiles
from moldiff.io import Record
from moldiff.io.seal import molecule_digest
from moldiff.view import Figures, Frame, write_html
from tests.view import webdriver
from tests.view.webdriver import Browser

REASON = webdriver.missing()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

# Keeps the blob that a click would hand to the file system.
KEEP = (
    "(() => { window.saved = undefined; URL.createObjectURL = (blob) => { blob.text().then((t) => {"
    " window.saved = t; }); return 'javascript:void 0'; };"
    " HTMLAnchorElement.prototype.click = () => 0; })()"
)


@pytest.fixture(scope="module")
def page(
    records: list[Record], trajectory: list[Frame], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Molecules of which two were measured, one with the predictions of its denoising."""
    rows = [
        {"digest": molecule_digest(records[0].mol), "mmff94_drop": 4.2, "novel": "no"},
        {
            "digest": molecule_digest(records[1].mol),
            "mmff94_drop": 31.0,
            "novel": "yes",
            "posebusters": "fail",
            "posebusters_failed": "bond_lengths",
            "notes": "GFN2-xTB: not among the molecules measured",
        },
    ]
    end = trajectory[-1]
    frames = [replace(frame, prediction=end) for frame in trajectory[:-1]] + [end]
    path = tmp_path_factory.mktemp("list") / "molecules.html"
    figures = Figures.of(rows)
    write_html(path, records, title="Molecules", trajectories={0: frames}, figures=figures)
    return path


def text(browser: Browser, selector: str) -> str:
    return str(browser.run(f"document.querySelector({selector!r}).innerText"))


def card(browser: Browser, number: int) -> str:
    """The text of a molecule's card, once it has come into sight and is filled."""
    browser.wait(f"document.querySelector('#card-{number} .caption') !== null")
    return text(browser, f"#card-{number}")


def put(browser: Browser, selector: str, value: str) -> None:
    """Put a value into a field, as a paste does."""
    field = f"document.querySelector({selector!r})"
    browser.run(f"({field}.value = {value!r}, {field}.dispatchEvent(new Event('input')), 0)")


def test_figures_are_shown_sorted_by_and_filtered_by(browser: Browser, page: Path) -> None:
    browser.open(page, "mol=2&sort=mmff94_drop&order=desc")
    assert browser.data("order") == "2 1 3 4 5 6 7", "what was not measured comes last"
    details = text(browser, "#details")
    assert "MMFF94 drop" in details and "31.0 kcal/mol" in details and "bond lengths" in details
    assert "GFN2-xTB: not among the molecules measured" in details
    said = card(browser, 2)
    assert "relaxes by 31.0 kcal/mol" in said and "PoseBusters: bond lengths" in said
    for query, order in (("mmff94_drop<10", "1"), ("novel=yes", "2"), ("NOVEL=no", "1")):
        browser.open(page, f"q={query}")
        assert browser.data("order") == order, query
    browser.open(page, "mol=4")
    assert "not in the table of figures" in text(browser, "#details")


def test_a_substructure_is_found_marked_and_listed(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.type("#sub", "C(=O)N")
    assert (browser.data("found"), browser.data("order")) == ("1", "1")
    told = "1 molecule has it; 2 without bonds or valid valences not searched"
    assert text(browser, "#found") == told
    browser.wait("document.querySelectorAll('.card .hit').length === 1")
    assert browser.run("document.querySelectorAll('#details .hit').length") == 1
    browser.click("#only")
    assert browser.data("listed") == "7" and browser.data("found") == "1"
    assert "sub=C" in browser.run("location.hash") and "only=0" in browser.run("location.hash")
    put(browser, "#sub", "C(=O")
    assert "a ) is missing" in text(browser, "#found") and browser.data("listed") == "7"
    put(browser, "#sub", "")
    assert browser.run("document.querySelector('#found').hidden")
    assert browser.run("document.querySelectorAll('.hit').length") == 0
    browser.open(page, "sub=[OX2H]&mol=2")
    assert browser.data("order") == "2", "a molecule that breaks the rules is not searched"


def test_a_page_opens_with_what_it_highlights(
    browser: Browser, records: list[Record], tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    smarts = "[#6;^1]"  # the page's own search does not know hybridisation: RDKit has searched
    write_html(path, records, title="Alkynes", highlight=smarts)
    browser.open(path)
    assert (browser.data("listed"), browser.data("found")) == ("7", "1")
    assert browser.run("document.querySelector('#sub').value") == smarts
    browser.click("#only")
    assert browser.data("order") == "2"
    browser.wait("document.querySelectorAll('.card .hit').length === 1")


def test_favourites_last_and_are_saved(browser: Browser, page: Path, records: list[Record]) -> None:
    browser.open(page)
    browser.run("localStorage.clear()")
    browser.open(page, "mol=2")
    browser.press("s")
    browser.wait("document.querySelector('#card-7 .star') !== null")
    browser.click("#card-7 .star")
    assert browser.data("stars") == "2" and browser.data("selected") == "2", (
        "a star selects nothing"
    )
    browser.open(page, "stars=1")  # a new visit
    assert browser.data("order") == "2 7"
    browser.run(KEEP)
    browser.click("#export")
    browser.wait("window.saved !== undefined")
    supplier = Chem.SDMolSupplier()
    supplier.SetData(browser.run("window.saved"), removeHs=False)
    assert [mol.GetNumAtoms() for mol in supplier] == [13, 10]
    browser.run(KEEP)
    browser.click("#export-smiles")
    browser.wait("window.saved !== undefined")
    lines = browser.run("window.saved").splitlines()
    stereo = canonical_smiles(records[1].mol, stereo=True)
    assert stereo is not None and "@" in stereo
    assert [line.split()[0] for line in lines] == [stereo, "[NH3+]CC(=O)[O-]"]
    browser.open(page, "mol=2&stars=1")
    browser.press("s")
    assert browser.data("order") == "7"
    browser.run("localStorage.clear()")


def test_bars_of_histograms_filter(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("document.querySelector('#charts').hidden"), "few molecules: none by default"
    browser.click("#distributions")
    captions = browser.run("[...document.querySelectorAll('figcaption')].map((e) => e.textContent)")
    assert captions[:2] == ["MMFF94 drop, kcal/mol", "Novel"] and "Heavy atoms" in captions
    bars = "document.querySelectorAll('.chart:first-child .bar')"
    browser.run(f"({bars}[0].click(), 0)")
    assert browser.data("order") == "1"
    assert browser.run("document.querySelector('#search').value").startswith("mmff94_drop>=")
    assert browser.run(f"{bars}[0].getAttribute('aria-pressed')") == "true"
    browser.run(f"({bars}[0].click(), 0)")
    assert (
        browser.data("listed") == "7"
        and browser.run("document.querySelector('#search').value") == ""
    )
    browser.run("(document.querySelectorAll('.chart:nth-child(2) .bar')[1].click(), 0)")
    assert browser.run("document.querySelector('#search').value") == "novel=yes"
    assert browser.data("order") == "2"
    counts = browser.run(
        "[...document.querySelectorAll('.chart:nth-child(3) .bar')].map((e) => e.title)"
    )
    assert sum(": 1" in title for title in counts) == 1, "one molecule is listed"


def test_columns_of_any_name_filter_by_their_bars(
    browser: Browser, records: list[Record], tmp_path: Path
) -> None:
    rows = [
        {
            "digest": molecule_digest(records[k].mol),
            "docking score": -7.25 - k,
            "IC50(nM)": 10.0**k,
            "Δ": k,
            "docking_score": 40 + k,
            "qed": 5 + k,
            "mmff94_drop": "n/a",
        }
        for k in range(3)
    ]
    path = tmp_path / "names.html"
    write_html(path, records, title="Names", figures=Figures.of(rows))
    browser.open(path, "mol=1&charts=1")
    assert "-7.25" in text(browser, "#details") and "n/a" in text(browser, "#details")
    said = card(browser, 1)
    assert records[0].name in said and "relaxes" not in said
    captions = browser.run("[...document.querySelectorAll('figcaption')].map((e) => e.textContent)")
    names = {
        "docking score": "docking_score",
        "IC50(nM)": "IC50_nM",
        "Δ": "Δ",
        "docking_score": "docking_score_2",
        "qed": "qed_2",
        "QED": "qed",
    }
    assert set(names) <= set(captions)
    for label, name in names.items():
        chart = f"document.querySelectorAll('.chart')[{captions.index(label)}]"
        button = f"{chart}.querySelector('.bar')"
        told = browser.run(f"{button}.title").rsplit(": ", 1)[1]
        browser.run(f"({button}.click(), 0)")
        assert browser.run("document.querySelector('#search').value").startswith(f"{name}>=")
        assert browser.data("listed") == told and int(told) > 0, label
        chart = f"document.querySelectorAll('.chart')[{captions.index(label)}]"
        browser.run(f"({chart}.querySelector('.bar').click(), 0)")
        assert browser.data("listed") == "7", label


def test_a_trajectory_opens_at_noise_beside_its_predictions(browser: Browser, page: Path) -> None:
    browser.open(page, "mol=1")
    assert browser.data("playing") == "true" and int(browser.data("frame") or 99) < 10
    browser.wait("document.body.dataset.playing === 'false'")
    assert browser.data("frame") == "10", "it plays once and rests on the molecule"
    browser.open(page, "mol=1&frame=0")
    assert browser.data("frame") == "0" and browser.data("playing") == "false"
    shown = "[...document.querySelectorAll('#scene, #scene2')].map((e) => e.clientWidth)"
    first, second = browser.run(shown)
    assert abs(first - second) <= 2 and first > 100
    before = browser.screenshot()
    browser.drag(560, 290, 40)  # the left scene turns the right one, too
    assert browser.screenshot() != before
    browser.press("right")
    assert browser.run("getComputedStyle(document.querySelector('#scene2')).display") == "none"


def test_on_a_phone_nothing_is_wider_than_the_page(browser: Browser, page: Path) -> None:
    browser.resize(390, 844)
    try:
        for commands in ("mol=1&frame=3", "mol=2&charts=1&sub=C(=O)N", "q=nothing"):
            browser.open(page, commands)
            wide = browser.run(
                "[...document.querySelectorAll('header *, #panel *, .card')].filter((e) =>"
                " !e.closest('#charts, #scene, #scene2') && e.getBoundingClientRect().right"
                " > innerWidth + 1).map((e) => e.id || e.className)"
            )
            assert wide == [], commands
            assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        browser.open(page, "mol=2")
        heights = browser.run(
            "[...document.querySelectorAll('.tools button')].map((e) => e.offsetHeight)"
        )
        assert min(height for height in heights if height) >= 26, "fingers need room"
    finally:
        browser.full_size()
