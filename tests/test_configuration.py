"""Values against annotations: what fits, what is converted, and what is said of the rest."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Union

import pytest
import torch
from jaxtyping import Float

from moldiff.configuration import Range, check_fields, parameters
from moldiff.errors import ConfigError
from moldiff.registry import configure

if TYPE_CHECKING:
    from decimal import Decimal

FINITE = math.pi


@dataclass(frozen=True)
class Inner:
    """Settings within settings."""

    depth: Annotated[int, Range(1)]
    name: str = "inner"


class Shape(ABC):
    """An abstract class of which nothing is registered."""

    @abstractmethod
    def area(self) -> float:
        """Return the area."""


@dataclass(frozen=True)
class Square(Shape):
    """A shape."""

    side: float = 1.0

    def area(self) -> float:
        return self.side**2


@dataclass(frozen=True)
class Everything:
    """One parameter of every kind of annotation that is understood."""

    flag: bool = False
    count: int = 1
    rate: float = 0.5
    word: str = "x"
    nothing: None = None
    some: int | None = None
    old: Optional[float] = None  # noqa: UP045
    either: Union[float, Mapping[str, float]] = 1.0  # noqa: UP007
    share: Annotated[float, Range(0, 1)] = 0.5
    most: Annotated[int | None, Range(1, 9)] = None
    mode: Literal["fast", "slow", 3] = "fast"
    pair: tuple[float, float] = (0.0, 1.0)
    three: tuple[int, float, str] = (1, 1.0, "")
    many: tuple[int, ...] = ()
    row: Sequence[float] = ()
    listed: list[int] = field(default_factory=list)
    unique: frozenset[str] = frozenset()
    bare: tuple = ()  # type: ignore[type-arg]
    weights: Mapping[str, float] = field(default_factory=dict)
    sizes: dict[int, float] = field(default_factory=dict)
    table: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    free: Mapping[str, Any] = field(default_factory=dict)
    anything: Any = None
    inner: Inner = Inner(1)
    inners: tuple[Inner, ...] = ()
    shape: Shape = Square()
    call: Callable[[float], float] = math.sqrt
    path: Path = Path()
    tensor: Float[torch.Tensor, " n"] | None = None
    hidden: Decimal | None = None  # only type checkers know it


FITS: list[tuple[str, Any, Any]] = [
    ("flag", True, True),
    ("count", -3, -3),
    ("rate", 1, 1.0),
    ("rate", math.inf, math.inf),
    ("word", "1", "1"),
    ("nothing", None, None),
    ("some", 2, 2),
    ("some", None, None),
    ("old", None, None),
    ("old", 2, 2.0),
    ("either", 2, 2.0),
    ("either", {"a": 2}, {"a": 2.0}),
    ("share", 0, 0.0),
    ("share", 1, 1.0),
    ("most", None, None),
    ("most", 9, 9),
    ("mode", "slow", "slow"),
    ("mode", 3, 3),
    ("pair", [1, 2], (1.0, 2.0)),
    ("three", [1, 2, "x"], (1, 2.0, "x")),
    ("many", [], ()),
    ("many", (1, 2, 3), (1, 2, 3)),
    ("row", [1], (1.0,)),
    ("listed", [1, 2], [1, 2]),
    ("unique", ["a", "a"], frozenset({"a"})),
    ("bare", [1, [2]], (1, (2,))),
    ("weights", {}, {}),
    ("weights", {"a": 1}, {"a": 1.0}),
    ("sizes", {3: 1}, {3: 1.0}),
    ("table", {"a": [1]}, {"a": (1,)}),
    ("free", {"a": [1, {"b": [2]}]}, {"a": [1, {"b": [2]}]}),
    ("anything", [1, [2]], (1, (2,))),
    ("inner", {"depth": 2}, Inner(2)),
    ("inner", Inner(3, "y"), Inner(3, "y")),
    ("inners", [{"depth": 2}, Inner(3)], (Inner(2), Inner(3))),
    ("shape", Square(2.0), Square(2.0)),
    ("call", math.exp, math.exp),
    ("path", "a/b", "a/b"),  # a class that knows itself what it is made from
    ("hidden", "1.5", "1.5"),
]


@pytest.mark.parametrize(("key", "given", "made"), FITS, ids=str)
def test_what_fits_is_taken_and_written_as_annotated(key: str, given: Any, made: Any) -> None:
    value = getattr(configure(Everything, {key: given}, where="here"), key)
    assert value == made and type(value) is type(made)
    if isinstance(made, tuple):
        assert [type(v) for v in value] == [type(v) for v in made]
    if isinstance(made, dict):
        assert [type(v) for v in value.values()] == [type(v) for v in made.values()]


# parameter, value, what is said of it
REFUSED: list[tuple[str, Any, str]] = [
    ("flag", 1, "'flag' must be true or false, not 1"),
    ("flag", "true", "'flag' must be true or false, not 'true'"),
    ("count", True, "'count' must be a whole number, not True"),
    ("count", 1.0, "'count' must be a whole number, not 1.0"),
    ("count", None, "'count' must be a whole number, not None"),
    ("rate", True, "'rate' must be a number, not True"),
    ("rate", math.nan, "'rate' must be a number, not nan"),
    ("rate", [1], r"'rate' must be a number, not \[1\]"),
    ("word", 1, "'word' must be text, not 1"),
    ("nothing", 0, "'nothing' must be none, not 0"),
    ("some", "x", "'some' must be a whole number, not 'x'"),
    ("old", "x", "'old' must be a number, not 'x'"),
    ("either", "x", "'either' must be a number or a mapping, not 'x'"),
    ("share", 1.5, "'share' must be from 0 to 1, not 1.5"),
    ("share", "x", "'share' must be a number, not 'x'"),
    ("most", 0, "'most' must be from 1 to 9, not 0"),
    ("mode", "fats", "'mode' must be 'fast' or 'slow' or 3, not 'fats'"),
    ("mode", 3.0, "'mode' must be 'fast' or 'slow' or 3, not 3.0"),
    ("pair", [1], r"'pair' must be a list of 2, not \[1\]"),
    ("pair", 1, "'pair' must be a list of 2, not 1"),
    ("pair", [1, "x"], "entry 2 of 'pair' must be a number, not 'x'"),
    ("three", [1, 2, 3], "entry 3 of 'three' must be text, not 3"),
    ("many", "12", "'many' must be a list, not '12'"),
    ("many", [1, 2.5], "entry 2 of 'many' must be a whole number, not 2.5"),
    ("row", {"a": 1}, "'row' must be a list, not"),
    ("listed", [None], "entry 1 of 'listed' must be a whole number, not None"),
    ("weights", [1], r"'weights' must be a mapping, not \[1\]"),
    ("weights", {"a": "x"}, "'a' of 'weights' must be a number, not 'x'"),
    ("weights", {1: 1.0}, "a key of 'weights' must be text, not 1"),
    ("table", {"a": [1, "x"]}, "entry 2 of 'a' of 'table' must be a whole number, not 'x'"),
    ("free", 5, "'free' must be a mapping, not 5"),
    ("inner", 5, "'inner' must be a mapping, not 5"),
    ("inner", {"depth": 0}, "In 'inner' of here, 'depth' must be at least 1, not 0"),
    ("inner", {"name": "x"}, "In 'inner' of here, 'depth' is missing"),
    ("inner", {"depht": 1}, "no setting 'depht' in 'inner' of here"),
    ("inners", [{"depth": 1}, {"depth": 0}], "In entry 2 of 'inners' of here, 'depth' must be"),
    ("shape", "square", "'shape' must be a Shape, not 'square'"),
    ("call", "sqrt", "'call' must be a Callable, not 'sqrt'"),
]


@pytest.mark.parametrize(("key", "given", "told"), REFUSED, ids=str)
def test_what_does_not_fit_is_refused_with_its_place(key: str, given: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        configure(Everything, {key: given}, where="here")
    assert "here" in caught.value.what and caught.value.fix


@pytest.mark.parametrize(
    ("key", "given", "fix"),
    [
        ("rate", "1e-3", "write 1.0e-3"),
        ("count", "8", "quotes"),
        ("rate", "much", "The default is 0.5"),
        ("mode", "fats", "Did you mean 'fast'"),
        ("share", 7, "The default is 0.5"),
        ("weights", 5, "Correct the value"),
    ],
)
def test_the_remedy_fits_the_mistake(key: str, given: Any, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configure(Everything, {key: given}, where="here")
    assert fix in caught.value.fix


def test_unknown_and_missing_parameters_are_named() -> None:
    with pytest.raises(ConfigError, match=r"no setting 'cuont' in my\.yaml.*Did you mean 'count'"):
        configure(Everything, {"cuont": 1}, where="my.yaml")
    with pytest.raises(ConfigError, match=r"In my\.yaml, 'depth' is missing\. Add 'depth: "):
        configure(Inner, {}, where="my.yaml")


def test_an_annotation_that_cannot_be_resolved_leaves_the_others_checked() -> None:
    class Local:
        pass

    @dataclass(frozen=True)
    class Uses:
        part: Local
        size: int = 1

    assert parameters(Uses)["part"].annotation is Any
    assert parameters(Everything)["hidden"].annotation is Any
    assert configure(Uses, {"part": "x"}, where="here").part == "x"  # type: ignore[comparison-overlap]
    with pytest.raises(ConfigError, match="'size' must be a whole number"):
        configure(Uses, {"part": "x", "size": "x"}, where="here")


class Plain:
    """No dataclass; one parameter without an annotation, and more than can be named."""

    def __init__(self, a, *rest: int, b: float = 1.0, **others: int) -> None:  # type: ignore[no-untyped-def]
        self.a, self.b = a, b


def test_any_class_with_a_constructor_can_be_configured() -> None:
    made = configure(Plain, {"a": [1], "b": 2}, where="here")
    assert made.a == (1,) and type(made.b) is float
    for wrong in ({"a": 1, "others": {}}, {"a": 1, "rest": []}, {"a": 1, "b": "x"}, {}):
        with pytest.raises(ConfigError):
            configure(Plain, wrong, where="here")


@dataclass(frozen=True)
class Checked:
    """Settings that look after themselves."""

    count: Annotated[int, Range(1, 3)] = 1
    rate: float = 1.0
    shape: Shape = Square()
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self, "the settings")


def test_a_constructor_call_is_checked_and_changes_no_value() -> None:
    assert type(Checked(rate=2).rate) is int
    for wrong in (
        {"count": 4},
        {"count": "x"},
        {"rate": None},
        {"shape": "square"},
        {"weights": {"a": "b"}},
    ):
        with pytest.raises(ConfigError, match=f"In the settings, .*'{next(iter(wrong))}'"):
            Checked(**wrong)  # type: ignore[arg-type]
