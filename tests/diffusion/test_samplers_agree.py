"""One trained denoiser, several samplers: the same distribution of molecules in many steps.

A distribution is told by the means of six numbers of a molecule.  Compared are the samplers that
follow the probability-flow equation, because the bundled model was trained on aligned noise, with
which the fresh noise of the others does not go.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import moldiff
from moldiff import registry
from moldiff.diffusion.sampler import Sampler
from moldiff.generation.run import sample_batch

STEPPERS = ("ancestral", "midpoint", "multistep", "heun")
MOLECULES, ATOMS = 128, 8
LARGEST = 2.0  # standard errors; samples of 48 evaluations are within 1.2, of 8 beyond 2.4


def described(stepper: str, evaluations: int) -> dict[str, Tensor]:
    """Numbers that rotations and the order of atoms do not change, (molecules,) each."""
    model = moldiff.load("qm9-skeleton")
    part = registry.build("stepper", {"name": stepper, "churn": 1.0})
    sampler = Sampler(
        evaluations // part.evaluations,
        part,
        registry.build("grid", {"name": "power", "exponent": 1.5}),
    )
    rng = torch.Generator().manual_seed(0)
    batch = sample_batch(model, model.denoiser, sampler, MOLECULES, ATOMS, rng=rng)
    x = batch["positions"]
    apart = torch.cdist(x, x)[:, *torch.triu_indices(ATOMS, ATOMS, 1)].sort(1).values
    return {
        "radius of gyration": x.square().sum(-1).mean(-1).sqrt(),
        "least distance": apart[:, 0],
        "neighbours": (apart < 1.7).double().sum(1),
        "bonds": (batch["bonds"] > 0).double().sum(1),
        "multiple bonds": (batch["bonds"] > 1).double().sum(1),
        "classes": batch["types"].double().mean(1),
    }


def deviations(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[float]:
    """Differences of the means in units of their standard error."""
    return [
        float((a.mean() - other[k].mean()).abs() / ((a.var() + other[k].var()) / len(a)).sqrt())
        for k, a in one.items()
    ]


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    return described("ancestral", 96)


@pytest.mark.thorough
@pytest.mark.parametrize("stepper", STEPPERS)
def test_many_steps_give_one_distribution(stepper: str, reference: dict[str, Tensor]) -> None:
    assert max(deviations(described(stepper, 48), reference)) < LARGEST


@pytest.mark.parametrize("stepper", ["ancestral", "midpoint"])  # the others' first step is theirs
@pytest.mark.thorough
def test_few_steps_do_not(stepper: str, reference: dict[str, Tensor]) -> None:
    assert max(deviations(described(stepper, 2), reference)) > 7
