"""What all tests share.

Shapes in the engine's signatures are executed here, and only here: the import hook makes
beartype check every jaxtyping annotation of the modules named below.  It has to be in place
before the first of them is imported, hence the order of this file.
"""

from __future__ import annotations

import jaxtyping

import tests.shapes

CHECKED = (
    "diffusion",
    "geometry",
    "nn",
    "domain",
    "docking.energy",
    "docking.judge",
    "docking.minimise",
    "docking.search",
    "train.conditions",
    "train.optimizer",
    "train.orientation",
    "train.statistics",
    "train.workloads.displacement",
    "train.workloads.latents",
    "train.workloads.pairs",
)
jaxtyping.install_import_hook(
    [f"moldiff.{name}" for name in CHECKED], tests.shapes.__name__ + ".checked"
)

import signal  # noqa: E402
from collections.abc import Iterator  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from moldiff import catalogue  # noqa: E402

# A shell starts what goes to the background deaf to Ctrl-C, and children inherit it: the tests of
# interruptions would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# One thread per test process: spinning OpenMP threads slow each other down on busy machines.
torch.set_num_threads(1)

# No deadlines (CI machines are busy at times) and the same examples in every run.
hypothesis.settings.register_profile("moldiff", deadline=None, derandomize=True)
hypothesis.settings.load_profile("moldiff")


@pytest.fixture
def registry_kept() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    before = {kind: dict(classes) for kind, classes in catalogue._REGISTRY.items()}
    yield
    catalogue._REGISTRY.clear()
    catalogue._REGISTRY.update(before)
