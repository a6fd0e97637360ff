"""``moldiff data`` and ``moldiff train``: from somebody's SDF to a model that generates."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from moldiff.cli.log import drop_after
from moldiff.data import qm9
from moldiff.data.store import Store
from moldiff.tasks import training_config

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
    assert [row["step"] for row in rows(tmp_path / "run" / "log.csv")] == ["6"]
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
        file.write(log.read_text().splitlines()[1].replace("3,", "5,", 1) + "\n4,0.")
    again = run("train", tiny_config)
    assert again.status == 0, again.err
    assert "Resuming" in again.err and "step 3 of 6" in again.err
    assert [row["step"] for row in rows(log)] == ["3", "6"]
    finished = run("train", tiny_config)
    assert finished.status == 0 and "is finished: step 6" in finished.err
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert kept["steps"] == 6 and kept["name"] == "tiny"
    assert run("train", tmp_path / "run" / "config.yaml").status == 0


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


def test_qm9_is_prepared_once(run: Run, store: Store, tmp_path: Path) -> None:
    target = tmp_path / "qm9"
    done = run("data", "qm9", "--output", target, "--limit", 20, "--jobs", 1)
    assert done.status == 0, done.err
    assert json.loads((target / "store.json").read_text())["count"] > 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qm9, "prepare", None)
        again = run("data", "qm9", "--output", target)
    assert again.status == 0 and "is there already" in again.err
