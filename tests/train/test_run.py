"""What a run's directory keeps, and what it refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from moldiff.data.store import Store
from moldiff.errors import InputError, ModelFileError, MoldiffError
from moldiff.model import Model
from moldiff.train import TrainConfig, Trainer
from moldiff.train.config import Evaluation, OptimizerConfig
from tests.molecules import embedded


def run(config: Callable[..., TrainConfig], store: Store, **options: object) -> Trainer:
    trainer = Trainer(config, store, **options)  # type: ignore[arg-type]
    for _ in trainer.fit():
        pass
    return trainer


def test_other_settings_or_data_are_not_a_resumption(
    config: Callable[..., TrainConfig], store: Store
) -> None:
    run(config(steps=2), store)
    for change in ({"batch": 7}, {"seed": 11}):
        with pytest.raises(ModelFileError, match=next(iter(change))):
            Trainer(config(**change), store)
    with pytest.raises(ModelFileError, match="batch"):
        Trainer(config(balance="cost"), store)
    # What does not change the numbers may change.
    Trainer(config(sampling={"steps": 7}, checkpoint_minutes=9.0), store)


def test_a_finished_run_is_extended_from_before_its_decay(
    config: Callable[..., TrainConfig], store: Store, tmp_path: Path
) -> None:
    optimizer = OptimizerConfig(warmup=0, decay=2)
    run(config(steps=6, optimizer=optimizer), store)
    longer = config(steps=9, optimizer=optimizer)
    extended = Trainer(longer, store)
    assert extended.step == 4  # where the decay of the shorter run began
    for _ in extended.fit():
        pass
    straight = run(dataclasses.replace(longer, output=str(tmp_path / "straight")), store)
    for a, b in zip(extended.network.parameters(), straight.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_run_longer_than_what_is_asked_for_stays_as_it_is(
    config: Callable[..., TrainConfig], store: Store, tmp_path: Path
) -> None:
    run(config(steps=6), store)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert run(config(steps=4), store).step == 6
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}


def test_a_run_whose_first_step_fails_leaves_nothing(
    config: Callable[..., TrainConfig],
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even where its first step is all of its decay."""
    trainer = Trainer(config(steps=1), store)
    monkeypatch.setattr(trainer.optimizers, "step", lambda rate: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(trainer.fit())
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_a_run_of_a_step_is_extended_from_its_beginning(
    config: Callable[..., TrainConfig], store: Store, tmp_path: Path
) -> None:
    run(config(steps=1), store)
    extended = run(config(steps=4), store)
    straight = run(config(steps=4, output=str(tmp_path / "straight")), store)
    for a, b in zip(extended.network.parameters(), straight.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_an_interrupted_judgement_is_made_up_for(
    config: Callable[..., TrainConfig], store: Store
) -> None:
    settings = config(steps=4, evaluation=Evaluation(every=2, samples=1))
    judged: list[int] = []

    def killed(model: Model, rng: torch.Generator) -> dict[str, float]:
        raise KeyboardInterrupt

    def judge(model: Model, rng: torch.Generator) -> dict[str, float]:
        judged.append(1)
        return {"strict_validity": 0.5}

    with pytest.raises(KeyboardInterrupt):
        run(settings, store, judge=killed)
    trainer = run(settings, store, judge=judge)
    assert len(judged) == 2
    assert (trainer.output / "best.safetensors").exists()
    run(settings, store, judge=judge)
    assert len(judged) == 2  # not judged twice


def test_a_second_run_in_the_same_directory_is_refused(
    config: Callable[..., TrainConfig], store: Store
) -> None:
    first = Trainer(config(steps=3), store).fit()
    next(first)
    with pytest.raises(InputError, match="Another run"):
        next(Trainer(config(steps=3), store).fit())
    first.close()
    run(config(steps=3), store)


def test_a_run_that_diverges_stops_and_keeps_its_checkpoint(
    config: Callable[..., TrainConfig], store: Store
) -> None:
    trainer = run(config(steps=2), store)
    before = trainer.checkpoint.read_bytes()
    trainer = Trainer(config(steps=100), store)
    with torch.no_grad():
        next(iter(trainer.network.parameters())).fill_(float("nan"))
    with pytest.raises(MoldiffError, match="not finite"):
        for _ in trainer.fit():
            pass
    assert trainer.checkpoint.read_bytes() == before


def test_data_without_a_choice_trains(tmp_path: Path) -> None:
    """Neutral hydrocarbons of hydrogen alone: one element, one charge."""
    from rdkit import Chem

    from moldiff.data.molecules import prepare

    mol = embedded("[H][H]", seed=1)
    with Chem.SDWriter(str(tmp_path / "h2.sdf")) as writer:
        for _ in range(3):
            writer.write(mol)
    store = prepare([tmp_path / "h2.sdf"], tmp_path / "store")
    assert store.vocabulary.classes["types"] == 1
    config = TrainConfig(
        data=str(tmp_path / "store"),
        output=str(tmp_path / "run"),
        steps=2,
        network={"name": "transformer", "width": 16, "layers": 1, "heads": 2},
    )
    assert run(config, store).step == 2
