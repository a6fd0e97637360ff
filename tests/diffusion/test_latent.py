"""Latent models: the codec's symmetries and truth, and everything a model is asked for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rdkit import Chem
from torch import Tensor

from moldiff import registry
from moldiff.chem import QM9, Encoded, Vocabulary, encode
from moldiff.citing import cite
from moldiff.data.molecules import prepare
from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.objective import Reconstruction
from moldiff.diffusion.process import Product
from moldiff.diffusion.space import ZeroCoM
from moldiff.errors import ConfigError, InputError, ModelFileError
from moldiff.generation.bound import bounds
from moldiff.generation.request import Request
from moldiff.generation.run import generate
from moldiff.methods import apply
from moldiff.model import Model
from moldiff.models import card_rows, load
from moldiff.nn import Autoencoder
from moldiff.train import TrainConfig, Trainer
from moldiff.train.workload import task
from moldiff.train.workloads.check import check
from moldiff.train.workloads.codecs import CLOSE, trials
from moldiff.train.workloads.latents import resolve_latent
from tests.batches import permuted

pytestmark = pytest.mark.usefixtures("fixed_weights")

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
PART = {
    "name": "transformer", "width": 32, "pair_width": 16, "message_width": 16, "layers": 2,
    "heads": 2, "channels": 2, "context_width": 8, "expansion": 2,
}  # fmt: skip
CODEC = {"name": "autoencoder", "width": 4, "encoder": PART, "decoder": PART}
CLASSES = QM9.classes
FIELDS = ("positions", "types", "charges", "bonds")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return prepare([SAMPLE], tmp_path_factory.mktemp("data") / "sample")


def molecules(n: int, count: int) -> Batch:
    """The first molecules with n atoms in the sample of QM9."""
    found: list[Encoded] = []
    for mol in Chem.SDMolSupplier(str(SAMPLE), removeHs=False):
        made = encode(mol, QM9) if mol is not None and mol.GetNumAtoms() == n else None
        if isinstance(made, Encoded):
            found.append(made)
    assert len(found) >= count
    fields = {
        f: torch.stack([torch.as_tensor(getattr(m, f)) for m in found[:count]]) for f in FIELDS
    }
    batch = Batch({f: v if f == "positions" else v.long() for f, v in fields.items()})
    return batch.replace(positions=ZeroCoM().project(batch["positions"]))


def scrambled() -> Autoencoder:
    """A codec in which no parameter is at a special value such as zero."""
    codec: Autoencoder = registry.build("codec", {**CODEC, "classes": CLASSES, "scale": 1.5})
    with torch.no_grad():
        for parameter in codec.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return codec.requires_grad_(False)


def close(a: Batch, b: Batch) -> None:
    assert set(a) == set(b)
    for field in a:
        torch.testing.assert_close(a[field], b[field], atol=1e-4, rtol=1e-4, msg=field)


def turned(batch: Batch, matrix: Tensor) -> Batch:
    return batch.replace(positions=batch["positions"] @ matrix.T)


@pytest.mark.parametrize("side", [1.0, -1.0], ids=["rotation", "reflection"])
def test_latents_move_along(side: float) -> None:
    codec, x = scrambled(), molecules(14, 3)
    q, _ = torch.linalg.qr(torch.randn(3, 3))
    matrix = q * torch.sign(torch.linalg.det(q)) * side
    z = codec.latents(x)
    assert (z["positions"] - x["positions"]).abs().max() > 0.01  # the points do say something
    close(codec.latents(turned(x, matrix)), turned(z, matrix))
    close(codec.decode(turned(z, matrix)), turned(codec.decode(z), matrix))


def test_translations_vanish() -> None:
    codec, x = scrambled(), molecules(14, 3)
    z = codec.latents(x)
    assert z["positions"].mean(1).abs().max() < 1e-5
    close(codec.latents(x.replace(positions=x["positions"] + torch.tensor([1.0, -2.0, 3.0]))), z)


def test_latents_are_permuted_along() -> None:
    codec, x = scrambled(), molecules(14, 3)
    order, z = torch.randperm(14), codec.latents(x)
    close(codec.latents(permuted(x, order)), permuted(z, order))
    close(codec.decode(permuted(z, order)), permuted(codec.decode(z), order))


def test_a_draw_has_the_noise_it_says(rng: torch.Generator) -> None:
    codec, x = scrambled(), molecules(14, 2)
    z = codec.latents(x)
    draws = [codec.perturb(z, rng=rng) for _ in range(300)]
    points = torch.stack([d["positions"] - z["positions"] for d in draws])
    assert points.mean(2).abs().max() < 1e-6  # no centre of mass, which takes 1/n of the variance
    assert float(points.std()) == pytest.approx(codec.point_noise * (13 / 14) ** 0.5, rel=0.05)
    features = torch.stack([d["features"] - z["features"] for d in draws])
    assert float(features.std()) == pytest.approx(codec.feature_noise, rel=0.05)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@torch.no_grad()
def errors(codec: Autoencoder, z: Batch, x: Batch) -> tuple[bool, float]:
    """Whether all graphs are right, and the largest RMSD of coordinates in Å."""
    made = codec.reconstruct(z)
    apart = (made["positions"] - x["positions"]).square().sum(-1).mean(1).sqrt()
    return all(torch.equal(made[f], x[f]) for f in FIELDS[1:]), float(apart.max())


def test_a_handful_of_molecules_is_reconstructed_exactly(rng: torch.Generator) -> None:
    """The truth test in small: graphs exact, coordinates within 0.05 Å."""
    settings = {**CODEC, "classes": CLASSES, "scale": 1.5, "feature_noise": 0.1}
    codec: Autoencoder = registry.build("codec", settings)
    x_0, objective = molecules(8, 2), Reconstruction()
    assert not torch.equal(*x_0["bonds"]) and len(x_0["bonds"].unique()) > 2
    optimizer = torch.optim.Adam(codec.parameters(), 5e-3)
    before = errors(codec, codec.latents(x_0), x_0)

    def learned() -> bool:
        z = codec.latents(x_0)
        found = [errors(codec, latents, x_0) for latents in (z, codec.perturb(z, rng=rng))]
        return all(exact and rmsd < CLOSE for exact, rmsd in found)

    for step in range(400):
        optimizer.zero_grad()
        loss, parts = objective(codec, x_0, rng=rng)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        if step % 20 == 19 and learned():
            break
    else:
        pytest.fail("it did not learn two molecules in 400 steps")
    assert set(parts) == {*FIELDS, "kl"} and not before[0]
    z = codec.requires_grad_(False).latents(x_0)
    blank = z.replace(features=torch.zeros_like(z["features"]))
    assert not errors(codec, blank, x_0)[0]  # it is the features that say it


@pytest.fixture(scope="module")
def codec_config(store: Store, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return TrainConfig.from_dict(
        {
            "task": "codec", "data": str(store.path), "steps": 4, "batch": 8, "network": CODEC,
            "output": str(tmp_path_factory.mktemp("codec")), "precision": "bfloat16",
            "objective": "reconstruction", "evaluation": {"every": 2, "samples": 9},
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def codec_file(codec_config: TrainConfig, store: Store) -> Path:
    """A codec trained by the package's own loop, which judges it on the way."""
    trainer = Trainer(codec_config, store)
    trainer.judge = lambda model, rng: trainer.work.judge(model, rng, lambda amount: None)
    for _ in trainer.fit():
        pass
    rows = (trainer.output / "evaluation.csv").read_text().splitlines()
    assert rows[0].split(",") == [
        "step", "samples", "graphs", "rmsd", "noisy_graphs", "noisy_rmsd", "close",
    ]  # fmt: skip
    assert len(rows) == 3 and (trainer.output / "best.safetensors").exists()
    return trainer.output / "model.safetensors"


def test_a_codec_file_round_trips(codec_file: Path, store: Store, tmp_path: Path) -> None:
    codec = Model.load(codec_file)
    assert codec.network.scale > 0.5 and codec.network.classes == CLASSES  # by the data
    codec.save(tmp_path / "again.safetensors")
    again, x = Model.load(tmp_path / "again.safetensors"), molecules(14, 3)
    assert again.digest == codec.digest and again.config() == codec.config()
    assert torch.equal(again.network.latents(x)["features"], codec.network.latents(x)["features"])
    rng = torch.Generator().manual_seed(0)
    assert trials(codec, store, molecules=1, rng=rng)["samples"] == 1
    with pytest.raises(ModelFileError, match="--method latent"):
        load(codec_file)  # a codec alone generates nothing


def test_a_codec_starts_from_a_codec(
    codec_config: TrainConfig, codec_file: Path, store: Store, tmp_path: Path
) -> None:
    settings = dataclasses.replace(codec_config, output=str(tmp_path), init=str(codec_file))
    begun = Trainer(settings, store).network.state_dict()
    first = Model.load(codec_file).network.state_dict()
    assert all(torch.equal(value, first[name]) for name, value in begun.items())
    with pytest.raises(ModelFileError, match="model of molecules, not a codec"):
        Trainer(dataclasses.replace(settings, init="qm9"), store)


def latent(codec: Path, store: Store, output: Path, method: str | None = None) -> TrainConfig:
    """A run of four steps in the latents, with ``method`` laid over it."""
    base = TrainConfig(
        data=str(store.path), output=str(output), codec=str(codec), steps=4, batch=8, network=PART
    )
    values, _ = apply("latent", base.to_dict())
    if method is not None:
        values, _ = apply(method, values)
    return TrainConfig.from_dict(values)


@pytest.fixture(scope="module")
def model_file(codec_file: Path, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    trainer = Trainer(latent(codec_file, store, tmp_path_factory.mktemp("latent")), store)
    before = {k: v.clone() for k, v in trainer.model.codec.state_dict().items()}
    for _ in trainer.fit():
        pass
    assert all(torch.equal(v, before[k]) for k, v in trainer.model.codec.state_dict().items())
    return trainer.output / "model.safetensors"


def test_one_file_carries_codec_and_model(
    model_file: Path, codec_file: Path, tmp_path: Path
) -> None:
    model, codec = Model.load(model_file), Model.load(codec_file)
    assert model.codec is not None and model.digest
    x = molecules(14, 3)
    assert torch.equal(model.codec.latents(x)["features"], codec.network.latents(x)["features"])
    model.save(tmp_path / "again.safetensors")
    again = Model.load(tmp_path / "again.safetensors")
    assert again.config() == model.config() and again.digest == model.digest
    z, t = model.process.prior(2, 7, rng=torch.Generator().manual_seed(0)), torch.tensor([0.3, 0.9])
    assert z["features"].shape == (2, 7, 4)
    ours, theirs = model.denoiser(z, t), again.denoiser(z, t)
    assert all(torch.equal(ours[f], theirs[f]) for f in ("positions", "features"))


def test_a_latent_model_generates(model_file: Path, tmp_path: Path) -> None:
    from moldiff.io import Writer, read_molecules

    model = load(model_file)
    made = list(generate(model, Request(3, size=9), sampling={"steps": 3}, record=1))
    again = list(generate(model, Request(3, size=9), sampling={"steps": 3}))
    assert [m.tags for m in made] == [m.tags for m in again]
    assert len(made[0].frames) == 4 and len(made[0].frames[0].molecule.types) == 9
    with Writer(tmp_path / "made.sdf") as writer:
        for k, item in enumerate(made):
            writer.write(item.mol, item.tags, f"made-{k}")
    records = list(read_molecules(tmp_path / "made.sdf"))
    assert [r.mol.GetNumAtoms() for r in records] == [9, 9, 9]


def test_a_latent_model_is_described_and_cited(model_file: Path) -> None:
    rows = card_rows(load(model_file))
    assert rows["codec"]["name"] == "autoencoder" and rows["codec"]["width"] == 4
    assert {"xu2023", "kingma2014", "karras2022", "vaswani2017"} <= set(cite([str(model_file)]))
    assert {"xu2023", "rombach2022"} <= set(cite(["latent"]))


def test_what_makes_no_sense_is_refused(model_file: Path) -> None:
    model = load(model_file)
    with pytest.raises(ConfigError, match="no bound on log p"):
        bounds([], model)
    with pytest.raises(InputError, match="formula"):
        next(generate(model, Request(1, formula="CH4")))
    with pytest.raises(ConfigError, match="latents have none"):
        next(generate(model, Request(1), sampling={"temperature": 0.5}))


@pytest.mark.parametrize(
    ("method", "stepper"),
    [("ddpm", "langevin"), ("edm", "heun"), ("rectified-flow", "multistep"),
     ("score-matching", "annealed"), ("consistency-training", "consistency")],
)  # fmt: skip
def test_any_method_goes_in_the_latents(
    method: str, stepper: str, codec_file: Path, store: Store, tmp_path: Path
) -> None:
    config = latent(codec_file, store, tmp_path, method)
    assert set(config.process) == {"positions", "features"}
    schedules = {part["schedule"] if isinstance(part["schedule"], str) else part["schedule"]["name"]
                 for part in config.process.values()}  # fmt: skip
    assert len(schedules) == 1  # points and features follow the same one
    check(config)
    trainer = Trainer(dataclasses.replace(config, steps=1), store)
    (progress,) = trainer.fit()
    assert set(progress.losses) == {"positions", "features"}
    sampling = {"steps": 3, "stepper": stepper}
    trainer.network.eval()
    assert len(list(generate(trainer.model, Request(2, size=5), sampling=sampling))) == 2


def test_a_run_on_another_codec_is_not_a_resumption(
    codec_file: Path, store: Store, tmp_path: Path
) -> None:
    for _ in Trainer(latent(codec_file, store, tmp_path), store).fit():
        pass
    codec = Model.load(codec_file)
    with torch.no_grad():
        next(codec.network.parameters()).add_(1e-3)
    codec.save(tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match="codec weights"):
        Trainer(latent(tmp_path / "other.safetensors", store, tmp_path), store)


def test_a_codec_of_other_elements_is_refused(
    codec_file: Path, store: Store, tmp_path: Path
) -> None:
    codec = Model.load(codec_file)
    other = Vocabulary(("H", "C", "N", "O", "S"), QM9.charges)
    domain = dataclasses.replace(codec.domain, vocabulary=other)
    codec.replace(domain=domain).save(tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="vocabulary"):
        Trainer(latent(tmp_path / "other.safetensors", store, tmp_path), store)


def test_width_and_scales_come_from_the_codec(codec_file: Path, store: Store) -> None:
    config, codec = latent(codec_file, store, Path("none")), Model.load(codec_file)
    process = resolve_latent(config, codec.network, store)
    assert process["features"]["space"]["width"] == 4
    batch = molecules(14, 6)
    z = codec.network.perturb(codec.network.latents(batch), rng=torch.Generator().manual_seed(0))
    for name in ("positions", "features"):
        spread = float(z[name].square().mean().sqrt())
        assert 0.5 * spread < process[name]["scale"] < 2 * spread
    assert config.process["features"]["scale"] == "data"  # the input is kept


def test_scales_by_size_come_from_the_codec(codec_file: Path, store: Store) -> None:
    config, codec = latent(codec_file, store, Path("none")), Model.load(codec_file)
    by_size = {f: {**part, "scale": "size"} for f, part in config.process.items()}
    process = resolve_latent(dataclasses.replace(config, process=by_size), codec.network, store)
    plain = resolve_latent(config, codec.network, store)
    gaussian = Product.from_config(process).gaussian()
    for name in ("positions", "features"):
        scale = gaussian[name].sized((1, 17, 3)).unit  # most molecules have about 17 atoms
        assert scale == pytest.approx(plain[name]["scale"], rel=0.1)
    assert process["positions"]["scale"]["exponent"] > 0.1


LATENTS = ("positions", "features")
GAUSSIAN = {"name": "gaussian", "schedule": "cosine"}
POINTS, VECTORS = {**GAUSSIAN, "space": "zero_com"}, {**GAUSSIAN, "space": "vectors"}
ANY = TrainConfig(data="none", output="none", network=PART, sampling={"steps": 4})
# what is wrong, words of the error, a word of the remedy
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no codec": ({"process": {"positions": POINTS, "features": VECTORS}}, "none is named", "codec"),
    "no latents": ({"codec": "c.safetensors"}, "types", "--method latent"),
    "one field": ({"codec": "c", "process": {"positions": POINTS}}, "has positions", "process"),
    "features in the wrong space": (
        {"codec": "c", "process": dict.fromkeys(LATENTS, POINTS)},
        "'features' needs", "vectors",
    ),
    "points in the wrong space": (
        {"codec": "c", "process": dict.fromkeys(LATENTS, VECTORS)},
        "'positions' needs", "zero_com",
    ),
    "temperature": (
        {"codec": "c", "process": {"positions": POINTS, "features": VECTORS},
         "sampling": {"steps": 4, "temperature": 0.7}}, "latents have none", "Leave it out",
    ),
    "a codec in a codec": (
        {"task": "codec", "codec": "c", "network": CODEC, "objective": "reconstruction"},
        "latents of another", "task",
    ),
    "no autoencoder": (
        {"task": "codec", "network": PART, "objective": "reconstruction"}, "codec", "autoencoder"
    ),
    "another objective": ({"task": "codec", "network": CODEC}, "denoising", "reconstruction"),
    "without equivariance": (
        {"task": "codec", "network": {**CODEC, "decoder": "plain"}, "objective": "reconstruction"},
        "equivariant", "Settings",
    ),
    "nothing between": (
        {"task": "codec", "network": {**CODEC, "width": 0}, "objective": "reconstruction"},
        "'width'", "Settings",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_go_together_is_refused_when_it_is_read(case: str) -> None:
    settings, words, remedy = BAD[case]
    with pytest.raises(ConfigError, match=words) as caught:
        config = dataclasses.replace(ANY, **settings)
        task(config).check(config)
    assert remedy in caught.value.fix


def test_a_width_other_than_the_codecs_is_refused(model_file: Path) -> None:
    config = json.loads(json.dumps(Model.load(model_file).config()))
    config["process"]["features"]["space"]["width"] = 5
    with pytest.raises(ConfigError, match="5 features, the codec 4"):
        Model.from_config(config)


def test_the_command_line(
    codec_file: Path, store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from moldiff.cli import main

    config, out = tmp_path / "my.yaml", tmp_path / "out.sdf"
    config.write_text(
        f"data: {store.path}\noutput: {tmp_path / 'run'}\nsteps: 2\nbatch: 8\n"
        f"network: {json.dumps(PART)}\nevaluation: {{every: 0}}\n"
    )
    run: Callable[..., int] = lambda *words: main([str(word) for word in words])  # noqa: E731
    assert run("train", config, "--method", "latent", "--codec", codec_file) == 0
    model = tmp_path / "run" / "model.safetensors"
    assert run("generate", "-n", 2, "--model", model, "--steps", 2, "-o", out) == 0
    assert run("evaluate", out) == 0
    assert run("info", model) == 0 and run("cite", model) == 0
    capfd.readouterr()
    assert run("likelihood", SAMPLE, "--model", model) == 2
    assert "no bound on log p" in capfd.readouterr().err
    missing = run("train", config, "--method", "latent", "-o", tmp_path / "other")
    told = capfd.readouterr().err
    assert missing != 0 and "moldiff train qm9-codec" in told and "Traceback" not in told
