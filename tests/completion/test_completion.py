"""Conformations of gaps, trials of a model, and the benchmark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moldiff.benchmark.gaps.conformations import rows, separation
from moldiff.cli import main
from moldiff.completion.sampling import Ensemble, draw, sample_gap
from moldiff.completion.trials import Trial, figures, trials
from moldiff.data.backbones import BackboneStore
from moldiff.model import Model
from moldiff.protein.gap import cut
from tests.backbones import backbone, write_backbones
from tests.contracts.conftest import DOMAINS


@pytest.fixture(scope="module")
def model() -> Model:
    settings = {**DOMAINS["backbones"], "domain": "backbones", "precondition": "clean"}
    return Model.from_config(settings | {"sampling": {"steps": 2}}, seed=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> BackboneStore:
    return write_backbones(tmp_path_factory.mktemp("data") / "backbones")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_conformations_are_closed_and_the_middle_comes_first(model: Model) -> None:
    gap = cut(backbone(60), 20, 6, neighbours=20)
    found = sample_gap(model, gap, 5, rng=seeded())
    assert found.atoms.shape == (5, 6, 4, 3) and found.atoms.dtype == np.float32
    assert found.closed.all()
    apart = np.stack([found.rmsd(one) for one in found.atoms]).mean(1)
    assert (np.diff(apart) >= -1e-6).all()
    again = sample_gap(model, gap, 5, rng=seeded())
    np.testing.assert_array_equal(again.atoms, found.atoms)
    assert not np.array_equal(sample_gap(model, gap, 5, rng=seeded(1)).atoms, found.atoms)


def test_draws_lie_in_the_place_of_the_gap(model: Model) -> None:
    chain = backbone(60)
    gap = cut(chain, 20, 6, neighbours=20)
    drawn = draw(model, gap, 3, rng=seeded())
    assert drawn.shape == (3, 6, 3, 3)
    assert np.linalg.norm(drawn.mean((0, 1, 2)) - gap.anchors[:, 1].mean(0)) < 10


def test_noise_is_that_of_the_guided_process(model: Model) -> None:
    gap = cut(backbone(60), 20, 6, neighbours=20)
    less = [{"name": "noise_scale", "field": "trace", "scale": 0.5}]
    narrow = replace(model, sampling={**model.sampling, "guidance": less})
    drawn = [draw(one, gap, 3, rng=seeded()) for one in (model, narrow)]
    assert np.abs(drawn[0] - drawn[1]).max() > 0.01


def test_the_error_is_that_of_all_four_atoms() -> None:
    true = backbone(60).atoms[20:24]
    ensemble = Ensemble(np.stack([true, true + np.float32([3, 0, 0])]), np.ones(2, bool))
    np.testing.assert_allclose(ensemble.rmsd(true), [0, 3], atol=1e-5)


def test_all_models_are_given_the_same_gaps(model: Model, store: BackboneStore) -> None:
    settings = {"lengths": (4, 8), "draws": 2, "steps": 1}
    first = list(trials(model, store, [1, 3, 5], seed=0, **settings))  # type: ignore[arg-type]
    other = list(trials(model, store, [1, 3, 5], seed=1, **settings))  # type: ignore[arg-type]
    assert [t.length for t in first] == [4, 8, 4]
    places = [[(t.chain, t.start, t.length) for t in done] for done in (first, other)]
    assert places[0] == places[1]
    assert not np.array_equal(first[0].rmsd, other[0].rmsd)
    assert all(len(t.rmsd) == len(t.closed) == 2 and t.seconds > 0 for t in first)


FIRST = np.zeros((4, 4, 3), np.float32)
MADE = [
    Trial(0, 3, 4, np.array([1.0, 0.5, 3.0]), np.array([True, True, False]), 1.0, 0.4, FIRST),
    Trial(1, 5, 4, np.array([3.0, 4.0, 1.5]), np.array([True, True, True]), 3.0, 0.9, FIRST),
]


def test_figures() -> None:
    assert figures([]) == {}
    assert figures(MADE) == {
        "samples": 6, "success": 0.5, "closed": 0.8333, "rmsd4": 2.25, "first4": 2.0, "best4": 1.0,
    }  # fmt: skip
    assert list(rows(MADE)) == [
        ("4", "2", "83.3 %", "2.00", "2.25", "1.00", "50 %", "2.00"),
    ]


def test_the_spread_tells_right_first_conformations_from_wrong_ones() -> None:
    def trial(first: float, spread: float) -> Trial:
        return Trial(0, 3, 4, np.array([first, 9.0]), np.ones(2, bool), 1.0, spread, FIRST)

    made = [trial(1.0, 0.5), trial(1.5, 0.7), trial(3.0, 0.6), trial(4.0, 2.0)]
    value = separation(made)
    assert value.value == 0.75 and value.n == 4 and value.low is not None
    assert separation(made[:2]).reason and separation([]).reason
    assert separation([trial(1.0, np.nan), *made]).n == 4
    tied = separation([trial(1.0, 0.5), trial(3.0, 0.5)])
    assert tied.value == 0.5 and np.isfinite([tied.low, tied.high]).all(), "a tie is half a success"
    lucky = Trial(0, 3, 4, np.array([9.0, 0.1]), np.ones(2, bool), 1.0, 0.1, FIRST)
    assert separation([made[0], lucky]).value == 0.0, "the first conformation counts, not the best"


def test_trials_know_the_spread(model: Model, store: BackboneStore) -> None:
    (one,) = trials(model, store, [1], lengths=(4,), draws=3, steps=1)
    (single,) = trials(model, store, [1], lengths=(4,), draws=1, steps=1)
    assert one.spread > 0 and np.isnan(single.spread)


def test_the_benchmark_on_the_command_line(
    model: Model, store: BackboneStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, output = tmp_path / "model.safetensors", tmp_path / "gaps.csv"
    model.save(file)
    words = ["benchmark", "gaps", str(store.path), "--model", str(file), "--ensemble", "2"]
    words += ["--gaps", "2", "--lengths", "3,4", "-o", str(output)]
    assert main(words) == 0
    told = capfd.readouterr()
    assert "2 conformations each" in told.out and str(output) in told.err
    assert len(output.read_text().splitlines()) == 3
    for wrong, message in (
        (["--lengths", "3,99"], "from 1 to 15"),
        (["--model", "qm9.none"], "qm9.none"),
        (["-o", str(tmp_path / "gaps.txt")], "unknown suffix"),
    ):
        assert main([*words, *wrong]) != 0
        assert message in capfd.readouterr().err


def test_data_are_prepared_on_the_command_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    chain = backbone(50)
    file, output = tmp_path / "chains.npz", tmp_path / "set"
    np.savez(
        file,
        id=np.array(["1abc_A"]),
        offset=np.array([0, 50]),
        xyz_centi_angstrom=np.rint(100 * chain.atoms).astype(np.int16),
        seq=np.array("A" * 50),
        dssp=np.array("H" * 50),
    )
    assert main(["data", "backbones", str(file), "-o", str(output)]) == 0
    assert "residues" in capfd.readouterr().out
    assert main(["data", "info", str(output), "--verify"]) == 0
    assert "chains" in capfd.readouterr().out
    assert main(["data", "backbones", str(file), "-o", str(output)]) != 0
    assert "--force" in capfd.readouterr().err
