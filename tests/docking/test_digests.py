"""Poses have digests: what was altered since they were docked or scored is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rdkit import Chem

import moldiff
from moldiff.cli import main
from moldiff.io import Record, read_molecules
from moldiff.io.seal import SEAL

COMPLEX = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
RECEPTOR = COMPLEX / "receptor.pdb"
CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"
POSE = "it is a pose of moldiff dock"


@pytest.fixture(scope="module")
def docked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of poses that differ."""
    found = moldiff.dock(
        RECEPTOR,
        "CC(=O)Nc1ccc(O)cc1",
        pocket_ligand=COMPLEX / "ligand.sdf",
        draws=4,
        starts=8,
        chains=8,
        rounds=1,
        conformers=1,
        proposals="random",
    )
    assert len(found.poses) > 1
    return found.save(tmp_path_factory.mktemp("digests") / "poses.sdf")


@pytest.fixture
def records(docked: Path) -> list[Record]:
    return list(read_molecules(docked))


def moved(record: Record) -> Record:
    mol = Chem.Mol(record.mol)
    position = mol.GetConformer().GetAtomPosition(0)
    position.x += 0.001
    mol.GetConformer().SetAtomPosition(0, position)
    return replace(record, mol=mol)


def with_tags(record: Record, **tags: str) -> Record:
    return replace(record, tags=record.tags | tags)


def test_a_pose_as_it_was_docked_is_intact(docked: Path, records: list[Record]) -> None:
    for verdict in moldiff.verify(docked):
        assert verdict.status == "unknown" and verdict.why.startswith("its digests are right; ")
        assert POSE in verdict.why and "needs the receptor" in verdict.why
    assert [*records[0].tags][-1] == SEAL


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (moved, "coordinates or graph"),
        (lambda record: with_tags(record, energy_kcal_mol="-20.000"), "data fields"),
        (lambda record: with_tags(record, receptor_sha256="0123456789ab"), "data fields"),
        (lambda record: with_tags(moved(record), rank="7"), "coordinates or graph and data fields"),
    ],
)
def test_what_was_altered_is_found(
    records: list[Record], change: Callable[[Record], Record], what: str
) -> None:
    records[1] = change(records[1])
    found = moldiff.verify(records)
    assert [one.status for one in found[:3]] == ["unknown", "altered", "unknown"][: len(found)]
    assert found[1].why == f"its {what} changed since it was made"


def test_swapped_fields_are_found(records: list[Record]) -> None:
    one, other = records[:2]
    swapped = [replace(one, tags=other.tags), replace(other, tags=one.tags)]
    assert [verdict.status for verdict in moldiff.verify(swapped)] == ["altered"] * 2


def test_without_its_digests_a_pose_says_so(records: list[Record]) -> None:
    tags = {name: text for name, text in records[0].tags.items() if name != SEAL}
    (verdict,) = moldiff.verify([replace(records[0], tags=tags)])
    assert verdict.status == "unknown" and verdict.why.startswith("it lacks digest: removed")
    assert POSE in verdict.why


def test_a_copy_of_a_pose_is_told(records: list[Record]) -> None:
    found = moldiff.verify([*records[:2], records[0]])
    assert found.repeated == ((0, 2),) and found.asked == ()


def test_a_field_behind_the_digest_makes_no_pose_of_a_drawn_molecule() -> None:
    (made,) = moldiff.generate(1, model="qm9-fast", steps=2, size=9).as_records()
    (verdict,) = moldiff.verify([with_tags(made, box_center="0 0 0")])
    assert verdict.status == "reproduced"


def test_scores_have_digests_of_their_own(records: list[Record]) -> None:
    for minimise in (False, True):
        scored = list(moldiff.score(RECEPTOR, records[:2], minimise=minimise).as_records())
        assert [one.status for one in moldiff.verify(scored)] == ["unknown"] * 2
        assert "digests are right" in moldiff.verify(scored)[0].why
        for change in (moved, lambda one: with_tags(one, rightness="9.99")):
            assert moldiff.verify([change(scored[0])])[0].status == "altered"
    altered = with_tags(records[0], energy_kcal_mol="-20.000")
    (verdict,) = moldiff.verify(moldiff.score(RECEPTOR, [altered]))
    assert verdict.status == "altered", "scoring does not mend what was altered before"


def test_a_library_keeps_its_fields_and_has_digests_of_ours(tmp_path: Path) -> None:
    made = moldiff.generate(2, model="qm9-fast", steps=2, size=6, keep_valid=True)
    for record in (library := list(made.as_records())):
        record.tags["my <field>"] = " a   b "
    moldiff.write(library, tmp_path / "lib.sdf")
    words = ["dock", "--receptor", str(CAGE), "--center", "10,20,30", "--box-size", "12"]
    words += ["--draws", "2", "--conformers", "1", "--rounds", "0", "--starts", "0", "--no-html"]
    words += ["--proposals", "random", "--ligands", str(tmp_path / "lib.sdf")]
    hits = tmp_path / "hits.sdf"
    assert main([*words, "-o", str(hits)]) == 0
    poses = list(read_molecules(hits))
    assert len(poses) == 2 and all("my _field_" in pose.tags for pose in poses)
    assert poses[0].tags["input_digest"] in {one.tags[SEAL] for one in library}
    found = moldiff.verify(poses)
    assert all("digests are right; " + POSE in one.why for one in found)
    assert found.asked == () and found.repeated == (), "poses are no draws"
    assert moldiff.verify([with_tags(poses[0], rank="2")])[0].status == "altered"
