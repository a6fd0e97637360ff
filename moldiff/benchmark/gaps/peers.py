"""Other programs that build missing residues: each in an interpreter of its own, as a process.

The scripts ``with_*`` are run there; they need nothing of moldiff.  They are given the chain, whose
SEQRES records tell what is missing, and its sequence; what they write is read back.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from Bio.Data.PDBData import protein_letters_1to3

from moldiff.benchmark.gaps.judge import Chain
from moldiff.completion.trials import Cut
from moldiff.errors import InputError, MoldiffError
from moldiff.protein.backbone import LETTERS
from moldiff.protein.pdb import parse_pdb
from moldiff.protein.records import read_bytes
from moldiff.protein.residues import BACKBONE
from moldiff.protein.write import backbone_pdb

__all__ = ["PEERS", "Peer", "names_of", "seconds_of_children"]

_PATIENCE = 600.0  # seconds that a gap may take
_SHOWN = 120  # characters of a reason
_ONE_THREAD = {"OPENMM_CPU_THREADS": "1", "OMP_NUM_THREADS": "1"}
_KEPT = (*BACKBONE, "CB")
_STAND_IN = "A"  # for amino acids that are not known


@dataclass(frozen=True)
class Peer:
    """A program that builds missing residues.

    Attributes
    ----------
    program:
        The name by which an interpreter that has it is given.
    script:
        What is run there, beside this module.
    install:
        How to get the program.
    arguments:
        What the script is told beside the files and the sequence.
    """

    program: str
    script: str
    install: str
    arguments: tuple[str, ...] = ()

    def check(self, python: str) -> None:
        """Raise ``MoldiffError`` unless an interpreter has the program, ready for use."""
        try:
            done = self._run(python)
        except OSError as error:
            raise InputError(
                f"'{python}' cannot be run: {error.strerror}.",
                fix=f"Give a Python that has {self.program}: {self.install}.",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise InputError(f"'{python}' does not end.", fix="Give a Python.") from error
        if done.returncode:
            raise MoldiffError(f"{self.program}: {_last(done.stderr)}.", fix=f"{self.install}.")

    def build(self, python: str, cut: Cut) -> Chain | str:
        """Build a gap, or say why that fails."""
        with tempfile.TemporaryDirectory(prefix="moldiff-") as folder:
            source, output = Path(folder, "chain.pdb"), Path(folder, "built.pdb")
            absent = range(cut.start, cut.start + cut.length)
            names = names_of(cut)
            text = backbone_pdb(cut.chain.atoms, names, absent=absent)
            source.write_text(text, encoding="ascii")
            words = [str(source), str(output), _sequence(cut), *self.arguments]
            try:
                done = self._run(python, *words)
            except OSError as error:
                return f"'{python}' cannot be run: {error.strerror}"
            except subprocess.TimeoutExpired:
                return f"not done in {_PATIENCE:.0f} s"
            if done.returncode:
                return _last(done.stderr)
            return _chain(output, len(names))

    def _run(self, python: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, str(Path(__file__).with_name(self.script)), *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            env={**os.environ, **_ONE_THREAD},
        )


_FIXER = "python -m venv env; env/bin/pip install pdbfixer openmm"
_PROMOD = "Debian has it: apt install promod3"
PEERS = {
    "pdbfixer": Peer("pdbfixer", "with_pdbfixer.py", _FIXER),
    "promod3": Peer("promod3", "with_promod3.py", _PROMOD),
    "promod3-mc": Peer("promod3", "with_promod3.py", _PROMOD, ("monte-carlo",)),
}
"""Those that are known; ``promod3-mc`` takes no fragments from ProMod3's database of structures."""


def names_of(cut: Cut) -> list[str]:
    """Return the three-letter names of all residues of a chain; ALA if not known."""
    return [protein_letters_1to3[one].upper() for one in _sequence(cut)]


def seconds_of_children() -> float:
    """Return the CPU-seconds of all processes that were started from here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sequence(cut: Cut) -> str:
    letters = LETTERS + _STAND_IN
    return "".join(letters[k] for k in cut.chain.types)


def _last(text: str) -> str:
    """The last line of what a program says of its failure."""
    return (text.strip().splitlines() or ["no message"])[-1][:_SHOWN].rstrip(".")


def _chain(path: Path, residues: int) -> Chain | str:
    """The chain in a file that a program wrote, or what is wrong with it.

    Every atom counts: `read_structure` would leave out those that lie on others.
    """
    try:
        records = parse_pdb(read_bytes(path), where="its file")[0]
    except MoldiffError as error:
        return f"no structure that can be read: {error.what}".rstrip(".")
    place: dict[tuple[str, int, str], int] = {}
    labels = zip(records.chain, records.number, records.insertion, strict=True)
    rows = [place.setdefault(label, len(place)) for label in labels]
    if len(place) != residues:
        return f"{len(place)} residues written, not {residues}"
    kept = np.full((residues, len(_KEPT), 3), np.nan)
    for row, name, x in zip(rows, records.names, records.positions, strict=True):
        if name in _KEPT:
            kept[row, _KEPT.index(name)] = x
    if not np.isfinite(kept[:, : len(BACKBONE)]).all():
        return "atoms of the backbone are missing"
    return Chain(kept[:, : len(BACKBONE)], kept[:, -1])
