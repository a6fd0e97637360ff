"""Finished rows survive; the choice of complexes and their boxes can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff.benchmark.docking import complexes as complexes_module
from moldiff.benchmark.docking import methods
from moldiff.benchmark.docking.answer import Job
from moldiff.benchmark.docking.complexes import (
    BOXES,
    Case,
    choose,
    graph_of,
    read_crystal,
    read_set,
    search_places,
)
from moldiff.benchmark.docking.methods import Ours, parse
from moldiff.benchmark.docking.rows import Row, RowFile, base, earlier
from moldiff.cli.benchmark import Box
from moldiff.docking import bundled, settings
from moldiff.docking.settings import Settings
from moldiff.errors import ConfigError, InputError
from moldiff.protein import read_structure
from moldiff.protein.sites import BindingSite, binding_sites, distinct, worth_a_look
from moldiff.protein.structure import Structure
from tests.molecules import embedded
from tests.protein.test_sites import two_hollows


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_torn_line_costs_its_row_only(tmp_path: Path, cut: int, made: Callable[..., Row]) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [made("a", "m", 1.0, float("inf")), made("b", "m"), made("c", "m", 2.0)]
    with RowFile.open(path) as file:
        for row in rows:
            file.append(row)
    path.write_bytes(path.read_bytes()[:-cut])
    with RowFile.open(path) as file:
        assert list(file.rows.values()) == rows[:2]
        file.append(rows[2])
    with RowFile.open(path) as file:
        assert list(file.rows.values()) == rows


def test_a_damaged_line_is_a_row_to_dock_again(tmp_path: Path, made: Callable[..., Row]) -> None:
    path = tmp_path / "rows.jsonl"
    with RowFile.open(path) as file:
        file.append(made("a", "m", 1.0))
        file.append(made("b", "m", 1.0))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0][:40] + b"\n" + lines[1])
    with RowFile.open(path) as file:
        assert [row.id for row in file.rows.values()] == ["b"] and file.damaged == 1


def test_rows_of_another_run_are_read_also_of_an_older_version(
    tmp_path: Path, made: Callable[..., Row]
) -> None:
    path = tmp_path / "rows.jsonl"
    with RowFile.open(path) as file:
        file.append(made("a", "m", 1.0))
        file.append(made("b", "m", 2.0))
    old = path.read_text().replace('"distance_score": null', '"likelihood": 7.5')
    path.write_text(old + '{"torn')
    rows = earlier(tmp_path)
    assert [row.poses[0].distance_score for row in rows] == [7.5, 7.5]
    assert path.read_text().endswith('{"torn'), "it stays as it is"
    for folder, words in (
        (tmp_path / "nowhere", "cannot be read"),
        (tmp_path / "e", "no dockings"),
    ):
        (tmp_path / "e").mkdir(exist_ok=True)
        (tmp_path / "e" / "rows.jsonl").write_text("")
        with pytest.raises(InputError, match=words):
            earlier(folder)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with RowFile.open(tmp_path / "rows.jsonl"), pytest.raises(InputError, match="Another process"):
        RowFile.open(tmp_path / "rows.jsonl").__enter__()


def test_a_smaller_limit_is_the_beginning_of_a_larger_one() -> None:
    sets = [[Case(s, f"{k}", Path()) for k in range(size)] for s, size in (("a", 50), ("b", 9))]
    few, many = (choose(sets, limit=n, seed=3) for n in (6, 20))
    assert many[:6] == few
    assert [case.set for case in few] == ["a", "b"] * 3
    assert choose(sets, limit=6, seed=4) != few
    assert [c.id for c in choose(sets, only=frozenset(["a/7"]))] == ["7"]
    with pytest.raises(InputError):
        choose(sets, only=frozenset(["none"]))


def test_the_box_depends_on_complex_and_seed_alone(complexes: Path) -> None:
    case = read_set(complexes)[0]
    crystal = read_crystal(case)
    assert not isinstance(crystal, str)
    centroid = crystal.GetConformer().GetPositions().mean(0)
    boxes = [search_places(crystal, f"set/{k}", seed)[0].box for k in range(40) for seed in (0, 1)]
    shifts = np.array([np.linalg.norm(box.centre - centroid) for box in boxes])
    assert shifts.max() <= 2.001 and len(set(shifts.round(4))) == 80
    assert np.mean(shifts < 1.0) == pytest.approx(1 / 8, abs=0.12)  # even in the ball
    assert (search_places(crystal, "set/0", 0)[0].box.centre == boxes[0].centre).all()
    assert (boxes[0].size == 25).all()


def test_boxes_of_every_kind(complexes: Path) -> None:
    """5 Å off is 5 Å off; the residues' box is about what lines the ligand; the first pocket's."""
    case = read_set(complexes)[0]
    crystal, structure = read_crystal(case), read_structure(case.receptor)
    assert not isinstance(crystal, str)
    centroid = crystal.GetConformer().GetPositions().mean(0)

    def off(kind: str) -> float:
        box = search_places(crystal, case.key, 0, kind, structure)[0].box
        assert box.size.min() >= 22.5
        return float(np.linalg.norm(box.centre - centroid))

    assert [kind.value for kind in Box] == list(BOXES)
    assert off("centred") < 1e-4 and off("jitter5") == pytest.approx(5, abs=1e-4)
    assert off("residues") < 5
    found = distinct(binding_sites(structure))
    if found:
        likeliest = found[0][0].cavity.centre
        assert off("autobox") == pytest.approx(float(np.linalg.norm(likeliest - centroid)))
    else:
        with pytest.raises(InputError, match="No pocket"):
            off("autobox")


def test_cavities_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are found while the clock runs; the likeliest is the first of those to look into."""
    asked: list[Structure] = []

    def counted(structure: Structure) -> list[BindingSite]:
        asked.append(structure)
        return binding_sites(structure)

    monkeypatch.setattr(complexes_module, "binding_sites", counted)
    dimer = two_hollows(fond=False, chains="AB")
    places = search_places(embedded("CCO"), "set/id", 0, "autobox", dimer)
    assert len(asked) == 1
    sites = [site for site, _ in distinct(binding_sites(dimer))]
    assert len(places) == worth_a_look(sites, 5)
    assert [place.chance for place in places] == [site.chance for site in sites[: len(places)]]
    np.testing.assert_array_equal(places[0].box.centre, sites[0].cavity.centre)


def test_of_copies_of_a_cavity_the_one_with_the_ligand_is_searched() -> None:
    """They are alike to whoever docks; the pose that is compared with lies in one of them."""
    dimer = two_hollows(fond=False, chains="AB")
    site, copies = distinct(binding_sites(dimer))[0]
    assert copies
    for own in (site, *copies):
        ligand = embedded("CCO")
        x = ligand.GetConformer().GetPositions()
        ligand.GetConformer().SetPositions(x - x.mean(0) + own.cavity.centre)
        place = search_places(ligand, "set/id", 0, "autobox", dimer)[0]
        np.testing.assert_array_equal(place.box.centre, own.cavity.centre)
        assert place.chance == site.chance


def test_the_graph_keeps_the_stereochemistry_only() -> None:
    crystal = Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    full = Chem.AddHs(crystal)
    from rdkit.Chem import AllChem

    AllChem.EmbedMolecule(full, randomSeed=2)
    crystal = Chem.RemoveHs(full)
    for atom in crystal.GetAtoms():
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    graph = graph_of(crystal)
    assert graph.GetNumConformers() == 0
    assert Chem.MolToSmiles(graph) == Chem.CanonSmiles("C[C@H](N)C(=O)O")
    assert crystal.GetNumConformers() == 1


def test_methods_are_read() -> None:
    runs = parse(["moldiff", "random@0", "unminimised", "vina8@32"], search=5, exhaustiveness=8)
    assert [run.label for run in runs] == ["moldiff@5", "random@0", "unminimised", "vina8@32"]
    (peer,) = parse(["rustina"], search=5, exhaustiveness=8)
    assert peer.label == "rustina@16"
    for word in (
        "vina",
        "vina1@0",
        "rustina@8",
        "moldiff@x",
        "vina1+chains=8",
        "moldiff+rounds=3",
        "moldiff+",
    ):
        with pytest.raises(InputError):
            parse([word], search=5, exhaustiveness=8)
    with pytest.raises(ConfigError, match="chains"):
        parse(["moldiff+chains=0"], search=5, exhaustiveness=8)


def test_settings_of_a_method_are_changed_in_its_name() -> None:
    plain, run = parse(["random", "random+starts=10+chains=8@3"], search=5, exhaustiveness=8)
    assert run.label == "random+chains=8+starts=10@3" and base(run.label) == "random"
    assert parse([run.label], search=5, exhaustiveness=8) == [run]
    method = run.method
    assert isinstance(method, Ours)
    assert method.overrides == {"proposals": "random", "chains": 8, "starts": 10}
    assert method.recipe(3, Job()) != plain.method.recipe(3, Job())


@pytest.mark.parametrize("purpose", ["proposals", "distances", "ranks", "ranking"])
def test_rows_of_other_weights_do_not_count(
    purpose: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = parse(["moldiff@3"], search=5, exhaustiveness=8)
    before, known = run.method.recipe(3, Job()), bundled.bundled
    (tmp_path / "other").write_bytes(b"other")
    monkeypatch.setattr(
        bundled, "bundled", lambda name: tmp_path / "other" if name == purpose else known(name)
    )
    assert run.method.recipe(3, Job()) != before


@pytest.mark.parametrize("method", ["vina1@1", "vina8@8", "rustina@16"])
@pytest.mark.parametrize("change", [{"separation": 2.0}, {"window": 3.0}])
def test_rows_of_baselines_belong_to_what_is_reported(
    method: str, change: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "installed", lambda program: "1.0")
    (run,) = parse([method], search=5, exhaustiveness=8)
    before = run.method.recipe(run.effort, Job())
    assert run.method.recipe(run.effort, Job()) == before
    monkeypatch.setattr(settings, "Settings", lambda: Settings(**change))
    assert run.method.recipe(run.effort, Job()) != before
