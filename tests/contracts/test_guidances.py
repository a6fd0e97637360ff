"""Every registered guidance leaves its input alone, with times of graphs and of sites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from moldiff import registry
from moldiff.diffusion.batch import Batch, pair_count
from moldiff.diffusion.time import Clean, batch_times

B, N = 3, 5


@pytest.mark.parametrize("clean", [False, True], ids=["graphs", "sites"])
@pytest.mark.parametrize("name", registry.names("guidance"))
def test_a_guidance_predicts_every_field_and_changes_no_input(
    name: str, clean: bool, make: Callable[..., Any], rng: torch.Generator
) -> None:
    guidance = make("guidance", name)
    x = guidance.process.prior(B, N, rng=rng).given(conditions=torch.zeros(B, 2))
    if clean:
        atoms = torch.zeros(B, N, dtype=torch.bool)
        atoms[:, :2] = True
        pairs = torch.zeros(B, pair_count(N), dtype=torch.bool)
        x = x.given(clean=Clean({"atom": atoms, "pair": pairs}))
    before = {field: value.clone() for field, value in x.items()}
    t = batch_times(x, torch.full((B,), 0.6))
    first = guidance(x, t)
    second = guidance(x, t, first)
    plain = guidance.denoiser(x, t)
    assert all(torch.equal(x[field], before[field]) for field in before)
    for prediction in (first, second):
        assert isinstance(prediction, Batch) and list(prediction) == list(plain)
        assert all(prediction[f].shape == plain[f].shape for f in plain)
        assert all(not v.isnan().any() for v in prediction.values())
