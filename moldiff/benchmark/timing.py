"""How things are measured: interleaved repetitions, operations counted, live memory, the peak.

Times are CPU seconds of this process: what other processes do costs them little.  Cases that
are compared run in turns (A B C A B C ...), and ratios are taken turn by turn, so that a
machine that slows down slows both sides of a ratio.
"""

from __future__ import annotations

import math
import statistics
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["LiveMemory", "Timing", "flops", "interleaved", "peak", "quartiles", "ratio"]

Work = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """CPU seconds of one call, one value per turn."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Distance of the quartiles relative to the median; NaN for a single value."""
        low, high = quartiles(self.seconds)
        return (high - low) / self.median

    def times(self, factor: float) -> Timing:
        """Return every value times a factor."""
        return Timing(tuple(factor * value for value in self.seconds))

    def plus(self, other: Timing) -> Timing:
        """Return the sums turn by turn."""
        return Timing(tuple(a + b for a, b in zip(self.seconds, other.seconds, strict=True)))


def quartiles(values: tuple[float, ...]) -> tuple[float, float]:
    """Return the first and third quartile; NaN for a single value."""
    if len(values) < 2:
        return math.nan, math.nan
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def ratio(slow: Timing, fast: Timing) -> Timing:
    """Return slow / fast turn by turn; ``median`` and `quartiles` apply to it."""
    return Timing(tuple(a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)))


def interleaved(
    cases: Mapping[str, Work], *, turns: int, at_least: float = 0.0
) -> dict[str, Timing]:
    """Time cases in turns, after a warm-up of each.

    Parameters
    ----------
    cases:
        What to run, by name.
    turns:
        Measurements of each case.
    at_least:
        Repeat a case within its turn until about this many seconds have passed.
    """
    repeats = {}
    for name, work in cases.items():
        first = _seconds(work, 1)
        again = _seconds(work, 1) if 2 * first < at_least else first
        repeats[name] = max(1, min(1000, math.ceil(at_least / max(again, 1e-6))))
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(turns):
        for name, work in cases.items():
            seconds[name].append(_seconds(work, repeats[name]))
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def _seconds(work: Work, repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - start) / repeats


def flops(work: Work) -> int:
    """Count the floating-point operations of matrix products (a multiply-add is two)."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def peak(dtype: torch.dtype, sizes: tuple[int, ...], *, turns: int) -> tuple[float, int]:
    """Return the best rate of square matrix products in FLOP per CPU second, and their size."""
    rng = torch.Generator().manual_seed(0)
    pairs = {n: torch.randn(2, n, n, generator=rng).to(dtype) for n in sizes}
    timings = interleaved(
        {str(n): lambda pair=pair: pair[0] @ pair[1] for n, pair in pairs.items()},  # type: ignore[misc]
        turns=turns,
        at_least=0.02,
    )
    return max((2 * n**3 / timings[str(n)].median, n) for n in sizes)


class LiveMemory(TorchDispatchMode):
    """Follows the bytes held by tensors that are made while it is active.

    Unlike the resident size of the process it is exact and the same on every machine: it
    leaves out weights and inputs, what the allocator keeps, and the insides of operations.
    Use it under ``no_grad``, not ``inference_mode``, which hides the parts of an operation.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = {_storage(x)._cdata for x in _tensors((args, kwargs or {}))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = _storage(tensor)
            key = storage._cdata
            if key not in given and key not in self._known:
                self._known.add(key)
                self.live += storage.nbytes()
                self.peak = max(self.peak, self.live)
                weakref.finalize(storage, self._freed, key, storage.nbytes())
        return result

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size

    @classmethod
    def of(cls, work: Work) -> int:
        """Return the largest number of bytes held at once during ``work``."""
        with cls() as memory:
            work()
        return memory.peak


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    return tensor.untyped_storage()
