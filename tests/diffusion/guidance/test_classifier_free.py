"""Conditions are learned, and guidance goes beyond them: against truth, then with a network."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from moldiff.chem import Encoded, Vocabulary
from moldiff.data.store import Entry, Store
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser, GaussianDenoiser
from moldiff.diffusion.guidance import ClassifierFree, Condition
from moldiff.diffusion.guidance.condition import dropped, remarks, standardised, weighed_sizes
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.diffusion.time import Time
from moldiff.errors import ConfigError, InputError, ModelFileError
from moldiff.generation.request import Request
from moldiff.generation.run import generate
from moldiff.model import Model
from moldiff.models import card_rows
from moldiff.train import TrainConfig, Trainer
from tests.shapes import unchecked

FREQUENCIES = {"free": (0.5, 0.3, 0.2), "asked": (0.2, 0.3, 0.5)}
LOGP = Condition("logp", 1.0, 2.0, -3.0, 4.0, "", {3: (0.0, 1.0), 5: (2.0, 1.0)})


def truth(kind: str, spread: float) -> GaussianDenoiser:
    space = {"name": "categorical", "probabilities": [0.2, 0.3, 0.5]}
    process = Product.from_config(
        {
            "positions": {"name": "gaussian", "schedule": "cosine"},
            "types": {"name": "jump", "schedule": "rectified", "space": space},
        }
    )
    return GaussianDenoiser(process, spread, {"types": FREQUENCIES[kind]})


@dataclasses.dataclass(frozen=True, eq=False)
class Conditional(Denoiser):
    """Exact denoisers of two data sets: of the one that conditions ask for, and of the other."""

    free: GaussianDenoiser
    asked: GaussianDenoiser

    @property
    def process(self) -> Product:  # type: ignore[override]
        return self.free.process

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        one = self.asked if "conditions" in x_t.context else self.free
        return one(x_t, t, previous)


def guide(free: GaussianDenoiser, asked: GaussianDenoiser, weight: float) -> ClassifierFree:
    return ClassifierFree(Conditional(free, asked), weight)


def ask(x: Batch) -> Batch:
    return x.given(conditions=torch.zeros(1, 1))


def tilted(weight: float) -> Tensor:
    """Softmax of p_free^(1-w) p_asked^w."""
    free, asked = (torch.tensor(FREQUENCIES[kind]) for kind in ("free", "asked"))
    p = free ** (1 - weight) * asked**weight
    return p / p.sum()


@pytest.mark.parametrize("weight", [-1.0, 0.5, 2.0, 4.0])
def test_predictions_go_on_from_one_through_the_other(weight: float) -> None:
    free, asked = truth("free", 2.0), truth("asked", 0.5)
    x = free.process.prior(5, 4, rng=torch.Generator().manual_seed(0))
    held = {name: value.clone() for name, value in x.items()}
    t = torch.ones(5)  # nothing is seen yet: the classes are as frequent as they are
    guided = guide(free, asked, weight)(ask(x), t)
    before, after = free(x, t), asked(x, t)
    torch.testing.assert_close(
        guided["positions"], (1 - weight) * before["positions"] + weight * after["positions"]
    )
    expected = tilted(weight).expand_as(guided["types"])
    torch.testing.assert_close(guided["types"].softmax(-1), expected, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(x[name], held[name]) for name in x)


def test_nought_and_one_are_the_two_predictions_to_the_bit() -> None:
    free, asked = truth("free", 2.0), truth("asked", 0.5)
    x, t = free.process.prior(5, 4, rng=torch.Generator().manual_seed(0)), torch.full((5,), 0.6)
    for weight, own in ((0.0, free), (1.0, asked)):
        guided, alone = guide(free, asked, weight)(ask(x), t), own(x, t)
        assert all(torch.equal(guided[name], alone[name]) for name in alone)


def test_samples_in_one_step_have_the_tilted_frequencies() -> None:
    guided = guide(truth("free", 1.0), truth("asked", 1.0), 2.0)
    x_1 = ask(guided.process.prior(1000, 10, rng=torch.Generator().manual_seed(0)))
    # One step takes the most probable class: of the tilt, not of the condition or the data.
    sample = Sampler(1).sample(guided, x_1, rng=torch.Generator().manual_seed(1))
    assert (sample["types"] == int(tilted(2.0).argmax())).all()
    s, t = torch.full((1000,), 0.01), torch.ones(1000)
    early = guided.process.reverse(
        x_1, guided(x_1, t), t, s, eta=1.0, churn=1.0, rng=torch.Generator().manual_seed(2)
    )
    counts = torch.bincount(early["types"].flatten(), minlength=3) / early["types"].numel()
    torch.testing.assert_close(counts, tilted(2.0), rtol=0, atol=0.02)


@pytest.mark.parametrize("weight", [math.nan, math.inf])
def test_no_number_is_no_guidance(weight: float) -> None:
    with pytest.raises(ConfigError, match="guidance"):
        guide(truth("free", 1.0), truth("asked", 1.0), weight)


def test_values_in_units_of_the_spread() -> None:
    other = Condition("rings", 2.0, 0.5, 0.0, 4.0)
    row = standardised((LOGP, other), {"rings": 3.0})
    assert row.shape == (1, 2) and row[0, 0].isnan() and float(row[0, 1]) == 2.0
    assert list(remarks((LOGP, other), {"rings": [4.0]})) == []
    (told,) = remarks((LOGP, other), {"logp": [5.0]})
    assert "logp = 5" in told and "-3 to 4" in told
    plain = json.loads(json.dumps(LOGP.to_config()))
    assert Condition.from_config(plain) == LOGP


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"logq": 1.0}, "Did you mean 'logp'"),
        ({"logp": math.nan}, "finite number"),
        ({"logp": "1.5"}, "finite number, not '1.5'"),
        ({"logp": True}, "finite number"),
    ],
)
def test_what_cannot_be_asked_for(wanted: dict[str, float], words: str) -> None:
    with unchecked(), pytest.raises(InputError, match=words):
        standardised((LOGP,), wanted)
    with unchecked(), pytest.raises(InputError, match="without conditions"):
        standardised((), wanted)


def test_sizes_follow_the_condition() -> None:
    sizes = {3: 0.75, 5: 0.25}
    assert weighed_sizes(sizes, (LOGP,), {}) == sizes
    found = weighed_sizes(sizes, (LOGP,), {"logp": [2.0]})
    assert found[5] / found[3] == pytest.approx(math.exp(2.0) / 3)  # Bayes' rule, by hand
    far = weighed_sizes(sizes, (LOGP,), {"logp": [1e4]})
    assert far[5] == 1 and far[3] == 0


def test_conditions_are_left_out_as_often_as_said() -> None:
    rng, given = torch.Generator().manual_seed(0), torch.ones(20_000, 7)
    left = 7 - dropped(given, 0.3, rng=rng).isnan().sum(1)
    shares = torch.bincount(left, minlength=8) / len(left)
    expected = [0.3] + [0.7 * math.log((m + 1) / m) / math.log(8) for m in range(1, 8)]
    assert shares.tolist() == pytest.approx(expected, abs=0.015)
    single = dropped(given, 0.0, rng=rng).isnan()
    each = (~single[single.sum(1) == 6]).float().mean(0)  # any one of them
    assert each.tolist() == pytest.approx([1 / 7] * 7, abs=0.02)
    many = dropped(torch.ones(2000, 50), 0.0, rng=rng).isfinite().sum(1)
    assert int(many.max()) == 12 and int(many.min()) == 1
    alone = dropped(given[:, :1], 0.3, rng=rng).isnan()
    assert float(alone.float().mean()) == pytest.approx(0.3, abs=0.02)
    assert (given == 1).all() and not dropped(given[:, :1], 0.0, rng=rng).isnan().any()


# Fluorine and hydrogen, and a number y that is 1 of the one and -1 of the other, with an error of
# deviation 1.2: the odds of F2 are exp(2 y / 1.44), so p(F2 | y = 1) = 0.80.
ERROR, ASKED = 1.2, 1.0
NETWORK = {
    "name": "transformer", "width": 32, "pair_width": 8, "message_width": 16, "layers": 1,
    "heads": 2, "channels": 4, "context_width": 32, "expansion": 2,
}  # fmt: skip


def run(tmp: Path, **changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "data": str(tmp / "store"),
        "output": str(tmp / "run"),
        "steps": 250,
        "batch": 64,
        "precision": "float32",
        "network": NETWORK,
        "evaluation": {"every": 0},
        "optimizer": {"lr": 3e-3, "warmup": 10, "decay": 80, "ema": 0.98},
        "conditions": {"properties": ["y", "n_F"], "drop": 0.25},
        "sampling": {"steps": 8, "stepper": {"name": "ancestral", "eta": 0.0, "churn": 1.0}},
    }
    return TrainConfig.from_dict(settings | changes)


def _pair(element: int, length: float) -> Encoded:
    """Two atoms with a single bond of a length in Å."""
    positions = np.array([[0, 0, -length / 2], [0, 0, length / 2]], np.float32)
    classes = np.full(2, element, np.int8)
    return Encoded(positions, classes, np.zeros(2, np.int8), np.ones(1, np.int8))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    vocabulary, random = Vocabulary(("H", "F"), (0,)), np.random.default_rng(0)
    kinds = [_pair(0, 0.74), _pair(1, 1.42)]
    entries = [
        Entry(kinds[k % 2], ("[H][H]", "FF")[k % 2], 0, k, (2 * (k % 2) - 1 + error,))
        for k, error in enumerate(random.normal(0, ERROR, 2000).tolist())
    ]
    path = tmp_path_factory.mktemp("kinds") / "store"
    return Store.write(
        path, entries, vocabulary=vocabulary, source="two kinds", properties=[("y", "V")]
    )


@pytest.fixture(scope="module")
def model(store: Store) -> Model:
    trainer = Trainer(run(store.path.parent), store)
    for _ in trainer.fit():
        pass
    return Model.load(trainer.output / "model.safetensors")


def fluorine(model: Model, guidance: float, **conditions: float) -> float:
    """Share of F2 among the molecules of one element."""
    made = generate(model, Request(300, conditions=conditions), sampling={"guidance": guidance})
    counts = np.array([sum(a.GetSymbol() == "F" for a in item.mol.GetAtoms()) for item in made])
    assert (counts != 1).mean() > 0.8
    return float((counts == 2).sum() / (counts != 1).sum())


@pytest.mark.thorough
def test_the_model_keeps_what_it_was_trained_with(model: Model, store: Store) -> None:
    y, count = model.domain.conditions
    assert (y.name, y.unit, count.name) == ("y", "V", "n_F")
    assert store.properties is not None
    assert y.mean == pytest.approx(store.properties.mean(), abs=1e-4)
    assert (count.mean, count.std, count.low, count.high) == (1, 1, 0, 2)
    assert set(card_rows(model)["conditions"]) == {"y", "n_F"}


@pytest.mark.thorough
def test_the_condition_decides(model: Model) -> None:
    assert fluorine(model, 1.0, n_F=2, y=ASKED) > 0.9
    assert fluorine(model, 1.0, n_F=0, y=ASKED) < 0.1
    assert 0.3 < fluorine(model, 1.0) < 0.7


@pytest.mark.thorough
def test_guidance_goes_beyond_the_condition(model: Model) -> None:
    """By Bayes' rule 0.80 of the molecules with y = 1 are F2; odds to the third: 0.98."""
    free, asked, guided = (fluorine(model, w, y=ASKED) for w in (0.0, 1.0, 3.0))
    assert 0.3 < free < 0.7
    assert 0.65 < asked < 0.92
    assert guided > 0.95


@pytest.mark.thorough
def test_unasked_is_the_network_without_a_word(model: Model) -> None:
    x = model.process.prior(3, 2, rng=torch.Generator().manual_seed(0))
    t = torch.full((3,), 0.5)
    nothing = torch.full((1, 2), math.nan)
    asked = standardised(model.domain.conditions, {"n_F": 2.0})
    given = [x.given(conditions=values) for values in (None, nothing, asked)]
    predictions = [model.denoiser(batch, t)["types"] for batch in given]
    assert torch.equal(predictions[0], predictions[1])
    assert not torch.allclose(predictions[0], predictions[2], atol=0.1)
    assert not x.context  # asking changes nothing


@pytest.mark.thorough
def test_tags_say_what_was_wanted_and_what_came(model: Model) -> None:
    request = Request(8, conditions={"n_F": 2.0, "y": 1.0})
    items = [i for i in generate(model, request, sampling={"guidance": 2}) if not i.failure]
    assert items
    for item in items:
        assert (item.tags["target_n_F"], item.tags["target_y"]) == ("2", "1")
        assert item.tags["reached_n_F"] == str(item.tags["SMILES"].count("F"))
        assert "reached_y" not in item.tags  # of no molecule that can be known
        assert json.loads(item.tags["sampling"])["guidance"] == 2
        assert json.loads(item.tags["request"])["conditions"] == {"n_F": 2.0, "y": 1.0}


def test_a_resumed_run_goes_on_with_the_same_conditions_only(store: Store, tmp_path: Path) -> None:
    few = run(store.path.parent, output=str(tmp_path), steps=2)
    assert len(list(Trainer(few, store).fit())) == 2
    assert Trainer(few, store).step == 2
    for other in ({"properties": ["n_F", "y"]}, {"properties": ["y", "n_F"], "drop": 0.3}):
        changed = run(store.path.parent, output=str(tmp_path), steps=2, conditions=other)
        with pytest.raises(ModelFileError, match="another run"):
            Trainer(changed, store)


def test_a_model_without_conditions_can_learn_some(store: Store, tmp_path: Path) -> None:
    plain = run(store.path.parent, output=str(tmp_path / "plain"), steps=2, conditions={})
    list(Trainer(plain, store).fit())
    first = Model.load(tmp_path / "plain" / "model.safetensors")
    assert not any("conditions" in name for name in first.network.state_dict())
    assert "conditions" not in first.config()["domain"]
    told = run(
        store.path.parent,
        output=str(tmp_path / "told"),
        init=str(tmp_path / "plain" / "model.safetensors"),
    )
    second = Trainer(told, store).work.model
    assert isinstance(second, Model)
    x, t = first.process.prior(3, 2, rng=torch.Generator().manual_seed(0)), torch.full((3,), 0.5)
    asked = x.given(conditions=torch.ones(1, 2))
    with torch.no_grad():
        torch.testing.assert_close(
            second.denoiser(asked, t)["types"], first.denoiser(x, t)["types"]
        )


@pytest.mark.thorough
def test_a_model_without_conditions_refuses_them(model: Model) -> None:
    plain = model.replace(domain=dataclasses.replace(model.domain, conditions=()))
    with pytest.raises(InputError, match="without conditions"):
        list(generate(plain, Request(1, conditions={"n_F": 2.0})))
    config = model.config()
    bare = Model.from_config(
        {**config, "domain": {k: v for k, v in config["domain"].items() if k != "conditions"}}
    )
    with pytest.raises(ConfigError, match="needs a model with conditions"):
        list(generate(bare, Request(1), sampling={"guidance": 2.0}))
