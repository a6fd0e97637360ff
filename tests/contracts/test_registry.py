"""The registry: names <-> classes, and errors that help."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch

from moldiff import catalogue, registry
from moldiff.diffusion.process import Gaussian
from moldiff.diffusion.schedule import Cosine, LinearVP
from moldiff.diffusion.space import Categorical
from moldiff.errors import ConfigError
from tests import registries
from tests.shapes import unchecked

# Found anew at every run: what is registered is tested.
# A task is built from a whole run, a domain by its own `from_config`, and a logger opens files:
# their own tests do that.
BUILT = [kind for kind in registry.kinds() if kind not in ("domain", "logger", "task")]
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
        ("objective", {"name": "denoising", "weights": {"positions": "x"}}),
        ("objective", {"name": "denoising", "coupling": "kumaraswamy"}),
        ("objective", {"name": "endpoint", "rollout": 5}),
        ("objective", {"name": "endpoint", "rollout": {"steps": "x"}}),
        ("objective", {"name": "reflow", "teacher": 5}),
        ("process", {"name": "geodesic", "schedule": "cosine", "space": "zero_com"}),
        ("interaction", {"name": "transformer", "width": "wide"}),
        ("interaction", {"name": "transformer", "width": 10, "heads": 4}),
    ],
    ids=str,
)
def test_wrong_values(kind: str, config: dict[str, Any]) -> None:
    with unchecked(), pytest.raises(ConfigError) as caught:
        registry.build(kind, config)
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


@pytest.mark.parametrize(
    "config",
    [
        {"name": "endpoint", "objective": "consistency"},
        {"name": "reflow", "objective": "endpoint"},
        {"name": "reflow", "objective": {"name": "endpoint", "objective": {"name": "reflow"}}},
    ],
    ids=str,
)
def test_a_part_that_does_not_fit_is_refused_with_those_that_do(config: dict[str, Any]) -> None:
    outer, inner = config["name"], config["objective"]
    with pytest.raises(ConfigError) as caught:
        registry.build("objective", config)
    name = inner if isinstance(inner, str) else inner["name"]
    assert f"In the objective '{outer}', 'objective' cannot be" in caught.value.what
    assert f"the objective '{name}'" in caught.value.what
    assert caught.value.fix == "Names that fit: denoising."


def test_the_place_of_a_wrong_value_is_told_from_the_inside_out() -> None:
    times = {"name": "kumaraswamy", "a": "x"}
    config = {"name": "endpoint", "objective": {"name": "denoising", "times": times}}
    with pytest.raises(ConfigError) as caught:
        registry.build("objective", config)
    assert caught.value.what == (
        "In the distribution of times 'kumaraswamy' of the objective 'denoising' of the objective "
        "'endpoint', 'a' must be a number, not 'x'."
    )


def nested() -> list[tuple[str, str, str, str, str]]:
    """Every registered class with a parameter that is a part, and every part it may be given.

    Kind and name of the class, the parameter, kind and name of the part.
    """
    classes = {(kind, name): registry.registered(kind, name) for kind, name in EVERYTHING}
    found = []
    for (kind, name), cls in classes.items():
        hints = get_type_hints(cls.__init__ if issubclass(cls, torch.nn.Module) else cls)
        own = inspect.signature(cls).parameters.keys() - registry.supplied(kind, name)
        for parameter in sorted(own):
            wanted = hints.get(parameter)
            if any(isinstance(wanted, type) and issubclass(c, wanted) for c in classes.values()):
                found += [(kind, name, parameter, *part) for part in EVERYTHING]
    return found


NESTED = nested()


def test_there_are_objectives_and_processes_with_parts() -> None:
    pairs = {(name, parameter) for _, name, parameter, *_ in NESTED}
    assert pairs >= {
        ("denoising", "times"),
        ("consistency", "coupling"),
        ("endpoint", "objective"),
        ("reflow", "objective"),
        ("gaussian", "schedule"),
        ("geodesic", "space"),
        ("minibatch", "coupling"),
        ("displacement", "times"),
    }


def test_every_part_is_built_from_every_part_that_fits_and_refuses_all_others(
    make: Callable[..., Any], examples: Mapping[tuple[str, str], dict[str, Any]]
) -> None:
    for kind, name, parameter, inner_kind, inner in NESTED:
        cls, part = registry.registered(kind, name), registry.registered(inner_kind, inner)
        wanted = get_type_hints(cls)[parameter]
        config = {"name": inner, **examples.get((inner_kind, inner), {})}
        if issubclass(part, wanted):
            assert type(getattr(make(kind, name, **{parameter: config}), parameter)) is part
        else:
            with pytest.raises(ConfigError):
                make(kind, name, **{parameter: config})


class Push(ABC):
    """A kind of part."""

    @abstractmethod
    def amount(self) -> float:
        """Return how much."""


@dataclass(frozen=True)
class Constant(Push):
    """Always the same."""

    size: float = 1.0

    def amount(self) -> float:
        return self.size


@dataclass(frozen=True)
class Several:
    """Many parts, one that may be missing, and some by name."""

    push: tuple[Push, ...] = ()
    others: list[Push] = field(default_factory=list)
    last: Push | None = None
    named: Mapping[str, Push] = field(default_factory=dict)


@pytest.fixture
def pushes(registry_kept: None) -> None:
    registry.register("push", "constant")(Constant)
    registry.register("several", "all")(Several)


def test_lists_and_mappings_of_parts_are_built_and_described(pushes: None) -> None:
    config = {
        "name": "all",
        "push": ["constant", {"name": "constant", "size": 2}],
        "others": [{"name": "constant", "size": 3}],
        "last": "constant",
        "named": {"a": {"name": "constant", "size": 4.0}},
    }
    made = registry.build("several", config)
    assert made == Several(
        (Constant(), Constant(2.0)), [Constant(3.0)], Constant(), {"a": Constant(4.0)}
    )
    described = registry.describe(made)
    assert described["push"][1] == {"name": "constant", "size": 2.0}
    assert registry.build("several", json.loads(json.dumps(described))) == made
    ready = registry.build("several", {"name": "all", "push": [Constant(5.0)]})
    assert ready.push == (Constant(5.0),)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"push": "constant"}, "'push' must be a list, not 'constant'"),
        ({"push": [5]}, "entry 1 of 'push' must be a name or a mapping"),
        ({"push": ["constnat"]}, "no push called 'constnat'.*Did you mean 'constant'"),
        ({"push": [{"name": "constant", "size": "x"}]}, "'size' must be a number"),
        ({"others": ["cosine"]}, "no push called 'cosine'"),
        ({"last": 5}, "'last' must be a name or a mapping"),
        ({"named": {"a": Cosine()}}, "'a' of 'named' must be a name or a mapping"),
    ],
)
def test_wrong_entries_of_lists_of_parts_are_refused(
    pushes: None, values: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        registry.build("several", {"name": "all", **values})


def test_only_parts_without_required_settings_are_ready_made() -> None:
    ready = registry.ready_made("space")
    assert set(ready) == set(registry.names("space")) - {"categorical", "vectors"}
    assert all(type(made) is registry.registered("space", name) for name, made in ready.items())


def defined(module: str, text: str) -> type:
    """Run the text of a class ``New`` as a module would, or a cell of a notebook."""
    names: dict[str, Any] = {"__name__": module}
    exec(text, names)
    made: type = names["New"]
    return made


def test_a_class_that_is_defined_again_replaces_its_older_self(registry_kept: None) -> None:
    text = "class New:\n    size = {}"
    for module in ("my.parts", "__main__", "moldiff_import_my"):
        kind = f"push of {module}"
        older, newer = (defined(module, text.format(k)) for k in (1, 2))
        registry.register(kind, "new")(older)
        registry.register(kind, "new", cites={"ho2020": "eq. 1"})(newer)
        assert registry.registered(kind, "new") is newer
        assert registry.cited(kind, "new") == {"ho2020": "eq. 1"}
        assert registry.describe(older()) == {"name": "new"}  # an object made before still has one


def test_a_notebook_may_give_a_name_to_another_of_its_classes(registry_kept: None) -> None:
    for module in ("__main__", "moldiff_import_my"):
        kind = f"push of {module}"
        registry.register(kind, "new")(defined(module, "class Old: pass\nNew = Old"))
        newer = registry.register(kind, "new")(defined(module, "class New: pass"))
        assert registry.registered(kind, "new") is newer


def test_a_test_forgets_its_own_parts_and_none_that_it_imports(registry_kept: None) -> None:
    """A module is imported once: parts that a test forgets would be missing from later ones."""
    cosine = catalogue._REGISTRY["schedule"].pop("cosine")  # as if it were not imported yet
    with registries.kept():
        catalogue._REGISTRY["schedule"]["cosine"] = cosine
        registry.register("push", "new")(defined("my.parts", "class New: pass"))
    assert catalogue._REGISTRY["schedule"]["cosine"] is cosine
    assert "push" not in catalogue._REGISTRY


@pytest.mark.parametrize(
    ("first", "second"), [("my.parts", "my.parts"), ("my.parts", "__main__"), ("a", "b")]
)
def test_another_class_cannot_take_a_name(registry_kept: None, first: str, second: str) -> None:
    older = defined(first, "class Old: pass\nNew = Old")
    registry.register("push", "new")(older)
    with pytest.raises(ValueError, match=rf"a push called 'new' already, {first}\.Old"):
        registry.register("push", "new")(defined(second, "class New: pass"))
    assert registry.registered("push", "new") is older


def distribution(folder: Path, name: str, code: str) -> None:
    """Install a distribution that offers a module as parts."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: my-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[moldiff.parts]\nparts = {name}\n")


SCHEDULE = """
from dataclasses import dataclass
from moldiff.diffusion.schedule import Cosine
from moldiff.registry import register
print("imported {name}")

@register("schedule", "{name}")
@dataclass(frozen=True)
class Mine:
    size: float = 1.0
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code where the distributions of a folder are installed."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with one distribution that works and two that do not."""
    distribution(tmp_path, "works", SCHEDULE.format(name="works"))
    distribution(tmp_path, "broken", "import nosuchmodule")
    distribution(tmp_path, "taken", SCHEDULE.format(name="cosine"))
    return tmp_path


def test_the_parts_of_a_distribution_are_found_by_name(shelf: Path) -> None:
    found = python(
        "from moldiff.registry import build, describe\n"
        "print(describe(build('schedule', {'name': 'works', 'size': 2})))\n"
        "build('schedule', 'works')",
        shelf,
    )
    assert found.stdout.count("imported works") == 1
    assert "{'name': 'works', 'size': 2.0}" in found.stdout


def test_the_parts_of_a_distribution_are_listed(shelf: Path) -> None:
    for listed in ("names('schedule')", "kinds()"):
        found = python(f"from moldiff import registry; print(registry.{listed})", shelf)
        assert "imported works" in found.stdout and "schedule" in found.stdout + listed


def test_nothing_is_imported_before_it_is_needed(shelf: Path) -> None:
    found = python(
        "from moldiff.registry import build\nimport moldiff.diffusion.process\n"
        "build('process', {'name': 'gaussian', 'schedule': 'cosine'})",
        shelf,
    )
    assert "imported" not in found.stdout and not found.stderr


def test_a_broken_distribution_is_named_and_breaks_nothing_else(shelf: Path) -> None:
    found = python(
        "from moldiff.errors import ConfigError\nfrom moldiff.registry import build\n"
        "import moldiff.diffusion.schedule\n"
        "build('schedule', 'works')\n"
        "try: build('schedule', 'zzz')\nexcept ConfigError as error: print(error.fix)",
        shelf,
    )
    told = "The parts of the distribution 'my-{}' ({}) cannot be imported: {}"
    broken = told.format("broken", "broken", "ModuleNotFoundError: No module named 'nosuchmodule'.")
    taken = told.format("taken", "taken", "ValueError: there is a schedule called 'cosine' already")
    for text in (broken, taken):
        assert found.stderr.count(text) == 1 and text in found.stdout
