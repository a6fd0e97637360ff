"""Probabilities in any order, and trials."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from moldiff.benchmark.recovery import interval, recorded, row
from moldiff.cli import main
from moldiff.data.backbones import BackboneStore
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.process import Product
from moldiff.diffusion.time import Time
from moldiff.domain.sequences import sequence_batch
from moldiff.model import Model
from moldiff.protein.backbone import UNKNOWN
from moldiff.sequences.decoding import draw, log_probabilities
from moldiff.sequences.trials import Trial, figures, trials
from tests.backbones import backbone, write_backbones
from tests.contracts.conftest import DOMAINS

N = 40


@dataclass(frozen=True, eq=False)
class Counting(Denoiser):
    """log p of class 0 is -m / n for m hidden residues; it notes what was hidden."""

    process: Product
    seen: list[Tensor]

    def __call__(self, x_t: Batch, t: Time, previous: Batch | None = None) -> Batch:
        hidden = x_t["types"] == UNKNOWN
        self.seen.append(hidden)
        share = hidden.float().mean(1).view(-1, 1, 1).expand(-1, N, 1)
        rest = torch.log((1 - torch.exp(-share)).clamp_min(1e-9) / 20).expand(-1, -1, 20)
        return x_t.replace(types=torch.cat([-share, rest], -1))


def counting() -> Counting:
    return Counting(Product.from_config(DOMAINS["sequences"]["process"]), [])


def natives(types: np.ndarray) -> Batch:
    return sequence_batch([backbone(N).atoms], [types], 3)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_number_of_hidden_residues_counts_alike() -> None:
    """Of m = 1, ..., n the mean of -m / n is -(n + 1) / 2n."""
    denoiser = counting()
    nats, each = log_probabilities(
        denoiser, natives(np.zeros(N, np.int64)), rng=seeded(), passes=400
    )
    np.testing.assert_allclose(nats.numpy(), -0.5 - 0.5 / N, atol=0.01)
    assert each.shape == (3, N)
    for part, rest in zip(denoiser.seen[::2], denoiser.seen[1::2], strict=True):
        assert not (part & rest).any() and (part | rest).all()  # in turn all are hidden
    shares = torch.stack(denoiser.seen).float().mean(-1).flatten()
    assert shares.max() == 1 and 0 in shares and 1 / N in shares


def test_what_is_fixed_or_unknown_has_no_probability() -> None:
    types = np.zeros(N, np.int64)
    types[3] = UNKNOWN
    free = torch.ones(3, N, dtype=torch.bool)
    free[:, 10:] = False
    denoiser = counting()
    nats, each = log_probabilities(denoiser, natives(types), rng=seeded(), free=free)
    assert each.isnan().equal(~free | (torch.arange(N) == 3))
    assert nats.isfinite().all()
    assert all(not hidden[:, 10:].any() for hidden in denoiser.seen)


@pytest.fixture(scope="module")
def model() -> Model:
    settings = {**DOMAINS["sequences"], "domain": "sequences", "precondition": "clean"}
    made = Model.from_config(settings | {"sampling": {"steps": 4}}, seed=1)
    rng = seeded(1)
    with torch.no_grad():
        for parameter in made.network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng))
    return made


def test_draws_are_amino_acids_and_steps_are_told(model: Model) -> None:
    told: list[int] = []
    types = draw(
        model,
        natives(np.full(N, UNKNOWN)),
        rng=seeded(),
        settings={"steps": 7, "temperature": 1.0},
        each=lambda: told.append(1),
    )
    assert types.shape == (3, N) and types.max() < UNKNOWN and len(told) == 8
    assert not types[0].equal(types[1])


@pytest.fixture
def store(tmp_path: Path) -> BackboneStore:
    return write_backbones(tmp_path / "store")


def test_trials_are_of_their_chain(model: Model, store: BackboneStore) -> None:
    done = list(trials(model, store, [1, 3, 5], seed=3))
    again = list(trials(model, store, [5], seed=3))
    assert [trial.chain for trial in done] == [1, 3, 5] and done[0].residues == len(store[1])
    assert (again[0].recovery, again[0].nats) == (done[2].recovery, done[2].nats)
    told = figures(done)
    assert told["recovery"] == pytest.approx(np.mean([t.recovery for t in done]), abs=1e-4)
    assert 5 < told["perplexity"] < 200 and figures([]) == {}


def test_figures_weigh_domains_and_residues() -> None:
    done = [Trial(0, 100, 0.5, 1.0, 0.1), Trial(1, 300, 0.3, 2.0, 0.1), Trial(2, 100, 0.1, 2.0, 1)]
    told = figures(done)
    assert told["recovery"] == pytest.approx(0.3) and told["median"] == pytest.approx(0.3)
    assert told["perplexity"] == pytest.approx(np.exp(1.8), abs=1e-3)
    assert row(done)[0] == "3" and row(done)[2].startswith("30.0 % (")
    assert row(done)[4].startswith(f"{np.exp(1.8):.2f} (")


def test_intervals_are_those_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(size=400)
    low, high = interval(lambda some: float(values[some].mean()), len(values))
    assert low < values.mean() < high
    assert (high - low) / 2 == pytest.approx(1.96 / 20, rel=0.15)


def test_rows_are_there_as_soon_as_they_are_done(
    model: Model, store: BackboneStore, tmp_path: Path
) -> None:
    path = tmp_path / "r.csv"
    for k, trial in enumerate(recorded(trials(model, store, [1, 3]), store, path), 1):
        lines = path.read_text().splitlines()
        assert len(lines) == k + 1 and lines[-1].startswith(f"chain{trial.chain},")


def test_the_benchmark_says_recovery_and_perplexity(
    model: Model,
    store: BackboneStore,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model.save(tmp_path / "model.safetensors")
    line = [
        "benchmark",
        "sequences",
        str(store.path),
        "--model",
        str(tmp_path / "model.safetensors"),
    ]
    assert main([*line, "--domains", "2", "-o", str(tmp_path / "r.csv")]) == 0
    assert "perplexity" in capsys.readouterr().out
    names = Counter(r.split(",")[0] for r in (tmp_path / "r.csv").read_text().splitlines()[1:])
    assert set(names) <= {"chain1", "chain3", "chain5"} and names.total() == 2
