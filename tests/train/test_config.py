"""The training configuration: every key and value is checked when it is read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from moldiff.errors import ConfigError, InputError
from moldiff.train import TrainConfig, notation
from moldiff.train.config import Conditions, Evaluation, OptimizerConfig
from moldiff.train.workload import task

LEAST = {"data": "store", "output": "run"}


def test_the_least_is_enough() -> None:
    config = TrainConfig.from_dict(LEAST)
    assert config.data == "store" and config.optimizer == OptimizerConfig()


def test_round_trip() -> None:
    config = TrainConfig.from_dict(
        LEAST
        | {"steps": 5, "optimizer": {"lr": 2e-3, "betas": [0.8, 0.9]}, "evaluation": {"every": 7}}
    )
    assert TrainConfig.from_dict(config.to_dict()) == config
    again = TrainConfig.from_dict(yaml.safe_load(yaml.safe_dump(_plain(config.to_dict()))))
    assert again == config


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def test_input_is_kept() -> None:
    values = LEAST | {"optimizer": {"betas": [0.8, 0.9]}}
    held = copy.deepcopy(values)
    TrainConfig.from_dict(values)
    assert values == held


@pytest.mark.parametrize(
    ("wrong", "told", "fix"),
    [
        ({"stpes": 5}, "stpes", "'steps'"),
        ({"optimizer": {"warmpu": 5}}, "warmpu", "'warmup'"),
        ({"evaluation": {"evry": 5}}, "evry", "'every'"),
        ({3: 4}, "3", "Known"),
    ],
)
def test_misspelt_keys(wrong: dict[Any, Any], told: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict({**LEAST, **wrong}, where="my.yaml")
    assert told in caught.value.what and "my.yaml" in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": "many"},
        {"steps": 1.5},
        {"steps": True},
        {"steps": 0},
        {"steps": None},
        {"batch": 0},
        {"batch": -1},
        {"balance": "atoms"},
        {"balance": None},
        {"threads": 0},
        {"threads": -2},
        {"threads": 1.5},
        {"threads": "two"},
        {"threads": True},
        {"seed": "x"},
        {"data": 5},
        {"name": 5},
        {"precision": "float8"},
        {"checkpoint_minutes": "often"},
        {"init": 5},
        {"optimizer": "muon"},
        {"optimizer": None},
        {"optimizer": ["adamw"]},
        {"optimizer": {"lr": "fast"}},
        {"optimizer": {"warmup": 1.5}},
        {"optimizer": {"betas": 0.9}},
        {"optimizer": {"betas": [0.9]}},
        {"optimizer": {"betas": [0.9, "x"]}},
        {"optimizer": {"betas": [0.9, 1.0]}},
        {"optimizer": {"lr": "1e-3"}},
        {"optimizer": {"lr": True}},
        {"conditions": {"properties": "logp"}},
        {"conditions": {"drop": 1}},
        {"evaluation": {"every": -1}},
        {"evaluation": {"samples": 0}},
        {"optimizer": {"lr": float("nan")}},
        {"optimizer": {"lr": -1.0}},
        {"evaluation": 5},
        {"evaluation": {"steps": "x"}},
        {"process": 5},
        {"process": {"positions": 5}},
        {"network": 5},
        {"network": None},
        {"sampling": "fast"},
        {"objective": 5},
        {"seed": -1},
        {"output": ""},
        {"output": " "},
        {"data": ""},
        {"checkpoint_minutes": -1},
        {"checkpoint_minutes": float("nan")},
        {"optimizer": {"warmup": -1}},
        {"optimizer": {"decay": -1}},
        {"optimizer": {"weight_decay": float("inf")}},
        {"network": {"name": "transformer", "width": float("nan")}},
        {"sampling": {"grid": [{"name": "power", "exponent": float("nan")}]}},
        {"process": {"positions": {"name": "gaussian", "scale": float("nan")}}},
    ],
    ids=str,
)
def test_wrong_values(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict({**LEAST, **wrong})
    assert next(iter(wrong)) in str(caught.value) or "optimizer" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"steps": 0}, "In my.yaml, 'steps' must be at least 1, not 0. The default is 20000."),
        (
            {"optimizer": {"lr": "fast"}},
            "In 'optimizer' of my.yaml, 'lr' must be a number, not 'fast'. The default is 0.001.",
        ),
        (
            {"precision": "bfloat61"},
            "In my.yaml, 'precision' must be 'auto' or 'float32' or 'bfloat16', not 'bfloat61'. "
            "Did you mean 'bfloat16'? Known: auto, bfloat16, float32.",
        ),
        (
            {"process": {"positions": 5}},
            "In my.yaml, 'positions' of 'process' must be a mapping, not 5. Correct the value.",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_what_would_fit(
    wrong: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict({**LEAST, **wrong}, where="my.yaml")
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "make",
    [
        lambda: TrainConfig("data", "run", steps=0),
        lambda: TrainConfig("data", "run", precision="float8"),  # type: ignore[arg-type]
        lambda: TrainConfig("data", "run", process={"positions": 5}),  # type: ignore[dict-item]
        lambda: OptimizerConfig(betas=(0.9,)),  # type: ignore[arg-type]
        lambda: Evaluation(samples=0),
        lambda: Conditions(properties=(3,)),  # type: ignore[arg-type]
    ],
)
def test_a_call_in_python_is_checked_as_well(make: Callable[[], Any]) -> None:
    with pytest.raises(ConfigError):
        make()


def test_whole_numbers_become_numbers_where_those_are_meant() -> None:
    made = TrainConfig.from_dict(LEAST | {"optimizer": {"clip": 2, "betas": [0, 0.9]}}).optimizer
    assert [type(x) for x in (made.clip, *made.betas)] == [float] * 3


@pytest.mark.parametrize("missing", LEAST)
def test_missing_keys(missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        TrainConfig.from_dict({k: v for k, v in LEAST.items() if k != missing})


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("data: a\noutput: b\nsteps: 7\noptimizer:\n  lr: 1e-3\n")
    config = TrainConfig.from_yaml(path, seed=3, steps=None)
    assert (config.steps, config.seed, config.optimizer.lr) == (7, 3, 1e-3)
    assert TrainConfig.from_yaml(path, steps=9).steps == 9


def test_numbers_with_an_exponent_are_numbers_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    sampling = "sampling: {stepper: {name: ancestral, eta: 1e-3}, temperature: 5e-1}"
    path.write_text(f"data: a\noutput: b\nname: '1e5'\ncheckpoint_minutes: 1E+2\n{sampling}\n")
    config = TrainConfig.from_yaml(path)
    assert config.sampling == {"stepper": {"name": "ancestral", "eta": 1e-3}, "temperature": 0.5}
    assert config.name == "1e5" and config.checkpoint_minutes == 100.0
    path.write_text(notation.to_yaml(config.to_dict()))
    assert TrainConfig.from_yaml(path) == config


@pytest.mark.parametrize("text", ["", "- a\n", "just words", "data: [", "data: a\n\tb: c\n"])
def test_yaml_that_holds_no_settings(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        TrainConfig.from_yaml(path)


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("data: a\nsteps: 7\noutput: b\nsteps: 8\n", "steps", (2, 4)),
        ("data: a\noutput: b\noptimizer:\n  lr: 1.0\n  'lr': 2.0\n", "lr", (4, 5)),
        ("data: a\noutput: b\noptimizer: {lr: 1, lr: 2}\n", "lr", (3, 3)),
    ],
)
def test_repeated_keys(tmp_path: Path, text: str, key: str, lines: tuple[int, int]) -> None:
    """PyYAML takes the last of them."""
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="Keep one") as caught:
        TrainConfig.from_yaml(path)
    place = f"the key '{key}' is in line {lines[0]} and again in line {lines[1]}"
    assert f"In '{path}', {place}." == caught.value.what


def test_merged_keys_are_not_repeated() -> None:
    text = "a: &a {lr: 1, clip: 2}\nb: {c: &c {<<: *a, lr: 3}}\nd: {<<: *c, lr: 4}\n"
    read = notation.from_yaml(text)
    assert read["b"]["c"] == {"lr": 3, "clip": 2} and read["d"] == {"lr": 4, "clip": 2}


def test_unreadable_yaml(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.yaml"):
        TrainConfig.from_yaml(tmp_path / "missing.yaml")
    with pytest.raises(InputError):
        TrainConfig.from_yaml(tmp_path)
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError):
        TrainConfig.from_yaml(path)


def test_learning_rate() -> None:
    config = OptimizerConfig(lr=1.0, warmup=10, decay=20)
    rates = [config.rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[50] == rates[80] == 1.0
    assert all(a <= b for a, b in pairwise(rates[:11]))
    assert all(a > b for a, b in pairwise(rates[80:]))
    assert 0 < rates[-1] < 0.05
    for short in (OptimizerConfig(lr=1.0, decay=0), OptimizerConfig(lr=1.0, warmup=0, decay=500)):
        assert all(0 < short.rate(step, 20) <= 1 for step in range(20))


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    config = OptimizerConfig(warmup=10, decay=20)
    assert [config.rate(k, 100) for k in range(80)] == [config.rate(k, 300) for k in range(80)]


@pytest.mark.parametrize(
    ("option", "settings", "takers"),
    [
        ("balance", {"balance": "cost"}, "codec, molecules"),
        ("parts", {"parts": {"share": 0.5}}, "chains, molecules"),
        ("conditions", {"conditions": {"properties": ["logp"]}}, "molecules"),
    ],
)
def test_a_task_refuses_options_that_it_does_not_take(
    option: str, settings: dict[str, Any], takers: str
) -> None:
    made = TrainConfig.from_dict({"data": "d", "output": "o", "task": "poses", **settings})
    with pytest.raises(ConfigError, match=f"'poses' takes no '{option}'.*: {takers}"):
        task(made)
    assert task(replace(made, task="molecules"))
