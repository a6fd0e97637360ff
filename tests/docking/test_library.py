"""Batches: nothing lost, nothing twice, whatever kills them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from moldiff.docking.library.entries import read_library
from moldiff.docking.library.manifest import DOCKED, FAILED, Manifest, Row
from moldiff.errors import ConfigError, InputError

ROOT = Path(__file__).parents[2]
CAGE = ROOT / "tests" / "data" / "dock" / "cage.pdb"
START = "import sys; from moldiff.cli import main; sys.exit(main(sys.argv[1:]))"
HEADER = {"library": "abc", "seed": "0"}
# enough that a run is still at work when it is interrupted
SMILES = 2 * ["CCO", "CCN", "c1ccccc1", "OCC(=O)O", "CC(=O)NC", "not-a-smiles", "CCCO", "NCCO"]
REFUSED = SMILES.count("not-a-smiles")  # these rows come first: they need no docking


def row(index: int, energy: float = -1.0) -> Row:
    return Row(index, f"ligand-{index + 1}", DOCKED, energy=energy, notes=("a",), sdf=f"{index}\n")


def test_rows_come_back_ranked(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    with Manifest.open(path, HEADER) as manifest:
        for index, energy in enumerate((-3.0, -7.5, -5.0)):
            manifest.append(row(index, energy))
        manifest.append(Row(3, "x", FAILED, "why"))
    with Manifest.open(path, HEADER) as manifest:
        assert set(manifest.rows) == {0, 1, 2, 3}
        assert [r.sdf for r in manifest.ranked()] == ["1\n", "2\n", "0\n"]
        assert manifest.row(0) == row(0, -3.0)


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_line_costs_its_row_only(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "m.jsonl"
    with Manifest.open(path, HEADER) as manifest:
        for index in range(3):
            manifest.append(row(index))
    path.write_bytes(path.read_bytes()[:-cut])
    with Manifest.open(path, HEADER) as manifest:
        assert set(manifest.rows) == {0, 1}
        manifest.append(row(2))
    with Manifest.open(path, HEADER) as manifest:
        assert {manifest.row(index).sdf for index in range(3)} == {"0\n", "1\n", "2\n"}


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_a_torn_header_is_written_again(tmp_path: Path, length: int) -> None:
    path = tmp_path / "m.jsonl"
    with Manifest.open(path, HEADER):
        pass
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    with Manifest.open(path, HEADER):
        pass
    assert path.read_bytes() == whole


def test_a_damaged_line_is_docked_again(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    with Manifest.open(path, HEADER) as manifest:
        for index in range(3):
            manifest.append(row(index))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"\x00\xff garbage\n", lines[3]]))
    with Manifest.open(path, HEADER) as manifest:
        assert set(manifest.rows) == {0, 2}


def test_another_batch_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    with Manifest.open(path, HEADER) as manifest:
        manifest.append(row(0))
    before = path.read_bytes()
    with (
        pytest.raises(ConfigError, match="seed was 0, is now 1"),
        Manifest.open(path, {**HEADER, "seed": "1"}),
    ):
        pass
    assert path.read_bytes() == before
    path.write_text("my thesis\nis here\n")
    with pytest.raises(InputError, match="not a manifest"), Manifest.open(path, HEADER):
        pass
    path.write_text("my thesis")
    with pytest.raises(InputError, match="not a manifest"), Manifest.open(path, HEADER):
        pass
    assert path.read_text() == "my thesis"


@pytest.mark.skipif(sys.platform == "win32", reason="no locks")
def test_two_runs_do_not_share_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    refused = pytest.raises(InputError, match="Another process")
    with Manifest.open(path, HEADER), refused, Manifest.open(path, HEADER):
        pass


def test_libraries_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufeffID;SMILES;x\nm 1;CCO;7\n;CCN\n\nm 1;C1CC(\n;\n")
    entries = read_library(tmp_path / "a.csv")
    assert [entry.name for entry in entries] == ["m 1", "ligand-2", "m 1-2", "ligand-4"]
    assert [entry.mol is None for entry in entries] == [False, False, True, True]
    assert "C1CC(" in entries[2].reason and "row 1" in entries[2].notes[0]
    (tmp_path / "a.smi").write_text("CCO one\nxx two\n")
    assert [entry.name for entry in read_library(tmp_path / "a.smi")] == ["one", "two"]


# --- kill -9 ---------------------------------------------------------------------------------


def launch(folder: Path, *more: str) -> subprocess.Popen[str]:
    words = ["dock", "--receptor", str(CAGE), "--center", "10,20,30", "--box-size", "12", "--draws"]
    words += [
        "4",
        "--conformers",
        "2",
        "--rounds",
        "2",
        "--proposals",
        "random",
        "--no-html",
        "--starts",
        "0",
    ]
    words += ["--ligands", str(folder / "lib.csv"), "-o", str(folder / "hits.sdf"), *more]
    return subprocess.Popen(
        [sys.executable, "-c", START, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()[1:] if path.is_file() else []


def wait_for_rows(process: subprocess.Popen[str], path: Path, count: int) -> None:
    end = time.monotonic() + 600
    while len(lines(path)) < count:
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lib.csv").write_text("\n".join(["smiles", *SMILES, ""]))
    return tmp_path


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9")
@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_killed_batch_goes_on(folder: Path, jobs: str) -> None:
    manifest = folder / "hits.manifest.jsonl"
    first = launch(folder, "--jobs", jobs)
    wait_for_rows(first, manifest, REFUSED + 3)
    first.kill()
    first.communicate(timeout=600)
    before = lines(manifest)
    with manifest.open("ab") as file:  # what a power cut may leave
        file.write(b'{"index": 7, "na')
    second = launch(folder, "--jobs", jobs)
    _, err = second.communicate(timeout=600)
    assert second.returncode == 0, err
    assert f"Going on: {len(before)} of {len(SMILES)} rows were done before." in err
    after = lines(manifest)
    assert after[: len(before)] == before, "what was done is not done again"
    assert sorted(json.loads(line)["index"] for line in after) == list(range(len(SMILES)))
    with (folder / "hits.csv").open() as file:
        table = list(csv.DictReader(file))
    assert sorted(int(row["row"]) for row in table) == [k + 1 for k in range(len(SMILES))]
    energies = [float(row["energy_kcal_mol"]) for row in table if row["place"]]
    assert energies == sorted(energies) and len(energies) == len(SMILES) - REFUSED
    assert [row["place"] for row in table] == [str(k + 1) for k in range(len(energies))] + (
        REFUSED * [""]
    ), "the hits first, best first"
    assert [row["status"] for row in table].count("refused") == REFUSED
    uninterrupted = folder / "whole"
    uninterrupted.mkdir()
    (uninterrupted / "lib.csv").write_text((folder / "lib.csv").read_text())
    whole = launch(uninterrupted)
    _, err = whole.communicate(timeout=600)
    assert whole.returncode == 0, err
    assert (uninterrupted / "hits.sdf").read_text() == (folder / "hits.sdf").read_text()


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_ctrl_c_keeps_what_is_done(folder: Path) -> None:
    manifest = folder / "hits.manifest.jsonl"
    process = launch(folder)
    wait_for_rows(process, manifest, REFUSED + 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130 and "Traceback" not in err, err
    assert f"Interrupted: {len(lines(manifest))} of {len(SMILES)} rows are done" in err
    with (folder / "hits.csv").open() as file:
        status = [row["status"] for row in csv.DictReader(file)]
    assert len(status) == len(SMILES) and status.count("not done") == len(SMILES) - len(
        lines(manifest)
    )


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds children in /proc")
def test_a_worker_that_dies_costs_no_row(folder: Path) -> None:
    process = launch(folder, "--jobs", "2")
    wait_for_rows(process, folder / "hits.manifest.jsonl", REFUSED + 2)
    workers = [
        int(child)
        for thread in Path(f"/proc/{process.pid}/task").iterdir()
        for child in (thread / "children").read_text().split()
        if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()
    ]
    assert workers
    os.kill(workers[0], signal.SIGKILL)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    with (folder / "hits.csv").open() as file:
        status = [row["status"] for row in csv.DictReader(file)]
    assert status.count("refused") == REFUSED and status.count("docked") == len(SMILES) - REFUSED
