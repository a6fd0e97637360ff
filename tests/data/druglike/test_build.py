"""From a file of SMILES to a store: the same however it came about, split by scaffold."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moldiff.chem import Rejected, canonical_smiles, decode, strict_failure, xtb
from moldiff.data.druglike import DRUGLIKE, Request, build, conformers_folder, prepare, results
from moldiff.data.druglike import writing as writing_module
from moldiff.data.druglike.selection import scaffold
from moldiff.data.druglike.writing import FRACTIONS, split_of
from moldiff.data.molecules import prepare as prepare_sdf
from moldiff.data.store import Store
from moldiff.errors import DataError, InputError
from tests.data.druglike.conftest import GOOD, REFUSED
from tests.disk import small_files

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "datasets" / "qm9" / "sample.sdf"

installed = pytest.mark.skipif(xtb.lacking() is not None, reason="the program xtb is not installed")


def request(own: Path, **changes: object) -> Request:
    return replace(Request(smiles=(own,), smiles_alone=True), **changes)  # type: ignore[arg-type]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of five rows, tasks of two."""
    for module in (results, build, writing_module):
        monkeypatch.setattr(module, "SIZE", 5)
    monkeypatch.setattr(build, "_BATCH", 2)


@pytest.fixture(scope="module")
def whole(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """All molecules, made at once."""
    return prepare(tmp_path_factory.mktemp("whole") / "set", request(own), command="a command")


def content(store: Store) -> dict[str, bytes]:
    """The bytes of every file of a store."""
    return {file.name: file.read_bytes() for file in store.path.iterdir()}


def test_every_molecule_is_there_or_has_a_reason(whole: Store) -> None:
    assert whole.vocabulary == DRUGLIKE and len(whole) == 12
    assert sorted(whole.source_index) == list(range(12))
    with gzip.open(conformers_folder(whole.path) / "list.smi.gz", "rt") as packed:
        listed = [line.split("\t")[0] for line in packed]
    assert sorted(whole.smiles(k) for k in range(12)) == sorted(
        canonical_smiles_of(line) for line in GOOD.split()
    )
    for k in range(12):
        mol = decode(whole[k], DRUGLIKE)
        assert strict_failure(mol) is None and canonical_smiles(mol) == whole.smiles(k)
        row = int(whole.source_index[k])
        assert canonical_smiles_of(listed[row]) == whole.smiles(k)
        lengths = mol.GetConformer().GetPositions()[
            [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
        ]
        assert (np.linalg.norm(lengths[:, 0] - lengths[:, 1], axis=1) < 2.2).all()
    with (whole.path / "rejected.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["name"]: row["reason"] for row in rows} == REFUSED
    assert {row["source_index"] for row in rows} == {"-1"}


def canonical_smiles_of(smiles: str) -> str:
    from rdkit import Chem

    mol = Chem.MolFromSmiles(smiles)
    Chem.RemoveStereochemistry(mol)
    return str(Chem.MolToSmiles(mol))


def test_the_card_counts_what_is_there(whole: Store) -> None:
    card = json.loads((whole.path / "card.json").read_text())
    assert card["molecules"] == card["asked for"] == 12 and card["splits"] == whole.meta["splits"]
    (source,) = card["sources"]
    assert source["name"] == "own" and source["licence"] == "the user's"
    assert source["by size"] == {"10-18": 12, "19-26": 0, "27-40": 0}
    assert source["left out"] == Counter(reason.split(":")[0] for reason in REFUSED.values())
    assert sum(card["heavy atoms"].values()) == 12
    assert sum(int(n) * k for n, k in card["heavy atoms"].items()) == whole.sizes.sum()
    heavy = sum(k for name, k in card["atoms"].items() if name.split()[0] != "H")
    assert heavy == whole.sizes.sum()
    assert card["atoms"]["Br"] == card["atoms"]["P"] == card["atoms"]["N +1"] == 1
    assert card["atoms"]["F"] == 3 and card["atoms"]["I"] == 1
    assert card["ring systems"]["commonest"]["c1ccccc1"] == 8
    assert card["ring systems"]["distinct"] == 5 and card["ring systems"]["in one molecule"] == 4
    assert card["stereo"]["stereocentres"] == 2 and card["stereo"]["E/Z double bonds"] == 1
    assert card["rejected"] == {} and card["kinds"]["all"] == {"listed": 12, "lost": 0}
    assert card["kinds"]["no ring"] == {"listed": 2, "lost": 0}
    assert card["kinds"]["with stereocentres"]["listed"] == 1  # as it was listed
    assert card["geometry"] == "MMFF94" and card["command"] == "a command"
    text = (whole.path / "card.md").read_text()
    assert "12 molecules of 12" in text and "| `c1ccccc1` | 8 |" in text
    assert "Left out of own: too small (1)" in text and card["files"][0]["sha256"] in text


@pytest.mark.usefixtures("small_shards")
def test_files_and_tasks_make_no_difference(whole: Store, own: Path, tmp_path: Path) -> None:
    assert content(prepare(tmp_path / "set", request(own), command="a command")) == content(whole)


def test_processes_make_no_difference(
    whole: Store, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_BATCH", 3)
    store = prepare(tmp_path / "set", request(own), jobs=2, command="a command")
    assert content(store) == content(whole)


def test_the_order_of_the_file_makes_no_difference_to_a_molecule(
    whole: Store, tmp_path: Path
) -> None:
    turned = tmp_path / "turned.smi"
    turned.write_text("\n".join(reversed(GOOD.split()[3:])))
    store = prepare(tmp_path / "set", request(turned))
    split = {whole.smiles(k): s for k, s in enumerate(whole.split)}
    place = {whole.smiles(k): k for k in range(len(whole))}
    assert len(store) == 9
    for k, s in enumerate(store.split):
        assert split[store.smiles(k)] == s
        assert np.array_equal(store[k].positions, whole[place[store.smiles(k)]].positions)


@pytest.mark.usefixtures("small_shards")
def test_molecules_may_be_raised(whole: Store, own: Path, tmp_path: Path) -> None:
    first = prepare(tmp_path / "set", request(own, molecules=7))
    assert len(first) == 7 and first.source_index.tolist() == list(range(7))
    told: list[tuple[str, int, int]] = []
    said: list[str] = []
    store = prepare(
        tmp_path / "set",
        request(own, molecules=12),
        progress=lambda *words: told.append(words),
        announce=said.append,
        command="a command",
    )
    folder = tmp_path / "set.conformers" / "mmff"
    assert said == [f"Going on with {folder}: 7 of 12 molecules are there."]
    assert [done for stage, done, _ in told if stage == "conformers"] == [7, 9, 10, 12]
    assert content(store) == content(whole)
    before = (store.path / "store.json").stat().st_mtime_ns
    said.clear()
    prepare(tmp_path / "set", request(own, molecules=12), announce=said.append)
    assert said == [f"{store.path} is there already."]
    assert (store.path / "store.json").stat().st_mtime_ns == before


def stop_at(stage: str, number: int) -> Callable[[str, int, int], None]:
    """Progress that presses Ctrl-C."""

    def progress(at: str, done: int, total: int) -> None:
        if at == stage and done >= number:
            raise KeyboardInterrupt

    return progress


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("stage", ["drawing from own", "conformers", "writing"])
def test_an_interrupted_run_goes_on(stage: str, whole: Store, own: Path, tmp_path: Path) -> None:
    number = {"drawing from own": 0, "conformers": 7, "writing": 5}[stage]
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "set", request(own), progress=stop_at(stage, number))
    assert not (tmp_path / "set").exists()
    assert list(tmp_path.iterdir()) == ([] if not number else [tmp_path / "set.conformers"])
    said: list[str] = []
    store = prepare(tmp_path / "set", request(own), announce=said.append, command="a command")
    assert content(store) == content(whole)
    assert any("7 of 12 molecules are there" in line for line in said) == (stage == "conformers")


KILLED = """
import sys
from pathlib import Path
from moldiff.data.druglike import Request, build, prepare
build._BATCH = 1
own, destination = map(Path, sys.argv[1:])
prepare(
    destination,
    Request(smiles=(own,), smiles_alone=True),
    progress=lambda stage, done, total: print(stage, done, flush=True),
)
"""


def test_a_killed_process_loses_what_it_was_working_on(
    whole: Store, own: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", KILLED, str(own), str(tmp_path / "set")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "conformers 5\n":
                process.send_signal(signal.SIGKILL)
                break
    said: list[str] = []
    store = prepare(tmp_path / "set", request(own), announce=said.append, command="a command")
    assert any(
        f": {done} of 12 molecules are there." in line for line in said for done in range(5, 12)
    )
    assert content(store) == content(whole)


def test_all_molecules_of_a_scaffold_are_in_one_split(whole: Store, tmp_path: Path) -> None:
    splits: dict[str, set[int]] = {}
    for k, split in enumerate(whole.split):
        smiles = whole.smiles(k)
        splits.setdefault(scaffold(smiles) or smiles, set()).add(int(split))
    assert len(splits) < 12 and all(len(of_one) == 1 for of_one in splits.values())
    held_out = {
        1: ("CCCCN1CCOCC1C", "OCCCCC1CNCCO1", "CC(C)C(=O)N1CCOCC1"),  # morpholine
        2: ("CCOC(=O)c1cc[nH]c1C", "CC(=O)Nc1c[nH]cc1CC", "CCCCCCc1ccc[nH]1"),  # pyrrole
    }
    own = tmp_path / "own.smi"
    own.write_text("".join(f"{smiles}\n" for some in held_out.values() for smiles in some))
    store = prepare(tmp_path / "set", request(own))
    found = {store.smiles(k): int(split) for k, split in enumerate(store.split)}
    for split, molecules in held_out.items():
        assert [found[canonical_smiles_of(smiles)] for smiles in molecules] == [split] * 3


def test_molecules_without_rings_are_split_one_by_one(tmp_path: Path) -> None:
    own = tmp_path / "own.smi"
    own.write_text("".join(f"{'C' * k}{end}\n" for k in range(9, 17) for end in "ONFS"))
    store = prepare(tmp_path / "set", request(own))
    assert len(store) == 32 and len(set(store.split.tolist())) > 1
    assert json.loads((store.path / "card.json").read_text())["scaffolds"] == 32


def test_splits_have_their_shares_and_never_change() -> None:
    splits = Counter(split_of(f"scaffold {k}") for k in range(4000))
    for split, share in enumerate(FRACTIONS):
        assert splits[split] / 4000 == pytest.approx(share, abs=0.015)
    assert [split_of(s) for s in ("c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccoc1")] == [0, 0, 0, 0]
    assert split_of("scaffold 12") == 0


@pytest.mark.usefixtures("small_shards")
def test_failures_are_listed_and_their_kinds_counted(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = build.conformer

    def failing(smiles: str) -> object:
        return Rejected("cannot be embedded") if "Br" in smiles else make(smiles)

    monkeypatch.setattr(build, "conformer", failing)
    store = prepare(tmp_path / "set", request(own))
    assert len(store) == 11 and store.meta["rejected"]["cannot be embedded"] == 1
    assert "Brc1cccc2ccccc12,cannot be embedded" in (store.path / "rejected.csv").read_text()
    card = json.loads((store.path / "card.json").read_text())
    assert card["rejected"] == {"cannot be embedded": 1}
    assert card["kinds"]["element Br"] == {"listed": 1, "lost": 1}
    assert card["kinds"]["all"] == {"listed": 12, "lost": 1}
    assert "| element Br | 1 | 1 | 100.00 |" in (store.path / "card.md").read_text()


def test_aromatic_bonds_may_be_a_class(whole: Store, own: Path, tmp_path: Path) -> None:
    said: list[str] = []
    prepare(tmp_path / "set", request(own), announce=said.append)
    store = prepare(tmp_path / "set", request(own, aromatic=True), announce=said.append)
    assert not any("there already" in line for line in said) and store.vocabulary.aromatic
    for k in range(len(store)):
        assert canonical_smiles(decode(store[k], store.vocabulary)) == whole.smiles(k)
    assert max(store[k].bonds.max() for k in range(len(store))) == 4


@installed
@pytest.mark.usefixtures("small_shards")
def test_refining_keeps_the_conformers_and_goes_on(whole: Store, own: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "set", request(own, molecules=6))
    asked = request(own, molecules=6, refine="gfn2")
    kept = {"conformers": tmp_path / "set.conformers", "command": "a command"}
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "fine", asked, progress=stop_at("GFN2-xTB", 2), **kept)  # type: ignore[arg-type]
    told: list[tuple[str, int]] = []
    store = prepare(
        tmp_path / "fine",
        asked,
        progress=lambda stage, done, total: told.append((stage, done)),
        **kept,  # type: ignore[arg-type]
    )
    assert [item for item in told if item[0] != "writing"] == [
        ("conformers", 6),
        *(("GFN2-xTB", done) for done in (2, 4, 5, 6)),
    ]
    place = {whole.smiles(k): k for k in range(len(whole))}
    for k in range(6):
        before = whole[place[store.smiles(k)]]
        moved = np.abs(store[k].positions - before.positions).max()
        assert np.array_equal(store[k].types, before.types) and 0.003 < moved < 3
    card = json.loads((store.path / "card.json").read_text())
    assert card["geometry"].startswith("GFN2") and 1 < card["drop"]["median"] < 15
    assert card["versions"]["xtb"] == xtb.version()
    assert store.vocabulary == whole.vocabulary


def test_what_cannot_be_used_is_said_before_any_work(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_sdf([SAMPLE], tmp_path / "qm9")
    (tmp_path / "mine").mkdir()
    (tmp_path / "empty.smi").write_text("\n")
    (tmp_path / "small.smi").write_text("CC\nCCO\n")
    before = sorted(tmp_path.rglob("*"))
    for destination, asked, error, words in (
        ("qm9", request(own), InputError, r"holds another data set: sample\.sdf"),
        ("mine", request(own), DataError, "is not a data store"),
        ("new", Request(smiles_alone=True), InputError, "'smiles_alone' leaves no molecules"),
        ("new", request(tmp_path / "no.smi"), InputError, r"There is no file '.*no\.smi'"),
        ("new", request(tmp_path / "empty.smi"), InputError, "is empty"),
        ("new/a", request(tmp_path / "small.smi"), DataError, r"No molecule.*too small \(2\)"),
        ("qm9/store.json/a", request(own), DataError, "cannot be written: Not a directory"),
    ):
        with pytest.raises(error, match=words):
            prepare(tmp_path / destination, asked)
        assert sorted(tmp_path.rglob("*")) == before, destination
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="needs the program xtb: xtb is not installed: conda"):
        prepare(tmp_path / "new", request(own, refine="gfn2"))
    assert sorted(tmp_path.rglob("*")) == before


def test_conformers_of_another_list_are_left_alone(own: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "set", request(own, molecules=2))
    other = tmp_path / "other.smi"
    other.write_text(GOOD)
    before = sorted(tmp_path.rglob("*"))
    words = r"of other files: mine\.smi, not other\.smi\. Give another 'output'"
    with pytest.raises(InputError, match=words):
        prepare(tmp_path / "set", request(other))
    assert sorted(tmp_path.rglob("*")) == before
    assert len(Store.open(tmp_path / "set", verify=True)) == 2


def test_one_at_a_time(own: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    refused: list[str] = []

    def second(stage: str, done: int, total: int) -> None:
        if stage == "conformers" and done == 8:
            with pytest.raises(InputError) as caught:
                prepare(tmp_path / "set", request(own))
            refused.append(str(caught.value))

    prepare(tmp_path / "set", request(own), progress=second)
    assert refused and "Another process is working on" in refused[0]


@pytest.mark.usefixtures("small_shards")
def test_a_full_disk_costs_nothing_that_is_finished(
    whole: Store, own: Path, tmp_path: Path
) -> None:
    import contextlib

    with contextlib.ExitStack() as stack:

        def progress(stage: str, done: int, total: int) -> None:
            if stage == "conformers" and done == 4:
                stack.enter_context(small_files(1200))

        with pytest.raises((DataError, InputError), match="File too large"):
            prepare(tmp_path / "set", request(own), progress=progress)
    said: list[str] = []
    store = prepare(tmp_path / "set", request(own), announce=said.append, command="a command")
    assert content(store) == content(whole) and "4 of 12" in said[1]
