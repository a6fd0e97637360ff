"""A library docked in parts and merged: the files of one run over the whole."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from moldiff.cli import main
from moldiff.docking.library.entries import shard_of
from moldiff.docking.library.manifest import DOCKED, Row
from moldiff.docking.library.merge import merge
from moldiff.docking.library.screening import LibraryRun
from moldiff.docking.settings import Settings
from moldiff.docking.site import Site, Where, site
from moldiff.errors import InputError

CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"
ENERGIES = {"a": -3.0, "b": -7.5, "d": -5.0, "e": -6.0, "f": -4.0}
LIBRARY = "smiles,name,batch\n" + "".join(f"CCO,{k},{i}\n" for i, k in enumerate("abcdefg"))


@pytest.fixture(scope="module")
def place() -> Site:
    return site(CAGE, Where(center=(10, 20, 30), size=12))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lib.csv").write_text(LIBRARY, encoding="ascii")
    return tmp_path


def run(
    place: Site,
    folder: Path,
    name: str,
    shard: tuple[int, int] | None = None,
    *,
    seed: int = 0,
    only: str = "abcdefg",
) -> Path:
    """A run whose rows have known energies; c and g are refused."""
    output = folder / name
    library = LibraryRun.open(place, folder / "lib.csv", Settings(seed=seed), output, shard=shard)
    with library as found:
        for entry in found.entries:
            if entry.name not in only:
                continue
            row = Row(entry.index, entry.name, "refused", "why")
            if entry.name in ENERGIES:
                energy = ENERGIES[entry.name]
                row = Row(
                    entry.index, entry.name, DOCKED, energy=energy, sdf=f"{entry.name}\n$$$$\n"
                )
            found.manifest.append(
                Row(**{**row.__dict__, "record": entry.record, "fields": dict(entry.fields)})
            )
        found.write()
    return output


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_merged_parts_are_the_whole(place: Site, folder: Path) -> None:
    whole = run(place, folder, "whole.sdf")
    parts = [run(place, folder, f"hits.{i}of3.sdf", (i, 3)) for i in (1, 2, 3)]
    assert [len(table(part.with_suffix(".csv"))) for part in parts] == [3, 2, 2]
    words = [str(part) for part in parts[::-1]]
    assert main(["merge", *words, "-o", str(folder / "hits.sdf")]) == 0
    for suffix in (".sdf", ".csv"):
        merged = (folder / "hits.sdf").with_suffix(suffix).read_text(encoding="utf-8")
        assert merged == whole.with_suffix(suffix).read_text(encoding="utf-8")
    rows = table(folder / "hits.csv")
    assert [row["name"] for row in rows] == ["b", "e", "d", "f", "a", "c", "g"]
    assert [row["place"] for row in rows] == ["1", "2", "3", "4", "5", "", ""]
    assert [row["batch"] for row in rows] == ["1", "4", "3", "5", "0", "2", "6"]


def test_merged_parts_go_to_stdout(
    place: Site, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = run(place, folder, "whole.sdf")
    words = [str(run(place, folder, f"hits.{k}of3.sdf", (k, 3))) for k in (1, 2, 3)]
    capfd.readouterr()
    assert main(["merge", *words, "-o", "-"]) == 0
    assert capfd.readouterr().out == whole.read_text(encoding="utf-8")
    assert not (folder / "hits.sdf").exists()
    output = folder / "hits.sdf"
    assert main(["merge", *words, "-o", str(output), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["rows"], told["parts"], told["docked"]) == (7, 3, 5)
    assert told["files"] == [str(output), str(output.with_suffix(".csv"))]


def test_what_is_lacking_is_said(place: Site, folder: Path) -> None:
    first = run(place, folder, "hits.1of3.sdf", (1, 3), only="a")
    third = run(place, folder, "hits.3of3.sdf", (3, 3))
    merged = merge([first, third], folder / "hits.sdf")
    assert merged.notes == (
        "part 1/3 is not finished: 2 of its rows are not there",
        "parts that were not given: 2/3",
    )
    assert (merged.rows, merged.docked, merged.best) == (3, 2, "f, -4.00 kcal/mol")


def test_what_is_no_part_of_the_library(place: Site, folder: Path) -> None:
    first = run(place, folder, "hits.1of2.sdf", (1, 2))
    other = run(place, folder, "other.2of2.sdf", (2, 2), seed=1)
    more = run(place, folder, "more.1of3.sdf", (1, 3))
    whole = run(place, folder, "whole.sdf")
    copy = folder / "copy.1of2.manifest.jsonl"
    copy.write_bytes((folder / "hits.1of2.manifest.jsonl").read_bytes())
    for paths, words in (
        ([first, other], "differ in seed"),
        ([first, more], "differ in shard"),
        ([whole], "not of a part"),
        ([first, copy], "Part 1/2 is given twice"),
        ([folder / "no.sdf"], "no manifest"),
        ([folder / "lib.csv"], "no manifest"),
    ):
        with pytest.raises(InputError, match=words):
            merge(paths, folder / "hits.sdf")
    assert not (folder / "hits.sdf").exists()
    assert main(["merge", str(first), "-o", str(first)]) == 2, "a part is not written over"


@pytest.mark.parametrize("text", ["0/3", "4/3", "x", "1/", "/2", "1-3", "1/0"])
def test_parts_are_written_as_one_of_many(text: str) -> None:
    assert shard_of("2/3") == (2, 3)
    with pytest.raises(InputError, match="shard='1/4'"):
        shard_of(text)


def test_more_parts_than_records(place: Site, folder: Path) -> None:
    with pytest.raises(InputError, match="none for part 8 of 9"):
        run(place, folder, "hits.sdf", (8, 9))


def test_parquet_has_the_same_table_with_numbers(place: Site, folder: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run(place, folder, "hits.sdf")
    (folder / "hits.manifest.jsonl").rename(folder / "again.manifest.jsonl")
    run(place, folder, "again.parquet")
    found = parquet.read_table(folder / "again.parquet").to_pylist()
    rows = table(folder / "hits.csv")
    assert [row["name"] for row in found] == [row["name"] for row in rows]
    assert found[0]["energy_kcal_mol"] == -7.5 and found[0]["place"] == 1
    assert found[-1]["energy_kcal_mol"] is None and found[0]["batch"] == "1"
    assert (folder / "again.sdf").read_text() == (folder / "hits.sdf").read_text()


def test_parquet_without_its_library(
    place: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="needs pyarrow") as caught:
        run(place, folder, "hits.parquet")
    assert "moldiff[parquet]" in str(caught.value.fix)
    assert [path.name for path in folder.iterdir()] == ["lib.csv"]
