"""``moldiff data`` and ``moldiff train``: from somebody's SDF to a model that generates."""

from __future__ import annotations

import csv
import json
import os
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from moldiff.cli import train
from moldiff.cli.log import drop_after
from moldiff.data import qm9
from moldiff.data.store import Store
from moldiff.errors import ConfigError
from moldiff.io import read_molecules
from moldiff.train.api import training_config, training_store
from moldiff.train.trainer import Progress, Trainer

Run = Callable[..., Any]
SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_prepare_train_generate(run: Run, tiny_config: Path, tmp_path: Path) -> None:
    data = tmp_path / "data" / "my"
    prepared = run("data", "prepare", SAMPLE, "--output", data)
    assert prepared.status == 0, prepared.err
    assert "50" in prepared.out and "H, C, N, O" in prepared.out
    checked = run("data", "info", data, "--verify")
    assert checked.status == 0 and "All checksums match" in checked.err

    trained = run("train", tiny_config, "--data", data)
    assert trained.status == 0, trained.err
    model = tmp_path / "run" / "model.safetensors"
    assert f"moldiff generate -n 32 --model {model}" in trained.out
    assert "Training 6 steps on 46 molecules" in trained.err
    assert [row["step"] for row in rows(tmp_path / "run" / "log.csv")] == list("123456")
    assert {"positions", "types", "bonds", "speed"} <= set(rows(tmp_path / "run" / "log.csv")[0])
    (figures,) = rows(tmp_path / "run" / "evaluation.csv")
    assert figures["step"] == "4" and figures["samples"] == "3"
    assert 0 <= float(figures["strict_validity"]) <= 1
    assert 0 <= float(figures["lookup_stability"]) <= 1
    made = run("generate", "-n", 2, "--model", model, "-o", tmp_path / "out.sdf")
    assert made.status == 0, made.err


def test_resuming_is_said_and_the_log_stays_clean(
    run: Run, tiny_config: Path, tmp_path: Path
) -> None:
    assert run("train", tiny_config, "--steps", 3).status == 0
    log = tmp_path / "run" / "log.csv"
    with log.open("a") as file:
        file.write(log.read_text().splitlines()[3].replace("3,", "5,", 1) + "\n4,0.")
    again = run("train", tiny_config)
    assert again.status == 0, again.err
    assert "Resuming" in again.err and "step 2 of 6" in again.err  # before its decay
    assert [row["step"] for row in rows(log)] == list("123456")
    finished = run("train", tiny_config, "--json")
    assert finished.status == 0 and "is finished: step 6" in finished.err
    told = json.loads(finished.out)
    assert told["steps"] == 6 and Path(told["model"]).is_file() and "moldiff" in told["use"]
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert kept["steps"] == 6 and kept["name"] == "tiny"
    assert run("train", tmp_path / "run" / "config.yaml").status == 0


def test_a_stopped_run_has_its_last_steps_in_the_log(
    run: Run, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moldiff.cli.log.log_every", lambda steps: 4)
    done = Trainer._advance

    def stopping(self: Trainer) -> Progress:
        progress = done(self)
        if progress.step == 6:
            self.stop()
        return progress

    monkeypatch.setattr(Trainer, "_advance", stopping)
    stopped = run("train", tiny_config, "--steps", 50)
    assert "step 6" in stopped.err
    assert [row["step"] for row in rows(tmp_path / "run" / "log.csv")] == ["4", "6"]


def test_own_molecules_in_one_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    records = SAMPLE.read_text().split("$$$$\n")
    bad = "broken\n\n\nnothing\n$$$$\n"
    Path("my.sdf").write_text(bad + "$$$$\n".join(records[20:36]) + "$$$$\n")
    done = run("train", "my.sdf", "--steps", 1, "--batch", 2)
    assert done.status == 0, done.err
    assert "Preparing my.sdf as runs/my/data" in done.err
    assert "1 of the data's molecules cannot be used" in done.err
    assert len(Store.open("runs/my/data")) == 16
    assert Path("runs/my/model.safetensors").is_file()
    again = run("train", "my.sdf", "--steps", 1, "--batch", 2)
    assert again.status == 0 and "Preparing" not in again.err
    model = "runs/my/model.safetensors"
    made = run("generate", "-n", 2, "--steps", 3, "--model", model, "-o", "out.sdf")
    assert made.status == 0, made.err
    settings = [json.loads(record.tags["sampling"]) for record in read_molecules("out.sdf")]
    assert [own["valence"] for own in settings] == [0.6, 0.6]


def test_a_model_learns_to_be_asked_for_a_field_of_the_records(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = SAMPLE.read_text().split("$$$$\n")[20:36]
    more = ">  <note>\nx\n\n>  <logp>\n9\n\n"
    fields = [f">  <gap>\n{k}.5\n\n{more}" for k in range(16)]
    records = [f"{block}{own}$$$$\n" for block, own in zip(blocks, fields, strict=True)]
    Path("my.sdf").write_text("".join(records))
    line = ("train", "my.sdf", "--steps", 1, "--batch", 2)
    typo = run(*line, "--condition", "gpa")
    assert typo.status == 2 and "Did you mean 'gap'?" in typo.err
    assert typo.err.count(" logp,") == 1, "a field of that name is left to the property"
    assert run(*line, "--condition", "note").status == 2, "a text is no condition"
    assert not Path("runs").exists(), "told before anything is prepared"
    both = ("--condition", "gap", "--condition", "logp")
    done = run(*line, "--method", "classifier-free", *both)
    assert done.status == 0, done.err
    config = yaml.safe_load(Path("runs/my/config.yaml").read_text())
    assert config["conditions"]["properties"] == ["gap", "logp"]
    again = run("train", "runs/my/config.yaml", "--output", "other")  # not prepared there
    assert again.status == 0, again.err
    made = ("-n", 1, "--steps", 2, "--model", "other/model.safetensors", "-o", "out.sdf")
    assert run("generate", *made, "--condition", "gap=3").status == 0
    assert next(iter(read_molecules("out.sdf"))).tags["target_gap"] == "3"


def test_not_every_kind_of_rejected_molecule_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    part(tmp_path / "my.sdf", 20, 36)
    assert run("train", "my.sdf", "--steps", 1, "--batch", 2).status == 0
    meta = Path("runs/my/data/store.json")
    stored = json.loads(meta.read_text())
    stored["rejected"] = {f"kind {k}": 20 - k for k in range(13)}
    meta.write_text(json.dumps(stored))
    told = run("train", "my.sdf", "--steps", 1, "--batch", 2).err
    assert "182 of the data's molecules cannot be used: kind 0 (20), kind 1 (19)," in told
    assert "kind 9 (11), and 3 more kinds; all are in " in told and "kind 10" not in told
    assert "rejected.csv" in told


def test_short_runs_have_room_for_their_rate(tiny_config: Path) -> None:
    config = training_config(str(tiny_config), steps=100)
    assert config.optimizer.rate(50, 100) == pytest.approx(config.optimizer.lr)


def test_drop_after_leaves_other_files_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    drop_after(path, 3)
    assert not path.exists()
    path.write_text("")
    drop_after(path, 3)
    assert path.read_text() == ""


@pytest.mark.skipif(find_spec("qm9pack") is None, reason="qm9pack is not installed (extra qm9)")
def test_qm9_is_prepared_once(run: Run, store: Store, tmp_path: Path) -> None:
    target = tmp_path / "qm9"
    done = run("data", "qm9", "--output", target, "--limit", 20, "--jobs", 1)
    assert done.status == 0, done.err
    assert json.loads((target / "store.json").read_text())["count"] > 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qm9, "prepare", None)
        again = run("data", "qm9", "--output", target)
    assert again.status == 0 and "is there already" in again.err


def test_a_limited_qm9_does_not_pass_for_the_whole(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[Path] = []

    def prepare(output: Path, **_: Any) -> Store:
        asked.append(output)
        raise KeyboardInterrupt

    monkeypatch.setattr(qm9, "prepare", prepare)
    run("data", "qm9", "--limit", 20)
    run("data", "qm9")
    assert asked == [Path("data/qm9-20"), Path("data/qm9")]


def part(path: Path, first: int, last: int) -> Path:
    """Some of the sample molecules as a file that is older than everything else."""
    records = SAMPLE.read_text().split("$$$$\n")
    path.write_text("$$$$\n".join(records[first:last]) + "$$$$\n")
    os.utime(path, (0, 0))
    return path


def test_prepared_data_belong_to_their_file(tmp_path: Path) -> None:
    a, b = part(tmp_path / "a.sdf", 20, 36), part(tmp_path / "b.sdf", 30, 42)

    def prepared(source: Path) -> tuple[int, bool]:
        said: list[str] = []
        config = training_config(str(source), output=str(tmp_path / "run"))
        return len(training_store(config, announce=said.append)), bool(said)

    assert prepared(a) == (16, True) and prepared(a) == (16, False)
    assert prepared(b) == (12, True)  # though older than the store made from a
    os.utime(b)
    assert prepared(b) == (12, False)


def test_single_atoms_are_nothing_to_train_on(tmp_path: Path) -> None:
    source = tmp_path / "noble.sdf"
    atom = "    0.0000    0.0000    0.0000 He  0  0\n"
    source.write_text(f"\n\n\n  1  0  0  0  0  0            999 V2000\n{atom}M  END\n$$$$\n")
    config = training_config(str(source), output=str(tmp_path / "run"))
    with pytest.raises(ConfigError, match="nothing to train on"):
        training_store(config)


def test_a_trained_run_keeps_its_data(tmp_path: Path) -> None:
    a, b = part(tmp_path / "a.sdf", 20, 36), part(tmp_path / "b.sdf", 30, 42)
    output = tmp_path / "run"
    training_store(training_config(str(a), output=str(output)))
    (output / "checkpoint.safetensors").write_text("weights")
    with pytest.raises(ConfigError, match=rf"(?s){output}.*'output'"):
        training_store(training_config(str(b), output=str(output)))
    assert len(training_store(training_config(str(a), output=str(output)))) == 16


def test_dots_in_a_name_part_runs(tmp_path: Path) -> None:
    files = [part(tmp_path / name, 20, 22) for name in ("my.1.sdf", "my.2.sdf")]
    outputs = [training_config(str(file)).output for file in files]
    assert outputs == ["runs/my.1", "runs/my.2"]


def test_the_given_configuration_is_never_replaced(
    run: Run, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "# my notes\n" + tiny_config.read_text().replace(str(tmp_path / "run"), ".")
    (tmp_path / "config.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    done = run("train", "config.yaml", "--steps", 1)
    assert done.status == 0, done.err
    assert (tmp_path / "config.yaml").read_text() == text
    assert f"into {tmp_path}." in done.err


def test_another_data_set_is_not_qm9(run: Run, store: Store) -> None:
    done = run("data", "qm9", "--output", store.path)
    assert done.status == 2 and "another data set, from sample.sdf" in done.err


def test_going_on_repeats_every_option(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "my file.sdf", "--output", "a b", "--data", "d.sdf", "--steps", "5"]
    words += ["--batch", "2", "--threads", "1", "--device", "cpu", "--processes", "1"]
    words += ["--condition", "logp", "--condition", "tpsa", "--logger", "tensorboard"]
    seen: list[str] = []

    class Run_:
        def __init__(
            self, config: object, source: str, again: str, processes: object, loggers: object
        ) -> None:
            seen.append(again)

        def train(self) -> None:
            pass

    monkeypatch.setattr(train, "_Run", Run_)
    part(tmp_path / "my file.sdf", 0, 1)
    monkeypatch.chdir(tmp_path)
    assert run(*words).status == 0
    assert shlex.split(seen[0]) == ["moldiff", *words]
