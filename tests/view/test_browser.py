"""The page in a real browser that can reach no network."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

import moldiff
from moldiff.docking.preparation import Preparation, prepare
from moldiff.io import Record
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import prepare_receptor
from moldiff.text import replace_text
from moldiff.view import Frame, write_html
from moldiff.view.completion import GapView, render_completion
from moldiff.view.docking import write_docking
from moldiff.view.preparation import render_preparation
from tests.backbones import backbone
from tests.molecules import embedded
from tests.proteins import names_of, pdb_lines
from tests.view import webdriver
from tests.view.webdriver import Browser

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
_REASON = webdriver.missing()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
]


@pytest.fixture(scope="module")
def page(
    records: list[Record], trajectory: list[Frame], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("page") / "molecules.html"
    write_html(path, records, title="Molecules", trajectories={0: trajectory})
    return path


def test_a_cell_of_a_notebook_shows_it_in_3d(
    browser: Browser, records: list[Record], tmp_path: Path
) -> None:
    cell = moldiff.view(records)._repr_html_()
    notebook = tmp_path / "cell.html"
    notebook.write_text(f'<!DOCTYPE html><body data-ready="true">{cell}', encoding="utf-8")
    browser.open(notebook)
    inside = "document.querySelector('iframe').contentDocument?.body?.dataset"
    browser.wait(f"{inside}?.ready === 'true'")
    assert browser.run(f"{inside}.scene") == "webgl" and browser.run(f"{inside}.listed") == "7"


def test_it_opens_in_3d_and_fetches_nothing(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.data("scene") == "webgl"
    assert (browser.data("listed"), browser.data("selected"), browser.data("atoms")) == (
        "7",
        "1",
        "13",
    )
    assert browser.run("document.querySelector('#scene canvas').width") > 300
    fetched = browser.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in fetched if not name.startswith(("data:", "blob:"))] == []


def test_names_stay_text(browser: Browser, page: Path) -> None:
    browser.open(page, "mol=7")
    assert "<img src=x" in browser.run("document.querySelector('#details').textContent")
    assert browser.run("document.querySelectorAll('img').length") == 0


def test_address_commands_sort_and_filter(browser: Browser, page: Path) -> None:
    browser.open(page, "sort=tag:energy&order=desc")
    assert browser.data("order") == "3 1 2 4 5 6 7", "numbers in order, missing ones last"
    browser.open(page, "show=invalid&kind=valence")
    assert browser.data("order") == "3"
    browser.open(page, "q=energy<-5")
    assert browser.data("order") == "2"
    browser.open(page, "sort=nonsense&show=nonsense&mol=999&style=nonsense")
    assert browser.data("listed") == "7"


def test_search_as_typed(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.type("#search", "texas valence")
    assert browser.data("order") == "3" and browser.data("selected") == "3"
    browser.type("#search", " nothing")
    assert browser.data("listed") == "0"
    assert browser.run("document.querySelector('#empty').textContent") == "No molecule matches."


def test_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page)
    for key, selected in (("right", "2"), ("right", "3"), ("left", "2"), ("end", "7")):
        browser.press(key)
        assert browser.data("selected") == selected
    assert "mol=7" in browser.run("location.hash")
    browser.press("home")
    browser.wait("document.body.dataset.playing === 'false'")  # its trajectory plays once
    browser.press("h")
    assert browser.data("atoms") == "8", "hydrogens hidden"


def test_broken_and_flat_records_are_shown_with_their_reason(browser: Browser, page: Path) -> None:
    browser.open(page, "mol=6")
    assert "unreadable: atom line 7" in browser.run("document.querySelector('#details').innerText")
    assert browser.data("atoms") == "0"
    browser.open(page, "mol=3&style=sphere&labels=1")
    assert "valence: C1 has 5" in browser.run("document.querySelector('#details').innerText")
    assert browser.data("atoms") == "10"


def test_the_trajectory_plays_and_stops(browser: Browser, page: Path) -> None:
    browser.open(page, "mol=1&frame=2")
    assert browser.data("frame") == "2"
    assert "t = 0.80" in browser.run("document.querySelector('#time').textContent")
    browser.press(" ")
    assert browser.data("playing") == "true"
    browser.wait("Number(document.body.dataset.frame) > 3")
    browser.press(" ")
    assert browser.data("playing") == "false"
    browser.press("right")
    assert browser.run("document.querySelector('#player').hidden")


def test_dragging_turns_the_molecule(browser: Browser, page: Path) -> None:
    browser.open(page, "mol=2")
    before = browser.screenshot()
    browser.drag(650, 290, 120)
    assert browser.screenshot() != before


def test_thumbnails_and_drawings(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.wait("document.querySelectorAll('.card svg').length === 6")
    browser.click("#pictures [data-value='3d']")
    browser.wait("document.querySelectorAll('.card canvas').length === 6")


def test_the_downloaded_sdf_is_the_molecule(
    browser: Browser, page: Path, records: list[Record]
) -> None:
    browser.open(page, "mol=7")
    # keep the blob that a click would hand to the file system
    browser.run(
        "(() => { URL.createObjectURL = (blob) => { blob.text().then((t) => { window.saved = t; });"
        " return 'javascript:void 0'; }; HTMLAnchorElement.prototype.click = () => 0; })()"
    )
    browser.click("#download")
    browser.wait("window.saved !== undefined")
    supplier = Chem.SDMolSupplier()
    supplier.SetData(browser.run("window.saved"), removeHs=False)
    saved, given = supplier[0], records[6].mol
    assert Chem.MolToSmiles(Chem.RemoveHs(saved)) == "[NH3+]CC(=O)[O-]"
    place = saved.GetConformer().GetPositions() - given.GetConformer().GetPositions()
    assert abs(place).max() < 1e-3
    assert saved.GetProp("_Name") == records[6].name
    assert saved.GetProp(re.sub("[<>]", "_", records[6].name)) == records[6].name, "the tag"


def test_without_webgl_it_paints(page: Path, tmp_path: Path) -> None:
    browser = webdriver.Browser(tmp_path, "--disable-3d-apis")
    try:
        browser.open(page, "mol=1&style=stick")
        assert browser.data("scene") == "painted" and browser.data("atoms") == "13"
        before = browser.screenshot()
        browser.drag(650, 290, 120)
        assert browser.screenshot() != before
        assert browser.data("error") is None
    finally:
        browser.close()


# --- docked poses ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def docked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dexamethasone in its crystal's pocket, and phenol moved to its middle: a library of two."""
    place = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
    known = Chem.AddHs(Chem.MolFromMolFile(str(place / "ligand.sdf")), addCoords=True)
    middle = known.GetConformer().GetPositions().mean(0)
    phenol = embedded("Oc1ccccc1")
    x = phenol.GetConformer().GetPositions()
    phenol.GetConformer().SetPositions(x - x.mean(0) + middle)
    poses = [
        Record(known, "dexamethasone", None, "a.sdf", 0, {"energy_kcal_mol": "-11.5", "seed": "0"}),
        Record(phenol, "phenol", None, "a.sdf", 1, {"energy_kcal_mol": "-4.5", "seed": "0"}),
    ]
    path = tmp_path_factory.mktemp("docked") / "poses.html"
    receptor = prepare_receptor(read_structure(place / "receptor.pdb"))
    write_docking(path, poses, receptor, title="Poses", reference=known)
    return path


def test_poses_are_found_by_what_they_meet(browser: Browser, docked: Path) -> None:
    browser.open(docked)
    assert (browser.data("scene"), browser.data("listed")) == ("webgl", "2")
    for query, listed in (
        ("ARG611", "1"),
        ("arg61", "1"),
        ("A:611:hbond", "1"),
        ("A:611:clash", "0"),
        ("hbond", "1"),
        ("hbond>3", "1"),
        ("clash<1", "2"),
        ("energy<-8", "1"),
        ("energy>-20", "2"),
        ("mw<100 energy<0", "1"),
        ("phenol", "1"),
        ("zzz", "0"),
    ):
        browser.run(f"(document.querySelector('#search').value = {query!r}, 0)")
        browser.run("document.querySelector('#search').dispatchEvent(new Event('input'))")
        assert browser.data("listed") == listed, query
    assert browser.run("location.hash").count("zzz") == 1
    browser.open(docked, "q=energy<-8")
    assert browser.data("listed") == "1"


OVERLAP = """(() => {
  const shown = [...document.querySelectorAll('#tags .tag:not([hidden])')];
  const boxes = shown.map((e) => e.getBoundingClientRect());
  const across = (a, b) => a.left < b.right && b.left < a.right;
  const meet = (a, b) => across(a, b) && a.top < b.bottom && b.top < a.bottom;
  return [boxes.length, boxes.filter((a, i) => boxes.some((b, k) => k < i && meet(a, b))).length];
})()"""


def test_labels_do_not_overlap_whichever_way_it_is_turned(browser: Browser, docked: Path) -> None:
    browser.open(docked)
    before = browser.run("document.querySelector('#tags .tag').style.transform")
    for _ in range(3):
        shown, overlapping = browser.run(OVERLAP)
        assert shown >= 4 and overlapping == 0
        browser.drag(700, 200, by=60)
    assert browser.run("document.querySelector('#tags .tag').style.transform") != before


def test_interactions_come_before_provenance(browser: Browser, docked: Path) -> None:
    browser.open(docked)
    order = browser.run(
        "[...document.querySelectorAll('#details :is(figure svg, .contacts, details)')]"
        ".map((e) => e.tagName.toLowerCase())"
    )
    assert order == ["svg", "table", "details"]
    assert browser.run("document.querySelector('#details details').open") is False
    assert "seed" in browser.run("document.querySelector('#details details').textContent")
    assert browser.run("document.querySelectorAll('#poses .structure svg').length") == 2
    assert "hydrogen bond" in browser.run("document.querySelector('#key').textContent")


def test_the_stage_alone(browser: Browser, docked: Path) -> None:
    browser.open(docked)
    browser.click("#full")
    whole = "document.querySelector('#stage').getBoundingClientRect().width === innerWidth"
    browser.wait(whole)
    browser.press("f")
    browser.wait(f"!({whole})")


def test_boxes_are_chosen_by_their_rows(
    browser: Browser, prepared: Preparation, tmp_path: Path
) -> None:
    replace_text(tmp_path / "page.html", render_preparation(prepared))
    browser.open(tmp_path / "page.html")
    assert browser.data("scene") == "webgl"
    rows = "document.querySelectorAll('#boxes tbody tr').length"
    assert browser.run(rows) == len(prepared.boxes)
    browser.click("#boxes tbody tr")
    assert browser.data("chosen") == "ligand A:301 DEX"
    browser.click("#boxes tbody tr")
    assert browser.data("chosen") == ""
    replace_text(tmp_path / "bare.html", render_preparation(prepare(EXAMPLE / "receptor.pdb")))
    browser.open(tmp_path / "bare.html")
    assert browser.run("document.querySelector('#groups').textContent").endswith("None.")


def test_tables_work_where_there_is_no_3d(prepared: Preparation, tmp_path: Path) -> None:
    replace_text(tmp_path / "page.html", render_preparation(prepared))
    browser = webdriver.Browser(tmp_path, "--disable-3d-apis")
    try:
        browser.open(tmp_path / "page.html")
        assert browser.data("scene") == "none"
        assert "no 3D" in browser.run("document.querySelector('#stage-note').textContent")
        browser.press("0")
        browser.click("#boxes tbody tr")
        assert browser.data("chosen") == "ligand A:301 DEX"
        assert browser.data("error") is None
    finally:
        browser.close()


# --- missing residues ------------------------------------------------------------------------


def test_the_page_of_missing_residues(browser: Browser, tmp_path: Path) -> None:
    chain = backbone(20, seed=1)
    ensemble = np.stack([chain.atoms[8:12], chain.atoms[8:12] + np.float32(0.3)])
    residues = [("A", k + 1, "", name) for k, name in enumerate(names_of(chain))][8:12]
    gap = GapView("A:9-12", residues, "ACDE", np.array([0.1, 0.7, 1.4, 3.0]), ensemble)
    path = tmp_path / "filled.html"
    refused = [("B:3-40", "too long: 38 residues")]
    replace_text(
        path,
        render_completion(pdb_lines(chain), [gap], title="Gaps", refused=refused, notes=["so"]),
    )
    browser.open(path)
    assert (browser.data("scene"), browser.data("selected")) == ("webgl", "A:9-12")
    text = browser.run("document.body.innerText")
    assert all(word in text for word in ("1 of 2 built", "too long: 38", "3.00 Å", "so"))
    for switch in ("ensemble", "sidechains", "around"):
        pressed = f"document.querySelector('#{switch}').getAttribute('aria-pressed')"
        before = browser.run(pressed)
        browser.run(f"(document.querySelector('#{switch}').click(), 0)")
        assert browser.run(pressed) != before
