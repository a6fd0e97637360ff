"""Ctrl-C in the middle of RDKit's work is not lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest

from moldiff.interrupts import on_signal

BUSTED = """
import os, signal, threading
import posebusters.modules.energy_ratio as energy
from rdkit import Chem
from rdkit.Chem import AllChem
from moldiff.metrics.poses import bust

mol = Chem.AddHs(Chem.MolFromSmiles("CC(C)CC(NC(=O)C(Cc1ccccc1)N)C(=O)N1CCCC1C(=O)O"))
AllChem.EmbedMolecule(mol, randomSeed=1)
embed = energy.EmbedMultipleConfs


def interrupted(*arguments, **options):
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    return embed(*arguments, **options)


bust(mol)
energy.EmbedMultipleConfs = interrupted
try:
    print("checked", bust(mol)["internal_energy"], flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""

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
@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot be blocked")
@pytest.mark.skipif(find_spec("posebusters") is None, reason="needs PoseBusters")
def test_ctrl_c_during_posebusters_ends_the_evaluation_and_fails_no_check() -> None:
    done = subprocess.run([sys.executable, "-c", BUSTED], capture_output=True, text=True)
    assert done.stdout.split() == ["interrupted"], done.stderr


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
