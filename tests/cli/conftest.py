"""A tiny untrained model, a tiny data set, and the command line as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from moldiff.cli import main
from moldiff.data.molecules import prepare
from moldiff.data.store import Store
from moldiff.train import TrainConfig, Trainer

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"

TINY = """\
data: {data}
output: {output}
name: tiny
steps: 6
batch: 8
network: {{name: transformer, width: 16, pair_width: 8, message_width: 8, layers: 1, heads: 2,
          channels: 2, context_width: 8}}
evaluation: {{every: 4, samples: 3, steps: 2}}
sampling: {{steps: 4}}
"""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run a command line in this process."""
    monkeypatch.delenv("MOLDIFF_DEBUG", raising=False)

    def call(*words: object) -> Done:
        status = main([str(word) for word in words])
        captured = capfd.readouterr()
        return Done(status, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The sample molecules, prepared."""
    return prepare([SAMPLE], tmp_path_factory.mktemp("data") / "sample")


@pytest.fixture(scope="session")
def model_file(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model: the real code path, random weights."""
    directory = tmp_path_factory.mktemp("model")
    config = directory / "tiny.yaml"
    config.write_text(TINY.format(data=store.path, output=directory))
    trainer = Trainer(TrainConfig.from_yaml(config), store)
    path = directory / "tiny.safetensors"
    trainer.model.save(path, card=trainer.card())
    return path


@pytest.fixture
def tiny_config(store: Store, tmp_path: Path) -> Path:
    """A training configuration whose run takes a second."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY.format(data=store.path, output=tmp_path / "run"))
    return path
