"""Every bad input ends in one line that says what, where and how to fix it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import moldiff
from moldiff.cli import failure, output

Run = Callable[..., Any]
SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"


def one_line(done: Any) -> str:
    """The error: exactly one line on stderr, without a traceback."""
    lines = [line for line in done.err.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1, done.err
    assert "Traceback" not in done.err and "Error: Unexpected" not in done.err
    return str(lines[0])


METHANE = (
    "\n     RDKit          3D\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n"
    "{x:10.4f}    0.0000    1.0000 C   0  0\nM  END\n$$$$\n"
)

# command line (MODEL stands for a good model file), status, words of the error
RECEPTOR = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z" / "receptor.pdb"
DOCK = (
    "dock",
    "-r",
    RECEPTOR,
    "-l",
    "CCO",
    "--residues",
    "A:600",
    "--draws",
    "1",
    "--searches",
    "1",
)
GENERATE = ("generate", "--model", "MODEL", "-o", "out.sdf")
CASES = {
    "negative count": ((*GENERATE, "-n", "-3"), 2, ["--number", "1 or more|x>=1"]),
    "too many": ((*GENERATE, "-n", "10000001"), 2, ["--number", "10000000"]),
    "threads": ((*GENERATE, "--threads", "100000"), 2, ["--threads must be from 1 to"]),
    "training threads": (("train", "good.sdf", "--threads", "100000"), 2, ["--threads must be"]),
    "configured threads": (
        ("train", "threads.yaml"), 2, ["'threads' in threads.yaml must be from 1", "--threads"]
    ),
    "no threads": (("train", "nothreads.yaml"), 2, ["'threads' must be at least 1, not 0"]),
    "meta": ((*GENERATE, "--device", "meta"), 2, ["'meta' is not available"]),
    "one file twice": (("generate", "-o", "a.xyz", "--trajectory", "a.xyz"), 2, ["overwrite"]),
    "no number": ((*GENERATE, "-n", "many"), 2, ["--number", "whole number|integer"]),
    "no atom": ((*GENERATE, "--size", "0"), 2, ["--size"]),
    "impossible size": ((*GENERATE, "--size", "1000"), 2, ["1000", "Choose a size from"]),
    "no formula": ((*GENERATE, "--formula", "water"), 2, ["'water' is not a molecular formula"]),
    "unknown element": ((*GENERATE, "--formula", "CH3Cl"), 2, ["'Cl'", "Known: "]),
    "size and formula": ((*GENERATE, "--formula", "CH4", "--size", "6"), 2, ["5 atoms, not 6"]),
    "NaN": ((*GENERATE, "--temperature", "nan"), 2, ["--temperature", "above 0"]),
    "zero": ((*GENERATE, "--temperature", "0"), 2, ["--temperature", "above 0"]),
    "early NaN": ((*GENERATE, "--early-temperature", "nan"), 2, ["--early-temp", "above 0"]),
    "early word": ((*GENERATE, "--early-temperature", "bonds=hot"), 2, ["'bonds=hot'", "bonds=6"]),
    "early nothing": ((*GENERATE, "--early-temperature", "=3"), 2, ["'=3'", "bonds=6"]),
    "early trailing": ((*GENERATE, "--early-temperature", "bonds=4,"), 2, ["not ''", "bonds=6"]),
    "early again": ((*GENERATE, "--early-temperature", "bonds=4,bonds=5"), 2, ["more than one"]),
    "early twice": ((*GENERATE, "--early-temperature", "4,bonds=6"), 2, ["more than one thing"]),
    "early field": (
        (*GENERATE, "--early-temperature", "positions=2"), 2, ["'positions'", "bonds, charges"]
    ),
    "valence": ((*GENERATE, "--valence", "2"), 2, ["--valence", "1 or less|x<=1"]),
    "unknown filter": ((*GENERATE, "--filter", "stric"), 2, ["stric"]),
    "device": ((*GENERATE, "--device", "warp"), 2, ["'warp' is not available", "cpu"]),
    "precision": ((*GENERATE, "--precision", "float16"), 2, ["--precision", "float16", "auto"]),
    "absent device": ((*GENERATE, "--device", "cuda:99"), 2, ["'cuda:99' is not available"]),
    "unknown option": ((*GENERATE, "--sede", "1"), 2, ["--sede", "moldiff generate --help"]),
    "suffix": (("generate", "-o", "out.pdb"), 2, ["'.pdb'", ".sdf"]),
    "no suffix": (("generate", "-o", "out"), 2, ["out", ".sdf"]),
    "directory": (("generate", "-o", "no/such/out.sdf"), 2, ["'no/such'", "mkdir -p"]),
    "is a directory": (("generate", "-o", "dir.sdf"), 2, ["'dir.sdf' is a directory"]),
    "no model": (("generate", "--model", "qm8"), 2, ["'qm8'", "bundled"]),
    "no model file": (("generate", "--model", "no.safetensors"), 2, ["no.safetensors"]),
    "truncated model": (("generate", "--model", "cut.safetensors"), 2, ["cut.safe", "again"]),
    "empty model": (("generate", "--model", "empty.safetensors"), 2, ["empty.safetensors"]),
    "empty judge": ((*DOCK, "--judge", "empty.safetensors"), 2, ["empty.safetensors"]),
    "empty pose model": ((*DOCK, "--model", "empty.safetensors"), 2, ["empty.safetensors"]),
    "empty backbones": (
        ("complete", RECEPTOR, "--rebuild", "A:600-602", "--model", "empty.safetensors"),
        2, ["empty.safetensors"],
    ),
    "likelihood's model": (
        ("likelihood", "good.sdf", "--model", "text.safetensors"), 2, ["text.safetensors"],
    ),
    "no safetensors": (("info", "text.safetensors"), 2, ["text.safetensors", "again"]),
    "command": (("generat",), 2, ["generat", "--help"]),
    "function": (("compare", "good.sdf"), 2, ["no command 'compare'", "Python: moldiff.compare"]),
    "misspelt command": (("dok", "good.sdf"), 2, ["No such command 'dok'", "'dock'"]),
    "class": (("Model", "good.sdf"), 2, ["No such command 'Model'"]),
    "missing file": (("evaluate", "no.sdf"), 2, ["no.sdf"]),
    "empty file": (("evaluate", "empty.sdf"), 2, ["empty.sdf", "no molecules"]),
    "no structure": (("evaluate", "text.pdb"), 2, ["text.pdb", "no atoms", "N, CA and C"]),
    "unknown kind": (("evaluate", "text.xls"), 2, [".xls", ".sdf"]),
    "reference": (("evaluate", "good.sdf", "--reference", "qm99"), 2, ["'qm99'"]),
    "bands": (("evaluate", "good.sdf", "--bands", "9-3"), 2, ["'9-3'", "--bands 10..18,19"]),
    "unreadable": (("evaluate", "flat.sdf"), 2, ["only record of flat.sdf", "not an SDF"]),
    "nothing to view": (("view", "flat2.sdf"), 2, ["None of the 2 records of flat2.sdf"]),
    "a report": (("view", "report.json"), 2, ["report.json", "this is a report"]),
    "over itself": (("evaluate", "report.json", "-o", "report.json"), 2, ["would overwrite"]),
    "long name": (("view", "good.sdf", "-o", "x" * 400 + ".html"), 1, ["Give a shorter name"]),
    "report": (("evaluate", "good.sdf", "-o", "no/r.json"), 2, ["'no'", "mkdir -p"]),
    "report suffix": (("evaluate", "good.sdf", "-o", "r.txt"), 2, [".txt", ".json"]),
    "view missing": (("view", "no.sdf"), 2, ["no.sdf"]),
    "view output": (("view", "good.sdf", "-o", "page.pdf"), 2, [".pdf", ".html"]),
    "no trajectory": (("view", "good.sdf", "--trajectory", "no.xyz"), 2, ["no.xyz"]),
    "no configuration": (("train", "qm8"), 2, ["'qm8'", "default"]),
    "misspelt key": (("train", "typo.yaml"), 2, ["'stepss'", "Did you mean 'steps'"]),
    "no YAML": (("train", "broken.yaml"), 2, ["broken.yaml", "YAML"]),
    "no data": (("train", "nodata.yaml"), 1, ["data/qm9", "moldiff data qm9"]),
    "no usable molecule": (("train", "flat.sdf"), 1, ["flat.sdf", "not an SDF record"]),
    "no store": (("data", "info", "dir.sdf"), 1, ["dir.sdf", "store.json"]),
    "nothing there": (("data", "info", "nowhere"), 1, ["nowhere"]),
    "prepare missing": (("data", "prepare", "no.sdf", "--output", "d"), 2, ["no.sdf"]),
    "backwards": (
        ("design", "replace", "--ligand", "CCO", "--keep-atoms", "5-3"),
        2,
        ["5-3 ends below", "3-5"],
    ),
    "apart": (
        ("design", "link", "--fragments", "apart.sdf", "--add", "2"), 2,
        ["30.0 Å apart", "2 atoms cannot", "at least --add 16"],
    ),
    "no such field": (
        ("filter", "good.sdf", "--where", "<gapp> > 1", "-o", "k.sdf"), 2, ["data field 'gapp'"]
    ),
    "endless": (("filter", "good.sdf", "--where", "mw>1e400"), 2, ["1e400 is too large a number"]),
    "kept nothing": (("evaluate", "good.sdf", "--kept", "c1cc"), 2, ["'c1cc' is neither a file"]),
    "no archive": (("data", "backbones", "text.npz", "-o", "d"), 2, ["it is no .npz archive"]),
    "no database": (("data", "backbones", "text.dat", "-o", "d"), 2, ["text.dat", "cut off"]),
    "no chains": (("data", "backbones", "text.pdb", "-o", "d"), 2, ["text.pdb", "no atoms"]),
    "no backbones": (
        ("benchmark", "gaps", "badstore", "--model", "MODEL"), 1, ["badstore", "this version"]
    ),
    "my structure": (("complete", "a.pdb", "-o", "text.pdb"), 2, ["text.pdb", "--force"]),
    "my sequences": (("sequence", "a.pdb", "-o", "text.fasta"), 2, ["text.fasta", "--force"]),
    "fixed, not there": (
        ("sequence", RECEPTOR, "--fix", "A:1-2"), 2, ["no residue A:1", "523 to 777"]
    ),
    "sequence's model": (
        ("sequence", RECEPTOR, "--model", "backbones"), 2, ["not a model of sequences", "complete"]
    ),
    "no folder": (("backbone", "-o", "new.pdb"), 2, ["'new.pdb' is no folder"]),
    "no length": (("backbone", "--length", "long"), 2, ["'long' is no length", "60-80"]),
    "too long": (("backbone", "--length", "60-600"), 2, ["60 to 600 residues", "20 to 200"]),
    "no such state": (("backbone", "--structure", "HHHX" * 9), 2, ["'X' is no secondary"]),
    "two lengths": (
        ("backbone", "--structure", "H" * 30, "--length", "40"), 2, ["Leave --length out"]
    ),
    "too much noise": (
        ("backbone", "--like", RECEPTOR, "--noise", "1.5"), 2, ["time 1.5", "up to 1"]
    ),
    "noise alone": (("backbone", "--noise", "0.4"), 2, ["none is given", "--like"]),
    "like a long chain": (("backbone", "--like", RECEPTOR), 2, ["residues", "20 to 200"]),
    "my receptor": (("prepare", "a.pdb", "-o", "text.pdb"), 2, ["text.pdb", "--force"]),
    "one report twice": (
        ("complete", "a.pdb", "-o", "b.pdb", "--report", "b.html"), 2, ["b.html", ".json"]
    ),
    "mine": (("view", "good.sdf", "-o", "text.html"), 2, ["text.html", "--force"]),
    "prepare nowhere": (("data", "prepare", "good.sdf"), 2, ["--output"]),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory full of bad files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir.sdf").mkdir()
    (tmp_path / "badstore").mkdir()
    (tmp_path / "badstore" / "store.json").write_text("[]")
    texts = {
        "empty.sdf": "",
        "empty.safetensors": "",
        "text.pdb": "HELLO",
        "text.xls": "HELLO",
        "text.fasta": "HELLO",
        "text.npz": "HELLO",
        "text.dat": "HELLO",
        "text.html": "HELLO",
        "apart.sdf": "".join(METHANE.format(x=x) for x in (0, 30)),
        "text.safetensors": "HELLO WORLD, this is no model",
        "flat.sdf": "name\n\n\nnothing\n$$$$\n",
        "flat2.sdf": "name\n\n\nnothing\n$$$$\n" * 2,
        "report.json": '{"schema": "moldiff.evaluation", "n": 3}',
        "good.sdf": "$$$$\n".join(SAMPLE.read_text().split("$$$$\n")[:3]) + "$$$$\n",
        "typo.yaml": "data: x\noutput: y\nstepss: 3\n",
        "threads.yaml": "data: x\noutput: y\nthreads: 100000\n",
        "nothreads.yaml": "data: x\noutput: y\nthreads: 0\n",
        "broken.yaml": "data: [x\noutput: }\n",
        "nodata.yaml": "data: data/qm9\noutput: run\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "cut.safetensors").write_bytes(model_file.read_bytes()[:-100])
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_one_clear_line(run: Run, folder: Path, model_file: Path, case: str) -> None:
    words, status, expected = CASES[case]
    before = sorted(folder.rglob("*"))
    done = run(*(model_file if word == "MODEL" else word for word in words))
    line = one_line(done)
    assert done.status == status, line
    for alternatives in expected:
        assert any(word in line for word in alternatives.split("|")), line
    assert sorted(folder.rglob("*")) == before, "a failed command leaves nothing behind"


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "good.sdf", "-o", "report.json", "--force"),
        ("view", "good.sdf"),
        ("complete", "text.pdb"),
        ("sequence", "text.pdb"),
        ("backbone", "-o", "new/er"),
        ("design", "grow", "--scaffold", "c1ccncc1"),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    # Whoever runs the tests in a container may write everywhere.
    monkeypatch.setattr("moldiff.cli.output.os.access", lambda path, mode: mode == os.R_OK)
    done = run(*words)
    assert done.status == 2 and f"'{folder}' may not be written to" in one_line(done)


def test_what_was_there_survives(run: Run, folder: Path) -> None:
    (folder / "out.sdf").write_text("mine")
    failing = ("generate", "--model", "cut.safetensors", "-o", "out.sdf", "--force")
    assert run(*failing).status == 2
    assert (folder / "out.sdf").read_text() == "mine"


def test_broken_records_are_data(run: Run, folder: Path) -> None:
    good = (folder / "good.sdf").read_text()
    (folder / "mixed.sdf").write_text(good + "broken\n\n\nnothing\n$$$$\n" + good)
    options = ("--reference", "none", "--posebusters", 0, "--relax", 0, "--xtb", 0)
    done = run("evaluate", "mixed.sdf", *options)
    assert done.status == 0, done.err
    assert "7 molecules" in done.out and "not an SDF record" in done.out
    shown = run("view", "mixed.sdf")
    assert shown.status == 0 and "7 (1 unreadable)" in shown.out


def test_one_molecule_is_singular(run: Run, folder: Path) -> None:
    (folder / "one.xyz").write_text("1\nhelium\nHe 0 0 0\n")
    options = ("--reference", "none", "--posebusters", 0, "--relax", 0, "--xtb", 0)
    done = run("evaluate", "one.xyz", *options)
    assert done.status == 0 and "1 molecule " in done.out and "1 molecules" not in done.out


def test_only_the_commonest_reasons_are_told() -> None:
    failures = {f"kind {k}": 10 - k for k in range(9)}
    told = output.commonest(failures, 6)
    assert told.endswith("kind 5 (5), and 3 more kinds") and "kind 6" not in told
    assert output.commonest(failures, 8).endswith("and 1 more kind")
    assert output.commonest({"radical": 2}, 6) == "radical (2)"


def test_another_runs_checkpoint_is_refused(run: Run, tiny_config: Path) -> None:
    assert run("train", tiny_config, "--steps", 1).status == 0
    tiny_config.write_text(tiny_config.read_text().replace("width: 16", "width: 32", 1))
    done = run("train", tiny_config)
    assert done.status == 2 and "belongs to another run" in one_line(done)


def test_an_unknown_network_is_called_a_network(run: Run, tiny_config: Path) -> None:
    tiny_config.write_text(tiny_config.read_text().replace("name: transformer", "name: transformr"))
    done = run("train", tiny_config)
    line = one_line(done)
    assert done.status == 2 and "no network called 'transformr'" in line
    assert "Did you mean 'transformer'" in line


def test_debug_shows_the_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Traceback" in run("evaluate", "no.sdf", "--debug").err
    assert "Traceback" in run("--debug", "evaluate", "no.sdf").err
    monkeypatch.setenv("MOLDIFF_DEBUG", "1")
    assert "Traceback" in run("evaluate", "no.sdf").err


def test_version_and_help(run: Run) -> None:
    assert run("--version").out == f"moldiff {moldiff.__version__}\n"
    for command in ("generate", "evaluate", "view", "train", "info", "data qm9", "data prepare"):
        done = run(*command.split(), "--help")
        assert done.status == 0
        assert f"    moldiff {command.split()[0]}" in done.out, "examples"
    assert "generate" in run().out


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (OSError(28, "No space left on device", "x"), 1, "Free some space"),
        (PermissionError(13, "Permission denied", "x"), 1, "(x). Check the permissions."),
        (RuntimeError("a\nb"), 1, "Unexpected RuntimeError: a b. Run the command again"),
        (SystemExit(3), 3, ""),
    ],
)
def test_other_failures(
    error: BaseException, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    assert failure.guarded(fail) == status
    assert words in capsys.readouterr().err
