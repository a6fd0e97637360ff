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
from moldiff.errors import InputError
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


def unsealed(record: Record) -> Record:
    """The record without its digests."""
    return replace(record, tags={k: text for k, text in record.tags.items() if k != SEAL})


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
        (lambda r: unsealed(moved(r)), "other coordinates"),
        (lambda r: unsealed(recoloured(r)), "another molecule"),
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


def test_a_molecule_that_evolved_in_a_pocket_is_no_draw(records: list[Record]) -> None:
    """It has the fields of what was docked, or of what completed a part, but neither is told."""
    tags = {**records[5].tags, "design": "evolve", "pocket": "0123456789ab"}
    evolved = renewed(replace(moved(records[5]), tags=tags))
    (verdict,) = found = verify([evolved])
    assert verdict.status == "unknown" and verdict.deviation is None
    assert verdict.why.startswith("its digests are right; ") and "docked" in verdict.why
    assert found.asked == () and verify([*records[:6], evolved]).repeated == ()
    assert verify([moved(evolved)])[0].status == "altered"


def test_without_its_digests_a_record_is_drawn_again(records: list[Record]) -> None:
    records[3] = unsealed(records[3])
    assert statuses(records) == ["reproduced"] * 12
    (looked,) = verify([records[3]], again=False)
    assert looked.status == "unknown" and "lacks digest" in looked.why
    assert "digests are right" not in looked.why
    strange = replace(records[3], tags={**records[3].tags, "model": "mine 0123456789ab"})
    (verdict,) = verify([strange])
    assert verdict.status == "unknown" and verdict.why.startswith("it lacks digest; the model mine")


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


def test_several_files_are_told_apart_and_together(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # so that tables have room for the names
    first, second = Path("first.sdf"), Path("second.sdf")
    write(records[:7], first)
    write([*records[7:10], moved(records[10]), records[0]], second)
    found = moldiff.verify([first, str(second)], again=False)
    assert found.by_file() == [
        {"file": str(first), "records": 7, "reproduced": 0, "altered": 0, "unknown": 7},
        {"file": str(second), "records": 5, "reproduced": 0, "altered": 1, "unknown": 4},
    ]
    assert verify(records, again=False).by_file() != [] and verify(["CCO"]).by_file() == []
    assert (found[10].file, found[10].in_file, found[10].index) == (str(second), 4, 10)
    assert found.repeated == ((0, 11),) and found.asked[0].gaps == ((12, 12),)
    line = ["verify", str(first), str(second), "--no-draw"]
    done = CliRunner().invoke(app, line)
    shown = " ".join(done.stdout.split())
    assert done.exit_code == 1 and CliRunner().invoke(app, [*line[:2], line[3]]).exit_code == 0
    assert f"{first} 7 0 0 7" in shown and f"{second} 5 0 1 4" in shown and "records 12 " in shown
    assert f"records 1 of {first} and 5 of {second} are the same draw" in shown
    assert f"{second} 4 {records[10].name} its coordinates or graph" in shown
    told = json.loads(CliRunner().invoke(app, [*line, "--json"]).stdout)
    assert told["files"] == found.by_file() and told["records"][10]["in_file"] == 4
    assert "file" not in told, "the key of one file"


def test_of_several_files_any_that_cannot_be_read_is_told(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, told in (("gone.sdf", "no file"), ("made.xyz", "made.xyz is no SDF")):
        assert main(["verify", str(folder / "made.sdf"), str(folder / name)]) == 2
        assert told in capfd.readouterr().err


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


def test_what_is_missing_of_a_request_is_said(records: list[Record]) -> None:
    assert verify(records, again=False).asked[0].missing == 0
    (asked,) = verify([records[k] for k in (0, 1, 5, 4, 11)], again=False).asked
    assert (asked.n, asked.seed, asked.gaps) == (12, 4, ((3, 4), (7, 11)))
    assert asked.missing == 7 and asked.model.startswith("qm9-fast ")
    altered = [*records[:4], moved(records[4]), *records[5:]]
    assert verify(altered, again=False).asked[0].missing == 0, "it is altered, and there"
    assert verify([moved(records[0])], again=False).asked == (), "what it asks for may be a lie"


def test_requests_are_told_apart_and_absurd_ones_do_no_harm(records: list[Record]) -> None:
    other = moldiff.generate(2, model="qm9-fast", steps=2, seed=5, size=9)
    both = verify([*records, *other.as_records()], again=False)
    assert [(one.seed, one.n, one.gaps) for one in both.asked] == [(4, 12, ()), (5, 2, ())]
    for n, gaps in (("1000000000000", ((2, 10**12),)), ("Infinity", None), ('"many"', None)):
        request = records[0].tags["request"].replace('"n": 12', f'"n": {n}')
        found = verify(
            [renewed(replace(records[0], tags={**records[0].tags, "request": request}))],
            again=False,
        )
        assert [one.gaps for one in found.asked] == ([] if gaps is None else [gaps])


def test_one_draw_that_is_there_twice_is_said(records: list[Record]) -> None:
    assert verify(records, again=False).repeated == ()
    twice = [*records, records[2], records[0], records[2]]
    assert verify(twice, again=False).repeated == ((0, 13), (2, 12, 14))
    # The first molecules of a shorter request are those of a longer one.
    few = moldiff.generate(3, model="qm9-fast", steps=2, seed=4, size=9)
    found = verify([*few.as_records(), *records[1:]], again=False)
    assert found.repeated == ((1, 3), (2, 4))
    assert [(one.n, one.missing) for one in found.asked] == [(12, 0)]
    # A place that is a lie makes no draw the same.
    records[5] = renewed(replace(records[5], tags={**records[5].tags, "place": "2"}))
    found = verify(records)
    assert found[5].status == "altered" and found.repeated == ()


def test_copies_of_designs_are_the_same_and_other_parts_are_not() -> None:
    designs = [moldiff.design.grow(f"{part}[*:1]", add=8, n=1, steps=2) for part in ("CC", "CO")]
    records = [record for one in designs for record in one.as_records()]
    assert verify(records).repeated == () and verify(records).asked == ()
    assert verify([*records, records[1]]).repeated == ((1, 2),)


def test_the_command_says_what_is_missing_and_what_is_there_twice(
    folder: Path, records: list[Record]
) -> None:
    write([*records[:2], *records[3:], records[1]], folder / "part.sdf")
    line = ["verify", str(folder / "part.sdf"), "--no-draw"]
    shown = CliRunner().invoke(app, line)
    assert shown.exit_code == 0
    assert "record 3 of 12 (qm9-fast, seed 4)" in shown.stdout
    assert "records 2 and 12 are the same draw" in shown.stdout
    told = json.loads(CliRunner().invoke(app, [*line, "--json"]).stdout)
    (request,) = told["requests"]
    assert (request["n"], request["missing"], request["gaps"]) == (12, 1, [[3, 3]])
    assert told["repeated"] == [[2, 12]]


def test_a_file_is_named_once(folder: Path, records: list[Record]) -> None:
    write(records, folder / "twice.sdf")
    done = CliRunner().invoke(app, ["verify", str(folder / "twice.sdf"), f"{folder}/./twice.sdf"])
    assert isinstance(done.exception, InputError) and "named twice" in str(done.exception)


def test_docked_poses_are_no_forgeries(records: list[Record]) -> None:
    from moldiff.docking.library.entries import carried

    ours = {"seed": "0", "box_center": "0 0 0", "receptor_sha256": "0"}
    pose = replace(moved(records[0]), tags=ours | carried(records[0].tags, ours))
    assert pose.tags["input_digest"] == records[0].tags[SEAL]
    (verdict,) = verify([pose])
    assert verdict.status == "unknown" and "moldiff dock" in verdict.why
    (verdict,) = verify([replace(pose, tags=pose.tags | {SEAL: records[0].tags[SEAL]})])
    assert verdict.status == "altered"


def test_verdicts_are_saved_and_are_a_data_frame(records: list[Record], tmp_path: Path) -> None:
    found = moldiff.verify([*records, records[0]], again=False)
    frame = found.to_frame()
    assert list(frame["record"]) == [*range(1, len(records) + 2)]
    assert set(frame["status"]) == {"unknown"}
    assert found._repr_html_().count("<tr>") == len(found) + 1, "a table in a notebook"
    saved = json.loads(found.save(tmp_path / "v.json").read_text())
    assert saved == json.loads(found.to_json()) and saved["repeated"] == [[1, len(records) + 1]]
    assert saved["unknown"] == len(found) and saved["requests"][0]["missing"] >= 0
