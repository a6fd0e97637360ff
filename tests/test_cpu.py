"""Threads and the allocator: set for a while, and given back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
import torch

from moldiff import cpu
from moldiff.cpu import set_threads, using_threads, with_threads
from moldiff.errors import InputError

ROOT = Path(__file__).parents[1]


def test_threads_are_set_for_a_while() -> None:
    before = torch.get_num_threads()
    with using_threads(before + 2):
        assert torch.get_num_threads() == before + 2
        with using_threads(before + 1):
            assert torch.get_num_threads() == before + 1
        assert torch.get_num_threads() == before + 2
    assert torch.get_num_threads() == before
    with pytest.raises(KeyError), using_threads(before + 1):
        raise KeyError
    assert torch.get_num_threads() == before


def test_no_threads_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be 0 threads"):
        set_threads(0)
    with pytest.raises(InputError), using_threads(-1):
        pass


def test_who_consumes_has_its_own_threads() -> None:
    before, ended = torch.get_num_threads(), []

    def numbers() -> Generator[int, None, None]:
        try:
            while True:
                yield torch.get_num_threads()
        finally:
            ended.append(torch.get_num_threads())

    items = with_threads(before + 1, numbers())
    for _ in range(2):
        assert next(items) == before + 1
        assert torch.get_num_threads() == before  # and it may stop here
    del items
    assert len(ended) == 1 and torch.get_num_threads() == before
    assert list(with_threads(3, (k for k in range(4)))) == [0, 1, 2, 3]


def test_memory_is_kept_as_long_as_anyone_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_keeping", 0)
    with using_threads(1), using_threads(1):
        assert cpu._keeping == 2
    assert cpu._keeping == 0
    with using_threads(1):
        set_threads(1)  # for the rest of the process
    assert cpu._keeping == 1


RESIDENT = """
import torch
from moldiff.cpu import using_threads

def resident():  # MiB
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20

def use():
    blocks = [torch.ones(4 << 20) for _ in range(30)]  # 16 MiB each

torch.ones(4 << 20)
start = resident()
with using_threads(1):
    use()
    kept = resident() - start
use()
print(kept, resident() - start)
"""


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@pytest.mark.skipif(cpu._mallopt() is None, reason="not glibc")
def test_freed_memory_goes_back_afterwards() -> None:
    # A small allocation above the blocks pins them to the heap, in up to two processes of five,
    # by where the system places things.
    for _ in range(12):
        done = subprocess.run(
            [sys.executable, "-c", RESIDENT], cwd=ROOT, capture_output=True, text=True, check=True
        )
        kept, after = map(int, done.stdout.split())
        assert kept > 400
        if after < 100:
            return
    pytest.fail(f"{after} of {kept} MiB were still there in each of twelve processes")
