"""The benchmark of training: what is timed, and the benchmark end to end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from moldiff.benchmark import __main__ as command
from moldiff.benchmark import report
from moldiff.benchmark.bench import OWN
from moldiff.benchmark.peers import PEERS, Peer
from moldiff.benchmark.training import study as studying
from moldiff.benchmark.training.command import FORMAT, closing
from moldiff.benchmark.training.study import EARLIER, QUICK, Study, Way, measure
from moldiff.benchmark.training.works import (
    VOCABULARY,
    Training,
    configuration,
    peer_training_step,
    share,
    training,
)
from moldiff.bundled import bundled_configs
from moldiff.errors import ConfigError
from moldiff.train.config import OptimizerConfig
from moldiff.train.muon import Muon

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark"
RECIPE = """\
data: none
output: none
pieces: 2
batch: 8
network: {name: transformer, width: 32, pair_width: 8, message_width: 8, layers: 1, heads: 2,
          channels: 2, context_width: 8}
objective: {name: denoising, self_condition: 0.25}
optimizer: {name: muon}
sampling: {steps: 3, valence: 1.0}
"""


@pytest.fixture(scope="module")
def muon_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose network is just large enough for Muon."""
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(RECIPE)
    return path


@contextmanager
def opened(recipe: Path, **changes: Any) -> Iterator[Training]:
    with training(
        recipe, 2, 5, **{"precision": "float32", "self_condition": 0.0, **changes}
    ) as run:
        yield run


def weights(run: Training) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in run.model.network.parameters()])


def test_the_trainer_trains_on_molecules_of_the_size(muon_recipe: Path) -> None:
    with opened(muon_recipe) as run, opened(muon_recipe, self_condition=1.0) as conditioned:
        before = weights(run)
        assert [run.step().step, run.step().step] == [1, 2]  # type: ignore[attr-defined]
        assert not torch.equal(weights(run), before)
        assert set(run.model.domain.config()["sizes"]) == {"5"}
        assert run.model.domain.config()["vocabulary"] == VOCABULARY.to_dict()
        # The first prediction has no backward pass: a third of the work.
        assert 1.2 < conditioned.gflop() / run.gflop() < 1.4


def test_earlier_settings_are_other_optimizers_of_the_same_weights(
    muon_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    from moldiff.benchmark.training import works

    class Seen(works.Trainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(works, "Trainer", Seen)
    with opened(muon_recipe) as now, opened(muon_recipe, earlier=True) as before:
        for run in (now, before):
            run.step()
        of_now, of_before = (trainer.optimizers.parts for trainer in made)
        assert [type(part) for part in of_now] == [torch.optim.AdamW, Muon]
        assert [type(part) for part in of_before] == [torch.optim.AdamW, torch.optim.Muon]
        assert of_now[0].defaults["fused"] and not of_before[0].defaults["fused"]
        for ours, theirs in zip(of_now, of_before, strict=True):
            counts = [sum(p.numel() for p in x.param_groups[0]["params"]) for x in (ours, theirs)]
            assert counts[0] == counts[1] > 0
        # One step of each is alike: torch's Muon orthogonalises in bfloat16.
        torch.testing.assert_close(weights(before), weights(now), atol=2e-3, rtol=0.0)
        assert not torch.equal(weights(before), weights(now))


def test_a_recipe_is_run_without_end(muon_recipe: Path) -> None:
    config = configuration(muon_recipe, self_condition=0.5)
    assert config.evaluation.every == 0 and config.pieces == 1 and share(config) == 0.5
    assert share(configuration(muon_recipe)) == 0.25
    for name, what in (("qm9-codec", "'reconstruction'"), ("dock", "'poses'")):
        with pytest.raises(ConfigError, match=f"of molecules, not .*{what}"):
            share(configuration(bundled_configs()[name]))


def test_a_peer_is_trained(small_peers: tuple[Peer, ...]) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        step = peer_training_step(
            small_peers[0], 2, 4, precision=dtype, config=OptimizerConfig(name="muon")
        )
        norms = [step() for _ in range(3)]
        assert all(isinstance(norm, float) and norm > 0 for norm in norms) and norms[0] != norms[1]


def test_larger_batches_are_tried_as_long_as_they_are_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = {1: 1.0, 2: 1.5, 4: 2.99, 8: 0.1}
    tried: list[int] = []

    @contextmanager
    def parts(b: int) -> Iterator[list[studying.Part]]:
        tried.append(b)
        yield [studying.Part(1.0, lambda: b, lambda: 1.0)]

    def timed(cases: Any, *, turns: int) -> dict[str, studying.Timing]:
        return {name: studying.Timing((seconds[work()],)) for name, work in cases.items()}

    monkeypatch.setattr(studying, "interleaved", timed)
    assert studying._best_batch(Way("x", "float32", (1, 2, 4, 8), parts), QUICK) == 2
    assert tried == [1, 2, 4]


@pytest.fixture(scope="module")
def result(muon_recipe: Path, small_peers: tuple[Peer, ...]) -> dict[str, Any]:
    said: list[str] = []
    measured = measure(Study(muon_recipe, QUICK, peers=small_peers), said.append)
    assert said[:2] == ["training, 3 sites", "generating, 3 sites"] and len(said) == 4
    return report.document(FORMAT, measured, threads=1, seconds=1.0, load=None)


def test_document(result: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert result["gain"] > 0 and result["relative_to_peak"] > 0
    assert result["gain_low"] <= result["gain"] <= result["gain_high"]
    names = [peer.name for peer in PEERS]
    for table, own in (("training", [OWN, OWN, EARLIER]), ("generating", [OWN, OWN])):
        rows = result["sections"][table]
        assert [row["network"] for row in rows] == [*own, *names, *own]
        assert [row["sites"] for row in rows] == [3] * len(own + names) + [4] * len(own)
        assert {row["precision"] for row in rows[:2]} == {"float32", "bfloat16"}
        chosen = [r for r in rows if (r["network"], r["precision"]) == (OWN, result["precision"])]
        assert [row["ratio"] for row in chosen] == [1.0, 1.0]
        for row in rows:
            assert row["molecules_per_cpu_s"] == pytest.approx(
                1e3 / row["cpu_ms_per_molecule"], rel=1e-3
            )
            assert row["gflop_per_molecule"] > 0 and row["peak_share"] > 0
    (own, earlier) = (result["sections"]["training"][k] for k in (-2, -1))
    assert own["gflop_per_molecule"] == earlier["gflop_per_molecule"]

    report.show(result)
    print(closing(result, 4))
    shown = capsys.readouterr().out
    assert "SemlaFlow, lean" in shown and "In training with 4 sites" in shown
    assert f"{result['gain']:.2f} (" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--threads", "0"], "cannot be 0 threads"),
        (["--sites", "9", "1"], "at least 2 sites, not 1"),
        (["--recipe", "no-such-recipe"], "no-such-recipe"),
        (["--json", "no-such-folder/t.json"], "no-such-folder"),
        (["--recipe", "qm9-codec"], "denoising"),
    ],
)
def test_bad_requests(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["training", *arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error


def test_the_emulation_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(SystemExit))
        command.main(["training", "--help"])
    shown = capsys.readouterr().out
    assert "ONEDNN_MAX_CPU_ISA=AVX2" in shown and "emulation" in shown


@pytest.mark.slow
def test_script_end_to_end(muon_recipe: Path, tmp_path: Path) -> None:
    """With the real peers."""
    output = tmp_path / "training.json"
    words = [str(SCRIPT), "training", "--quick", "--recipe", str(muon_recipe), "--json"]
    done = subprocess.run([*words, str(output)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "SemlaFlow" in done.stdout and json.loads(output.read_text())["gain"] > 0
