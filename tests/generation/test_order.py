"""The order of molecules is that of the draw, and the first k do not depend on how many follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice, pairwise
from typing import Any

import pytest

from moldiff import load
from moldiff.generation.order import blocks, groups
from moldiff.generation.request import Generated, Request
from moldiff.generation.run import generate
from moldiff.model import Model
from tests.generation.test_generation import small


def bits(items: list[Generated]) -> list[tuple[str, bytes]]:
    return [
        (
            " ".join(atom.GetSymbol() for atom in item.mol.GetAtoms()),
            item.mol.GetConformer().GetPositions().tobytes(),
        )
        for item in items
    ]


def test_blocks_are_the_same_for_every_n() -> None:
    ends = [block.stop for block in blocks(2000)]
    assert ends == [8, 32, 128, 512, 1536, 2560]
    for n in (1, 8, 9, 500, 513):
        known = list(blocks(n))
        assert known == list(islice(blocks(2000), len(known)))
        assert known[-1].start < n <= known[-1].stop
        assert [p for block in known for p in block] == list(range(known[-1].stop))


def test_groups_are_whole_whatever_is_wanted() -> None:
    block = range(128, 512)
    sizes = [9 if k % 5 else 8 for k in block]
    every = groups(block, sizes, 512)
    assert sorted(p for g in every for p in g.places) == list(block)
    assert max(len(g.places) for g in every) == 64
    assert all(sizes[p - 128] == g.size for g in every for p in g.places)
    assert [g.places[0] for g in every] == sorted(g.places[0] for g in every)
    for n in (129, 300, 400):
        wanted = groups(block, sizes, n)
        assert all(group in every for group in wanted)
        assert sum(group.before(n) for group in wanted) == n - 128


@pytest.fixture(scope="module")
def model() -> Model:
    return small()


@pytest.mark.parametrize("options", [{}, {"size": 5}, {"formula": "C2H4O"}])
def test_the_first_k_do_not_depend_on_n(model: Model, options: dict[str, Any]) -> None:
    longest = bits(list(generate(model, Request(40, seed=3, **options))))
    assert len(set(longest)) > 30
    for n in (1, 4, 12, 33):
        assert bits(list(generate(model, Request(n, seed=3, **options)))) == longest[:n]


def test_neither_do_they_with_a_filter() -> None:
    fast = load("qm9-fast")
    found = list(generate(fast, Request(10, seed=1, keep_valid=True)))
    assert len(found) == 10 and all(item.failure is None for item in found)
    assert bits(list(generate(fast, Request(3, seed=1, keep_valid=True)))) == bits(found)[:3]


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
    assert 32 < len(found) <= 50
    assert set(bits(found)) <= set(bits(list(generate(model, Request(60, seed=2)))))
