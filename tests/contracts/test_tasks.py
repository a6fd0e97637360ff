"""Every registered task opens its data, trains all of its network, and judges a model.

A new task needs a line in `SETTINGS`, and the folder of its data a fixture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from moldiff import registry
from moldiff.data.molecules import prepare
from moldiff.data.prepare_complexes import prepare_complexes
from moldiff.docking.decoys import prepare_decoys
from moldiff.errors import ModelFileError
from moldiff.model import Model
from moldiff.train import TrainConfig, Trainer
from moldiff.train.workload import Loss, Workload
from tests.backbones import write_backbones
from tests.complexes import write_set
from tests.contracts.conftest import DOMAINS

ROOT = Path(__file__).parents[2]
SMALL = {
    "name": "transformer", "width": 16, "pair_width": 8, "message_width": 8, "layers": 1,
    "heads": 2, "channels": 2, "context_width": 8,
}  # fmt: skip
#: Task -> its settings, with those of its domain from `DOMAINS`.
SETTINGS: dict[str, dict[str, Any]] = {
    "molecules": {"data": "molecules", "network": SMALL},
    "codec": {
        "data": "molecules",
        "network": {"name": "autoencoder", "encoder": SMALL, "decoder": SMALL, "width": 2},
        "objective": "reconstruction",
    },
    "poses": {
        "data": "complexes",
        "network": DOMAINS["poses"]["network"],
        "process": DOMAINS["poses"]["process"],
        "objective": {"name": "displacement", "poses": 4},
    },
    "backbones": {
        "data": "backbones",
        "network": DOMAINS["backbones"]["network"],
        "process": DOMAINS["backbones"]["process"],
        "objective": {"name": "frame_aligned", "levels": 3},
    },
    "chains": {
        "data": "backbones",
        "network": DOMAINS["chains"]["network"],
        "process": DOMAINS["chains"]["process"],
        "objective": {"name": "frame_aligned", "levels": 1, "self_condition": 0.5},
    },
    "sequence": {
        "data": "backbones",
        "network": DOMAINS["sequences"]["network"],
        "process": DOMAINS["sequences"]["process"],
        "objective": "masked",
    },
    "ranks": {
        "data": "decoys",
        "network": DOMAINS["ranks"]["network"],
        "objective": {"name": "rightness", "poses": 8},
    },
    "distances": {
        "data": "complexes",
        "network": DOMAINS["distances"]["network"],
        "objective": "pairs",
    },
}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Prepared data by name: 50 molecules of QM9, and made-up complexes and backbones."""
    path = tmp_path_factory.mktemp("data")
    molecules = prepare([ROOT / "datasets" / "qm9" / "sample.sdf"], path / "molecules")
    made = write_set(path / "files", 4)
    complexes = prepare_complexes([made], path / "complexes", share=0.25)
    return {
        "molecules": molecules.path,
        "complexes": complexes.path,
        "decoys": prepare_decoys(complexes, [made], path / "decoys").path,
        "backbones": write_backbones(path / "backbones").path,
    }


@pytest.fixture(params=registry.names("task"))
def config(request: pytest.FixtureRequest, folders: dict[str, Path], tmp_path: Path) -> TrainConfig:
    settings = SETTINGS[request.param]
    return TrainConfig.from_dict(
        {
            "batch": 2,
            "seed": 3,
            "sampling": {"steps": 3},
            "evaluation": {"samples": 3, "steps": 2},
            **settings,
            "task": request.param,
            "data": str(folders[settings["data"]]),
            "output": str(tmp_path / "run"),
        }
    )


def opened(config: TrainConfig) -> Workload:
    kind = registry.registered("task", config.task)
    assert issubclass(kind, Workload)
    data = kind.open(config, lambda text: None)
    return kind(config, data)


def begins(config: TrainConfig) -> Model:
    """The model at the first step of a run."""
    data = registry.registered("task", config.task).open(config, lambda text: None)  # type: ignore[attr-defined]
    return Trainer(config, data).model


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scrambled(model: Model) -> None:
    """Move the weights from where they begin, as heads begin at zero and pass no gradient."""
    rng = seeded(1)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=rng))


def check_losses(work: Workload) -> None:
    """One batch: finite losses, the same again, with a gradient for every weight."""
    batch = work.loader[0]
    scrambled(work.model)
    losses = list(work.losses(batch, rng=seeded()))
    assert losses
    for loss, parts, count in losses:
        assert loss.ndim == 0 and loss.requires_grad and loss.isfinite()
        assert parts and all(v.isfinite() and not v.requires_grad for v in parts.values())
        assert count >= 1
        loss.backward()
    for name, parameter in work.model.network.named_parameters():
        assert parameter.requires_grad, f"{name} is not trained"
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), f"{name} has a gradient that is not finite"
        assert parameter.grad.any(), f"{name} has the gradient 0"
    if work.model.codec is not None:
        assert all(p.grad is None for p in work.model.codec.parameters())
    again = list(work.losses(work.loader[0], rng=seeded()))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(losses, again, strict=True))


def check_judgement(work: Workload) -> None:
    """Figures with the score that selects models, of a model that is left as it was."""
    model, ticks = work.model, list[float]()
    model.network.eval()
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    figures = work.judge(model, seeded(), ticks.append)
    assert all(isinstance(value, int | float) for value in figures.values())
    assert work.score in figures and figures[work.score] >= 0 and ticks
    assert all(torch.equal(v, before[k]) for k, v in model.network.state_dict().items())
    again = work.judge(model, seeded(), ticks.append)
    assert again[work.score] == figures[work.score] and again.keys() == figures.keys()


def test_a_task_says_what_it_is_about(config: TrainConfig) -> None:
    kind = registry.registered("task", config.task)
    assert issubclass(kind, Workload)
    assert all(isinstance(word, str) and word for word in (kind.unit, kind.samples, kind.score))
    assert all(isinstance(remark, str) for remark in kind.check(config))


def test_a_model_says_what_it_is_for(config: TrainConfig) -> None:
    assert "{model}" in opened(config).model.use


def test_a_task_opens_its_data(config: TrainConfig) -> None:
    work = opened(config)
    data = registry.registered("task", config.task).open(config, lambda text: None)  # type: ignore[attr-defined]
    assert data.meta["sha256"] and data.path
    splits = [set(map(int, data.indices(name))) for name in ("train", "validation")]
    assert all(splits) and not splits[0] & splits[1]
    assert work.loader.per_epoch >= 1
    assert json.loads(json.dumps(work.identity())) == work.identity()


def test_a_task_trains_its_whole_network(config: TrainConfig) -> None:
    check_losses(opened(config))


def test_a_task_judges_a_model(config: TrainConfig) -> None:
    check_judgement(opened(config))


def test_a_task_begins_with_a_model_of_its_own(config: TrainConfig, tmp_path: Path) -> None:
    first = opened(config).model
    scrambled(first)
    first.save(tmp_path / "first.safetensors")
    settings = config.to_dict() | {"init": str(tmp_path / "first.safetensors")}
    begun = begins(TrainConfig.from_dict(settings))
    for name, value in first.network.state_dict().items():
        assert torch.equal(begun.network.state_dict()[name], value), name
    other = "qm9" if first.subject != "molecules" else "distances"
    bundled = ROOT / "moldiff" / "weights"
    path = next(bundled.rglob(f"{other}.safetensors"))
    with pytest.raises(ModelFileError, match="holds a model of"):
        begins(TrainConfig.from_dict(settings | {"init": str(path)}))


class Broken:
    """A task that leaves its contract in one point."""

    def __init__(self, work: Workload, point: str) -> None:
        self.work, self.point = work, point

    def __getattr__(self, name: str) -> Any:
        return getattr(self.work, name)

    def losses(self, batch: Any, *, rng: torch.Generator) -> Iterator[Loss]:
        for loss, parts, count in self.work.losses(batch, rng=rng):
            if self.point == "not finite":
                loss = loss * torch.nan
            if self.point == "one part only":
                (weight, *_) = self.work.model.network.parameters()
                loss = weight.square().sum()
            if self.point == "parts with gradients":
                parts = {**parts, "whole": loss}
            if self.point == "randomness of its own":
                loss = loss * (1 + torch.rand(()))
            yield loss, parts, count

    def judge(self, model: Model, rng: torch.Generator, progress: Any) -> Any:
        figures = self.work.judge(model, rng, progress)
        if self.point == "no score":
            del figures[self.work.score]
        if self.point == "changes the model":
            scrambled(model)
        return figures


@pytest.mark.parametrize(
    "point",
    ["not finite", "one part only", "parts with gradients", "randomness of its own"],
)
@pytest.mark.parametrize("config", ["codec"], indirect=True)
def test_losses_that_break_the_contract_are_seen(config: TrainConfig, point: str) -> None:
    with pytest.raises(AssertionError):
        check_losses(Broken(opened(config), point))  # type: ignore[arg-type]


@pytest.mark.parametrize("point", ["no score", "changes the model"])
@pytest.mark.parametrize("config", ["codec"], indirect=True)
def test_judgements_that_break_the_contract_are_seen(config: TrainConfig, point: str) -> None:
    with pytest.raises(AssertionError):
        check_judgement(Broken(opened(config), point))  # type: ignore[arg-type]
