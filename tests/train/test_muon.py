"""Muon: orthogonal updates, in float32, as those of torch.optim.Muon."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from torch import nn

from moldiff.data.store import Store
from moldiff.train import Trainer
from moldiff.train.muon import Muon, orthogonalised
from tests.train.test_trainer import Config


def matrices(k: int, rows: int, columns: int, decades: float = 3.0) -> torch.Tensor:
    """Matrices whose singular values span some powers of ten."""
    rng = torch.Generator().manual_seed(rows + columns)
    x = torch.randn(k, rows, columns, generator=rng, dtype=torch.float64)
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    s = torch.logspace(0, -decades, u.shape[-1], dtype=torch.float64)
    return (u * s) @ v


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 128, 192), (2, 384, 128), (2, 40, 64)])
def test_singular_vectors_stay_and_singular_values_become_one(shape: tuple[int, ...]) -> None:
    x = 7.0 * matrices(*shape)
    u, s, v = torch.linalg.svd(x, full_matrices=False)
    within = u.mT @ orthogonalised(x.float()).double() @ v.mT
    values = within.diagonal(dim1=-2, dim2=-1)
    # The coefficients of Jordan et al. end there from a thousandth of the norm on.
    large = s > 1.5e-3 * x.norm(dim=(-2, -1)).unsqueeze(-1)
    assert large.double().mean() > 0.6
    assert values[large].min() > 0.65
    assert values[large].max() < 1.25
    # Directions are not mixed.
    assert (within - torch.diag_embed(values)).abs().max() < 2e-3


def test_a_matrix_of_zeros_stays_zero() -> None:
    assert orthogonalised(torch.zeros(2, 32, 40)).abs().max() == 0


def test_updates_are_those_of_torch() -> None:
    """Its bfloat16 products round to three digits, so updates agree as far."""
    shapes = [(32, 40), (40, 32), (32, 40)]
    ours, theirs = ([nn.Parameter(matrices(1, *s)[0].float()) for s in shapes] for _ in range(2))
    settings = {"lr": 0.02, "weight_decay": 0.1}
    optimizers = (
        Muon(ours, **settings),
        torch.optim.Muon(theirs, **settings, adjust_lr_fn="match_rms_adamw"),
    )
    start = [p.detach().clone() for p in ours]
    for step in range(4):
        for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            rng = torch.Generator().manual_seed(10 * step + k)
            a.grad = torch.randn(a.shape, generator=rng)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for a, b, before in zip(ours, theirs, start, strict=True):
        assert (a - b).norm() < 0.03 * (b - before).norm()
        assert (b - before).norm() > 0.1 * before.norm()
        moments = [o.state[p]["momentum_buffer"] for o, p in zip(optimizers, (a, b), strict=True)]
        torch.testing.assert_close(*moments)


class Theirs(torch.optim.Muon):
    """torch's optimizer in the place of ours."""

    def __init__(self, parameters: Any, *, lr: float, weight_decay: float, sharing: Any) -> None:
        super().__init__(
            parameters, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        )


@pytest.mark.slow
def test_three_hundred_steps_of_a_training_are_as_good(
    config: Config, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Means over 50 steps differ by no more than between two seeds."""

    def curve(name: str, seed: int) -> torch.Tensor:
        optimizer = {"name": "muon", "lr": 2e-3, "warmup": 20, "decay": 100}
        network = {"name": "transformer", "width": 64, "pair_width": 32, "layers": 2, "heads": 4}
        made = config(
            steps=300, batch=16, seed=seed, output=str(tmp_path / f"{name}{seed}"),
            optimizer=optimizer, network=network, evaluation={"every": 0},
        )  # fmt: skip
        losses = [sum(p.losses.values()) for p in Trainer(made, store).fit()]
        return torch.tensor(losses).view(6, 50).mean(1)

    ours = [curve("ours", seed) for seed in (0, 1)]
    monkeypatch.setattr("moldiff.train.optimizer.Muon", Theirs)
    theirs = curve("theirs", 0)
    noise = (ours[0] / ours[1]).log().abs().max()
    assert (ours[0] / theirs).log().abs().max() < max(0.05, 1.5 * noise)
    assert theirs[-1] < 0.7 * theirs[0]


def test_a_parameter_without_gradient_is_left_alone() -> None:
    idle, moved = nn.Parameter(torch.ones(32, 32)), nn.Parameter(torch.eye(32))
    moved.grad = torch.randn(32, 32, generator=torch.Generator().manual_seed(0))
    Muon([idle, moved], lr=0.1, weight_decay=0.1).step()
    assert torch.equal(idle, torch.ones(32, 32))
    assert not torch.equal(moved, torch.eye(32))


class Pair:
    """One of two threads that stand for two processes."""

    def __init__(
        self, rank: int, barrier: Barrier, messages: dict[int, list[torch.Tensor]]
    ) -> None:
        self.rank, self.count = rank, 2
        self.barrier, self.messages = barrier, messages

    def add_up(self, tensors: list[torch.Tensor]) -> None:
        self.messages[self.rank] = [tensor.clone() for tensor in tensors]
        self.barrier.wait(10)
        for tensor, *parts in zip(tensors, *self.messages.values(), strict=True):
            tensor.copy_(sum(parts))


def test_two_processes_divide_the_work_and_make_the_same_update() -> None:
    shapes = [(32, 40), (40, 32), (32, 40), (32, 40), (64, 64)]

    def updated(sharing: Pair | None) -> list[nn.Parameter]:
        parameters = [nn.Parameter(matrices(1, *shape)[0].float()) for shape in shapes]
        for k, p in enumerate(parameters):
            p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(k))
        Muon(parameters, lr=0.02, weight_decay=0.1, sharing=sharing).step()
        return parameters

    barrier, messages = Barrier(2), dict[int, list[torch.Tensor]]()
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(updated, [Pair(rank, barrier, messages) for rank in range(2)]))
    for alone, *shared in zip(updated(None), *halves, strict=True):
        torch.testing.assert_close(alone, shared[0])
        assert torch.equal(*shared)
    nonzero = [[bool(m.any()) for stack in messages[rank] for m in stack] for rank in range(2)]
    assert all(a != b for a, b in zip(*nonzero, strict=True))  # each matrix in one of them
