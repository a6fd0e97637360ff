"""Secondary structures that are drawn: as often what follows what as was counted."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np

import moldiff
from moldiff.backbones.blueprints import counted, drawn
from moldiff.model import Model
from moldiff.protein.secondary import COIL, HELIX, STATES, STRAND
from moldiff.seeds import generator
from tests.contracts.conftest import DOMAINS


def states(text: str) -> np.ndarray:
    return np.array([STATES.index(one) for one in text])


def test_segments_are_counted() -> None:
    found = counted([states("CCHHHHCEEECCEEEECHHHHHEEECC"), states("CCCC")])
    assert found["lengths"]["H"][4:6] == [1, 1] and found["lengths"]["E"][3:5] == [2, 1]
    assert found["between"]["HE"][:2] == [1, 1] and found["between"]["EE"][2] == 1
    assert found["next"] == {"HEEH": [0, 1]}


def test_drawn_structures_are_like_those_of_proteins() -> None:
    many = [drawn(60, rng=generator(k)) for k in range(300)]
    assert all(one.shape == (60,) and set(one.tolist()) <= {HELIX, STRAND, COIL} for one in many)
    flat = np.concatenate(many)
    assert 0.3 < (flat == HELIX).mean() < 0.45 and 0.15 < (flat == STRAND).mean() < 0.3
    segments = [[(state, len(list(run))) for state, run in groupby(x.tolist())] for x in many]
    inner = [one for chain in segments for one in chain[1:-1]]
    assert min(length for state, length in inner if state == HELIX) >= 3
    strands = [length for state, length in inner if state == STRAND]
    assert 4 < np.mean(strands) < 6.5
    for one in many:
        assert one[0] == one[-1] == COIL  # as of all chains
        runs = [state for state, _ in groupby(one.tolist())]
        assert runs.count(STRAND) != 1  # a strand has a partner
    alone = np.mean([(one == HELIX).any() and not (one == STRAND).any() for one in many])
    assert 0.05 < alone < 0.4  # as all-helical windows are
    assert (drawn(60, rng=generator(3)) == many[3]).all()


def test_by_default_one_is_drawn_and_free_is_told_nothing(tmp_path: Path) -> None:
    settings = {**DOMAINS["chains"], "domain": "chains", "precondition": "clean"}
    path = tmp_path / "model.safetensors"
    Model.from_config(settings | {"sampling": {"steps": 1}}, seed=1).save(path)
    told = moldiff.backbone(3, length="30-40", sequences=0, model=path)
    assert len({fold.wanted for fold in told}) == 3
    assert all("?" not in fold.wanted and fold.obeyed is not None for fold in told)
    free = moldiff.backbone(3, length="30-40", structure="free", sequences=0, model=path)
    assert [len(fold) for fold in free] == [len(fold) for fold in told]
    assert all(fold.wanted == "?" * len(fold) and fold.obeyed is None for fold in free)
