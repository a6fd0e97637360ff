"""The cost of a training step by the size of its molecules, measured.

``pytest tests/train/test_cost.py -m slow -s`` prints the time and the memory of steps that cost the
same by the model.
"""

from __future__ import annotations

import pytest
import torch

from moldiff.benchmark.timing import LiveMemory, interleaved
from moldiff.diffusion.objective import Denoising
from moldiff.model import Model
from moldiff.models import find_model
from moldiff.train.loader import cost

SIZES, TYPICAL, BATCH = (10, 15, 20, 30, 40), 22, 24


@pytest.mark.slow
def test_steps_of_equal_cost_take_equal_time_and_memory() -> None:
    """In float32, for the network of the bundled models; the optimizer costs the same for all."""
    described = Model.load(find_model("qm9-skeleton"))
    model = Model.from_config(described.config()).replace(precision=torch.float32)
    objective, rng = Denoising(self_condition=0.0), torch.Generator().manual_seed(0)
    counts = {n: round(BATCH * cost(TYPICAL) / cost(n)) for n in SIZES}
    batches = {n: model.denoiser.process.prior(b, n, rng=rng) for n, b in counts.items()}

    def step(n: int) -> None:
        objective(model.denoiser, batches[n], rng=rng)[0].backward()
        model.network.zero_grad()

    cases = {str(n): lambda n=n: step(n) for n in SIZES}  # type: ignore[misc]
    timings = interleaved(cases, turns=3)
    seconds = {n: timings[str(n)].median for n in SIZES}
    memory = {n: LiveMemory.of(cases[str(n)]) / 2**20 for n in SIZES}
    for n in SIZES:
        print(f"\n{n} atoms x {counts[n]}: {1000 * seconds[n]:.0f} ms, {memory[n]:.0f} MB", end="")
    assert max(seconds.values()) < 1.5 * min(seconds.values())
    assert max(memory.values()) < 1.3 * min(memory.values())
