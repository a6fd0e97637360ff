"""What only a process of its own shows: signals, full disks, start-up."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moldiff.cli.failure import terminable
from moldiff.io import read_molecules
from moldiff.storage import read_tensors
from moldiff.train.checkpoint import FORMAT as CHECKPOINT_FORMAT

ROOT = Path(__file__).parents[2]
START = "import sys; from moldiff.cli import main; sys.exit(main(sys.argv[1:]))"
LATE = {"e3nn", "torch_geometric", "posebusters", "pandas", "scipy.stats", "matplotlib"}


def launch(*words: object, code: str = START) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *(str(word) for word in words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def interrupt(
    process: subprocess.Popen[str], ready: Callable[[], bool], number: int = signal.SIGINT
) -> tuple[int, str]:
    """Send Ctrl-C (or the signal ``number``) once ``ready``; return the exit status and stderr."""
    end = time.monotonic() + 60
    while not ready():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_complete_molecules(model_file: Path, tmp_path: Path, number: int) -> None:
    path = tmp_path / "out.sdf"
    process = launch("generate", "-n", 100_000, "--model", model_file, "-o", path)

    def ready() -> bool:
        return any(part.stat().st_size > 0 for part in tmp_path.glob(".out.sdf*"))

    status, err = interrupt(process, ready, number)
    assert status == 130, err
    count = len(list(read_molecules(path)))
    assert f"Interrupted: {count} of 100000 molecules are complete and in {path}." in err
    assert "Traceback" not in err
    assert [file.name for file in tmp_path.iterdir()] == ["out.sdf"]


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_training_saves_and_says_how_to_go_on(
    tiny_config: Path, tmp_path: Path, number: int
) -> None:
    process = launch("train", tiny_config, "--steps", 1_000_000)
    log = tmp_path / "run" / "log.csv"
    status, err = interrupt(process, log.is_file, number)
    assert status == 130, err
    assert f"To go on: moldiff train {tiny_config} --steps 1000000" in err
    assert "Traceback" not in err
    header, _ = read_tensors(tmp_path / "run" / "checkpoint.safetensors", CHECKPOINT_FORMAT)
    assert f"saved at step {header['step']} of 1000000" in err


def test_the_handler_of_sigterm_is_put_back() -> None:
    known = signal.getsignal(signal.SIGTERM)
    with terminable(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is known


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes that share handlers")
def test_a_pool_ends_its_workers_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    with terminable():
        worker = context.Process(target=lambda: (ready.set(), time.sleep(60)))
        worker.start()
        # In the moment of the fork Python drops signals: wait until the worker works.
        assert ready.wait(60)
        worker.terminate()
        worker.join(60)
    assert worker.exitcode == -signal.SIGTERM and capfd.readouterr().err == ""


SETUP = ROOT / "scripts" / "_setup.sh"


@pytest.mark.skipif(shutil.which("bash") is None, reason="runs a bash script")
def test_setup_never_empties_a_folder_that_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    done = subprocess.run(
        ["bash", "-c", f"set -e; source '{SETUP}'; make_venv"],
        env={**os.environ, "MOLDIFF_VENV": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "no virtual environment" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"


LIMITED = (
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}));"  # bytes in a file
    "import torch;" + START
)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_full_disk(model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.sdf"
    process = launch(
        "generate", "-n", 500, "--model", model_file, "-o", path, code=LIMITED.format(20_000)
    )
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 2, err
    assert err.startswith("Error:") and len(err.splitlines()) == 1
    count = len(list(read_molecules(path)))
    assert count > 0 and f"{count} molecules were written before" in err


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_full_disk_in_training(tiny_config: Path) -> None:
    process = launch("train", tiny_config, code=LIMITED.format(20_000))
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 1, err
    assert len([line for line in err.splitlines() if line.startswith("Error:")]) == 1
    assert "File too large" in err and "Traceback" not in err


def test_generating_loads_nothing_it_does_not_need(model_file: Path, tmp_path: Path) -> None:
    words = ["generate", "-n", "2", "--model", str(model_file), "-o", str(tmp_path / "out.sdf")]
    code = (
        "import sys, time; start = time.process_time()\n"
        "import torch; middle = time.process_time()\n"
        f"from moldiff.cli import main\nassert main({words!r}) == 0\n"
        "print('LOADED', middle - start, time.process_time() - middle, *sys.modules)"
    )
    process = launch(code=code)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    loaded = out.split("LOADED")[1].split()
    assert not LATE & set(loaded[2:])
    torch, beyond = float(loaded[0]), float(loaded[1])  # CPU time: another's load does not count
    assert beyond < max(1.0, torch), "more than a second, or on slow machines torch's own time"


def test_a_closed_pipe_is_no_crash() -> None:
    process = launch("--help")
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
