"""The backbone network: what is encoded once, groups of graphs, and residues that stay."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.denoiser.precondition import Clean as CleanPrecondition
from moldiff.diffusion.process import Product
from moldiff.diffusion.time import Clean, batch_times
from moldiff.domain.backbones import CLASSES, Backbones, gap_batch
from moldiff.geometry.tensors import uniform_rotations
from moldiff.nn.frame_geometry import turned
from moldiff.nn.frames import FrameNetwork
from moldiff.nn.residues import Residues, SurroundingsState
from moldiff.protein.gap import cut
from tests.backbones import backbone
from tests.contracts.conftest import DOMAINS

pytestmark = pytest.mark.usefixtures("fixed_weights")
COPIES, LENGTH = 2, 5


def network() -> FrameNetwork:
    made: Any = Backbones().network(DOMAINS["backbones"]["network"], None)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made  # type: ignore[no-any-return]


def gaps(*starts: int) -> Batch:
    chain = backbone(60)
    cuts = [cut(chain, start, LENGTH, neighbours=20) for start in starts]
    atoms = [chain.atoms[start : start + LENGTH] for start in starts]
    return gap_batch(cuts, atoms, COPIES)


def denoised(model: FrameNetwork, x: Batch, t: Tensor) -> Batch:
    process = Product.from_config(DOMAINS["backbones"]["process"])
    denoiser = NetworkDenoiser(model, CleanPrecondition(), process, Backbones().readout)
    with torch.no_grad():
        return denoiser(x, batch_times(x, t))


def close(a: Batch, b: Batch) -> None:
    for field in b:
        torch.testing.assert_close(a[field], b[field], atol=1e-4, rtol=1e-4)


def test_surroundings_are_encoded_once() -> None:
    model, x = network(), gaps(10, 30)
    encoded = model.encode(x.context)
    assert isinstance(encoded["surroundings"], SurroundingsState)
    assert model.encode(encoded)["surroundings"] is encoded["surroundings"]
    t = torch.full((4,), 0.5)
    close(denoised(model, Batch(x, encoded), t), denoised(model, x, t))


def test_gaps_of_a_batch_do_not_mix() -> None:
    model, t = network(), torch.tensor([0.2, 0.9, 0.4, 0.6])
    together = denoised(model, gaps(10, 30), t)
    for k, start in enumerate((10, 30)):
        part = slice(k * COPIES, (k + 1) * COPIES)
        alone = denoised(model, gaps(start), t[part])
        close(together.map(lambda v, part=part: v[part]), alone)  # type: ignore[misc]


def test_residues_need_no_surroundings() -> None:
    x = Batch(
        {"positions": 5 * torch.randn(2, 7, 3), "frames": uniform_rotations((2, 7), rng=seeded())},
        {"residues": Residues(torch.arange(7).unsqueeze(0), torch.arange(7).unsqueeze(0))},
    )
    moved = network()(x, torch.full((2,), 0.5))
    assert moved["positions"].shape == (2, 7, 3) and moved["frames"].shape == (2, 7, 3, 3)


def test_clean_residues_stay_and_the_others_know() -> None:
    model, x, t = network(), gaps(10), torch.full((COPIES,), 0.5)
    mask = torch.zeros(1, LENGTH, dtype=torch.bool)
    mask[0, 1] = True
    given = denoised(model, x.given(clean=Clean({"atom": mask})), t)
    free = denoised(model, x, t)
    for field in x:
        torch.testing.assert_close(given[field][:, 1], x[field][:, 1])
        assert (given[field][:, 2] - free[field][:, 2]).abs().max() > 1e-3


def test_every_weight_matters() -> None:
    model, x = network(), gaps(10)
    shown = Backbones().readout.show(x)
    moved = model(shown, torch.full((COPIES,), 0.5))
    loss = sum((v * torch.randn_like(v)).sum() for v in moved.values())
    loss.backward()  # type: ignore[union-attr]
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


def test_turning_makes_rotations_and_zero_turns_nothing() -> None:
    frames = uniform_rotations((50,), rng=seeded())
    torch.testing.assert_close(turned(frames, torch.zeros(50, 6)), frames)
    change = turned(frames, 2 * torch.randn(50, 6, generator=seeded()))
    torch.testing.assert_close(change @ change.mT, torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0)
    assert torch.allclose(torch.linalg.det(change), torch.ones(50), atol=1e-5)


def test_the_width_fits_the_heads() -> None:
    with pytest.raises(ValueError, match="multiple of heads"):
        FrameNetwork(width=30, heads=8, **CLASSES)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)
