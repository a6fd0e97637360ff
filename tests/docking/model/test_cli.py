"""Preparing complexes and training on them from the command line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from moldiff.cli import main
from moldiff.data.complexes import ComplexStore
from moldiff.docking.bundled import bundled
from moldiff.domain.poses import CLASSES
from moldiff.model import Model
from moldiff.registry import build, describe
from moldiff.train import TrainConfig
from moldiff.train.api import training_config
from moldiff.train.workloads import poses as _poses  # noqa: F401  (registers)


def test_from_folders_to_a_model(
    folder: Path,
    config: Callable[..., TrainConfig],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    data, run = tmp_path / "data", tmp_path / "cli"
    prepare = ["data", "complexes", str(folder), "--output", str(data), "--jobs", "1"]
    assert main(prepare) == 0
    assert "complexes" in capfd.readouterr().out
    settings = config(evaluation={"every": 2, "samples": 1, "steps": 2}).to_dict()
    file = tmp_path / "dock.yaml"
    file.write_text(yaml.safe_dump(settings | {"data": str(data), "output": str(run)}))
    assert main(["train", str(file)]) == 0
    told = capfd.readouterr()
    assert "on 8 complexes" in told.err and "poses/s" in told.err and "moldiff dock" in told.out
    with (run / "log.csv").open() as table:
        assert [row["step"] for row in csv.DictReader(table)] == ["1", "2", "3", "4"]
    model = Model.load(run / "model.safetensors")
    assert model.card["training"]["steps"] == 4
    assert model.card["training"]["complexes"] == 8 and "molecules" not in model.card["training"]


def test_the_bundled_configuration_builds() -> None:
    config = training_config("dock")
    network = build("network", config.network, **CLASSES)
    assert 4e5 < sum(p.numel() for p in network.parameters()) < 1.5e6
    objective = build("objective", config.objective)
    assert build("objective", describe(objective)) == objective
    assert describe(build("network", describe(network), **CLASSES)) == describe(network)


def test_info_of_a_docking_model_and_of_complexes(
    complexes: ComplexStore, capsys: pytest.CaptureFixture[str]
) -> None:
    for purpose, words in (("proposals", "poses"), ("distances", "distances")):
        path = bundled(purpose)
        assert path is not None
        assert main(["info", str(path)]) == 0
        said = capsys.readouterr().out
        assert words in said and "parameters" in said and "network" in said
    assert main(["data", "info", str(complexes.path), "--verify"]) == 0
    said = capsys.readouterr().out
    assert "complexes" in said and "heavy atoms of a ligand" in said and "train" in said
