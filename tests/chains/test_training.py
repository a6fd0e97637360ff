"""Training of whole backbones: windows, blueprints, the loss, and where weights come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moldiff.backbones.quality import radius
from moldiff.bundled import bundled_configs, bundled_models
from moldiff.diffusion.coupling import Independent, Rotated
from moldiff.domain.chains import chain_batch
from moldiff.errors import ConfigError, ModelFileError
from moldiff.model import Model
from moldiff.protein.secondary import HIDDEN, secondary
from moldiff.seeds import generator
from moldiff.train import TrainConfig, Trainer
from moldiff.train.parts import Parts
from moldiff.train.workload import task
from moldiff.train.workloads.chains import WindowBatches
from moldiff.train.workloads.frame_aligned import FrameAligned
from tests.backbones import backbone, of_torsions, write_backbones
from tests.contracts.conftest import DOMAINS


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return TrainConfig.from_dict(
        {
            "task": "chains",
            "data": str(write_backbones(tmp_path / "data").path),
            "output": str(tmp_path / "run"),
            "steps": 40,
            "batch": 4,
            "precision": "float32",
            "network": DOMAINS["chains"]["network"],
            "process": DOMAINS["chains"]["process"],
            "objective": {
                "name": "frame_aligned", "levels": 1, "self_condition": 0.5,
                "coupling": "rotated",
            },
            "optimizer": {"lr": 1e-2, "warmup": 3},
            "evaluation": {"every": 0},
        }
    )  # fmt: skip


def opened(config: TrainConfig) -> Trainer:
    return Trainer(config, task(config).open(config, lambda text: None))


@pytest.fixture
def batches(tmp_path: Path) -> WindowBatches:
    store = write_backbones(tmp_path / "windows", 8)
    return WindowBatches(store, store.indices("train"), batch=6, seed=1)


def test_windows_of_a_step_have_one_length_and_are_the_same_again(batches: WindowBatches) -> None:
    lengths = set()
    for step in range(12):
        chains, told, _ = batches[step]
        again = batches[step]
        assert all((a.atoms == b.atoms).all() for a, b in zip(chains, again.chains, strict=True))
        assert (told == again.blueprint).all()
        (length,) = {len(chain) for chain in chains}
        assert told.shape == (6, length) and 40 <= length <= batches.longest
        lengths.add(length)
    assert len(lengths) > 4


def test_a_blueprint_is_the_truth_or_hidden(batches: WindowBatches) -> None:
    kinds = set()
    for step in range(30):
        for chain, told in zip(*batches[step][:2], strict=True):
            known = told != HIDDEN
            assert (told == secondary(chain.atoms))[known].all()
            kinds.add("all" if known.all() else "part" if known.any() else "none")
            states = secondary(chain.atoms)
            ends = states[1:] != states[:-1]
            assert (ends | (known[1:] == known[:-1])).all()  # whole segments
    assert kinds == {"all", "part", "none"}


def test_in_a_share_of_the_steps_every_window_has_a_motif(batches: WindowBatches) -> None:
    parts = Parts(share=0.5, two=0.5, smallest=0.1, largest=0.5)
    some = WindowBatches(batches.store, batches.indices, batch=6, seed=1, parts=parts)
    given = [some[step].motif for step in range(40)]
    assert 10 < sum(one is None for one in given) < 30
    assert all(batches[step].motif is None for step in range(10))
    for step, one in enumerate(given):
        plain = batches[step]
        assert (some[step].blueprint == plain.blueprint).all()  # all else is as without
        if one is not None:
            assert one.shape == plain.blueprint.shape and one.any(1).all()
            assert not (one == one[0]).all()


def test_windows_are_the_more_compact_ones(batches: WindowBatches) -> None:
    rng = np.random.default_rng(0)
    chosen = np.mean([radius(c.atoms[:, 1]) for c in batches.windows(40, 40, rng)])
    store = batches.store
    other = [store[int(k)].atoms[:40, 1] for k in batches.indices]
    assert chosen < np.mean([radius(x) for x in other]) - 0.05


def test_noise_is_turned_towards_ordered_points_and_not_permuted() -> None:
    rng = torch.Generator().manual_seed(0)
    x, noise = torch.randn(3, 20, 3, generator=rng), torch.randn(3, 20, 3, generator=rng)
    turned = Rotated()(x, noise)
    assert torch.allclose(torch.cdist(turned, turned), torch.cdist(noise, noise), atol=1e-4)
    assert ((turned - x).square().sum((1, 2)) < (noise - x).square().sum((1, 2))).all()


def test_the_loss_is_that_of_a_perfect_prediction_or_not() -> None:
    atoms = backbone(44).atoms
    true = chain_batch([atoms] * 2, np.full((2, 44), HIDDEN))
    seen = true.replace(positions=true["trace"])
    objective, t = FrameAligned(levels=1), torch.tensor([0.1, 0.9])
    loss, parts = objective.compare(seen, seen, None, t)
    assert float(parts["error"]) < 1e-6 and float(parts["seen"]) < 1e-4
    assert float(loss) == pytest.approx(float(parts["clashes"]))  # that of the chain itself
    mirrored = chain_batch([atoms * np.array([1, 1, -1], np.float32)] * 2, np.full((2, 44), HIDDEN))
    mirrored = mirrored.replace(positions=mirrored["trace"])
    _, wrong = objective.compare(mirrored, seen, None, t)
    assert float(wrong["seen"]) > 5 and float(wrong["rotation"]) > 0.5
    shifted = seen.replace(positions=seen["positions"] + 2.0)
    _, moved = objective.compare(shifted, seen, None, t)
    assert float(moved["error"]) == pytest.approx(2 * 3**0.5, abs=0.01)
    assert float(moved["seen"]) < 0.01 and float(moved["distances"]) < 0.01


def test_contacts_are_those_of_residues_that_meet() -> None:
    """A strand that is shifted beside another counts, one that is far from all does not."""
    beta = of_torsions([(-120.0, 130.0)] * 10)
    beside, far = np.array([0, 0, 5], np.float32), np.array([0, 0, 60], np.float32)
    strands = np.concatenate([beta, beta + beside, beta + far])
    objective, late = FrameAligned(contacts=1.0), torch.tensor([0.1])

    def contacts(moved: slice, t: torch.Tensor = late) -> float:
        other = strands.copy()
        other[moved] += np.array([0, 0, 0.5], np.float32)
        batches = [chain_batch([x], np.full((1, 30), HIDDEN)) for x in (other, strands)]
        hat, true = (x.replace(positions=x["trace"]) for x in batches)
        loss, parts = objective.compare(hat, true, None, t)
        without, _ = FrameAligned().compare(hat, true, None, t)
        assert float(loss - without) == pytest.approx(float(parts["contacts"]), abs=1e-3)
        return float(parts["contacts"])

    assert contacts(slice(0, 0)) < 1e-3
    near = contacts(slice(10, 20))
    assert 0.1 < near < 0.5 and contacts(slice(20, 30)) < 1e-3
    assert contacts(slice(10, 20), torch.tensor([0.9])) < near / 20


def test_noise_is_turned_in_training_and_never_exchanged(config: TrainConfig) -> None:
    model = opened(config).work.model
    atoms = backbone(40, seed=2).atoms
    x_0 = chain_batch([atoms] * 3, np.full((3, 40), HIDDEN))
    seen = []

    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]["positions"]))
    for coupling in (Independent(), Rotated()):
        rng = torch.Generator().manual_seed(0)
        FrameAligned(coupling=coupling)(model.denoiser, x_0, rng=rng)
    off = [(x - x_0["trace"]).square().sum((1, 2)) for x in seen]
    assert (off[1] < off[0]).all()
    exchanged = {"name": "frame_aligned", "coupling": "minibatch"}
    with pytest.raises(ConfigError, match="not exchanged"):
        opened(replace(config, output=f"{config.output}-2", objective=exchanged))


def test_a_model_learns_the_chains_it_is_shown(config: TrainConfig) -> None:
    losses = [step.losses["error"] for step in opened(config).fit()]
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) - 0.3


def test_a_run_with_motifs_says_so_in_its_card_and_is_not_resumed_without(
    config: TrainConfig,
) -> None:
    parts = {"share": 1.0, "two": 0.5, "smallest": 0.1, "largest": 0.5}
    given = replace(config, parts=Parts(**parts), steps=2)
    list(opened(given).fit())
    path = Path(config.output) / "model.safetensors"
    assert Model.load(path).card["training"]["parts"] == parts
    with pytest.raises(ModelFileError, match="parts"):
        opened(replace(given, parts=Parts(), steps=4)).restore()


def test_it_begins_with_the_bundled_backbones(config: TrainConfig, tmp_path: Path) -> None:
    whole = TrainConfig.from_yaml(bundled_configs()["chains"], data=config.data)
    trainer = opened(replace(whole, output=str(tmp_path / "begun"), precision="float32"))
    first = Model.load(bundled_models()["backbones"]).network.state_dict()
    own = trainer.network.state_dict()
    assert all(torch.equal(first[k], own[k]) for k in first)
    assert own.keys() - first.keys() == {"blueprint.weight", "before.weight"}
    other = {**DOMAINS["poses"], "domain": "poses", "sampling": {}, "precondition": "clean"}
    Model.from_config(other).save(tmp_path / "poses.safetensors")
    with pytest.raises(ModelFileError, match="not a model of chains"):
        opened(
            replace(whole, output=str(tmp_path / "no"), init=str(tmp_path / "poses.safetensors"))
        )


def test_what_is_told_and_what_was_predicted_before_are_seen() -> None:
    """And the prediction turns with its input, but not with a mirror image of it."""
    settings = {**DOMAINS["chains"], "domain": "chains", "precondition": "clean", "sampling": {}}
    model, rng = Model.from_config(settings, seed=0), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=rng))
    denoiser = model.denoiser
    x = chain_batch([backbone(24).atoms], np.full((1, 24), HIDDEN))
    noise, t = denoiser.process.noise_like(x, rng=rng), torch.tensor([0.5])
    x_t = denoiser.process.forward(x, torch.zeros(1), t, rng=rng, noise=noise)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=rng))[0]
    turn = turn * torch.linalg.det(turn)

    def turned(batch, by):  # type: ignore[no-untyped-def]
        return batch.replace(trace=batch["trace"] @ by.T, frames=by @ batch["frames"])

    with torch.no_grad():
        first = denoiser(x_t, t)
        second = denoiser(x_t, t, first)
        told = denoiser(x_t.given(blueprint=torch.zeros(1, 24, dtype=torch.int64)), t)
        again = denoiser(turned(x_t, turn), t, turned(first, turn))
    assert float(first["trace"].mean(1).abs().max()) < 1e-4
    for other in (second, told):
        assert float((other["trace"] - first["trace"]).abs().max()) > 0.05
    expected = turned(second, turn)
    torch.testing.assert_close(again["trace"], expected["trace"], atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(again["frames"], expected["frames"], atol=2e-3, rtol=1e-3)


def test_judging_tells_of_what_was_drawn(config: TrainConfig) -> None:
    trainer = opened(replace(config, evaluation=replace(config.evaluation, samples=3, steps=2)))
    done: list[float] = []
    figures = trainer.work.judge(trainer.work.model, generator(0), done.append)
    assert figures["samples"] == sum(done) == 3
    assert {"score", "obeyed", "helix", "contacts", "size", "left"} <= figures.keys()
