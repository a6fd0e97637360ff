"""The models that come with the package are there and say what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from moldiff.dock import bundled
from moldiff.dock.likelihood import LikelihoodModel
from moldiff.dock.model import PoseModel
from moldiff.dock.proposals import DiffusionProposer, RandomProposer
from moldiff.dock.settings import Settings
from moldiff.errors import InputError, ModelFileError


def test_poses_are_proposed_by_diffusion_unless_asked_otherwise() -> None:
    proposer, name = bundled.proposer(Settings())
    assert isinstance(proposer, DiffusionProposer)
    assert name == f"diffusion {proposer.model.digest}"
    assert "Astex" in proposer.model.card["data"]
    assert isinstance(bundled.proposer(Settings(proposals="random"))[0], RandomProposer)


def test_the_ranking_reads_the_likelihood_and_gives_a_probability() -> None:
    assert bundled.likelihood_model() is not None
    ranking = bundled.ranking()
    assert ranking.weight > 0
    energy = torch.tensor([-9.0, -7.0, -4.0])
    sure = ranking.confidence(energy, 20 * -energy, torch.ones(3), atoms=25, torsions=5)
    assert sure is not None
    assert ((sure > 0) & (sure < 1)).all()
    assert sure[0] > sure[1] > sure[2]


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no model file"):
        bundled.proposer(Settings(model="nowhere.safetensors"))


@pytest.mark.parametrize(
    ("kind", "purpose"), [(PoseModel, "proposals"), (LikelihoodModel, "likelihood")]
)
def test_weights_that_are_no_numbers_are_refused(kind: Any, purpose: str, tmp_path: Path) -> None:
    path = bundled.bundled(purpose)
    assert path is not None
    model = kind.load(path)
    next(iter(model.network.parameters())).data.view(-1)[0] = float("nan")
    model.save(tmp_path / "nan.safetensors")
    with pytest.raises(ModelFileError, match="finite"):
        kind.load(tmp_path / "nan.safetensors")
