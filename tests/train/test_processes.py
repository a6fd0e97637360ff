"""Several processes train as one does; whatever ends one of them, nothing is lost."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from moldiff.cli import main
from moldiff.data.store import Store
from moldiff.errors import ConfigError, InputError, MissingExtraError
from moldiff.storage import read_tensors
from moldiff.train import TrainConfig, Trainer
from moldiff.train.api import shared
from moldiff.train.checkpoint import FORMAT as CHECKPOINT_FORMAT
from moldiff.train.processes import Processes, check_share

ROOT = Path(__file__).parents[2]
Config = Callable[..., TrainConfig]

SCRIPT = """
import sys, torch
from moldiff.data.store import Store
from moldiff.errors import MoldiffError
from moldiff.train import TrainConfig, Trainer
from moldiff.train.processes import Processes

def train(path, until=None):
    config = TrainConfig.from_yaml(path)
    judge = lambda model, rng: {"rank": processes.rank}
    trainer = Trainer(config, Store.open(config.data), judge=judge, processes=processes)
    for progress in trainer.fit():
        if progress.step + 1 == until and processes.rank == 1:
            trainer.stop()
    print(processes.rank, trainer.step)

def sums():
    both, one, none = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
    both.grad = torch.tensor([1.0, processes.rank])
    if processes.rank:
        one.grad = torch.ones(2)
    assert processes.sum([both, one, none], [0.5, processes.rank]) == [1.0, 1.0]
    assert both.grad.tolist() == [2.0, 1.0] and one.grad.tolist() == [1.0, 1.0]
    assert none.grad is None  # or an optimizer would let its weights decay

def agreement():
    processes.check_same(lambda: "weights")
    try:
        processes.check_same(lambda: processes.rank)
    except MoldiffError as error:
        assert "do not begin with the same weights" in str(error)
    else:
        raise AssertionError("they differ")
    assert processes.from_main(lambda: processes.rank) == 0

with Processes(2) as processes:
    sums()
    agreement()
    train(sys.argv[1])
    train(sys.argv[2], until=6)
assert processes.main  # the other has ended with the block
"""


def written(config: TrainConfig, path: Path) -> Path:
    path.write_text(yaml.safe_dump(json.loads(json.dumps(config.to_dict()))))
    return path


def start(*words: object, **environment: str) -> subprocess.Popen[str]:
    """Start Python with these arguments, and both outputs in one pipe."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def numbers(path: Path) -> dict[str, str]:
    return read_tensors(path / "checkpoint.safetensors", CHECKPOINT_FORMAT)[0]


def assert_same_runs(a: Path, b: Path) -> None:
    """Bit for bit: with two pieces there is only one order in which to add them up."""
    ours, theirs = (
        read_tensors(p / "checkpoint.safetensors", CHECKPOINT_FORMAT)[1] for p in (a, b)
    )
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.thorough
def test_two_processes_train_as_one_does(config: Config, store: Store, tmp_path: Path) -> None:
    """Ten steps; and a run that goes on with two processes, stopped by the other, and back."""
    settings = {
        "steps": 10,
        "pieces": 2,
        "objective": {"name": "denoising", "self_condition": 0.5},
        "evaluation": {"every": 5},
    }

    def run(name: str) -> TrainConfig:
        return config(**settings, output=str(tmp_path / name))

    def alone(name: str, until: int = 10) -> None:
        trainer = Trainer(run(name), store)
        for progress in trainer.fit():
            if progress.step == until:
                trainer.stop()
        assert trainer.step == until

    alone("mixed", 3)
    (tmp_path / "script.py").write_text(SCRIPT)
    files = [written(run(name), tmp_path / f"{name}.yaml") for name in ("two", "mixed")]
    started = start(tmp_path / "script.py", *files)
    alone("one")
    out = started.communicate(timeout=120)[0]
    assert started.returncode == 0 and out.split() == ["0", "10", "0", "6"], out  # one talks
    assert_same_runs(tmp_path / "one", tmp_path / "two")
    alone("mixed")
    assert_same_runs(tmp_path / "one", tmp_path / "mixed")
    one, two = numbers(tmp_path / "one"), numbers(tmp_path / "two")
    assert one["samples"] == two["samples"] and float(two["cpu_seconds"]) > 0
    with (tmp_path / "two" / "evaluation.csv").open() as file:
        judged = [(row["step"], row["rank"]) for row in csv.DictReader(file)]
    assert judged == [("5", "0"), ("10", "0")]


def test_pieces_are_shared_equally(config: Config, store: Store) -> None:
    said: list[str] = []
    new = shared(config(), 2, said.append)
    assert new.pieces == 2 and "2 pieces, for as many processes" in said.pop()
    assert shared(config(), 1, said.append).pieces == 1 and not said
    assert shared(config(pieces=4), 2, said.append).pieces == 4
    next(run := Trainer(new, store).fit())
    run.close()
    for count in (1, 2):  # a run keeps its pieces
        assert shared(config(), count, said.append).pieces == 2
        assert "2 pieces, as before" in said.pop()
    for pieces, count in ((1, 4), (4, 3)):
        with pytest.raises(ConfigError, match=f"{count} processes cannot share the"):
            shared(config(pieces=pieces), count, said.append)
    with pytest.raises(ConfigError, match="can: 1, 2, 3, 6;"):
        check_share(6, 4)
    with pytest.raises(ConfigError, match="4 cannot be divided into 3"):
        shared(config(output="elsewhere"), 3, said.append)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"processes": 0}, "cannot be 0 processes"),
        ({"processes": 2, "device": "mps"}, "cannot use the device 'mps'"),
        ({"processes": 2, "device": "cuda:1"}, "devices='0,1'"),
        ({"processes": 2, "devices": "3"}, "do not agree"),
        ({"devices": "many"}, "Fabric cannot use"),
        ({"processes": 2, "nodes": 2}, r"MASTER_ADDR, MASTER_PORT.*2 machines|2 machines.*MASTER"),
    ],
    ids=str,
)
def test_wrong_processes(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Processes(**settings)


def test_too_many_processes(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(config(), tmp_path / "run.yaml")
    assert main(["train", str(path), "--processes", "0"]) == 2
    assert main(["train", str(path), "--processes", "1000"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and "1000 processes of 1 thread each are too many" in told[1]
    assert not (tmp_path / "run").exists()


def test_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    assert Processes(1).count == 1
    with pytest.raises(MissingExtraError, match=r"pip install 'moldiff\[train\]'"):
        Processes(2)


# The rest is of the command line, with real processes that end in rude ways.

PROBE = """
import os, pathlib
rank = os.environ.get("LOCAL_RANK", "0")
pathlib.Path(__file__).with_name(f"pid-{rank}").write_text(str(os.getpid()))
"""


class Run:
    """``moldiff train --processes 2`` with a checkpoint after every step."""

    def __init__(self, config: Config, folder: Path, code: str = "", **settings: Any) -> None:
        long = {"steps": 100_000, "checkpoint_minutes": 0.0} | settings
        self.config = config(**long)
        self.path = written(self.config, folder / "run.yaml")
        self.probe = folder / "probe.py"
        self.probe.write_text(PROBE + code)
        self.output = Path(self.config.output)
        self.words = ["train", str(self.path), "--processes", "2", "--import", str(self.probe)]

    def start(self, *words: object, **environment: str) -> subprocess.Popen[str]:
        return start("-m", "moldiff", *self.words, *words, **environment)

    def under_way(self, process: subprocess.Popen[str]) -> tuple[int, int]:
        """Wait for some steps; return the processes of the ranks."""
        end = time.monotonic() + 100
        while not self.steps() >= 3:
            assert process.poll() is None and time.monotonic() < end, process.communicate()
            time.sleep(0.05)
        first, second = (int(self.probe.with_name(f"pid-{k}").read_text()) for k in (0, 1))
        assert first == process.pid != second
        return first, second

    def steps(self) -> int:
        path = self.output / "checkpoint.safetensors"
        return int(numbers(self.output)["step"]) if path.exists() else 0

    def ended(
        self, process: subprocess.Popen[str], status: int, message: str, within: float = 8.0
    ) -> str:
        """Check how it ended: the status, one line with the command that goes on, no process."""
        start = time.monotonic()
        out = process.communicate(timeout=60)[0]
        assert time.monotonic() - start < within, "noticed late"
        assert process.returncode == status, out
        (line,) = [line for line in out.splitlines() if line.startswith("Error:")]
        assert re.search(message, line), out
        assert "Traceback" not in out
        self.gone()
        return line

    def gone(self) -> None:
        end = time.monotonic() + 5
        for file in self.probe.parent.glob("pid-*"):
            while alive(int(file.read_text())):
                assert time.monotonic() < end
                time.sleep(0.05)

    def goes_on(self, line: str) -> None:
        """Do as the line says, for some more steps."""
        step = self.steps()
        command = shlex.split(line.split("To go on: ")[1])
        assert command == ["moldiff", *self.words]
        done = start("-m", *command, "--steps", step + 3).communicate(timeout=100)[0]
        assert f"Resuming {self.output} at step {step} of {step + 3}" in done, done
        assert self.steps() == step + 3


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_the_other_process_is_killed(config: Config, tmp_path: Path) -> None:
    run = Run(config, tmp_path)
    process = run.start()
    os.kill(run.under_way(process)[1], signal.SIGKILL)
    run.goes_on(run.ended(process, 1, r"process of rank 1 was ended by a signal \(SIGKILL"))


@pytest.mark.slow
def test_the_main_process_is_killed(config: Config, tmp_path: Path) -> None:
    run = Run(config, tmp_path)
    process = run.start()
    os.kill(run.under_way(process)[0], signal.SIGKILL)
    run.goes_on(run.ended(process, -signal.SIGKILL, "The main process of the run was killed"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_any_process_stops_all(
    rank: int, number: int, config: Config, tmp_path: Path
) -> None:
    run = Run(config, tmp_path, checkpoint_minutes=0.01)
    process = run.start()
    os.kill(run.under_way(process)[rank], number)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 130, out
    assert "Error" not in out and "Traceback" not in out
    assert f"Stopped and saved at step {run.steps()} of 100000. To go on: moldiff train" in out
    run.gone()


@pytest.mark.slow
def test_a_process_fails_at_its_start(config: Config, tmp_path: Path) -> None:
    code = "if 'LOCAL_RANK' in os.environ: raise MemoryError('no room')"
    run = Run(config, tmp_path, code)
    line = run.ended(run.start(), 1, r"process of rank 1 ended: Cannot import .*no room", 60)
    assert "To go on: moldiff train" in line


@pytest.mark.slow
def test_a_process_that_ends_without_a_word(config: Config, tmp_path: Path) -> None:
    run = Run(config, tmp_path, "if 'LOCAL_RANK' in os.environ: os._exit(0)")
    run.ended(run.start(), 1, r"rank 1 ended: it gave no reason \(exit status 0\)", 60)


@pytest.mark.slow
def test_a_process_fails_while_the_main_one_judges(config: Config, tmp_path: Path) -> None:
    """Which takes long, and waits for nobody."""
    code = """
import threading, time
from moldiff.train.workloads.molecules import Molecules
def judge(self, model, rng, progress):
    while True:
        progress(1.0)
        time.sleep(0.1)
Molecules.judge = judge
"""
    run = Run(config, tmp_path, code, evaluation={"every": 3})
    process = run.start()
    second = run.under_way(process)[1]
    time.sleep(1)
    os.kill(second, signal.SIGKILL)
    run.ended(process, 1, "process of rank 1 was ended by a signal")
    assert run.steps() == 3


FULL = """
import errno
from moldiff import storage
replace = os.replace
def full(source, target):
    if str(target).endswith("checkpoint.safetensors") and os.path.exists("{0}"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    replace(source, target)
storage.os.replace = full
"""


@pytest.mark.slow
def test_the_disk_is_full(config: Config, tmp_path: Path) -> None:
    run = Run(config, tmp_path, FULL.format(tmp_path / "full"))
    process = run.start()
    run.under_way(process)
    (tmp_path / "full").touch()
    run.ended(process, 1, r"Cannot write '.*checkpoint.safetensors'.*No space left.*free space")
    (tmp_path / "full").unlink()
    assert run.steps() >= 3 and not list(run.output.glob(".*.part"))


@pytest.mark.slow
def test_a_port_in_use(config: Config, tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as server:
        port = str(server.getsockname()[1])
        run = Run(config, tmp_path)
        process = run.start(MASTER_PORT=port)
        run.ended(process, 2, f"The port {port} of this machine.*in use.*MASTER_PORT=", 60)


@pytest.mark.slow
def test_a_machine_that_does_not_come(config: Config, tmp_path: Path) -> None:
    """Waited for five minutes; in the test, four seconds."""
    code = """
import datetime
from moldiff.train import meeting
meeting._MEETING = datetime.timedelta(seconds=4)
"""
    run = Run(config, tmp_path, code)
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0"}
    process = run.start("--nodes", 2, **where)
    out = process.communicate(timeout=100)[0]
    assert process.returncode == 1, out
    (line,) = [line for line in out.splitlines() if line.startswith("Error:")]
    assert "The 4 processes did not come together" in line and "within 4 s" in line
    run.gone()
