"""`moldiff verify`: what was altered, swapped or comes from elsewhere is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rdkit import Chem
from typer.testing import CliRunner

import moldiff
from moldiff.cli import app, main
from moldiff.generation.verify import verify
from moldiff.io import Record, read_molecules, write
from moldiff.io.seal import SEAL, sealed

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify")
    made = moldiff.generate(12, model="qm9-fast", steps=2, seed=4, size=9)
    made.save(folder / "made.sdf")
    return folder


@pytest.fixture
def records(folder: Path) -> list[Record]:
    return list(read_molecules(folder / "made.sdf"))


def statuses(records: Sequence[Record]) -> list[str]:
    return [verdict.status for verdict in verify(records)]


def moved(record: Record) -> Record:
    mol = Chem.Mol(record.mol)
    position = mol.GetConformer().GetAtomPosition(0)
    position.x += 0.02
    mol.GetConformer().SetAtomPosition(0, position)
    return replace(record, mol=mol)


def recoloured(record: Record) -> Record:
    mol = Chem.RWMol(record.mol)
    mol.GetAtomWithIdx(0).SetFormalCharge(3)
    return replace(record, mol=mol.GetMol())


def renewed(record: Record) -> Record:
    """The record with the digests that belong to it now."""
    tags = {name: text for name, text in record.tags.items() if name != SEAL}
    return replace(record, tags=sealed(record.mol, tags))


def test_any_record_is_drawn_again_by_itself(records: list[Record]) -> None:
    assert statuses(records) == ["reproduced"] * 12
    assert statuses(records[7:8]) == ["reproduced"]
    assert all((v.deviation or 0) < 0.001 for v in verify(records[::-3]))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (moved, "coordinates or graph"),
        (recoloured, "coordinates or graph"),
        (lambda r: replace(r, tags={**r.tags, "seed": "5"}), "data fields"),
        (lambda r: replace(r, tags={**r.tags, "SMILES": "C"}), "data fields"),
        (lambda r: renewed(moved(r)), "other coordinates"),
        (lambda r: renewed(recoloured(r)), "another molecule"),
        (lambda r: renewed(replace(r, tags={**r.tags, "place": "2"})), "another molecule"),
        (
            lambda r: renewed(replace(r, tags={**r.tags, "strictly_valid": "maybe"})),
            "strictly_valid",
        ),
    ],
)
def test_what_was_altered_is_found(
    records: list[Record], change: Callable[[Record], Record], why: str
) -> None:
    records[5] = change(records[5])
    verdicts = verify(records)
    assert [v.status for v in verdicts] == ["reproduced"] * 5 + ["altered"] + ["reproduced"] * 6
    assert why in verdicts[5].why


def test_swapped_fields_are_found(records: list[Record]) -> None:
    one, other = records[:2]
    records[:2] = [replace(one, tags=other.tags), replace(other, tags=one.tags)]
    assert statuses(records)[:3] == ["altered", "altered", "reproduced"]
    records[:2] = [renewed(record) for record in records[:2]]
    assert statuses(records)[:3] == ["altered", "altered", "reproduced"]


def test_foreign_records_are_unknown_and_say_why(records: list[Record]) -> None:
    foreign = next(iter(read_molecules(SAMPLE)))
    old = {name: text for name, text in records[0].tags.items() if name not in (SEAL, "place")}
    other = renewed(replace(records[1], tags={**records[1].tags, "model": "mine 0123456789ab"}))
    broken = Record(None, "", "bad line", "", 0)
    verdicts = verify([foreign, replace(records[0], tags=old), other, broken])
    assert [verdict.status for verdict in verdicts] == ["unknown"] * 4
    reasons = (
        "no fields of moldiff",
        "lacks place, digest",
        "mine 0123456789ab is not",
        "bad line",
    )
    for verdict, reason in zip(verdicts, reasons, strict=True):
        assert reason in verdict.why
    stolen = replace(foreign, tags=records[2].tags)
    assert statuses([stolen]) == ["altered"]


def test_one_broken_place_says_nothing_of_the_others(records: list[Record]) -> None:
    records[4] = renewed(replace(records[4], tags={**records[4].tags, "place": "first"}))
    found = verify(records)
    assert found[4].status == "unknown" and "place" in found[4].why
    assert {one.status for k, one in enumerate(found) if k != 4} == {"reproduced"}


def test_a_whole_file_that_this_machine_draws_otherwise_is_no_forgery(
    records: list[Record],
) -> None:
    (verdict,) = verify([renewed(moved(records[0]))])
    assert verdict.status == "unknown" and "machine" in verdict.why


def test_molecules_that_a_filter_had_drawn_again(tmp_path: Path) -> None:
    made = moldiff.generate(6, model="qm9-fast", steps=2, keep_valid=True, size=9)
    assert any("round" in item.tags for item in made)
    assert statuses(list(made.as_records())) == ["reproduced"] * 6


def test_demands_are_read_back(tmp_path: Path) -> None:
    from moldiff.chem.demands import Interval

    made = moldiff.generate(3, model="qm9-fast", steps=2, size=Interval(5, 9), without=["F"])
    assert statuses(list(made.as_records())) == ["reproduced"] * 3


def test_the_command_says_it_by_its_status(folder: Path, records: list[Record]) -> None:
    good = CliRunner().invoke(app, ["verify", str(folder / "made.sdf")])
    assert good.exit_code == 0 and "12 (100.0 %)" in good.output
    records[3] = moved(records[3])
    write(records, folder / "bad.sdf")
    bad = CliRunner().invoke(app, ["verify", str(folder / "bad.sdf"), "--no-draw", "--json"])
    told = json.loads(bad.stdout)
    assert bad.exit_code == 1 and (told["altered"], told["unknown"]) == (1, 11)
    assert told["records"][3]["status"] == "altered" and told["records"][3]["record"] == 4


def test_strictly_the_unknown_fail_too(folder: Path, records: list[Record]) -> None:
    made, mixed = folder / "made.sdf", folder / "mixed.sdf"
    write([records[0], next(iter(read_molecules(SAMPLE)))], mixed)
    assert statuses(list(read_molecules(mixed))) == ["reproduced", "unknown"]
    for file, strictly in ((made, 0), (mixed, 1)):
        assert CliRunner().invoke(app, ["verify", str(file)]).exit_code == 0
        assert CliRunner().invoke(app, ["verify", str(file), "--strict"]).exit_code == strictly


def test_strictly_no_record_is_a_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.sdf"
    empty.touch()
    assert main(["verify", str(empty), "--strict"]) == 2
    assert "empty.sdf holds no molecules" in capfd.readouterr().err


def test_nothing_is_reproduced_that_is_not_drawn(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(folder / "made.sdf"), "--no-draw", "--strict"]) == 2
    told = capfd.readouterr().err
    assert "--strict" in told and "--no-draw" in told
