"""The verbs take what the others give: results, molecules, SMILES and paths alike."""

from __future__ import annotations

import csv
import html
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

import moldiff
from moldiff.docking.settings import Settings
from moldiff.errors import InputError, MissingExtraError
from moldiff.io import read_molecules, record_of

COMPLEX = Path(__file__).parents[1] / "datasets" / "docking" / "1m2z"
QUICK: dict[str, Any] = {
    "draws": 2,
    "starts": 4,
    "chains": 2,
    "rounds": 0,
    "shortlist": 2,
    "conformers": 1,
    "proposals": "random",
}
NOTHING_SLOW: dict[str, Any] = {"posebusters": 0, "relax": 0, "xtb": 0, "reference": None}


@pytest.fixture(scope="module")
def made() -> moldiff.Results[moldiff.Generated]:
    return moldiff.generate(4, model="qm9-fast", steps=2, seed=3)


def every_kind(made: moldiff.Results[Any], folder: Path) -> list[Any]:
    path = folder / "some.sdf"
    moldiff.write(made, path)
    return [made, made[0], made[0].mol, "CCO", path, str(path), list(read_molecules(path))]


@pytest.mark.parametrize(
    "verb",
    [
        lambda source, folder: moldiff.evaluate(source, **NOTHING_SLOW).n,
        lambda source, folder: len(moldiff.filter(source, where="heavy_atoms>=0").all),
        lambda source, folder: moldiff.write(source, folder / "again.sdf"),
        lambda source, folder: moldiff.view(source).html.count('"undrawn":'),
    ],
    ids=["evaluate", "filter", "write", "view"],
)
def test_every_verb_takes_every_kind(
    made: Any, tmp_path: Path, verb: Callable[[Any, Path], int]
) -> None:
    for source in every_kind(made, tmp_path):
        many = isinstance(source, list | Path) or str(source).endswith(".sdf")
        assert verb(source, tmp_path) == (4 if many else 1), source
    assert verb([made[0], "CCO", made[1].mol], tmp_path) == 3


def test_what_is_written_is_what_was_made(made: Any, tmp_path: Path) -> None:
    records = list(read_molecules(made.save(tmp_path / "made.sdf")))
    assert [record.tags for record in records] == [dict(item.tags) for item in made]
    assert len({record.name for record in records}) == 4 and "moldiff-3-" in records[0].name


def test_results_are_a_list_of_results(made: Any) -> None:
    assert isinstance(made, list) and isinstance(made[1:3], moldiff.Results)
    assert [*made[1:3]] == [made[1], made[2]] and len(made + made[:1]) == 5
    assert isinstance(made + made, moldiff.Results)


def test_results_are_printed_in_a_line(made: Any, tmp_path: Path) -> None:
    bad = sum(item.failure is not None for item in made)
    assert repr(made) == f"<4 molecules{f', {bad} invalid' if bad else ''}>"
    filtered = moldiff.filter(["CCO", "CCCCCC"], where="n_O >= 1")
    assert str(filtered) == "<1 of 2 molecules kept>"
    docked = moldiff.dock(
        COMPLEX / "receptor.pdb", "CCO", pocket_ligand=COMPLEX / "ligand.sdf", **QUICK
    )
    assert re.fullmatch(r"<\d+ poses? of ligand, the first -?\d+\.\d\d kcal/mol.*>", f"{docked}")
    prepared = repr(moldiff.prepare(COMPLEX / "receptor.pdb"))
    assert prepared.startswith("<receptor.pdb prepared: ") and len(prepared) < 90


def test_one_text_is_one_value_and_not_its_letters() -> None:
    """A text where a list is asked for, as on the command line, with commas between several."""
    receptor = COMPLEX / "receptor.pdb"
    few = moldiff.sequence(receptor, chains="A", fix="A:523-700", without="CYS,W", steps=1)
    one = few.template
    assert one.designed.sum() == sum(residue.number > 700 for residue in one.residues)
    assert not {"C", "W"} & {few[0].sequences["A"][k] for k in np.flatnonzero(one.designed)}
    with pytest.raises(InputError, match="no group 'LIG' to leave out"):
        moldiff.prepare(receptor, exclude="LIG,A:401")
    with pytest.raises(InputError, match="no group 'HOH' to keep"):
        moldiff.dock(receptor, "CCO", pocket_ligand=COMPLEX / "ligand.sdf", keep="HOH")
    with pytest.raises(InputError, match="no residue A:1 to rebuild"):
        moldiff.complete(receptor, rebuild="A:1-3")
    with pytest.raises(InputError, match="no element 'Xx'"):
        moldiff.generate(1, model="qm9-fast", only="C, Xx")


def test_text_stands_for_a_range_or_a_comparison(made: Any) -> None:
    sized = moldiff.generate(3, model="qm9-fast", steps=2, size="5..6", only="C,N")
    assert {item.mol.GetNumHeavyAtoms() for item in sized} <= {5, 6}
    assert {atom.GetSymbol() for item in sized for atom in item.mol.GetAtoms()} <= {"C", "N", "H"}
    (asked,) = moldiff.generate(1, steps=2, size=10, conditions="logp<3")
    assert any("logp" in key for key in asked.tags)
    for wrong in ({"size": "many"}, {"size": (5, 6)}, {"conditions": "logp"}):
        with pytest.raises(InputError):
            moldiff.generate(1, **{"model": "qm9-fast", "steps": 2, **wrong})
    for n in (2.5, "2"):
        with pytest.raises(InputError, match="whole number"):
            moldiff.generate(n, model="qm9-fast")  # type: ignore[arg-type]
    verdicts = moldiff.verify(made, models="qm9-fast", again=False)
    assert len(verdicts) == 4


def test_designs_are_made_after_importing_the_package_alone() -> None:
    """The documents write ``moldiff.design.grow``; in this process it is imported already."""
    code = "import moldiff; moldiff.design.grow; moldiff.design.pocket"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_table_has_a_row_each_and_numbers_are_numbers(made: Any, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = made.to_frame()
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 4
    assert list(frame.columns[:3]) == ["name", "smiles", "reason"]
    assert frame["seed"].tolist() == [3] * 4
    with made.save(tmp_path / "table.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == frame["name"].tolist()
    assert set(rows[0]) == set(frame.columns)
    with pytest.raises(InputError, match="no molecules in a DataFrame") as told:
        moldiff.view(frame[:1])
    assert "molecules[i] for i in frame.index" in told.value.fix
    moldiff.view(frame["smiles"].dropna())


def test_a_table_leaves_identifiers_as_they_are() -> None:
    tags = {"id": "0001234", "pdb": "1E5", "wide": "１２", "dG": "-7.50", "rank": "3"}
    (row,) = moldiff.Results([record_of(Chem.MolFromSmiles("CO"), name="a", tags=tags)]).rows()
    assert {key: row[key] for key in tags} == tags | {"dG": -7.5, "rank": 3}


def test_without_pandas_a_table_says_what_to_do(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moldiff.tabular.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'moldiff\[frame\]'"):
        made.to_frame()


def page_of(result: Any) -> str:
    """The page that a notebook shows of a result."""
    cell: str = result._repr_html_()
    assert cell.count("<iframe") == 1
    return html.unescape(cell[cell.index('srcdoc="') + 8 : cell.rindex('"></iframe>')])


def test_a_notebook_shows_a_page_of_its_own_without_network(made: Any) -> None:
    page = page_of(made)
    assert page.startswith("<!") and "default-src 'none'" in page and made[0].name in page


@pytest.mark.parametrize(
    ("verb", "structure"),
    [
        (lambda path: moldiff.prepare(path), ".pdb"),
        (lambda path: moldiff.complete(path, rebuild="A:586-587", ensemble=2), ".cif"),
    ],
    ids=["prepare", "complete"],
)
def test_an_account_of_a_structure_is_a_result_as_others(
    verb: Callable[[Path], Any], structure: str, tmp_path: Path
) -> None:
    done = verb(COMPLEX / "receptor.pdb")
    page = page_of(done)
    assert page == done.to_html() and "default-src 'none'" in page and "receptor.pdb" in page
    rows = done.rows()
    assert len(rows) > 0 and all(row.keys() == rows[0].keys() for row in rows)
    pandas = pytest.importorskip("pandas")
    pandas.testing.assert_frame_equal(done.to_frame(), pandas.DataFrame(rows))
    for suffix in (structure, ".csv", ".json", ".html"):
        assert done.save(tmp_path / f"a{suffix}").stat().st_size > 0
    assert (tmp_path / "a.csv").read_text().splitlines()[0].split(",") == list(rows[0])
    with pytest.raises(InputError, match=r"Known: .*\.csv.*\.html.*\.json.*\.pdb"):
        done.save(tmp_path / "a.png")


def test_one_ligand_is_a_docking_and_several_are_results(tmp_path: Path) -> None:
    def dock(ligand: Any) -> Any:
        where = {"pocket_ligand": COMPLEX / "ligand.sdf"}
        return moldiff.dock(COMPLEX / "receptor.pdb", ligand, **where, **QUICK)

    ethanol = Chem.MolFromSmiles("CCO")
    one = dock(ethanol)
    assert isinstance(one, moldiff.DockingResult) and len(one.to_frame()) == len(one.poses)
    assert one.name == "ligand"
    ethanol.SetProp("_Name", "ethanol")
    hits = dock([ethanol, "[Na+].[Cl-]"])
    assert dock(ethanol).name == hits[0].name.split(" pose")[0] == "ethanol"
    assert [record.mol is None for record in hits] == [False, True]
    assert "cannot be docked" in hits[1].reason
    assert moldiff.write(hits, tmp_path / "hits.sdf") == 1
    page = moldiff.view(hits, receptor=COMPLEX / "receptor.pdb", path=tmp_path / "hits.html")
    assert (tmp_path / "hits.html").read_text(encoding="utf-8") == page.html
    assert moldiff.evaluate(one, **NOTHING_SLOW).n == len(one.poses)


def test_a_ligand_under_the_poses_is_no_part_of_their_receptor(tmp_path: Path) -> None:
    crystal = Chem.MolFromMolFile(str(COMPLEX / "ligand.sdf"))
    lines = Chem.MolToPDBBlock(crystal, flavor=4).replace("UNL", "DEX").splitlines()
    own = (COMPLEX / "receptor.pdb").read_text().replace("END", "").rstrip()
    path = tmp_path / "with.pdb"
    path.write_text("\n".join([own, *(one for one in lines if "HETATM" in one), "END", ""]))
    page = moldiff.view(crystal, receptor=path)
    assert "stand in its place" in page.html
    assert '"kind":"hbond"' in page.html and '"kind":"clash"' not in page.html


def test_signatures_are_real() -> None:
    docked = inspect.signature(moldiff.dock).parameters
    assert {"pocket_ligand", *vars(Settings())} <= docked.keys()
    assert (
        docked["rounds"].default == Settings.rounds and docked["rounds"].kind.name == "KEYWORD_ONLY"
    )
    assert {"model", "seed", "steps"} <= inspect.signature(moldiff.generate).parameters.keys()
    compared = inspect.signature(moldiff.compare).parameters
    assert "posebusters" in compared and "receptor" in inspect.signature(moldiff.view).parameters
    for verb in (moldiff.dock, moldiff.generate, moldiff.compare):
        assert "options" not in inspect.signature(verb).parameters
        assert all(p.kind is not p.VAR_KEYWORD for p in inspect.signature(verb).parameters.values())


def test_generate_hands_every_keyword_on() -> None:
    from moldiff.generation.api import Options

    assert set(inspect.signature(moldiff.generate).parameters) == {"n", *Options.__annotations__}


def test_the_package_of_pages_is_the_verb_too() -> None:
    from moldiff.view import Page, write_html

    assert moldiff.view.write_html is write_html
    assert isinstance(moldiff.view("CCO", title="<b>"), Page)


def test_a_comparison_is_a_table_and_a_picture(made: Any, tmp_path: Path) -> None:
    sets = {"default": made, "mine & yours": ["CCO", "c1ccccc1"]}
    found = moldiff.compare(sets, **NOTHING_SLOW)
    assert found.reports["default"].n == 4 and found.reports["mine & yours"].n == 2
    frame = found.to_frame()
    assert set(frame["set"]) == set(sets) and {"low", "high", "n"} <= set(frame.columns)
    assert all(len(row) == 3 for row in found.table())
    picture = found.save(tmp_path / "both.svg").read_text(encoding="utf-8")
    assert "mine &amp; yours" in picture and len(re.findall("<circle", picture)) > 6
    page = found._repr_html_()
    assert picture in page
    titles = ("B. Predicted graph", "C. GEOM-Drugs, corrected")
    for shown in (page, picture, str(found)):  # labels recur: each is below its protocol
        assert all(title in shown for title in titles)
        first, second = (shown.index(title) for title in titles)
        assert "molecule stability" in shown[first:second] and "molecule stab" in shown[second:]
    assert str(found).count("mine & yours") == 1 and "95.8" not in repr(found)
    assert repr(found) == "<Comparison of default (4), mine & yours (2)>"
    assert "B. Predicted graph" in str(found.reports["default"])
    again = moldiff.compare({"kept": found.reports["default"]})
    assert again.reports["kept"] is found.reports["default"]


def test_the_progress_of_a_comparison_names_the_set() -> None:
    told: list[tuple[str, int, int]] = []
    moldiff.compare(
        {"one": ["CCO"], "two": ["C", "N"]}, **NOTHING_SLOW, progress=lambda *now: told.append(now)
    )
    assert ("one: graph", 1, 1) in told and ("two: graph", 2, 2) in told
    stages = [stage.split(": ")[0] for stage, _, _ in told]
    assert stages == sorted(stages) and {*stages} == {"one", "two"}


@pytest.mark.parametrize("source", [3, {"a": "CCO"}, "no/such/file.sdf", "not a smiles", ""])
def test_what_is_no_molecule_is_refused(source: Any) -> None:
    with pytest.raises(InputError):
        moldiff.evaluate(source)


def test_what_is_there_is_replaced_and_another_suffix_is_refused(made: Any, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("mine")
    assert "smiles" in made.save(path).read_text()
    for name in ("made.png", "made"):
        with pytest.raises(InputError, match=r"Known: .*\.csv.*\.html.*\.sdf.*\.smi.*\.xyz"):
            made.save(tmp_path / name)


def test_a_set_without_molecules_is_named() -> None:
    with pytest.raises(InputError, match="The set 'mine' has no molecules"):
        moldiff.compare({"other": ["CCO"], "mine": []}, **NOTHING_SLOW)


def test_a_comparison_is_of_sets_with_names() -> None:
    for sets in ({}, ["CCO"]):
        with pytest.raises(InputError, match="by name"):
            moldiff.compare(sets)  # type: ignore[arg-type]
