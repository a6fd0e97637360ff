"""What a site may be: no step, noise or prediction has another class."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.diffusion.allowed import Allowed
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import GaussianDenoiser, NetworkDenoiser
from moldiff.diffusion.objective.bound import elbo
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.errors import ConfigError
from moldiff.nn import GraphNetwork

B, N = 4000, 3
FREQUENCIES = (0.1, 0.2, 0.3, 0.4)
# Of the first atom all, of the second two classes, of the third one.
MASK = torch.tensor([[[1, 1, 1, 1], [1, 0, 0, 1], [0, 0, 1, 0]]], dtype=torch.bool)


def product(mask: bool = False) -> Product:
    probabilities = [0.0] * 4 + [1.0] if mask else [0.4, 0.3, 0.2, 0.1]
    space = {"name": "categorical", "probabilities": probabilities, "mask": mask}
    return Product.from_config({"types": {"name": "jump", "schedule": "cosine", "space": space}})


def exact(process: Product) -> GaussianDenoiser:
    return GaussianDenoiser(process, 1.0, {"types": FREQUENCIES})


def allowed(types: Tensor) -> Tensor:
    """Whether the class of each site is allowed, (b, n)."""
    return MASK.expand(len(types), -1, -1).gather(-1, types.unsqueeze(-1)).squeeze(-1)


@pytest.mark.parametrize("churn", [0.0, 1.0])
def test_samples_are_the_data_that_are_allowed(churn: float) -> None:
    """With the exact denoiser of independent classes, their frequencies given the mask."""
    process, rng = product(), torch.Generator().manual_seed(0)
    x_1 = process.prior(B, N, rng=rng, context={"allowed": Allowed({"types": MASK})})
    stepper: dict[str, Any] = {"name": "ancestral", "churn": churn}
    sampler = Sampler.from_config({"steps": 12, "stepper": stepper})
    states = list(sampler.trajectory(exact(process), x_1, rng=rng))
    assert all(allowed(state.x["types"]).all() for state in states)
    # The last state is the most probable class of each site; the one before is drawn.
    drawn = states[-2].x["types"]
    given = torch.tensor(FREQUENCIES) * MASK[0]
    for site, p in enumerate(given / given.sum(1, keepdim=True)):
        seen = torch.bincount(drawn[:, site], minlength=4) / B
        assert torch.allclose(seen, p, atol=0.03)


def test_noise_is_of_the_allowed_classes_in_their_proportions() -> None:
    rng = torch.Generator().manual_seed(1)
    x = Batch({"types": torch.full((B, N), 3)}, {"allowed": Allowed({"types": MASK})})
    noise = product().noise_like(x, rng=rng)["types"]
    assert allowed(noise).all()
    assert float((noise[:, 1] == 0).float().mean()) == pytest.approx(0.8, abs=0.03)  # 4 : 1
    late = torch.full((B,), 0.999)
    moved = product().forward(x.replace(types=noise), 0 * late, late, rng=rng)["types"]
    assert allowed(moved).all()


def test_classes_that_noise_never_has_are_equally_probable() -> None:
    space = {"name": "categorical", "probabilities": [0.0, 0.0, 0.5, 0.5]}
    process = Product.from_config({"types": {"name": "jump", "schedule": "cosine", "space": space}})
    mask = torch.tensor([[[True, True, False, False]]])
    context = {"allowed": Allowed({"types": mask})}
    types = process.prior(B, N, rng=torch.Generator().manual_seed(2), context=context)["types"]
    assert float(types.float().mean()) == pytest.approx(0.5, abs=0.03)


def test_masked_noise_stays_a_mask() -> None:
    process, rng = product(mask=True), torch.Generator().manual_seed(3)
    context = {"allowed": Allowed({"types": torch.nn.functional.pad(MASK, (0, 1))})}
    x_1 = process.prior(8, N, rng=rng, context=context)
    assert (x_1["types"] == 4).all()
    denoiser = GaussianDenoiser(process, 1.0, {"types": (*FREQUENCIES, 0.0)})
    end = Sampler.from_config({"steps": 6}).sample(denoiser, x_1, rng=rng)["types"]
    assert allowed(end).all()


def test_what_is_allowed_everywhere_changes_nothing() -> None:
    process = product()
    everything = Allowed({"types": torch.ones(1, 1, 4, dtype=torch.bool)})
    ends = []
    for context in ({}, {"allowed": everything}):
        rng = torch.Generator().manual_seed(4)
        x_1 = process.prior(64, N, rng=rng, context=context)
        ends.append(Sampler.from_config({"steps": 5}).sample(exact(process), x_1, rng=rng)["types"])
    assert torch.equal(*ends)


def test_a_network_predicts_allowed_classes_alone() -> None:
    process = Product.from_config(
        {"positions": {"name": "gaussian", "schedule": "cosine"}, **product().to_config()}
    )
    interaction = registry.build(
        "interaction", {"name": "transformer", "width": 16, "layers": 1, "heads": 2}
    )
    network = GraphNetwork(interaction, process.categorical())
    denoiser = NetworkDenoiser(network, registry.build("precondition", "karras"), process)
    context = {"allowed": Allowed({"types": MASK})}
    x_1 = process.prior(5, N, rng=torch.Generator().manual_seed(5), context=context)
    p = denoiser(x_1, torch.full((5,), 0.5))["types"].softmax(-1)
    assert (p[~MASK.expand_as(p)] == 0).all()
    assert (p[MASK.expand_as(p)] > 0).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="no class at all"):
        Allowed({"types": torch.zeros(1, N, 4, dtype=torch.bool)})
    process = Product.from_config({"positions": {"name": "gaussian", "schedule": "cosine"}})
    context = {"allowed": Allowed({"positions": torch.ones(1, 1, 3, dtype=torch.bool)})}
    with pytest.raises(ValueError, match="only a field of classes"):
        process.prior(2, 3, rng=torch.Generator(), context=context)
    x_0 = Batch({"types": torch.zeros(1, N, dtype=torch.long)})
    x_0 = x_0.given(allowed=Allowed({"types": MASK}))
    with pytest.raises(ConfigError, match="Leave out 'allowed'"):
        elbo(exact(product()), x_0, rng=torch.Generator())
