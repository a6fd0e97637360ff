"""The pose model: training, resuming, sampling, its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from moldiff.data.complexes import ComplexStore
from moldiff.diffusion.objective import Times
from moldiff.docking.proposals import sample_poses
from moldiff.domain import kinematics
from moldiff.domain.poses import to_batch, to_pose
from moldiff.errors import ConfigError, ModelFileError
from moldiff.model import Model
from moldiff.storage import read_tensors
from moldiff.train import TrainConfig, Trainer
from moldiff.train.checkpoint import FORMAT as CHECKPOINT_FORMAT
from moldiff.train.workloads.displacement import Displacement, example, nearest
from moldiff.train.workloads.poses import Poses, trials
from tests.one_device import META, on_meta, watched

Config = Callable[..., TrainConfig]


def fit(config: TrainConfig, store: ComplexStore, stop: int | None = None) -> Path:
    run = Trainer(config, store).fit()
    for progress in run:
        assert all(map(torch.isfinite, map(torch.tensor, progress.losses.values())))
        if progress.step == stop:
            run.close()
    return Path(config.output)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    config: Config, complexes: ComplexStore, tmp_path: Path
) -> None:
    whole = fit(config(), complexes)
    stopped = config(output=str(tmp_path / "stopped"))
    fit(stopped, complexes, stop=2)
    fit(stopped, complexes)
    files = [
        read_tensors(run / "checkpoint.safetensors", CHECKPOINT_FORMAT)[1]
        for run in (whole, tmp_path / "stopped")
    ]
    assert files[0].keys() == files[1].keys()
    assert all(torch.equal(value, files[1][name]) for name, value in files[0].items())


@pytest.mark.slow
def test_one_complex_is_learnt_by_heart(config: Config, complexes: ComplexStore) -> None:
    """After some seconds of training on one complex, most draws lie on its ligand."""
    work = Poses(
        config(
            batch=1,
            objective={"name": "displacement", "poses": 24, "jitter": 0.5},
            sampling={"steps": 8},
        ),
        complexes,
    )
    optimizer = torch.optim.AdamW(work.model.network.parameters(), 4e-3)
    rng = torch.Generator().manual_seed(0)
    learnt = complexes[1]
    errors = []
    for step in range(160):
        x_0 = work.objective.draw(learnt, device="cpu", rng=rng)
        loss, parts = work.objective(work.model.denoiser, x_0, rng=rng)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(work.model.network.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1, (160 - step) / 80)
        optimizer.step()
        optimizer.zero_grad()
        errors.append(float(parts["error"]))
    assert sum(errors[-20:]) < 0.5 * sum(errors[:20])
    made = example(learnt, jitter=0.5, margin=(7.0, 7.0), rng=rng)
    poses = sample_poses(work.model, made.context(), 16, rng=rng)
    x = made.kinematics.place(poses)
    near = nearest(x, made.crystal.expand_as(x), made.symmetry)
    rmsd = (x - near).square().sum(-1).mean(1).sqrt()
    assert rmsd.median() < 2.0


@dataclass(frozen=True)
class At(Times):
    """One time for all."""

    time: float

    def quantile(self, u: torch.Tensor) -> torch.Tensor:
        return torch.full_like(u, self.time)


@pytest.mark.parametrize("time", [0.2, 0.8])
def test_the_loss_at_a_time_is_divided_by_it(
    time: float, config: Config, complexes: ComplexStore
) -> None:
    """At time t by early + t: the same errors, weighed differently."""
    work = Poses(config(), complexes)
    weighed = []
    for early in (0.1, 1.0):
        loss = Displacement(times=At(time), poses=3, early=early)
        rng = torch.Generator().manual_seed(1)
        x_0 = loss.draw(complexes[0], device="cpu", rng=rng)
        weighed.append(loss(work.model.denoiser, x_0, rng=rng)[1])
    for part in ("displacement", "centre"):
        ratio = float(weighed[0][part] / weighed[1][part])
        assert ratio == pytest.approx((1.0 + time) / (0.1 + time), rel=1e-4)
    assert weighed[0]["error"] == weighed[1]["error"]


def test_trials(config: Config, complexes: ComplexStore) -> None:
    work = Poses(config(), complexes)
    rng = torch.Generator().manual_seed(0)
    figures = trials(work.model, complexes, complexes=2, steps=2, rng=rng)
    assert figures["samples"] == 16
    assert 0 <= figures["success"] <= figures["near"] <= 1 and figures["rmsd"] > 0


def test_the_bound_pose_is_a_fixed_point(config: Config, complexes: ComplexStore) -> None:
    """Denoising fits the displaced atoms: with none displaced, the pose itself comes back."""
    work = Poses(config(), complexes)
    with torch.no_grad():
        work.model.network.gate.weight.zero_()
        work.model.network.gate.bias.zero_()
    rng = torch.Generator().manual_seed(0)
    made = example(complexes[0], jitter=1.0, margin=(5.0, 9.0), rng=rng)
    conformer = torch.arange(len(made.bound))
    x_0 = to_batch(made.bound, made.pocket.centre).given(**made.context())
    assert torch.equal(x_0.context["conformer"], conformer)
    found = work.model.denoiser(x_0, torch.full((len(conformer),), 0.5))
    before = made.kinematics.place(to_pose(x_0))
    after = made.kinematics.place(to_pose(found))
    assert torch.allclose(before, after, atol=1e-3)


def test_symmetric_images_are_no_error() -> None:
    target = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    symmetry = torch.tensor([[0, 1, 2, 3], [0, 1, 3, 2]])
    flipped = target[:, symmetry[1]]
    assert torch.equal(nearest(flipped, target, symmetry), flipped)
    assert torch.equal(nearest(target, target, symmetry), target)


def test_the_file_of_a_model(config: Config, complexes: ComplexStore, tmp_path: Path) -> None:
    model = Poses(config(precision="float32"), complexes).model  # that of a loaded model
    model.save(tmp_path / "model.safetensors", card={"name": "x"})
    loaded = Model.load(tmp_path / "model.safetensors")
    assert loaded.config() == model.config() and loaded.card["name"] == "x" and loaded.digest
    made = example(
        complexes[0], jitter=1.0, margin=(5.0, 9.0), rng=torch.Generator().manual_seed(0)
    )
    draws = [
        sample_poses(m, made.context(), 3, rng=torch.Generator().manual_seed(1))
        for m in (model, loaded)
    ]
    assert torch.allclose(draws[0].centre, draws[1].centre, atol=1e-4)
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelFileError, match="checksum"):
        Model.load(tmp_path / "model.safetensors")


def test_noise_is_that_of_the_guided_process(config: Config, complexes: ComplexStore) -> None:
    model = Poses(config(precision="float32"), complexes).model
    rng = torch.Generator().manual_seed(0)
    made = example(complexes[0], jitter=1.0, margin=(5.0, 9.0), rng=rng)
    (field,) = model.denoiser.process.gaussian()
    less = [{"name": "noise_scale", "field": field, "scale": 0.5}]
    narrow = replace(model, sampling={**model.sampling, "guidance": less})
    draws = [
        sample_poses(m, made.context(), 3, rng=torch.Generator().manual_seed(1))
        for m in (model, narrow)
    ]
    assert (draws[0].centre - draws[1].centre).abs().max() > 0.01


def test_wrong_settings(config: Config, complexes: ComplexStore) -> None:
    with pytest.raises(ConfigError, match="task"):
        Trainer(config(task="pose"), complexes)
    with pytest.raises(ConfigError, match="contacs"):
        Trainer(config(network={"name": "contacs"}), complexes)
    with pytest.raises(ConfigError, match="rotation"):
        Trainer(config(process={"rotation": config().process["rotation"]}), complexes)


def test_the_objective_is_a_value() -> None:
    assert Displacement() == Displacement() and Displacement(poses=4) != Displacement()


def test_loss_and_denoiser_stay_on_the_device_of_the_network(
    config: Config, complexes: ComplexStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tree of rotors is read off values, which there are none of: all of them on the root.
    monkeypatch.setattr(kinematics, "parents_of", lambda axis, moves: [-1] * len(axis))
    work, rng = Poses(config(device=META), complexes), torch.Generator()
    work.model.network.to(META)
    assert any(len(complexes[k].axis) for k in range(len(complexes)))
    with watched():
        for loss, parts, _ in work.losses(work.loader[0], rng=rng):
            assert on_meta(loss, parts)
        x_0 = work.objective.draw(complexes[0], device=META, rng=rng)
        t = torch.full((x_0.graphs,), 0.5, device=META)
        assert on_meta(dict(work.model.denoiser(x_0, t)))
