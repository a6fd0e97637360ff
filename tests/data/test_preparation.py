"""Preparing molecules by shards: the same store, however it came about."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from moldiff.chem import Encoded, Vocabulary, canonical_smiles, decode, encode
from moldiff.cli import main
from moldiff.data import molecules, qm9, skeleton
from moldiff.data.molecules import prepare
from moldiff.data.preparation import shards_folder
from moldiff.data.skeleton import fold_store
from moldiff.data.split import split_by_hash
from moldiff.data.store import Entry, Store
from moldiff.errors import DataError, InputError, MoldiffError
from moldiff.io import read_molecules
from tests.disk import small_files

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "datasets" / "qm9" / "sample.sdf"
RECORDS = [f"{record}$$$$\n" for record in SAMPLE.read_text().split("$$$$\n")[:50]]
BROKEN = "broken\n\n\nnothing\n$$$$\n"
NAMELESS = "\n\n\nnothing\n$$$$\n"

# The sample's store, as it was made when all molecules were encoded in memory.
FIELDS = [
    "Fields kept as properties (molecules with a number): source_row (50).",
    "Fields left out, as most of their values are no numbers: smiles.",
]
DIGESTS = {
    "properties.npy": "0384b45c5adabbfafb8fa1755795f5924acde2da93e99e3ff57fd8afc0f70265",
    "bonds.npy": "baa1b4952d870e062651a50219cd6e2f7fd9f690179d4101c4378b0b36dbc73b",
    "charges.npy": "53748672c29efd52956352b61560dd56806bdf37fc6a13702bf453f544823537",
    "positions.npy": "01be3c6fa3eee0e91ad793dc282b4697938a420eb41beddbf84d1d31aa8ed2c0",
    "rejected.csv": "30f908b2a0bc309f5806cd8840f0ede719d0cc9474891ef690bb465882f5af5d",
    "sizes.npy": "67592e5c6487839e14932945d59efc62a7ee09ed23a2813222f4161d115b7146",
    "smiles.txt": "87f31d4268266578ce2877bb1b11c4ab820aad215314be1847139321048e63dd",
    "source_index.npy": "7d2bbdee3bfe4aa21f28fa8d572d9bbd6cc5e6e9ad28fe2441f5a5596cdd0043",
    "split.npy": "c4911f5c0b176ad14e2c48d30ffa000478a25fc6bab8fd3a49b5a2646e069404",
    "types.npy": "79a611d2567588218320895d738e9db2115fc2d837a6061fc65f4f7b253c9c06",
}


def content(path: Path) -> dict[str, bytes]:
    """The bytes of every file of a store."""
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files with broken records and duplicates; the second is gzipped and cut off."""
    first = tmp_path / "first.sdf"
    first.write_text("".join([*RECORDS[:20], BROKEN, NAMELESS, *RECORDS[15:30]]))
    packed = gzip.compress("".join([NAMELESS, *RECORDS[25:]]).encode(), 0)
    (tmp_path / "second.sdf.gz").write_bytes(packed[: len(packed) - 300])
    return [first, tmp_path / "second.sdf.gz"]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (molecules, skeleton, qm9):
        monkeypatch.setattr(module, "SIZE", 8)


def test_the_store_is_what_it_was(tmp_path: Path) -> None:
    assert prepare([SAMPLE], tmp_path / "store").meta["sha256"] == DIGESTS


def test_the_store_is_that_of_molecules_encoded_together(files: list[Path], tmp_path: Path) -> None:
    """All molecules at once, by the vocabulary that all of them need, by `Store.write`."""
    vocabulary = Vocabulary(("H", "C", "N", "O", "F"), (-1, 0, 1))
    records = [record for file in files for record in read_molecules(file)]
    entries: list[Entry] = []
    for k, record in enumerate(records):
        encoded = None if record.mol is None else encode(record.mol, vocabulary)
        if isinstance(encoded, Encoded):
            smiles = canonical_smiles(decode(encoded, vocabulary)) or ""
            entries.append(Entry(encoded, smiles, 0, k))
    splits = split_by_hash([e.smiles for e in entries], (0.6, 0.2, 0.2), seed=3)
    entries = [
        Entry(e.encoded, e.smiles, s, e.source_index) for e, s in zip(entries, splits, strict=True)
    ]
    whole = Store.write(tmp_path / "whole", entries, vocabulary=vocabulary, source="")
    store = prepare(files, tmp_path / "store", fractions=(0.6, 0.2, 0.2), seed=3)
    assert store.vocabulary == vocabulary and store.meta["splits"] == whole.meta["splits"]
    for name, digest in whole.meta["sha256"].items():
        assert name == "rejected.csv" or store.meta["sha256"][name] == digest, name
    rejected = (store.path / "rejected.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in rejected] == ["20", "21", "37", str(len(records) - 1)]
    assert rejected[0].startswith("20,broken,not an SDF record")
    assert '21,"first.sdf, record 22",not an SDF' in rejected[1]
    assert '37,"second.sdf.gz, record 1",not an SDF' in rejected[2]
    assert "damaged gzip file" in rejected[3]


def test_shards_and_processes_make_no_difference(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = content(prepare(files, tmp_path / "whole").path)
    folded = content(fold_store(Store.open(tmp_path / "whole"), tmp_path / "f-whole").path)
    for size, jobs in ((1, 1), (7, 1), (9, 2)):
        monkeypatch.setattr(molecules, "SIZE", size)
        monkeypatch.setattr(skeleton, "SIZE", size)
        store = prepare(files, tmp_path / f"{size}", jobs=jobs)
        assert content(store.path) == whole, (size, jobs)
        again = fold_store(store, tmp_path / f"f-{size}", jobs=jobs)
        assert content(again.path) == folded, (size, jobs)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.usefixtures("small_shards")
def test_progress_tells_the_records_and_estimates_their_number(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    prepare([SAMPLE], tmp_path / "store", progress=lambda *words: told.append(words))
    encoding = [(done, total) for stage, done, total in told if stage != "writing"]
    assert [done for done, _ in encoding] == [0, 8, 16, 24, 32, 40, 48, 50]
    assert encoding[0] == (0, 0) and encoding[-1] == (50, 50)
    assert all(30 <= total <= 80 for _, total in encoding[1:])
    assert [words for words in told if words[0] == "writing"][-1] == ("writing", 50, 50)


def stop_at(records: int) -> Callable[[str, int, int], None]:
    """Progress that presses Ctrl-C."""

    def progress(stage: str, done: int, total: int) -> None:
        if done >= records:
            raise KeyboardInterrupt

    return progress


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_preparation_goes_on(tmp_path: Path, jobs: int) -> None:
    destination = tmp_path / "new" / "store"
    with pytest.raises(KeyboardInterrupt):
        prepare([SAMPLE], destination, jobs=jobs, progress=stop_at(24))
    assert not destination.exists() and shards_folder(destination).is_dir()
    said: list[str] = []
    told: list[int] = []
    store = prepare(
        [SAMPLE],
        destination,
        progress=lambda stage, done, total: told.append(done),
        announce=said.append,
    )
    line, *about_fields = said
    assert about_fields == FIELDS
    assert line.startswith(f"Going on with {shards_folder(destination)}: ")
    assert int(line.split(": ")[1].split()[0]) >= 24
    # Of several processes the first shard need not be the first to be finished.
    assert told[0] >= 24 or jobs > 1
    assert store.meta["sha256"] == DIGESTS
    assert [path.name for path in destination.parent.iterdir()] == ["store"]


@pytest.mark.usefixtures("small_shards")
def test_an_interrupted_writing_goes_on(tmp_path: Path) -> None:
    def progress(stage: str, done: int, total: int) -> None:
        if stage == "writing" and done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([SAMPLE], tmp_path / "store", progress=progress)
    assert [path.name for path in tmp_path.iterdir()] == [".store.shards"]
    told: list[int] = []
    # The split is of the end: the shards serve any.
    prepare([SAMPLE], tmp_path / "store", seed=1, progress=lambda s, done, total: told.append(done))
    assert told[:2] == [50, 8]
    assert content(tmp_path / "store") == content(prepare([SAMPLE], tmp_path / "b", seed=1).path)


@pytest.mark.usefixtures("small_shards")
def test_shards_of_anything_else_are_discarded(tmp_path: Path) -> None:
    source = tmp_path / "my.sdf"
    source.write_text("".join(RECORDS))
    allowed = Vocabulary(("H", "C", "N", "O", "F"), (-1, 0, 1))
    for change, options in ((RECORDS[::-1], {}), (RECORDS[::-1], {"vocabulary": allowed})):
        with pytest.raises(KeyboardInterrupt):
            prepare([source], tmp_path / "store", progress=stop_at(24))
        source.write_text("".join(change))
        said: list[str] = []
        told: list[int] = []
        store = prepare(
            [source],
            tmp_path / "store",
            progress=lambda stage, done, total, told=told: told.append(done),  # type: ignore[misc]
            announce=said.append,
            **options,  # type: ignore[arg-type]
        )
        assert said == [
            f"{tmp_path / '.store.shards'} is of other input, settings or versions: discarded.",
            *FIELDS,
        ]
        assert told[0] == 0
        assert content(store.path) == content(prepare([source], tmp_path / "b", **options).path)  # type: ignore[arg-type]


@pytest.mark.usefixtures("small_shards")
def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "my.sdf"
    source.write_text("".join(RECORDS))

    def progress(stage: str, done: int, total: int) -> None:
        if done == 24:
            with source.open("a") as file:
                file.write(RECORDS[0])

    with pytest.raises(InputError, match=r"changed while they were read: .*my\.sdf"):
        prepare([source], tmp_path / "store", progress=progress)
    assert [path.name for path in tmp_path.iterdir()] == ["my.sdf"]


def test_a_shard_lost_or_torn_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(molecules, "SIZE", 8)
    with pytest.raises(KeyboardInterrupt):
        prepare([SAMPLE], tmp_path / "store", progress=stop_at(40))
    folder = tmp_path / ".store.shards"
    shards = sorted(folder.glob("*.npz"))
    assert len(shards) == 5
    shards[1].rename(f"{shards[1]}.part")  # killed before its time
    with (folder / "journal.jsonl").open("a") as file:
        file.write('{"of": "torn')
    told: list[int] = []
    store = prepare([SAMPLE], tmp_path / "store", progress=lambda s, done, total: told.append(done))
    assert told[0] == 8 and store.meta["sha256"] == DIGESTS


@pytest.mark.usefixtures("small_shards")
def test_a_full_disk_costs_nothing_that_is_finished(tmp_path: Path) -> None:
    done: list[int] = []
    with contextlib.ExitStack() as stack:

        def progress(stage: str, number: int, total: int) -> None:
            done.append(number)
            if number == 24:
                stack.enter_context(small_files(500))

        with pytest.raises(DataError, match=r"File too large .*the same command then goes on"):
            prepare([SAMPLE], tmp_path / "store", progress=progress)
    assert done[-1] == 24
    said: list[str] = []
    store = prepare([SAMPLE], tmp_path / "store", announce=said.append)
    assert "24 records are prepared" in said[0] and store.meta["sha256"] == DIGESTS


@pytest.mark.usefixtures("small_shards")
def test_a_full_disk_at_the_end_keeps_the_shards(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:

        def progress(stage: str, done: int, total: int) -> None:
            if stage == "writing" and done == 8:
                stack.enter_context(small_files(500))

        with pytest.raises(DataError, match="File too large"):
            prepare([SAMPLE], tmp_path / "store", progress=progress)
    assert [path.name for path in tmp_path.iterdir()] == [".store.shards"]
    assert prepare([SAMPLE], tmp_path / "store").meta["sha256"] == DIGESTS


def test_bad_destinations_are_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "complexes").mkdir()
    (tmp_path / "complexes" / "store.json").write_text('{"schema": "moldiff-complexes-1"}')
    before = sorted(tmp_path.rglob("*"))

    def never(stage: str, done: int, total: int) -> None:
        raise AssertionError

    for name, words in {
        "file": "is not a data store",
        "folder": "is not a data store",
        "complexes": "holds protein-ligand complexes",
        "file/store": "cannot be prepared: Not a directory",
        "file/a/b": "cannot be prepared: Not a directory",
        f"new/{'x' * 300}": "cannot be prepared: File name too long",
    }.items():
        with pytest.raises(DataError, match=words):
            prepare([SAMPLE], tmp_path / name, progress=never)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("small_shards")
def test_one_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    refused: list[str] = []

    def second(stage: str, done: int, total: int) -> None:
        if done == 16:
            with pytest.raises(InputError) as caught:
                prepare([SAMPLE], tmp_path / "store")
            refused.append(str(caught.value))

    assert prepare([SAMPLE], tmp_path / "store", progress=second).meta["sha256"] == DIGESTS
    assert refused and "Another process is working on" in refused[0]


def test_what_will_never_work_leaves_nothing(tmp_path: Path) -> None:
    broken, empty = tmp_path / "broken.sdf", tmp_path / "empty.json"
    broken.write_text(BROKEN * 3)
    empty.write_text("[]")
    before = sorted(tmp_path.iterdir())
    for files, error, words in (
        ([broken], DataError, r"No molecule of broken\.sdf can be used: not an SDF record \(3\)"),
        ([SAMPLE, empty], InputError, r"empty\.json holds no molecules"),
        ([SAMPLE, tmp_path / "no.sdf"], InputError, r"no file .*no\.sdf"),
    ):
        with pytest.raises(error, match=words):
            prepare(files, tmp_path / "new" / "store")
        assert sorted(tmp_path.iterdir()) == before


def die(*_: object, **__: object) -> None:
    os._exit(9)


@pytest.mark.usefixtures("small_shards")
def test_a_process_that_dies_is_an_error_and_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        prepare([SAMPLE], tmp_path / "store", progress=stop_at(24))
    with monkeypatch.context() as patch:
        patch.setattr(molecules, "_encode_chunk", die)
        with pytest.raises(MoldiffError, match="worker process died"):
            prepare([SAMPLE], tmp_path / "store", jobs=2)
    said: list[str] = []
    store = prepare([SAMPLE], tmp_path / "store", announce=said.append)
    assert "24 records are prepared" in said[0] and store.meta["sha256"] == DIGESTS


@pytest.mark.usefixtures("small_shards")
def test_folding_goes_on_too(tmp_path: Path) -> None:
    source = prepare([SAMPLE], tmp_path / "source")
    whole = content(fold_store(source, tmp_path / "whole").path)
    with pytest.raises(KeyboardInterrupt):
        fold_store(source, tmp_path / "folded", progress=stop_at(16))
    told: list[tuple[int, int]] = []
    folded = fold_store(
        source, tmp_path / "folded", progress=lambda stage, *numbers: told.append(numbers)
    )
    assert told[0] == (16, 50) and content(folded.path) == whole


def test_large_molecules_get_the_offer_to_fold(tmp_path: Path) -> None:
    store = prepare([SAMPLE], tmp_path / "store")
    atoms = [atom for k in range(50) for atom in store[k].types.tolist()]
    assert skeleton.heavy_atoms(store) == sum(atom != 0 for atom in atoms) / 50
    assert store.class_counts.tolist() == np.bincount(atoms).tolist()
    assert skeleton.folding_advice(store, "f") is None  # QM9: nine at most
    folded = fold_store(store, tmp_path / "folded")
    assert skeleton.heavy_atoms(folded) == folded.sizes.mean()


# --- processes of their own ------------------------------------------------------------------

COMMAND = """\
import sys
from moldiff.cli import main
from moldiff.data import molecules
if __name__ == "__main__":
    molecules.SIZE = 50
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file that takes some seconds."""
    path = tmp_path / "big.sdf"
    path.write_text("".join(RECORDS) * 60)
    return path


def launch(tmp_path: Path, *words: object) -> subprocess.Popen[str]:
    (tmp_path / "command.py").write_text(COMMAND)  # a file: workers read it, too
    command = [sys.executable, "command.py", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True
    )


def finished(folder: Path, number: int) -> None:
    """Wait for so many shards."""
    journal = folder / "journal.jsonl"
    end = time.monotonic() + 60
    while not (journal.is_file() and journal.read_text().count("\n") >= number):
        assert time.monotonic() < end
        time.sleep(0.02)


def running(session: str) -> Iterator[int]:
    """The processes that work in a folder, on Linux."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(process / "cwd") == session:
                yield int(process.name)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_any_moment_the_same_command_goes_on(
    big: Path, tmp_path: Path, jobs: int
) -> None:
    words = ("data", "prepare", "big.sdf", "-o", "store", "--jobs", jobs)
    for number in (3, 9):
        process = launch(tmp_path, *words)
        finished(tmp_path / ".store.shards", number)
        process.kill()
        process.communicate()
        end = time.monotonic() + 30
        while list(running(str(tmp_path))):  # the workers follow
            assert time.monotonic() < end
            time.sleep(0.02)
        assert not (tmp_path / "store").exists()
    process = launch(tmp_path, *words)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert err.startswith("Going on with .store.shards: ")
    assert int(err.split(": ")[1].split()[0]) >= 9 * 50
    assert content(tmp_path / "store") == content(prepare([big], tmp_path / "whole").path)
    assert not (tmp_path / ".store.shards").exists()


@pytest.mark.parametrize(
    ("words", "number", "folder"),
    [
        ("data prepare big.sdf --output store --jobs 2", signal.SIGINT, ".store.shards"),
        ("data prepare big.sdf --output store --jobs 2", signal.SIGTERM, ".store.shards"),
        pytest.param(
            "train big.sdf --output run", signal.SIGINT, "run/.data.shards", marks=pytest.mark.slow
        ),
    ],
)
def test_ctrl_c_says_what_is_kept_and_how_to_go_on(
    big: Path, tmp_path: Path, words: str, number: int, folder: str
) -> None:
    process = launch(tmp_path, *words.split())
    finished(tmp_path / folder, 2)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    line = err.splitlines()[-1]
    assert "Traceback" not in err and len(err.splitlines()) == (2 if "train" in words else 1)
    stopped, _, again = line.partition(f", kept in {folder}. ")
    assert re.fullmatch(r"Stopped after \d+ records", stopped)
    assert again == f"To go on: moldiff {words}"
    lines = (tmp_path / folder / "journal.jsonl").read_text().splitlines()
    kept = sum(json.loads(entry)["records"] for entry in lines)
    assert kept - 50 <= int(stopped.split()[2]) <= kept  # one may not have been told yet


MEMORY = """\
import resource, sys
from moldiff.data.molecules import prepare
prepare([sys.argv[1]], sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss")
def test_memory_does_not_grow_with_the_molecules(tmp_path: Path) -> None:
    peaks = []
    for times in (40, 160):
        path = tmp_path / f"{times}.sdf"
        path.write_text("".join(RECORDS) * times)
        command = [sys.executable, "-c", MEMORY, str(path), str(tmp_path / str(times))]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] <= 1.3 * peaks[0]


def test_the_command_line(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "prepare", *map(str, files), "-o", str(tmp_path / "store"), "--jobs", "1"]
    assert main(words) == 0
    assert "rejected" in capsys.readouterr().out
    digest = hashlib.sha256((tmp_path / "store" / "store.json").read_bytes()).hexdigest()
    assert main([*words, "--force", "--seed", "1"]) == 0
    other = hashlib.sha256((tmp_path / "store" / "store.json").read_bytes()).hexdigest()
    assert digest != other
