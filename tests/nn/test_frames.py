"""The backbone network: what is encoded once, groups of graphs, and residues that stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.denoiser.precondition import Clean as CleanPrecondition
from moldiff.diffusion.process import Product
from moldiff.diffusion.time import Clean, batch_times
from moldiff.domain.backbones import CLASSES, Backbones, gap_batch
from moldiff.domain.sequences import Sequences, backbone_input
from moldiff.geometry.tensors import uniform_rotations
from moldiff.nn.frame_geometry import turned
from moldiff.nn.frames import FrameNetwork
from moldiff.nn.residues import BackboneState, Residues, SurroundingsState
from moldiff.protein.backbone import UNKNOWN
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


# --- sequences ----------------------------------------------------------------------------------


def designer(neighbours: int = 8) -> FrameNetwork:
    settings = {**DOMAINS["sequences"]["network"], "neighbours": neighbours}
    made: Any = Sequences().network(settings, None)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made  # type: ignore[no-any-return]


def logits(model: FrameNetwork, atoms: np.ndarray, types: Tensor) -> Tensor:
    with torch.no_grad():
        x = Batch({"types": types}, {"backbone": backbone_input(atoms[None])})
        return model(x, torch.full((len(types),), 0.5))["types"]


def hidden(n: int, graphs: int = 2) -> Tensor:
    types = torch.randint(20, (graphs, n), generator=torch.Generator().manual_seed(1))
    types[:, ::2] = UNKNOWN
    return types


def test_sequences_turn_with_nothing_and_tell_mirror_images_apart() -> None:
    model, atoms, types = designer(), backbone(24).atoms, hidden(24)
    turn = uniform_rotations((1,), rng=torch.Generator().manual_seed(2))[0].numpy()
    here = logits(model, atoms, types)
    there = logits(model, (atoms @ turn.T + 30).astype(np.float32), types)
    torch.testing.assert_close(here, there, atol=2e-3, rtol=1e-3)
    mirrored = logits(model, atoms * np.float32([1, 1, -1]), types)
    assert (here - mirrored).abs().max() > 0.05


def test_the_nearest_are_as_good_as_all_where_all_are_nearest() -> None:
    """The order in which residues are seen says nothing, and more than there are cannot be seen."""
    model, atoms, types = designer(24), backbone(24).atoms, hidden(24)
    everything = logits(model, atoms, types)
    torch.testing.assert_close(logits(designer_like(model, 99), atoms, types), everything)
    few = logits(designer_like(model, 6), atoms, types)
    assert (few - everything).abs().max() > 1e-3


def designer_like(model: FrameNetwork, neighbours: int) -> FrameNetwork:
    other = designer(neighbours)
    other.load_state_dict(model.state_dict())
    return other


def test_what_is_far_away_does_not_matter() -> None:
    """With few neighbours and one layer a block, a residue sees two steps, not the whole chain."""
    model, chain = designer(3), backbone(60).atoms.copy()
    types = hidden(60, 1)
    before = logits(model, chain, types)
    changed = types.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 20
    after = logits(model, chain, changed)
    assert (before - after)[0, :20].abs().max() < 1e-5 < (before - after)[0, 50:].abs().max()


def test_copies_share_one_encoding_and_a_hidden_residue_is_seen_as_hidden() -> None:
    model, atoms, types = designer(), backbone(24).atoms, hidden(24, 3)
    types[1] = (types[0] + 1) % 20
    together = logits(model, atoms, types)
    for k in range(3):
        alone = logits(model, atoms, types[k : k + 1])
        torch.testing.assert_close(together[k : k + 1], alone, atol=1e-4, rtol=1e-4)
    context = {"backbone": backbone_input(atoms[None])}
    encoded = model.encode(context)
    assert isinstance(encoded["backbone"], BackboneState)
    assert model.encode(encoded)["backbone"] is encoded["backbone"]


def test_known_residues_are_kept_and_hidden_ones_are_never_the_mask() -> None:
    process = Product.from_config(DOMAINS["sequences"]["process"])
    denoiser = NetworkDenoiser(designer(), CleanPrecondition(), process, Sequences().readout)
    types = hidden(24)
    x = Batch({"types": types}, {"backbone": backbone_input(backbone(24).atoms[None])})
    with torch.no_grad():
        found = denoiser(x, torch.full((2,), 0.5))["types"]
    known = types != UNKNOWN
    assert found.argmax(-1)[known].equal(types[known])
    assert (found.softmax(-1)[..., UNKNOWN][~known] == 0).all()


def test_lists_and_tables_of_pairs_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long chains are listed pair by pair, and give what a table of all pairs does."""
    model, atoms, types = designer(), backbone(24).atoms, hidden(24, 3)
    table = logits(model, atoms, types)
    monkeypatch.setattr("moldiff.nn.residues._FEW", 3)
    torch.testing.assert_close(logits(model, atoms, types), table, atol=1e-4, rtol=1e-4)
