"""Experiment loggers, read back; those whose packages are not installed are left out."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from moldiff.errors import InputError
from moldiff.train.loggers import check_logger, open_logger

ROOT = Path(__file__).parents[2]
PARAMS: Mapping[str, Any] = {"steps": 40, "optimizer": {"lr": 0.001, "betas": (0.9, 0.99)}}


def logged(name: str, output: Path) -> None:
    """A run that stops after two rows, of which the second is lost with its checkpoint."""
    output.mkdir()
    first = open_logger(name, output, "my run", 0)
    first.log_hyperparams(PARAMS)
    first.log_metrics({"loss/types": 2.0, "rate": 1e-3}, 10)
    first.log_metrics({"loss/types": 1.5, "rate": 1e-3}, 20)
    first.finalize("aborted")
    second = open_logger(name, output, "my run", 10)
    second.log_hyperparams({**PARAMS, "steps": 60})
    second.log_metrics({"loss/types": 1.0, "rate": 1e-3}, 20)
    second.log_metrics({"judged/unique": math.nan}, 20)
    second.finalize("success")


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    pytest.importorskip("lightning_fabric", reason="lightning-fabric is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    check_logger("tensorboard")
    logged("tensorboard", tmp_path / "run")
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 2
    read = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    read.Reload()
    assert {"loss/types", "rate", "judged/unique"} <= set(read.Tags()["scalars"])
    assert [(e.step, e.value) for e in read.Scalars("loss/types")] == [(10, 2.0), (20, 1.0)]
    assert math.isnan(read.Scalars("judged/unique")[0].value)
    plugins = read.summary_metadata
    assert any(m.plugin_data.plugin_name == "hparams" for m in plugins.values())


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    logged("wandb", tmp_path / "run")
    (known,) = json.loads((tmp_path / "run" / "loggers.json").read_text()).values()
    files = list((tmp_path / "run" / "wandb").glob(f"offline-run-*-{known}/run-{known}.wandb"))
    assert files and b"loss/types" in files[0].read_bytes()
    begun = open_logger("wandb", tmp_path / "run", "my run", 0)
    begun.finalize("failed")
    assert json.loads((tmp_path / "run" / "loggers.json").read_text())["wandb"] != known


def test_wandb_without_login(tmp_path: Path) -> None:
    """In a process of its own, because wandb reads its environment once."""
    pytest.importorskip("wandb", reason="wandb is not installed")
    code = "from moldiff.train.loggers import open_logger as o; from pathlib import Path as p; "
    code += "o('wandb', p('.'), 'my run', 0)"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    environment = {**kept, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert "moldiff.errors.InputError: Weights & Biases does not take" in last, done.stderr
    assert "WANDB_MODE=offline" in last


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    pytest.importorskip("sqlalchemy", reason="only mlflow-skinny is installed")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    logged("mlflow", tmp_path / "run")
    (known,) = json.loads((tmp_path / "run" / "loggers.json").read_text()).values()
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/run/mlflow.db")
    run = client.get_run(known)
    assert run.info.status == "FINISHED" and run.info.run_name == "my run"
    assert run.data.params["optimizer.lr"] == "0.001" and run.data.params["steps"] == "40"
    assert run.data.tags["now.steps"] == "60"  # extended
    history = client.get_metric_history(known, "loss/types")
    assert [(m.step, m.value) for m in history] == [(10, 2.0), (20, 1.5), (20, 1.0)]


def test_mlflow_somewhere_it_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/mlruns")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI"):
        open_logger("mlflow", tmp_path, "my run", 0)
