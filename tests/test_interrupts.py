"""Ctrl-C in the middle of RDKit's work is not lost."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from moldiff.interrupts import on_signal

SCRIPT = """
import sys
from rdkit import Chem
from moldiff.chem.conformers import conformers

mol = Chem.MolFromSmiles("CC(C)CC(NC(=O)C(Cc1ccccc1)N)C(=O)N1CCCC1C(=O)O")
print("ready", flush=True)
try:
    for seed in range(100):
        conformers(mol, count=8, seed=seed)
        print("embedded", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot be blocked")
def test_ctrl_c_during_an_embedding_is_raised_after_it() -> None:
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for expected in ("ready\n", "embedded\n"):
            assert process.stdout.readline() == expected
        process.send_signal(signal.SIGINT)  # almost surely in the middle of the next
        rest = process.stdout.read().split()
        assert rest[-1] == "interrupted" and rest.count("embedded") <= 2
    assert process.returncode == 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
def test_a_terminal_that_closes_asks_for_a_stop_unless_nohup_keeps_it_away() -> None:
    asked: list[int] = []
    before = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            with on_signal(lambda: asked.append(1)):
                signal.raise_signal(number)
        assert len(asked) == 3 and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with on_signal(lambda: asked.append(1)):
            signal.raise_signal(signal.SIGHUP)
        assert len(asked) == 3
    finally:
        signal.signal(signal.SIGHUP, before)
