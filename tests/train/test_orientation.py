"""Random orientations: what they do to a batch, to the loss, and when they are in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.space import SO3, Euclidean
from moldiff.errors import ConfigError
from moldiff.model import Model
from moldiff.models import card_rows
from moldiff.nn.inputs import PocketInput
from moldiff.train import TrainConfig
from moldiff.train.orientation import randomly_oriented
from moldiff.train.workloads.molecules import Molecules

PLAIN = {
    "name": "plain", "width": 16, "pair_width": 8, "message_width": 8, "layers": 1, "heads": 2,
    "channels": 2, "context_width": 8,
}  # fmt: skip


def batch(b: int, n: int = 5) -> Batch:
    rng = torch.Generator().manual_seed(3)
    positions = torch.randn(b, n, 3, generator=rng)
    types = torch.randint(4, (b, n), generator=rng)
    return Batch({"positions": positions - positions.mean(1, keepdim=True), "types": types})


def turns(before: Batch, after: Batch) -> torch.Tensor:
    """The matrices R (b, 3, 3) with after = before R^T."""
    return torch.linalg.lstsq(before["positions"], after["positions"]).solution.transpose(1, 2)


def test_every_graph_is_turned_by_its_own_orthogonal_matrix() -> None:
    x_0 = batch(6)
    after, noise = randomly_oriented(x_0, x_0, rng=torch.Generator().manual_seed(1))
    matrices = turns(x_0, after)
    torch.testing.assert_close(
        matrices @ matrices.mT, torch.eye(3).expand(6, 3, 3), atol=1e-4, rtol=0
    )
    assert (matrices[0] - matrices[1]).abs().max() > 0.1
    assert torch.equal(after["types"], x_0["types"])
    assert noise is not None and torch.equal(noise["positions"], after["positions"])
    assert randomly_oriented(x_0, None, rng=torch.Generator())[1] is None


def test_the_matrices_are_uniform_on_rotations_and_reflections() -> None:
    x_0 = batch(4000)
    matrices = turns(x_0, randomly_oriented(x_0, None, rng=torch.Generator().manual_seed(1))[0])
    mirrored = (torch.linalg.det(matrices) < 0).float().mean()
    assert abs(mirrored - 0.5) < 0.03
    # Haar measure on O(3): entries have mean 0, variance 1/3 and no correlation.
    entries = matrices.flatten(1)
    assert entries.mean(0).abs().max() < 0.04
    expected = torch.eye(9) / 3
    torch.testing.assert_close(entries.T @ entries / 4000, expected, atol=0.03, rtol=0)


def bodies(b: int = 6) -> Batch:
    """Points, and a frame with its origin."""
    rng = torch.Generator().manual_seed(3)
    shapes = {"positions": (b, 5, 3), "rotation": (b, 3, 3), "translation": (b, 3)}
    spaces = {"positions": Euclidean(), "rotation": SO3(), "translation": Euclidean()}
    fields = {f: spaces[f].prior(shape, rng=rng) for f, shape in shapes.items()}
    return Batch(fields, {"conditions": torch.zeros(b, 1)})


def test_frames_and_vectors_turn_with_the_points() -> None:
    """A point given in the frame stays where it is among the others: R (F p + x) = F' p + x'."""
    before, local = bodies(), torch.tensor([1.0, -2.0, 0.5])
    after, noise = randomly_oriented(
        before, before, rng=torch.Generator().manual_seed(1), mirror=False
    )
    matrices = turns(before, after)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(6), atol=1e-4, rtol=0)
    outside = [x["rotation"] @ local + x["translation"] for x in (before, after)]
    expected = (matrices @ outside[0].unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(outside[1], expected, atol=1e-4, rtol=0)
    apart = [
        torch.cdist(x["positions"], p[:, None])
        for x, p in zip((before, after), outside, strict=True)
    ]
    torch.testing.assert_close(*apart, atol=1e-4, rtol=0)
    assert noise is not None and all(torch.equal(noise[f], after[f]) for f in after)
    assert after.context == before.context


def test_vectors_of_any_scope_are_mirrored() -> None:
    before = Batch({f: v for f, v in bodies(40).items() if f != "rotation"})
    after, _ = randomly_oriented(before, None, rng=torch.Generator().manual_seed(1))
    matrices = turns(before, after)
    assert 5 < (torch.linalg.det(matrices) < 0).sum() < 35
    expected = (matrices @ before["translation"].unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(after["translation"], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("field", ["rotation", "torsions"])
def test_what_has_no_mirror_image_is_refused(field: str) -> None:
    x = bodies().replace(torsions=torch.zeros(6, 2))
    x = Batch({f: x[f] for f in ("positions", field)})
    with pytest.raises(ConfigError, match=f"'{field}' has no mirror image"):
        randomly_oriented(x, None, rng=torch.Generator())
    after, _ = randomly_oriented(x, None, rng=torch.Generator(), mirror=False)
    assert torch.equal(after[field], x[field]) is (field == "torsions")


def test_a_pocket_that_would_stay_behind_is_refused() -> None:
    pocket = PocketInput(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64), torch.zeros(3))
    with pytest.raises(ConfigError, match="'pocket' of a batch does not rotate"):
        randomly_oriented(batch(2).given(pocket=pocket), None, rng=torch.Generator())


class Seen:
    """An objective that keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def __call__(self, denoiser: Any, x_0: Batch, **_: Any) -> Any:
        self.batches.append(x_0)
        return torch.zeros(()), {}


def test_only_a_network_that_is_not_equivariant_sees_random_orientations(
    config: Callable[..., TrainConfig], store: Store
) -> None:
    for network, plain in ((PLAIN, True), ({**PLAIN, "name": "transformer"}, False)):
        work, seen = Molecules(config(network=network), store), Seen()
        work.objective = seen  # type: ignore[assignment]
        for seed in (1, 1, 2):
            list(work.losses(work.loader[0], rng=torch.Generator().manual_seed(seed)))
        first, again, other = (x["positions"] for x in seen.batches)
        assert torch.equal(first, again)  # a function of the step's random numbers
        assert torch.equal(first, work.loader[0]["positions"]) is not plain
        assert torch.equal(first, other) is not plain


def test_the_label_is_in_the_file_and_in_info(
    config: Callable[..., TrainConfig], store: Store, tmp_path: Any
) -> None:
    path = tmp_path / "plain.safetensors"
    Molecules(config(network=PLAIN), store).model.save(path)
    model = Model.load(path)
    assert "not equivariant" in model.card["symmetry"]
    assert "not equivariant" in card_rows(model)["network"]["symmetry"]
    Molecules(config(), store).model.save(path)
    assert "symmetry" not in Model.load(path).card
    assert card_rows(Model.load(path))["network"]["symmetry"].startswith("equivariant")


def test_turning_leaves_the_classes_of_an_equivariant_network(
    config: Callable[..., TrainConfig], store: Store
) -> None:
    """So what is turned is the molecule and nothing else."""
    work = Molecules(config(), store)
    x_0 = work.loader[0]
    after, _ = randomly_oriented(x_0, None, rng=torch.Generator().manual_seed(4))
    before, later = (
        work.model.denoiser(x, torch.full((x.graphs,), 0.5))["bonds"] for x in (x_0, after)
    )
    torch.testing.assert_close(before, later, atol=1e-4, rtol=1e-4)
