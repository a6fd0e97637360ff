"""What several processes gain in training."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from moldiff.benchmark import processes
from moldiff.data.molecules import prepare
from moldiff.data.store import Store
from moldiff.errors import InputError

ROOT = Path(__file__).parents[2]
RECIPE = """
data: none
output: none
network: {name: transformer, width: 16, layers: 1, heads: 2}
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return prepare([ROOT / "datasets" / "qm9" / "sample.sdf"], tmp_path / "sample")


def test_molecules_of_one_size(store: Store, tmp_path: Path) -> None:
    size = int(store.sizes[store.indices("train")].max())
    processes._one_size(store, size, tmp_path / "one")
    made = Store.open(tmp_path / "one")
    assert set(made.sizes) == {size} and len(made) == len(made.indices("train"))
    with pytest.raises(InputError, match="no molecule of 99 atoms"):
        processes._one_size(store, 99, tmp_path / "none")


@pytest.mark.slow
def test_two_processes_and_one_run_in_turns(store: Store, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    size = int(store.sizes[store.indices("train")].max())
    words = ["processes", "--data", store.path, "--recipe", tmp_path / "tiny.yaml"]
    words += ["--size", size, "--batch", 4, "--turns", 3]
    done = subprocess.run(
        [sys.executable, "-m", "moldiff.benchmark", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and not re.search("Error|Traceback", done.stderr), done.stderr
    assert re.search(r"all turns: 1 process [\d.]+, 2 processes [\d.]+, ratio [\d.]+", done.stdout)
    assert "CPU-milliseconds per molecule" in done.stdout
