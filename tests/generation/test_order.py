"""The order of molecules is that of the draw, and the first k do not depend on how many follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from moldiff import load
from moldiff.generation.order import blocks, groups
from moldiff.generation.request import Generated, Request
from moldiff.generation.run import generate
from moldiff.model import Model
from moldiff.seeds import Generators, generator, normal, uniform
from tests.generation.test_generation import small


def same(one: list[Generated], other: list[Generated]) -> bool:
    """Whether these are the same molecules, but for rounding in batches of other shapes."""
    return len(one) == len(other) and all(
        [atom.GetSymbol() for atom in a.mol.GetAtoms()]
        == [atom.GetSymbol() for atom in b.mol.GetAtoms()]
        and np.allclose(
            a.mol.GetConformer().GetPositions(), b.mol.GetConformer().GetPositions(), atol=1e-3
        )
        for a, b in zip(one, other, strict=True)
    )


def test_groups_are_of_one_size_and_come_by_their_first() -> None:
    assert [len(block) for block in blocks(1200)] == [512, 512, 176]
    block = range(512, 900)
    sizes = [9 if k % 5 else 8 for k in block]
    every = groups(block, sizes)
    assert sorted(p for g in every for p in g.places) == list(block)
    assert max(len(g.places) for g in every) == 64
    assert all(sizes[p - 512] == g.size for g in every for p in g.places)
    assert [g.places[0] for g in every] == sorted(g.places[0] for g in every)


def test_a_graph_has_random_numbers_of_its_own() -> None:
    def each(*keys: int) -> Generators:
        return Generators([generator(7, k) for k in keys])

    for draw in (uniform, normal):
        three, two = draw((3, 5, 2), rng=each(0, 1, 2)), draw((2, 5, 2), rng=each(2, 0))
        assert torch.equal(three[[2, 0]], two)
        assert not torch.equal(three[0], three[1])
        assert torch.equal(draw((5, 2), rng=generator(7, 1)), three[1])
    with pytest.raises(ValueError, match="3 generators cannot draw"):
        uniform((2, 5), rng=each(0, 1, 2))


@pytest.fixture(scope="module")
def model() -> Model:
    return small()


@pytest.mark.parametrize("options", [{}, {"size": 5}, {"formula": "C2H4O"}])
def test_the_first_k_do_not_depend_on_n(model: Model, options: dict[str, Any]) -> None:
    longest = list(generate(model, Request(40, seed=3, **options)))
    assert not any(same([a], [b]) for a, b in pairwise(longest))
    for n in (1, 4, 12, 33):
        assert same(list(generate(model, Request(n, seed=3, **options))), longest[:n])


def test_neither_do_they_with_a_filter() -> None:
    fast = load("qm9-fast")
    found = list(generate(fast, Request(10, seed=1, keep_valid=True)))
    assert len(found) == 10 and all(item.failure is None for item in found)
    assert same(list(generate(fast, Request(3, seed=1, keep_valid=True))), found[:3])


def test_sizes_come_as_they_are_drawn(model: Model) -> None:
    items = list(generate(model, Request(200, seed=1), sampling={"steps": 1}))
    sizes = [item.mol.GetNumAtoms() for item in items]
    changes = sum(a != b for a, b in pairwise(sizes))
    assert changes > 60  # grouped by size there would be two
    first, last = Counter(sizes[:100]), Counter(sizes[100:])
    assert all(abs(first[n] - last[n]) < 30 for n in (5, 7, 9))


def test_work_is_counted_of_what_is_wanted(model: Model) -> None:
    for n in (3, 40):
        done: list[float] = []
        list(generate(model, Request(n, seed=2), progress=done.append))
        assert sum(done) == pytest.approx(n)


def test_the_first_are_recorded(model: Model) -> None:
    items = list(generate(model, Request(20, seed=2), record=5))
    assert [bool(item.frames) for item in items] == [k < 5 for k in range(20)]


def test_interrupted_what_is_complete_comes_out(model: Model) -> None:
    def stop_after(count: float) -> Callable[[float], None]:
        done = 0.0

        def progress(amount: float) -> None:
            nonlocal done
            done += amount
            if done > count:
                raise KeyboardInterrupt

        return progress

    found: list[Generated] = []
    with pytest.raises(KeyboardInterrupt):
        for item in generate(model, Request(60, seed=2), progress=stop_after(50)):
            found.append(item)
    assert 10 < len(found) <= 50
    whole = list(generate(model, Request(60, seed=2)))
    assert all(any(same([item], [other]) for other in whole) for item in found)
