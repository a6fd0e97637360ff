"""Batches of gaps, and the loss of residues as seen from one another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moldiff.diffusion.batch import Batch
from moldiff.domain.backbones import LONGEST, NEIGHBOURS, gap_batch, shown
from moldiff.errors import DataError
from moldiff.protein.gap import FLANK, Gap, cut
from moldiff.train.workloads.backbones import GapBatches
from moldiff.train.workloads.frame_aligned import FrameAligned
from tests.backbones import backbone, write_backbones


def test_batches_are_functions_of_the_step(tmp_path: Path) -> None:
    store = write_backbones(tmp_path / "store")
    train = store.indices("train")
    loader = GapBatches(store, train, batch=3, seed=4)
    lengths = set()
    for step in range(60):
        gaps, atoms = loader[step]
        assert len(gaps) == len(atoms) == 3
        (n,) = {len(gap) for gap in gaps}
        lengths.add(n)
        for gap, missing in zip(gaps, atoms, strict=True):
            assert missing.shape == (n, 4, 3) and len(gap.around) <= NEIGHBOURS
            # The chain goes on from the anchors.
            ends = missing[[0, -1], 1] - gap.anchors[:, 1]
            assert (np.linalg.norm(ends, axis=1) < 4.2).all()
    assert min(lengths) == 1 and max(lengths) == LONGEST and len(lengths) > 10
    again = GapBatches(store, train, batch=3, seed=4)[7]
    other = GapBatches(store, train, batch=3, seed=5)[7]
    assert all(np.array_equal(a, b) for a, b in zip(again.atoms, loader[7].atoms, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(other.atoms, again.atoms, strict=True))


def test_no_chain_to_train_on(tmp_path: Path) -> None:
    store = write_backbones(tmp_path / "store", 2)
    with pytest.raises(DataError, match="no chain to train on"):
        GapBatches(store, np.array([], np.int64), batch=2, seed=0)


def clean() -> tuple[Gap, Batch]:
    chain = backbone(60, seed=2)
    gap = cut(chain, 20, 6, neighbours=20)
    return gap, shown(gap_batch([gap], [chain.atoms[20:26]], 2))


def parts(hat: Batch, true: Batch, t: float = 0.1) -> dict[str, float]:
    around = true.context["surroundings"]
    loss, told = FrameAligned().compare(hat, true, around, torch.full((2,), t))
    assert loss.isfinite()
    return {name: float(value) for name, value in told.items()}


def test_the_truth_costs_nothing() -> None:
    _, true = clean()
    found = parts(true, true)
    assert found.keys() == {"atoms", "seen", "rotation", "distances", "clashes", "error"}
    del found["clashes"]  # the made-up chain runs through itself
    assert all(value == pytest.approx(0, abs=1e-3) for value in found.values())


def test_a_mirror_image_is_seen_from_frames() -> None:
    """Mirrored with its frames, all distances of residues are right, and what they see is not."""
    _, true = clean()
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0]))
    flipped = true.replace(
        positions=true["positions"] @ mirror, frames=mirror @ true["frames"] @ mirror
    )
    around = true.context["surroundings"]
    image = replace(
        around, positions=around.positions @ mirror, frames=mirror @ around.frames @ mirror
    )
    before = true["positions"][0], around.positions[0]
    after = flipped["positions"][0], image.positions[0]
    torch.testing.assert_close(torch.cdist(*after), torch.cdist(*before))
    _, told = FrameAligned().compare(
        flipped, Batch(true, {"surroundings": image}), image, torch.ones(2)
    )
    assert told["seen"] > 1


@pytest.mark.parametrize(("part", "shift"), [("atoms", 1.0), ("error", 1.0), ("distances", 0.2)])
def test_a_shift_is_an_error(part: str, shift: float) -> None:
    _, true = clean()
    moved = true.replace(positions=true["positions"] + torch.tensor([1.0, 0, 0]))
    found = parts(moved, true)
    assert found["rotation"] == pytest.approx(0, abs=1e-5)
    weight = {"atoms": 1 / (0.4 + 0.1)}.get(part, 1)
    assert found[part] >= 0.95 * shift * weight * (part != "distances") and found[part] > 0.02


def test_overlaps_count_near_the_data_alone() -> None:
    gap, true = clean()
    x = true["positions"].clone()
    x[:, 2] = torch.from_numpy(gap.around[10, 1] - gap.anchors[:, 1].mean(0))
    into = true.replace(positions=x)
    assert parts(into, true)["clashes"] > 1
    assert parts(into, true, t=0.5)["clashes"] == 0
    assert gap.around_places[2 * FLANK :].tolist()
