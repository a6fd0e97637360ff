"""What all tests share.

Shapes in signatures are executed here, and only here: the import hook makes beartype check every
annotation of the modules that have jaxtyping ones.  It has to be in place before the first of them
is imported, hence the order of this file.
"""

from __future__ import annotations

from pathlib import Path

import jaxtyping

import tests.shapes

ROOT = Path(__file__).parents[1]
CHECKED = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "moldiff").rglob("*.py")
    if "jaxtyping" in path.read_text(encoding="utf-8")
]
jaxtyping.install_import_hook(CHECKED, tests.shapes.__name__ + ".checked")

import signal  # noqa: E402
from collections.abc import Iterator  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

import tests.registries  # noqa: E402

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
    with tests.registries.kept():
        yield


@pytest.fixture
def fixed_weights() -> Iterator[None]:
    """Initial weights come from torch's global generator: fix it, for the test only."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


# Files of the longest tests, longest first: begun last, one of them would keep one worker waiting
# for the other.
LONGEST = (
    "tests/test_unchanged.py",
    "tests/docking/test_library.py",
    "tests/diffusion/test_samplers_agree.py",
    "tests/test_documents.py",
    "tests/benchmark/docking/test_docking_study.py",
    "tests/cli/test_process.py",
    "tests/cli/test_startup.py",
    "tests/docking/test_example.py",
    "tests/docking/test_distances.py",
    "tests/diffusion/test_few_step.py",
    "tests/benchmark/test_family.py",
    "tests/diffusion/test_time.py",
    "tests/diffusion/guidance",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, file by file, so that fixtures are made once as before."""

    def place(item: pytest.Item) -> int:
        found = (k for k, name in enumerate(LONGEST) if item.nodeid.startswith(name))
        return next(found, len(LONGEST))

    gone = [name for name in LONGEST if not (ROOT / name).exists()]
    assert not gone, f"LONGEST names files that are not there: {gone}"
    items.sort(key=place)
