"""The family: every method trains and samples, every sampler is known, conflicts are told."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from moldiff import registry
from moldiff.data.molecules import prepare
from moldiff.data.store import Store
from moldiff.errors import ConfigError, InputError
from moldiff.generation.api import sampler_remarks, stepper_of, trajectories
from moldiff.generation.request import Request
from moldiff.generation.run import generate
from moldiff.methods import METHODS, SAMPLERS, apply, parse_guidance, parse_sampler
from moldiff.model import Model
from moldiff.models import bundled_configs
from moldiff.registry import build, describe
from moldiff.train import TrainConfig
from moldiff.train.statistics import Statistics
from moldiff.train.workloads.check import check
from moldiff.train.workloads.codecs import Codecs
from moldiff.train.workloads.molecules import Molecules
from tests.one_device import META, on_meta, watched

SAMPLE = Path(__file__).parents[1] / "datasets" / "qm9" / "sample.sdf"
TINY = {
    "name": "transformer", "width": 16, "pair_width": 8, "message_width": 8, "layers": 1,
    "heads": 2, "channels": 2, "context_width": 8,
}  # fmt: skip
CONFIG = TrainConfig(data="none", output="none", network=TINY, batch=4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return prepare([SAMPLE], tmp_path_factory.mktemp("data") / "sample")


@pytest.fixture(scope="module")
def teacher(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    Molecules(CONFIG, store).model.save(path)
    return path


@pytest.fixture(scope="module")
def codec(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("codec") / "codec.safetensors"
    network = {"name": "autoencoder", "width": 3, "encoder": TINY, "decoder": TINY}
    settings = {"task": "codec", "network": network, "objective": "reconstruction"}
    Codecs(dataclasses.replace(CONFIG, **settings), store).model.save(path)
    return path


def member(name: str, teacher: Path | None = None, **settings: Any) -> TrainConfig:
    values, _ = apply(name, {**CONFIG.to_dict(), **settings})
    if teacher is not None and "teacher" in values["objective"]:
        values["objective"] = {**values["objective"], "teacher": str(teacher)}
    return TrainConfig.from_dict(values)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_a_sound_configuration(name: str) -> None:
    config = member(name)
    equivariant = registry.registered(
        "interaction", registry.settings(config.network)["name"]
    ).symmetry.equivariant
    told = check(config)
    assert len(told) == (not equivariant)
    assert all("is not equivariant" in text for text in told)
    assert ("NOT EQUIVARIANT" in METHODS[name].line) == (not equivariant)


def test_both_diffusion_transformers_are_there() -> None:
    made = {name: registry.settings(member(name).network)["name"] for name in ("dit", "af3")}
    assert made == {"dit": "transformer", "af3": "plain"}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_and_samples(
    name: str, store: Store, teacher: Path, codec: Path, tmp_path: Path
) -> None:
    own = {"codec": str(codec)} if "codec" in METHODS[name].config else {}
    config = dataclasses.replace(member(name, teacher, **own), output=str(tmp_path))
    work, rng = Molecules(config, store), torch.Generator().manual_seed(1)
    if name == "reflow":
        work.objective = dataclasses.replace(work.objective, pairs=2)
    total = torch.zeros(())
    for loss, parts, graphs in work.losses(work.loader[0], rng=rng):
        assert graphs > 0 and set(parts) == set(work.model.process.processes)
        total = total + loss
    total.backward()
    assert total.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in work.model.network.parameters())
    work.model.network.eval().requires_grad_(False)
    made = list(generate(work.model, Request(2, size=5), sampling={"steps": 3}))
    assert [item.mol.GetNumAtoms() for item in made] == [5, 5]


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_of_every_method_stays_on_the_device_of_its_network(
    name: str, store: Store, teacher: Path, codec: Path, tmp_path: Path
) -> None:
    own = {"codec": str(codec)} if "codec" in METHODS[name].config else {}
    own = {**own, "device": META, "output": str(tmp_path)}
    work = Molecules(member(name, teacher, **own), store)
    work.model.network.to(META)
    with watched():
        for loss, parts, _ in work.losses(work.loader[0], rng=torch.Generator()):
            assert on_meta(loss, parts)
            loss.backward()
        assert on_meta([p.grad for p in work.model.network.parameters()])


def test_the_loss_of_a_codec_stays_on_the_device_of_its_network(store: Store) -> None:
    network = {"name": "autoencoder", "width": 3, "encoder": TINY, "decoder": TINY}
    settings = {"task": "codec", "network": network, "objective": "reconstruction", "device": META}
    work = Codecs(dataclasses.replace(CONFIG, **settings), store)
    work.model.network.to(META)
    with watched():
        for loss, parts, _ in work.losses(work.loader[0], rng=torch.Generator()):
            assert on_meta(loss, parts)


def test_every_stepper_has_a_name_on_the_command_line() -> None:
    assert {choice.stepper["name"] for choice in SAMPLERS.values()} == set(
        registry.names("stepper")
    )
    for choice in SAMPLERS.values():
        registry.build("stepper", choice.stepper)


def test_a_sampler_with_settings() -> None:
    assert parse_sampler("heun, s_churn=2,s_noise=1.01") == {
        "name": "heun", "s_churn": 2, "s_noise": 1.01,
    }  # fmt: skip
    assert parse_sampler("ddim") == {"name": "ancestral", "eta": 0.0}
    assert parse_sampler("ancestral,eta=0.5") == {"name": "ancestral", "eta": 0.5}  # no method's


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("huen", "Did you mean 'heun'"),
        ("heun,s_churn", "not a setting"),
        ("heun,=1", "not a setting"),
        ("heun,name=1", "not a setting"),
        ("heun,s_churn=much", "must be a number"),
        ("heun,s_churn=nan", "must be a number"),
        ("", "no sampler ''.*Known: .*ancestral.*import_source"),
    ],
)
def test_a_wrong_sampler_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_sampler(text)


def test_a_method_wins_and_says_what_it_changes() -> None:
    before = {**CONFIG.to_dict(), "objective": {"name": "denoising", "self_condition": 0.2}}
    made, changes = apply("ddpm", before)
    assert changes["precondition"] == ("karras", "noise")
    assert changes["process.positions.schedule"] == ("cosine", "linear_vp")
    assert made["objective"]["self_condition"] == 0.2  # what a method does not speak of stays
    assert made["process"]["positions"]["scale"] == "data"
    assert made["process"]["types"] == before["process"]["types"]
    assert made["sampling"]["temperature"] == before["sampling"]["temperature"]
    assert before["precondition"] == "karras"  # and the input is not touched
    again, nothing = apply("ddpm", made)
    assert again == made and nothing == {}


def test_settings_of_another_class_go_with_it() -> None:
    made, _ = apply("edm", {**CONFIG.to_dict(), "objective": {"name": "endpoint", "share": 0.5}})
    assert made["objective"]["name"] == "denoising" and "share" not in made["objective"]
    assert made["sampling"]["stepper"] == {"name": "heun", "churn": 1.0}


def test_ones_own_teacher_stays() -> None:
    own = {"name": "consistency", "teacher": "my.safetensors", "levels": 10}
    made, _ = apply("consistency-distillation", {**CONFIG.to_dict(), "objective": own})
    assert made["objective"] == own


def test_a_named_teacher_is_where_one_begins() -> None:
    from moldiff.train.api import training_config

    taught = {name for name, method in METHODS.items() if method.taught}
    assert taught == {"reflow", "consistency-distillation", "endpoint"}
    said: list[str] = []
    made = training_config("qm9", method="endpoint", teacher="qm9", announce=said.append)
    assert made.objective["teacher"] == made.init == "qm9"
    assert "learns from 'qm9', and begins with 'qm9'" in " ".join(said)
    usual = training_config("qm9-skeleton", method="endpoint")  # fits that configuration's data
    assert usual.objective["teacher"] == usual.init == "qm9-skeleton"
    other = training_config("qm9-fast", teacher="qm9")  # its own teacher, and its init, give way
    assert other.objective["teacher"] == other.init == "qm9"
    smaller = training_config(str(SAMPLE), method="reflow", teacher="qm9", announce=said.append)
    assert smaller.init is None and "at random: its network is another" in said[-1]


def test_what_begins_with_its_teacher_learns_at_a_lower_rate(tmp_path: Path) -> None:
    from moldiff.train.api import training_config

    said: list[str] = []
    usual = training_config("family", announce=said.append).optimizer
    for name in (name for name, method in METHODS.items() if method.taught):
        made = training_config("family", method=name, announce=said.append)
        assert made.optimizer == replace(usual, lr=5e-4) and "at the rate 0.0005" in said[-1]
    lower = tmp_path / "lower.yaml"
    text = bundled_configs()["family"].read_text()
    lower.write_text(text.replace("lr: 2.0e-3", "lr: 1.0e-4"))
    assert training_config(str(lower), method="reflow").optimizer.lr == 1e-4
    assert training_config("family", method="ddpm").optimizer == usual
    assert training_config(str(SAMPLE), method="reflow", teacher="qm9").optimizer.lr > 5e-4


def test_a_teacher_that_nobody_has_is_refused_at_once() -> None:
    from moldiff.errors import InputError
    from moldiff.train.api import training_config

    with pytest.raises(InputError, match="no model file 'nosuch'"):
        training_config("qm9", method="endpoint", teacher="nosuch")
    with pytest.raises(ConfigError, match="does not learn from a teacher") as caught:
        training_config("qm9", method="ddpm", teacher="qm9")
    assert "endpoint" in caught.value.fix
    with pytest.raises(ConfigError, match=r"'codec' takes no 'teacher'.*molecules"):
        training_config("qm9-codec", teacher="qm9")


def test_a_method_without_its_fields_is_refused() -> None:
    positions = {"positions": CONFIG.process["positions"]}
    with pytest.raises(ConfigError, match="has only positions") as caught:
        apply("mask", {**CONFIG.to_dict(), "process": positions})
    assert "moldiff methods" in caught.value.fix
    with pytest.raises(ConfigError, match="Did you mean 'ddpm'"):
        apply("dpm", CONFIG.to_dict())


# what is wrong, words of the error, a word of the remedy
SCHEDULED = {"name": "jump", "noise": "marginal"}
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "annealed": ({"sampling": {"stepper": "annealed"}}, "'ve'", "heun"),
    "classes only": (
        {"process": {"types": {**SCHEDULED, "schedule": "rectified", "noise": "mask"}},
         "sampling": {"stepper": "langevin"}}, "score", "ancestral",
    ),
    "classes exploding": (
        {"process": {"types": {**SCHEDULED, "schedule": "ve"}}}, "still kept", "rectified"
    ),
    "too little noise": (
        {"process": {"positions": {"name": "gaussian",
                                   "schedule": {"name": "ve", "sigma_max": 0.5}}}},
        "as much signal", "cosine",
    ),
    "too slow": (
        {"process": {"positions": {"name": "gaussian",
                                   "schedule": {"name": "linear_vp", "beta_max": 0.5}}}},
        "as much signal", "cosine",
    ),
    "unknown noise": (
        {"process": {"types": {**SCHEDULED, "schedule": "rectified", "noise": "masked"}}},
        "'masked'", "mask",
    ),
    "temperature": ({"sampling": {"temperature": 0}}, "above 0", "1"),
    "objective within": (
        {"objective": {"name": "endpoint", "objective": "consistency"}},
        "cannot be the objective 'consistency'", "Names that fit: denoising",
    ),
    "weight": (
        {"objective": {"name": "denoising", "weights": {"positions": "x"}}},
        "'positions' of 'weights' must be a number", "Correct",
    ),
    "rollout": (
        {"objective": {"name": "endpoint", "rollout": 5}}, "'rollout' must be a mapping", "Correct"
    ),
    "grid": ({"sampling": {"grid": "heun"}}, "no grid of times called 'heun'", "power"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_go_together_is_refused_with_what_does(case: str) -> None:
    settings, words, remedy = BAD[case]
    with pytest.raises(ConfigError, match=words) as caught:
        check(dataclasses.replace(CONFIG, **settings))
    assert remedy in caught.value.fix


def test_noise_on_aligned_paths_is_remarked() -> None:
    noisy = {"steps": 5, "stepper": {"name": "ancestral", "eta": 1.0}}
    (remark,) = check(dataclasses.replace(CONFIG, sampling=noisy))
    assert "'aligned'" in remark and "ddim" in remark and "langevin" not in remark
    independent = {"name": "denoising", "coupling": "independent"}
    assert check(dataclasses.replace(CONFIG, sampling=noisy, objective=independent)) == []
    consistent = {"steps": 4, "stepper": "consistency"}
    remarks = check(dataclasses.replace(CONFIG, sampling=consistent, objective=independent))
    assert len(remarks) == 1 and "'denoising' predicts means" in remarks[0]


def test_a_sampler_redraws_classes_as_the_model_does(teacher: Path) -> None:
    own = {"steps": 5, "stepper": {"name": "ancestral", "churn": 0.7}}
    model = dataclasses.replace(Model.load(teacher), sampling=own)
    assert stepper_of("multistep", model) == {"name": "multistep", "churn": 0.7}
    assert stepper_of("heun,churn=0", model) == {"name": "heun", "churn": 0}
    assert stepper_of("consistency", model) == {"name": "consistency"}  # it has no such setting
    plain = dataclasses.replace(model, sampling={"stepper": "ancestral"})
    assert stepper_of("multistep", plain) == {"name": "multistep"}


def test_remarks_follow_the_card(teacher: Path) -> None:
    model = Model.load(teacher)
    assert sampler_remarks("langevin", model) == []  # nothing is known of its training
    card = {"training": {"objective": {"name": "denoising"}}}
    trained = dataclasses.replace(model, card=card)
    assert len(sampler_remarks("langevin", trained)) == 1
    assert sampler_remarks("heun", trained) == []
    # Of a student the coupling stands in the objective that it shares with its teacher.
    student = {"name": "endpoint", "objective": {"name": "denoising", "coupling": "aligned"}}
    described = describe(build("objective", student))
    distilled = dataclasses.replace(model, card={"training": {"objective": described}})
    (remark,) = sampler_remarks("ancestral,eta=1", distilled)
    assert "wrong for the coupling 'aligned'" in remark
    with pytest.raises(ConfigError, match="'ve'"):
        sampler_remarks("annealed", trained)


@pytest.fixture(scope="module")
def masked(store: Store) -> Model:
    model = Molecules(member("mask"), store).model
    model.network.eval().requires_grad_(False)
    return model


def test_a_mask_is_one_class_more_and_never_predicted(masked: Model, store: Store) -> None:
    classes = Statistics.of(store, store.indices("train")).marginals
    for name, space in masked.process.hiding({}).items():
        assert space.classes == len(classes[name]) + 1
        assert space.probabilities[-1] == 1
    rng = torch.Generator().manual_seed(3)
    x_1 = masked.process.prior(4, 6, rng=rng)
    predicted = masked.denoiser(x_1, torch.ones(4))
    for name, space in masked.process.hiding({}).items():
        assert (x_1[name] == space.classes - 1).all()  # all is hidden at first
        p = torch.softmax(predicted[name], -1)
        assert (p[..., -1] == 0).all() and p.isfinite().all()


def test_a_masked_trajectory_can_be_shown(masked: Model) -> None:
    made = list(generate(masked, Request(1, size=5), sampling={"steps": 3}, record=1))
    frames = trajectories(made, masked)[0]
    assert set(frames[0].elements) == {"X"} and not frames[0].bonds
    assert "X" not in frames[-1].elements


def test_a_guidance_names_the_field_it_is_about() -> None:
    scaled = parse_guidance(["noise_scale,field=positions,scale=1.1"])
    assert scaled == [{"name": "noise_scale", "field": "positions", "scale": 1.1}]
    with pytest.raises(InputError, match="'scale' of the guidance 'noise_scale' must be a number"):
        parse_guidance(["noise_scale,field=positions,scale=wide"])


def test_annotations_that_cannot_be_resolved_are_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own:
        def __init__(self, denoiser: object, factor: float = 1.0) -> None: ...

    # As of a module that imports the class for its type checker alone.
    Own.__init__.__annotations__["denoiser"] = "Nowhere"
    monkeypatch.setattr(registry, "names", lambda kind: ["own"])
    monkeypatch.setattr(registry, "registered", lambda kind, name: Own)
    assert parse_guidance(["own,factor=0.9"]) == [{"name": "own", "factor": 0.9}]
