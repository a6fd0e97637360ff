"""Training with a teacher: pairs that are made once, and runs that go on as they were."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from moldiff.bundled import bundled_configs
from moldiff.data.store import Store
from moldiff.diffusion.objective import Objective
from moldiff.errors import ConfigError, InputError, ModelFileError
from moldiff.registry import build
from moldiff.train import TrainConfig, Trainer
from moldiff.train.workloads.pairs import TeacherPairs

FEW = {"steps": 3, "stepper": {"name": "ancestral", "churn": 1.0}}


@pytest.fixture
def teacher(config: Callable[..., TrainConfig], store: Store, tmp_path: Path) -> str:
    """A model file, trained for a moment."""
    made = Trainer(config(steps=2, output=str(tmp_path / "teacher"), seed=9), store)
    for _ in made.fit():
        pass
    return str(made.output / "model.safetensors")


def objectives(teacher: str) -> dict[str, dict[str, Any]]:
    return {
        "consistency": {"name": "consistency", "teacher": teacher, "levels": 8},
        "reflow": {"name": "reflow", "teacher": teacher, "pairs": 10, "teaching": FEW},
        "endpoint": {"name": "endpoint", "teacher": teacher, "rollout": FEW, "teaching": FEW},
    }


@pytest.mark.parametrize("name", ["consistency", "reflow", "endpoint"])
def test_a_taught_run_goes_on_bit_for_bit(
    name: str, teacher: str, config: Callable[..., TrainConfig], store: Store, tmp_path: Path
) -> None:
    settings = config(steps=5, objective=objectives(teacher)[name], init=teacher)
    first = Trainer(settings, store)
    run = first.fit()
    next(run), next(run)
    run.close()  # stopped and saved after two steps
    again = Trainer(settings, store)
    assert again.step == 2
    straight = Trainer(dataclasses.replace(settings, output=str(tmp_path / "straight")), store)
    for made in (again, straight):
        losses = [value for p in made.fit() for value in p.losses.values()]
        assert torch.tensor(losses).isfinite().all()
    for a, b in zip(again.network.parameters(), straight.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_its_own_teacher_is_sampled_by_all_its_settings(
    config: Callable[..., TrainConfig], store: Store
) -> None:
    own = {"name": "endpoint", "share": 1.0, "rollout": FEW, "teaching": {**FEW, "valence": 3.0}}
    with pytest.raises(ConfigError, match="from 0 to 1"):
        next(iter(Trainer(config(objective=own), store).fit()))


def test_a_teacher_of_other_molecules_is_refused(
    config: Callable[..., TrainConfig], store: Store
) -> None:
    objective = {"name": "endpoint", "teacher": "qm9-skeleton"}
    settings = config(objective=objective, init="qm9-skeleton")  # whose weights do not fit either
    with pytest.raises(ConfigError, match="vocabulary of the teacher 'qm9-skeleton'") as caught:
        Trainer(settings, store)
    assert "on the same data" in caught.value.fix and "--teacher" in caught.value.fix


def test_another_teacher_is_another_run(
    teacher: str, config: Callable[..., TrainConfig], store: Store, tmp_path: Path
) -> None:
    settings = config(steps=2, objective=objectives(teacher)["consistency"])
    for _ in Trainer(settings, store).fit():
        pass
    other = Trainer(config(steps=3, output=str(tmp_path / "other"), seed=10), store)
    for _ in other.fit():
        pass
    Path(teacher).write_bytes((other.output / "model.safetensors").read_bytes())
    with pytest.raises(ModelFileError, match="teacher"):
        Trainer(settings, store)


def test_pairs_are_made_once_and_mended(
    teacher: str, config: Callable[..., TrainConfig], store: Store
) -> None:
    made = Trainer(config(objective=objectives(teacher)["reflow"]), store)
    pairs = made.loader
    assert isinstance(pairs, TeacherPairs) and pairs.per_epoch == 3
    assert {len(pairs[step].x_0["positions"]) for step in range(9)} == {4}
    first = pairs[0]
    assert set(first.noise) == {"positions"} and set(first.x_0) > {"positions", "bonds"}
    files = sorted(pairs.path.glob("*.safetensors"))
    assert [file.stem for file in files] == ["000000", "000001", "000002"]
    stamp = files[1].stat().st_mtime_ns
    files[0].write_bytes(files[0].read_bytes()[:-7])
    again = pairs[0]
    assert all(torch.equal(first.x_0[f], again.x_0[f]) for f in first.x_0)
    assert torch.equal(first.noise["positions"], again.noise["positions"])
    assert files[1].stat().st_mtime_ns == stamp
    # A pass has whole steps: two processes that share a step never need the same chunk.
    several = Trainer(config(objective=objectives(teacher)["reflow"], batch=8, pieces=2), store)
    assert several.loader.per_epoch == 4


def test_a_teacher_that_does_not_fit(
    teacher: str, config: Callable[..., TrainConfig], store: Store
) -> None:
    process = config().process | {
        "positions": {"name": "gaussian", "schedule": "rectified", "scale": "data"}
    }
    with pytest.raises(ConfigError, match="process of the teacher"):
        Trainer(config(objective=objectives(teacher)["endpoint"], process=process), store)
    with pytest.raises(InputError, match="no bundled model"):
        Trainer(config(objective={"name": "consistency", "teacher": "qm8"}), store)


def test_the_bundled_configuration_can_be_read() -> None:
    made = TrainConfig.from_yaml(bundled_configs()["qm9-fast"])
    objective = build("objective", made.objective)
    assert isinstance(objective, Objective) and made.sampling == made.objective["rollout"]
