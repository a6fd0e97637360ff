"""Turns, ratios, counted operations and live memory."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from moldiff.benchmark.timing import (
    LiveMemory,
    Timing,
    flops,
    interleaved,
    peak,
    quartiles,
    ratio,
)


def test_cases_run_in_turns() -> None:
    calls: list[str] = []
    timings = interleaved({x: lambda x=x: calls.append(x) for x in "ABC"}, turns=2)
    assert "".join(calls).endswith("ABCABC")
    assert all(len(t.seconds) == 2 and t.median >= 0 for t in timings.values())


def test_short_cases_are_repeated() -> None:
    calls: list[int] = []
    interleaved({"short": lambda: calls.append(0)}, turns=1, at_least=1e-4)
    assert len(calls) > 3


def test_ratios_are_taken_turn_by_turn() -> None:
    # The machine becomes ten times slower in the second turn: the ratio does not notice.
    slow, fast = Timing((4.0, 40.0, 4.0)), Timing((2.0, 20.0, 2.0))
    assert ratio(slow, fast).seconds == (2.0, 2.0, 2.0)
    assert slow.times(2).plus(fast).seconds == (10.0, 100.0, 10.0)


def test_spread() -> None:
    assert Timing((1.0, 2.0, 3.0)).spread == pytest.approx(0.5)
    assert quartiles((1.0, 2.0, 3.0)) == (1.5, 2.5)
    assert math.isnan(Timing((1.0,)).spread)


def test_operations_of_a_product() -> None:
    a, b = torch.ones(2, 3), torch.ones(3, 5)
    assert flops(lambda: a @ b) == 2 * 2 * 3 * 5


def test_peak_names_the_best_size() -> None:
    rate, size = peak(torch.float32, (8, 32), turns=1)
    assert rate > 0 and size in (8, 32)


def test_live_memory_is_exact() -> None:
    x = torch.ones(64, 64)
    one = x.numel() * x.element_size()

    def work() -> None:
        y = F.relu(x.t() + 1)  # two new tensors at once, a view of an old one
        del y
        z = x * 2
        z.mul_(2)

    assert LiveMemory.of(work) == 2 * one
    memory = LiveMemory()
    with memory:
        kept = x + x
    assert memory.live == memory.peak == one
    del kept
    assert memory.live == 0


def test_live_memory_sees_the_backward_pass() -> None:
    w = torch.ones(64, 64, requires_grad=True)
    memory = LiveMemory()
    with memory:
        (w @ w).exp().sum().backward()
    assert memory.live >= 64 * 64 * 4  # the gradient
    assert memory.peak > memory.live
