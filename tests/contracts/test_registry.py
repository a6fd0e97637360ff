"""The registry: names <-> classes, and errors that help."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import jaxtyping
import pytest
import torch

from moldiff import registry
from moldiff.diffusion.process import Gaussian
from moldiff.diffusion.schedule import Cosine, LinearVP
from moldiff.diffusion.space import Categorical
from moldiff.errors import ConfigError

# Found anew at every run: what is registered is tested.
# A task is built from a whole run, a domain by its own `from_config`: their own tests do that.
BUILT = [kind for kind in registry.kinds() if kind not in ("domain", "task")]
EVERYTHING = [(kind, name) for kind in BUILT for name in registry.names(kind)]
KINDS = {
    "codec",
    "coupling",
    "grid",
    "guidance",
    "interaction",
    "network",
    "objective",
    "precondition",
    "process",
    "schedule",
    "space",
    "stepper",
    "times",
}


def test_kinds() -> None:
    assert set(registry.kinds()) >= KINDS
    assert registry.names("no such kind") == ()


@pytest.mark.parametrize(("kind", "name"), EVERYTHING)
def test_description_rebuilds(
    kind: str, name: str, make: Callable[..., Any], context: Callable[..., Any]
) -> None:
    made = make(kind, name)
    described = registry.describe(made)
    assert described["name"] == name
    plain = json.loads(json.dumps(described))
    assert plain == described  # nothing but plain values, as JSON and YAML keep them
    again = registry.build(kind, plain, **context(kind, name))
    assert type(again) is type(made) is registry.registered(kind, name)
    assert registry.describe(again) == described
    if not isinstance(made, torch.nn.Module) and kind != "guidance":  # compared by identity
        assert again == made


@pytest.mark.parametrize(("kind", "name"), EVERYTHING)
def test_class_is_documented_and_final(kind: str, name: str) -> None:
    cls = registry.registered(kind, name)
    assert cls.__doc__ and not inspect.isabstract(cls)
    others = [registry.registered(k, n) for k, n in EVERYTHING]
    assert not [other for other in others if other is not cls and issubclass(other, cls)]


@pytest.mark.parametrize(("kind", "name"), EVERYTHING)
def test_unknown_setting(kind: str, name: str, make: Callable[..., Any]) -> None:
    supplied = registry.supplied(kind, name)
    known = inspect.signature(registry.registered(kind, name)).parameters
    parameters = [parameter for parameter in known if parameter not in supplied]
    wrong = f"{parameters[0]}x" if parameters else "anything"
    with pytest.raises(ConfigError) as caught:
        make(kind, name, **{wrong: 1})
    assert wrong in caught.value.what and name in caught.value.what
    assert (f"'{parameters[0]}'" if parameters else "no settings") in caught.value.fix


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_near_miss(kind: str) -> None:
    name = registry.names(kind)[-1]
    with pytest.raises(ConfigError) as caught:
        registry.build(kind, f"{name}e")
    assert f"Did you mean '{name}'" in str(caught.value)


@pytest.mark.parametrize(
    "config", ["transformr", 5, {"name": "egnn", "widht": 8}, {"name": "egnn", "width": "8"}]
)
def test_a_network_is_called_what_the_user_calls_it(config: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        registry.build("interaction", config)
    assert "network" in caught.value.what and "interaction" not in caught.value.what


def test_hopeless_name() -> None:
    with pytest.raises(ConfigError, match=r"Known: .*cosine.*rectified"):
        registry.build("schedule", "zzzzzz")


@pytest.mark.parametrize("config", [None, 5, [], ["cosine"], {}, {"beta_min": 1}], ids=str)
def test_not_a_description(config: Any) -> None:
    with pytest.raises(ConfigError):
        registry.build("schedule", config)


@pytest.mark.parametrize("name", [None, 3, ["cosine"], {"name": "cosine"}], ids=str)
def test_not_a_name(name: Any) -> None:
    with pytest.raises(ConfigError):
        registry.build("schedule", {"name": name})


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("schedule", {"name": "linear_vp", "beta_min": "much"}),
        ("schedule", {"name": "ve", "sigma_max": None}),
        ("schedule", {"name": "polynomial", "power": [2]}),
        ("space", {"name": "categorical"}),
        ("space", {"name": "categorical", "probabilities": 0.5}),
        ("space", {"name": "categorical", "probabilities": ["a", "b"]}),
        ("space", {"name": "categorical", "probabilities": [0.5, 0.6]}),
        ("process", {"name": "gaussian", "schedule": "cosine", "scale": "data"}),
        ("process", {"name": "gaussian", "schedule": None}),
        ("process", {"name": "jump", "schedule": "cosine"}),
        ("stepper", {"name": "ancestral", "eta": "all"}),
        ("objective", {"name": "denoising", "times": {"name": "kumaraswamy", "a": "x"}}),
        ("objective", {"name": "denoising", "weights": 3}),
        ("interaction", {"name": "transformer", "width": "wide"}),
        ("interaction", {"name": "transformer", "width": 10, "heads": 4}),
    ],
    ids=str,
)
def test_wrong_values(kind: str, config: dict[str, Any]) -> None:
    # Without the tests' own type checks, which users do not have.
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(ConfigError) as caught:
            registry.build(kind, config)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    assert caught.value.fix


def test_nested_descriptions() -> None:
    config = {
        "name": "gaussian",
        "schedule": {"name": "linear_vp", "beta_min": 0.2},
        "space": "euclidean",
    }
    held = json.dumps(config)
    process = registry.build("process", config)
    assert isinstance(process, Gaussian) and process.schedule == LinearVP(beta_min=0.2)
    assert json.dumps(config) == held
    with pytest.raises(ConfigError, match="beta_min"):
        registry.build("process", {**config, "schedule": {"name": "linear_vp", "beta_mim": 1}})


def test_lists_become_hashable() -> None:
    space = registry.build("space", {"name": "categorical", "probabilities": [0.5, 0.5]})
    assert hash(space) == hash(Categorical((0.5, 0.5)))
    assert registry.describe(space)["probabilities"] == [0.5, 0.5]


def test_context_is_not_the_users() -> None:
    given = registry.build("process", {"name": "gaussian"}, schedule=Cosine())
    assert given.schedule == Cosine()
    with pytest.raises(ConfigError, match="schedule"):
        registry.build("process", {"name": "gaussian", "schedule": "ve"}, schedule=Cosine())
