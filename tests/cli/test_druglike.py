"""``moldiff data druglike``: what is printed, kept and said."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moldiff.data.store import Store
from tests.cli.conftest import Done

ROOT = Path(__file__).parents[2]
SMILES = "CC(=O)Nc1ccc(O)cc1\nCC(C)Cc1ccc(cc1)C(C)C(=O)O\nCCCCCCCCCCO\nCC\n"
START = "import sys; from moldiff.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "my own.smi"
    path.write_text(SMILES)
    return path


def test_a_file_becomes_a_data_set(run: Callable[..., Done], own: Path, tmp_path: Path) -> None:
    words = ("data", "druglike", "--smiles", own, "--smiles-alone", "--jobs", 1)
    words += ("-o", tmp_path / "set")
    done = run(*words, "--molecules", 3)
    where = f"Each rejected molecule with its reason: {tmp_path / 'set' / 'rejected.csv'}\n"
    assert done.status == 0 and done.err == where
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    for text in ("molecules 3", "geometry MMFF94", "sources own 3 (the user's)", "too small 1"):
        assert text in lines, text
    assert "heavy atoms 10-18: 3, 19-26: 0, 27-40: 0" in lines
    store = Store.open(tmp_path / "set", verify=True)
    assert store.vocabulary.hydrogens and len(store) == 3
    card = json.loads((store.path / "card.json").read_text())
    assert card["command"].startswith("moldiff data druglike --molecules 3 --output ")
    assert f"--smiles '{own}' --smiles-alone" in card["command"]
    shown = run("data", "info", tmp_path / "set", "--verify")
    assert shown.status == 0 and shown.out == done.out
    again = run(*words)
    assert again.err.splitlines() == [
        "The list ends after 3 molecules.",
        f"{tmp_path / 'set'} is there already.",
        where.strip(),
    ]
    assert again.out == done.out


def test_training_takes_it(run: Callable[..., Done], own: Path, tmp_path: Path) -> None:
    words = ("data", "druglike", "--smiles", own, "--smiles-alone", "--jobs", 1)
    assert run(*words, "-o", tmp_path / "set").status == 0
    config = tmp_path / "tiny.yaml"
    config.write_text(
        f"data: {tmp_path / 'set'}\noutput: {tmp_path / 'run'}\nsteps: 2\nbatch: 2\n"
        "network: {name: transformer, width: 16, pair_width: 8, message_width: 8, layers: 1, "
        "heads: 2, channels: 2, context_width: 8}\nevaluation: {every: 0}\n"
    )
    done = run("train", config)
    assert done.status == 0, done.err
    made = run(
        *("generate", "-n", 1, "--model", tmp_path / "run" / "model.safetensors"),
        *("--steps", 2, "-o", tmp_path / "out.sdf"),
    )
    assert made.status == 0, made.err


def test_what_cannot_be_asked_for(run: Callable[..., Done], own: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "set")
    for words, status, text in (
        (("--smiles-alone",), 2, "--smiles-alone leaves no molecules. Give --smiles FILE"),
        (("--smiles", tmp_path / "no.smi"), 2, "There is no file"),
        (("--smiles", own, "--smiles-alone", "--refine", "dft"), 2, "gfn2"),
        (("--smiles", own, "--moses", own), 2, "is not a wheel of molsets"),
        (("--smiles", own, "--smiles-alone", "--molecules", 0), 2, "--molecules"),
    ):
        done = run("data", "druglike", *words, *out)
        assert done.status == status and text in done.err, done.err
        assert len(done.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [own.name]


def test_the_help_has_examples(run: Callable[..., Done]) -> None:
    text = run("data", "druglike", "--help").out
    assert "moldiff data druglike --molecules 250000 --jobs 8" in text
    assert "~/.cache/moldiff" in text and "druglike" in run("data", "--help").out


@pytest.mark.thorough
def test_ctrl_c_says_what_is_kept_and_how_to_go_on(tmp_path: Path) -> None:
    many = tmp_path / "many.smi"
    chains = ["C" * k for k in range(20)]
    many.write_text("".join(f"{a}c1ccc(cc1){b}O\n" for a in chains for b in chains))
    words = ["data", "druglike", "--smiles", str(many), "--smiles-alone", "--jobs", "1"]
    words += ["-o", "set"]
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {START}", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = tmp_path / "set.conformers" / "mmff" / "00000.jsonl"
    end = time.monotonic() + 60
    while not (journal.is_file() and journal.read_text().count("\n") >= 2):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    line = err.splitlines()[-1]
    assert re.fullmatch(
        r"Stopped after \d+ records, kept in set\.conformers\. To go on: moldiff data druglike "
        r"--molecules 100000 --output set --jobs 1 --smiles \S+/many\.smi --smiles-alone",
        line,
    )
    kept = sum(len(json.loads(entry)["rows"]) for entry in journal.read_text().splitlines())
    assert int(line.split()[2]) in (kept, kept - 8)  # one batch may not have been told yet
