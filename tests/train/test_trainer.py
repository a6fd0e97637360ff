"""The data loop: it learns, and stopping it, however rudely, changes no bit of the result."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from moldiff.data.store import Store
from moldiff.errors import ConfigError, ModelFileError, MoldiffError
from moldiff.model import Model
from moldiff.storage import read_tensors, write_tensors
from moldiff.train import TrainConfig, Trainer
from moldiff.train.checkpoint import FORMAT as CHECKPOINT_FORMAT
from moldiff.train.trainer import Progress

ROOT = Path(__file__).parents[2]
OPTIMIZER = {"warmup": 3, "decay": 3, "ema": 0.9}
Config = Callable[..., TrainConfig]


def tensors(path: Path) -> dict[str, torch.Tensor]:
    header, found = read_tensors(path / "checkpoint.safetensors", CHECKPOINT_FORMAT)
    return {**found, "step": torch.tensor(int(header["step"]))}


def assert_same_run(a: Path, b: Path) -> None:
    ours, theirs = tensors(a), tensors(b)
    assert set(ours) == set(theirs)
    assert [k for k in ours if not torch.equal(ours[k], theirs[k])] == []
    models = [Model.load(path / "model.safetensors") for path in (a, b)]
    assert models[0].digest == models[1].digest


def fit(config: TrainConfig, store: Store, steps: int | None = None) -> list[Progress]:
    """Train, up to a number of steps if given, then stop as a user of the generator does."""
    trainer, done = Trainer(config, store), []
    run = trainer.fit()
    for progress in run:
        done.append(progress)
        if len(done) == steps:
            run.close()
            break
    return done


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_resuming_equals_not_stopping(
    optimizer: str, config: Config, store: Store, tmp_path: Path
) -> None:
    settings = {"optimizer": {**OPTIMIZER, "name": optimizer}}
    whole = fit(config(**settings, output=str(tmp_path / "whole")), store)
    parts: list[Progress] = []
    for count in (4, 1, None):
        parts += fit(config(**settings, output=str(tmp_path / "parts")), store, count)
    assert [p.step for p in parts] == [p.step for p in whole] == list(range(1, 9))
    assert [(p.losses, p.rate, p.norm) for p in parts] == [
        (p.losses, p.rate, p.norm) for p in whole
    ]
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


SCRIPT = """
import sys
from moldiff.data.store import Store
from moldiff.train import TrainConfig, Trainer
config = TrainConfig.from_yaml(sys.argv[1])
for progress in Trainer(config, Store.open(config.data)).fit():
    print(progress.step, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_killing_changes_nothing(
    optimizer: str, config: Config, store: Store, tmp_path: Path
) -> None:
    """SIGKILL in the middle of a run that saves after every step."""
    settings = {"optimizer": {**OPTIMIZER, "name": optimizer}, "steps": 12}
    fit(config(**settings, output=str(tmp_path / "whole")), store)
    killed = config(**settings, output=str(tmp_path / "killed"), checkpoint_minutes=0.0)
    path = tmp_path / "run.yaml"
    plain = json.loads(json.dumps(killed.to_dict()))
    path.write_text(yaml.safe_dump(plain))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 5:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    assert 1 <= int(tensors(tmp_path / "killed")["step"]) < 12
    fit(killed, store)
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


def test_a_longer_run_continues_a_shorter_one(config: Config, store: Store, tmp_path: Path) -> None:
    """As long as the shorter one was stopped before its rate fell."""
    fit(config(steps=12, output=str(tmp_path / "long")), store)
    fit(config(steps=8, output=str(tmp_path / "more")), store, 5)
    fit(config(steps=12, output=str(tmp_path / "more")), store)
    assert_same_run(tmp_path / "long", tmp_path / "more")


def test_a_run_continues_with_its_settings_in_another_order(
    config: Config, store: Store, tmp_path: Path
) -> None:
    process = dict(reversed(config().process.items()))
    fit(config(output=str(tmp_path / "whole")), store)
    fit(config(output=str(tmp_path / "parts")), store, 4)
    fit(config(output=str(tmp_path / "parts"), process=process), store)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_finished_run_is_not_continued(config: Config, store: Store, tmp_path: Path) -> None:
    assert len(fit(config(), store)) == 8
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    assert fit(config(), store) == []
    assert tensors(tmp_path / "run")["step"] == 8
    assert len(before) == (tmp_path / "run" / "checkpoint.safetensors").stat().st_size


def test_the_seed_decides_everything(config: Config, store: Store, tmp_path: Path) -> None:
    state = torch.random.get_rng_state()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit(config(seed=seed, steps=2, output=str(tmp_path / name)), store)
    assert torch.equal(torch.random.get_rng_state(), state)  # not the global generator
    assert_same_run(tmp_path / "a", tmp_path / "b")
    digests = [Model.load(tmp_path / n / "model.safetensors").digest for n in "ac"]
    assert digests[0] != digests[1]


def test_an_error_in_the_middle_loses_nothing(
    config: Config, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends a step half-way, Ctrl-C included, the run continues as if it had not been."""
    fit(config(output=str(tmp_path / "whole")), store)
    trainer = Trainer(config(output=str(tmp_path / "parts")), store)
    update = trainer.optimizers.step

    def interrupted(rate: float) -> float:
        norm = update(rate)
        if trainer.step == 4:
            raise KeyboardInterrupt  # weights are updated, their average and the count are not
        return norm

    monkeypatch.setattr(trainer.optimizers, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        for _ in trainer.fit():
            pass
    fit(config(output=str(tmp_path / "parts")), store)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_it_learns(config: Config, store: Store, tmp_path: Path) -> None:
    optimizer = {"warmup": 1, "decay": 1, "lr": 0.005}
    trainer = Trainer(config(steps=40, batch=16, optimizer=optimizer), store)
    batch = trainer.loader[0]

    def parts() -> dict[str, torch.Tensor]:
        # The same times and noises before and after.
        rng = torch.Generator().manual_seed(0)
        return trainer.objective(trainer.model.denoiser, batch, rng=rng)[1]

    before = parts()
    done = list(trainer.fit())
    after = parts()
    assert set(before) == set(done[0].losses) == {"positions", "types", "charges", "bonds"}
    assert all(after[name] < 0.9 * before[name] for name in ("types", "charges", "bonds"))
    assert all(p.speed > 0 and p.norm > 0 for p in done)


def test_the_model_has_the_averaged_weights_and_a_card(
    config: Config, store: Store, tmp_path: Path
) -> None:
    trainer = Trainer(config(), store)
    for _ in trainer.fit():
        pass
    model = Model.load(tmp_path / "run" / "model.safetensors")
    for saved, mean in zip(model.network.parameters(), trainer.average.values, strict=True):
        assert torch.equal(saved, mean)
    card = model.card
    assert card["training"]["steps"] == 8 and card["data"] == "datasets/qm9/sample.sdf"
    assert card["training"]["molecules"] == len(store.indices("train"))
    assert model.domain.vocabulary == store.vocabulary
    assert sum(model.domain.sizes.values()) == pytest.approx(1)


def test_the_saved_weights_are_the_moving_average_of_those_of_every_step(
    config: Config, store: Store, tmp_path: Path
) -> None:
    """By hand, from the weights after every step; the last four are beyond the warm-up."""
    trainer = Trainer(config(steps=12, optimizer={**OPTIMIZER, "lr": 0.01, "ema": 0.5}), store)
    first = {k: v.detach().clone() for k, v in trainer.network.named_parameters()}
    mean = dict(first)
    for progress in trainer.fit():
        keep = min(0.5, progress.step / (9 + progress.step))
        live = dict(trainer.network.named_parameters())
        mean = {k: torch.lerp(v, live[k].detach(), 1 - keep) for k, v in mean.items()}
    saved = dict(Model.load(tmp_path / "run" / "model.safetensors").network.named_parameters())
    assert set(saved) == set(mean)
    for name, value in saved.items():
        # Some rounding errors of float32: lerp may be fused, and there are twelve of them.
        torch.testing.assert_close(value, mean[name], rtol=1e-6, atol=1e-7)
    moved = [k for k, v in saved.items() if (v - first[k]).abs().max() > 1e-3]
    unlike = [k for k, v in saved.items() if (v - live[k]).abs().max() > 1e-4]
    assert len(moved) > 0.8 * len(saved) and len(unlike) > 0.8 * len(saved)


def test_evaluation(config: Config, store: Store, tmp_path: Path) -> None:
    seen = []

    def judge(model: Model, rng: torch.Generator) -> dict[str, float]:
        assert not model.network.training
        seen.append(int(torch.randint(2**40, (), generator=rng)))
        return {"validity": 0.5}

    trainer = Trainer(config(evaluation={"every": 3}), store, judge=judge)
    for _ in trainer.fit():
        assert trainer.network.training
    with (tmp_path / "run" / "evaluation.csv").open() as file:
        assert [r["step"] for r in csv.DictReader(file)] == ["3", "6"]
    assert len(set(seen)) == 2
    fit(config(output=str(tmp_path / "plain")), store)
    assert_same_run(tmp_path / "plain", tmp_path / "run")  # judging does not change training


def test_fine_tuning_starts_from_a_model(config: Config, store: Store, tmp_path: Path) -> None:
    fit(config(steps=2), store)
    init = tmp_path / "run" / "model.safetensors"
    trainer = Trainer(config(output=str(tmp_path / "tuned"), init=str(init)), store)
    first = Model.load(init).network.state_dict()
    assert all(torch.equal(v, first[k]) for k, v in trainer.network.state_dict().items())
    assert all(p.requires_grad for p in trainer.network.parameters())
    other = dict(config().network) | {"width": 64}
    with pytest.raises(ModelFileError, match="fit"):
        Trainer(config(output=str(tmp_path / "wide"), init=str(init), network=other), store)


def test_a_run_goes_on_in_another_precision(config: Config, store: Store, tmp_path: Path) -> None:
    """As on a machine where another one is faster; the card names the last."""
    fit(config(precision="float32", steps=8), store, 4)
    done = fit(config(precision="bfloat16", steps=8), store)
    assert [p.step for p in done] == [5, 6, 7, 8]
    model = Model.load(tmp_path / "run" / "model.safetensors")
    assert model.card["training"]["precision"] == "bfloat16"


def test_the_gradient_is_the_mean_over_the_pieces(config: Config, store: Store) -> None:
    """Each piece has the molecules and the noise of a whole batch of a run with small batches."""
    small = [Trainer(config(batch=2, output=f"{config().output}-{k}"), store) for k in range(2)]
    gradients = []
    for k, trainer in enumerate(small):
        trainer.step = k
        trainer.optimizers.step = lambda rate: 1.0  # type: ignore[method-assign]
        trainer._advance()
        gradients.append([p.grad for p in trainer.network.parameters()])
    whole = Trainer(config(batch=4, pieces=2), store)
    whole.optimizers.step = lambda rate: 1.0  # type: ignore[method-assign]
    progress = whole._advance()
    for p, *parts in zip(whole.network.parameters(), *gradients, strict=True):
        if p.grad is not None:
            torch.testing.assert_close(p.grad, sum(parts) / 2)
    assert progress.step == 1
    assert whole.samples == sum(trainer.samples for trainer in small)


def test_pieces_belong_to_the_run(config: Config, store: Store) -> None:
    fit(config(steps=1), store)
    with pytest.raises(ModelFileError, match="pieces"):
        Trainer(config(steps=2, pieces=2), store)
    with pytest.raises(ConfigError, match="batch of 4 cannot be divided into 3"):
        config(pieces=3)


def test_steps_without_an_update_are_counted(
    config: Config, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(config(steps=6), store)
    losses = trainer.work.losses

    def with_gaps(batch: Any, *, rng: torch.Generator) -> Any:
        for loss, part, count in losses(batch, rng=rng):
            yield loss * (float("nan") if trainer.step in (1, 3) else 1.0), part, count

    monkeypatch.setattr(trainer.work, "losses", with_gaps)
    assert [p.skipped for p in trainer.fit()] == [0, 1, 1, 2, 2, 2]
    assert Trainer(config(steps=6), store).skipped == 2


def test_weights_that_are_not_finite_end_the_run(
    config: Config, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a damaged moment of the optimizer: the gradient is finite, the update is not."""
    fit(config(steps=8), store, 4)
    saved = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    trainer = Trainer(config(steps=8), store)
    for state in trainer.optimizers.parts[0].state.values():
        state["exp_avg_sq"].fill_(-1.0)
    with pytest.raises(MoldiffError, match=r"update of step 4.*not finite"):
        list(trainer.fit())
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == saved


def test_bfloat16(config: Config, store: Store, tmp_path: Path) -> None:
    done = fit(config(precision="bfloat16", steps=3), store)
    assert all(torch.isfinite(torch.tensor(list(p.losses.values()))).all() for p in done)
    saved = tensors(tmp_path / "run")
    assert all(v.dtype != torch.bfloat16 for v in saved.values())


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "denoising"},
        {"precondition": "velocity"},
        {"objective": {"name": "denoising"}},
        {"network": "transformer"},
    ],
    ids=str,
)
def test_names_alone_are_settings(settings: dict[str, Any], config: Config, store: Store) -> None:
    assert len(fit(config(steps=2, **settings), store)) == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"network": {"name": "transfomer"}},
        {"network": {"name": "transformer", "widht": 3}},
        {"precondition": "karas"},
        {"objective": {"name": "denoising", "self_conditon": 0.1}},
        {"objective": {"name": "denoising", "times": "uniform"}},
        {"objective": {"name": "denoising", "weights": {"bond": 2.0}}},
        {"optimizer": {"name": "sgd"}},
        {"process": {"positions": {"name": "gaussian", "schedule": "cosin"}}},
        {"device": "toaster"},
    ],
    ids=str,
)
def test_wrong_settings(settings: dict[str, Any], config: Config, store: Store) -> None:
    with pytest.raises(ConfigError):
        Trainer(config(**settings), store)


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def damage_replace(path: Path) -> None:
    path.write_text("not a checkpoint")


@pytest.mark.parametrize("damage", [damage_truncate, damage_replace])
def test_a_damaged_checkpoint_is_not_ignored(
    damage: Callable[[Path], None], config: Config, store: Store, tmp_path: Path
) -> None:
    fit(config(steps=1), store)
    damage(tmp_path / "run" / "checkpoint.safetensors")
    with pytest.raises(ModelFileError, match="checkpoint"):
        Trainer(config(), store)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"precondition": "clean"}, "precondition (karras there, clean here)"),
        ({"optimizer": {**OPTIMIZER, "name": "muon"}}, "optimizer (adamw there, muon here)"),
        (
            {"network": {"name": "transformer", "width": 64, "layers": 1}, "seed": 6},
            "seed (5 there, 6 here), network.width (32 there, 64 here).",
        ),
    ],
    ids=str,
)
def test_a_checkpoint_of_another_run_is_refused(
    change: dict[str, Any], words: str, config: Config, store: Store
) -> None:
    fit(config(steps=1), store)
    with pytest.raises(ModelFileError) as caught:
        Trainer(config(**change), store)
    assert "output" in caught.value.fix and words in caught.value.what


def test_a_run_begun_before_a_setting_existed_goes_on(
    config: Config, store: Store, tmp_path: Path
) -> None:
    fit(config(steps=8), store, 4)
    path = tmp_path / "run" / "checkpoint.safetensors"
    header, found = read_tensors(path, CHECKPOINT_FORMAT)
    identity = json.loads(header["identity"])
    del identity["pieces"], identity["network"]["cross_attention"]
    write_tensors(path, found, header | {"identity": json.dumps(identity)})
    assert Trainer(config(steps=8), store).step == 4
    with pytest.raises(ModelFileError, match="another run"):
        Trainer(config(steps=8, network={**config().network, "cross_attention": True}), store)


def test_a_checkpoint_of_a_network_of_other_code_is_refused(
    config: Config, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an update of a network that is called and configured as before."""
    fit(config(), store, 4)
    original = Trainer.restore

    def updated(trainer: Trainer) -> None:
        trainer.network.extra = torch.nn.Linear(2, 3)
        original(trainer)

    monkeypatch.setattr(Trainer, "restore", updated)
    with pytest.raises(ModelFileError, match="'extra\\.weight'") as caught:
        Trainer(config(), store)
    assert "has the shape (3, 2) here and nothing there" in caught.value.what
    assert "delete" in caught.value.fix and "damaged" not in caught.value.what


def test_the_card_names_what_was_trained(config: Config, store: Store, tmp_path: Path) -> None:
    process = {"positions": config().process["positions"]}
    fit(config(steps=1, process=process, output=str(tmp_path / "points")), store)
    objective = Model.load(tmp_path / "points" / "model.safetensors").card["training"]["objective"]
    assert objective["weights"] == {"positions": 1.0}
