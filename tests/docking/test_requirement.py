"""Required interactions: read, checked, and ahead of all that lack them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff.docking.library.manifest import DOCKED, Manifest, Row
from moldiff.docking.pipeline import dock
from moldiff.docking.problem import Pocket, Problem, make_problem
from moldiff.docking.requirement import Requirement, lacking, requirements
from moldiff.docking.result import DockingResult
from moldiff.docking.settings import Settings
from moldiff.errors import ConfigError, InputError
from moldiff.metrics.provenance import findings
from moldiff.protein.interactions import FIELDS, KINDS, Interaction, by_kind
from moldiff.protein.pocket import Box
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import Receptor, prepare_receptor
from moldiff.protein.structure import Residue

CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"
ARG = Residue("A", 611, "", "ARG", "protein")
QUICK = Settings(
    draws=6, starts=20, chains=8, conformers=2, rounds=2, proposals="random", window=50
)


def interaction(kind: str, residue: Residue = ARG) -> Interaction:
    return Interaction(kind, "", (0,), (0,), residue, ("NH1",), 3.0)


@pytest.mark.parametrize(
    ("text", "residue", "kind"),
    [
        ("A:611", "A:611", None),
        ("A:611:hbond", "A:611", "hbond"),
        ("A:ARG611:salt-bridge", "A:ARG611", "salt_bridge"),
        ("ARG611:Hydrogen Bond", "ARG611", "hbond"),
        (" 52B : cation-pi", "52B", "cation_pi"),
    ],
)
def test_what_is_understood(text: str, residue: str, kind: str | None) -> None:
    one = Requirement.parse(text)
    assert (one.residue, one.kind) == (residue, kind)


@pytest.mark.parametrize("text", ["", "hbond", "A:611:bond", "A::hbond", "ARG", "A:611:hbond:x"])
def test_what_is_not(text: str) -> None:
    with pytest.raises(InputError, match="require=") as caught:
        Requirement.parse(text)
    assert "hbond" in caught.value.fix


@pytest.mark.parametrize("text", ["A:611", "a:611", "ARG611", "arg611", "A:Arg611", "611", "B:611"])
def test_residues_by_any_of_their_names(text: str) -> None:
    assert Requirement.parse(text).means(ARG) == (text[:2] not in ("a:", "B:"))
    inserted = dataclasses.replace(ARG, insertion="b")
    assert not Requirement.parse(text).means(inserted)
    assert Requirement.parse(f"{text}B").means(inserted) == (text[:2] not in ("a:", "B:"))


def test_met_by_the_kind_or_by_any_but_a_clash() -> None:
    found = [interaction("clash"), interaction("hydrophobic")]
    wanted = ("A:611", "A:611:hbond", "A:611:clash")
    assert lacking(wanted, found) == ("A:611:hbond",)
    assert lacking(wanted[:1], found[:1]) == ("A:611",)
    assert lacking((), found) is None


# --- docking ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def receptor() -> Receptor:
    return prepare_receptor(read_structure(CAGE))


@pytest.fixture(scope="module")
def problem(receptor: Receptor) -> Problem:
    pocket = Pocket.of(receptor, Box(np.array([10.0, 20.0, 30.0]), np.array([12.0])))
    found = make_problem(Chem.MolFromSmiles("OCC(=O)NCc1ccccc1"), pocket, conformers=2)
    assert isinstance(found, Problem)
    return found


@pytest.fixture(scope="module")
def free(problem: Problem) -> DockingResult:
    return dock(problem, QUICK)


def bonded(result: DockingResult) -> list[set[str]]:
    return [set(by_kind(pose.interactions).get("hbond", "").split()) for pose in result.poses]


def test_poses_that_have_it_come_first(problem: Problem, free: DockingResult) -> None:
    """A bond that a later pose has and the first has not, so that the order has to change."""
    first, *others = bonded(free)
    residue = sorted(set().union(*others) - first)[0]
    text = f"{residue}:hbond"
    result = dock(problem, dataclasses.replace(QUICK, require=(text,)))
    has = [residue in one for one in bonded(result)]
    assert has[0] and has == sorted(has, reverse=True)
    assert [pose.required for pose in result.poses] == [
        "met" if yes else f"lacks {text}" for yes in has
    ]
    assert [pose.rank for pose in result.poses] == list(range(1, len(has) + 1))
    assert result.tags(result.best)["required"] == "met"
    assert not any("required" in note for note in result.notes)


def test_what_no_pose_has_is_said_and_nothing_is_lost(
    problem: Problem, free: DockingResult
) -> None:
    result = dock(problem, dataclasses.replace(QUICK, require=("A:1:halogen_bond",)))
    assert [pose.energy for pose in result.poses] == [pose.energy for pose in free.poses]
    assert {pose.lacks for pose in result.poses} == {("A:1:halogen_bond",)}
    assert any("lacks A:1:halogen_bond" in note for note in result.notes)
    assert json.loads(result.to_json())["poses"][0]["lacks"] == ["A:1:halogen_bond"]
    assert all(pose.required == "" and "required" not in free.tags(pose) for pose in free.poses)


def test_residues_that_are_not_there(receptor: Receptor) -> None:
    with pytest.raises(InputError, match=r"no residue 'A:9999'") as caught:
        requirements(["A:9999:hbond"], receptor.structure)
    assert "A:" in caught.value.fix
    label = str(receptor.structure.residues[0].number)
    assert requirements([label], receptor.structure)[0].residue == label


def test_settings_and_their_digest() -> None:
    assert Settings(require=["A:1"]).require == ("A:1",)  # type: ignore[arg-type]
    assert Settings(require="A:1").require == ("A:1",)  # type: ignore[arg-type]
    assert Settings(require=("A:1",)).digest() != Settings().digest()
    assert "require" not in Settings().as_dict()
    with pytest.raises(ConfigError, match="require"):
        Settings(require=5)  # type: ignore[arg-type]


# --- records ---------------------------------------------------------------------------------


def test_every_record_says_the_interactions(free: DockingResult) -> None:
    rows = list(csv.DictReader(io.StringIO(free.interactions_table())))
    assert rows and list(rows[0]) == ["rank", *FIELDS]
    record = json.loads(free.to_json())
    for pose, told in zip(free.poses, record["poses"], strict=True):
        assert pose.interactions
        own = [row for row in rows if row["rank"] == str(pose.rank)]
        assert [one["residue"] for one in told["interactions"]] == [row["residue"] for row in own]
        assert [one["distance"] for one in told["interactions"]] == [
            float(r["distance"]) for r in own
        ]
        tags = free.tags(pose)
        assert findings(tags).keys().isdisjoint({*free.provenance, "box_size"} - {"receptor"})
        for kind in KINDS:
            residues = dict.fromkeys(row["residue"] for row in own if row["kind"] == kind)
            assert tags.get(kind, "") == " ".join(residues)


def test_a_library_puts_those_that_lack_it_behind(tmp_path: Path) -> None:
    rows = [
        Row(0, "a", DOCKED, energy=-9.0, required="lacks A:611:hbond"),
        Row(1, "b", DOCKED, energy=-5.0, required="met", interactions={"hbond": "A:ARG611"}),
        Row(2, "c", DOCKED, energy=-7.0, required="met"),
    ]
    with Manifest.open(tmp_path / "m.jsonl", {}) as manifest:
        for row in rows:
            manifest.append(row)
    with Manifest.open(tmp_path / "m.jsonl", {}) as manifest:
        ranked = list(manifest.ranked())
    assert [row.name for row in ranked] == ["c", "b", "a"]
    assert ranked[1].interactions == {"hbond": "A:ARG611"}
