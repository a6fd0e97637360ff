"""What a trained member makes: quality, network evaluations counted, and speed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from moldiff.generation.request import Request
from moldiff.generation.run import generate
from moldiff.metrics import graph, lookup, relaxation
from moldiff.metrics.sample import samples
from moldiff.model import Model

__all__ = ["Count", "counted", "measure"]


class Count:
    """How many graphs a network has evaluated."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Count one evaluation of (x_t, t, ...), with t of shape (b,)."""
        t: Tensor = inputs[1]
        self.graphs += len(t)


@contextmanager
def counted(network: nn.Module) -> Iterator[Count]:
    """Count the evaluations of a network for a while, whoever makes them."""
    count = Count()
    handle = network.register_forward_hook(count)
    try:
        yield count
    finally:
        handle.remove()


def measure(
    model: Model, sampling: Mapping[str, Any], *, n: int, seed: int, relax: bool
) -> dict[str, Any]:
    """Sample ``n`` molecules with complete settings, and judge them; plain values.

    The speed is that of everything between the request and the molecules, in CPU time of this
    process.  ``relax`` adds the median energy that relaxing with MMFF94 sets free.
    """
    with counted(model.network) as count:
        start = time.process_time()
        molecules = list(generate(model, Request(n, seed), sampling=sampling))
        seconds = time.process_time() - start
    items = samples(item.mol for item in molecules)
    judged, looked = graph.measure(items, None), lookup.measure(items, None)
    assert not isinstance(looked, str)  # generated molecules have coordinates
    results = {
        "strict": judged.strict_validity().to_dict(),
        "stable": looked.molecule_stability().to_dict(),
        "valid_unique": judged.valid_unique().to_dict(),
    }
    if relax:
        valid = [(item, row.failure is None) for item, row in zip(items, judged.rows, strict=True)]
        relaxed = relaxation.measure(valid)
        assert not isinstance(relaxed, str)
        results["relaxation"] = relaxed.drop_median().to_dict()
    return {
        "steps": sampling["steps"],
        "nfe": count.graphs / n,
        "cpu_seconds": seconds,
        "molecules_per_cpu_second": n / seconds,
        **results,
    }
