"""How alike the chains of the training are to the gaps: by MMseqs2, a program of its own.

M. Steinegger & J. Söding, Nat. Biotechnol. 35 (2017) 1026.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from moldiff.completion.trials import Cut
from moldiff.data.backbones import BackboneStore
from moldiff.errors import MoldiffError
from moldiff.protein.backbone import LETTERS

__all__ = ["GROUPS", "closest", "covering", "group_of"]

GROUPS = ("< 30 %", "30 to 90 %", "≥ 90 %")
"""By the sequence identity to the closest chain trained on that covers the gap."""
_BOUNDS = (0.3, 0.9)
_COLUMNS = "query,fident,qstart,qend"
# The most sensitive search that MMseqs2 advises; a weak match is one below the least bound.
_SEARCH = ("-s", "7.5", "-e", "10", "--max-seqs", "10000", "--threads", "1", "-v", "1")


def group_of(identity: float) -> str:
    """Return which of `GROUPS` an identity, 0 to 1, belongs to."""
    return GROUPS[sum(identity >= bound for bound in _BOUNDS)]


def closest(cuts: Sequence[Cut], trained: BackboneStore) -> Mapping[int, float]:
    """Return the identity to the closest chain trained on, by the number of each cut's chain.

    See `covering`.

    Raises
    ------
    MoldiffError
        If there is no program ``mmseqs``, or it fails.
    """
    program = shutil.which("mmseqs")
    if program is None:
        raise MoldiffError(
            "The program mmseqs, which compares sequences, is not there.",
            fix="Install it: sudo apt install mmseqs2 (conda: mmseqs2).",
        )
    with tempfile.TemporaryDirectory(prefix="moldiff-") as folder:
        queries, targets, table = (Path(folder, name) for name in ("q.fasta", "t.fasta", "found"))
        _write(queries, ((cut.index, cut.chain.types) for cut in cuts))
        known = trained.indices("train").tolist()
        _write(targets, ((k, trained.part("types", k)) for k in known))
        words = (program, "easy-search", *map(str, (queries, targets, table, Path(folder, "tmp"))))
        done = subprocess.run(
            [*words, *_SEARCH, "--format-output", _COLUMNS], capture_output=True, text=True
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise MoldiffError(f"mmseqs failed: {said[-1].rstrip('.')}.", fix="Try it by hand.")
        with table.open(encoding="ascii", newline="") as file:
            hits = [
                (int(query), float(identity), int(first) - 1, int(last))  # from 1, in the file
                for query, identity, first, last in csv.reader(file, delimiter="\t")
            ]
    return covering(cuts, hits)


def covering(
    cuts: Sequence[Cut], hits: Iterable[tuple[int, float, int, int]]
) -> Mapping[int, float]:
    """Return the largest identity of hits that cover the gap, by the number of its chain.

    A hit is a local alignment: the number of the chain, its identity from 0 to 1, and the range of
    the chain's residues, from 0, its end not included.  Where none covers the gap, 0.
    """
    gaps = {cut.index: cut for cut in cuts}
    best = dict.fromkeys(gaps, 0.0)
    for number, identity, first, end in hits:
        cut = gaps[number]
        if first <= cut.start and cut.start + cut.length <= end:
            best[number] = max(best[number], identity)
    return best


def _write(path: Path, chains: Iterable[tuple[int, Iterable[int]]]) -> None:
    letters = LETTERS + "X"
    with path.open("w", encoding="ascii") as file:
        for number, types in chains:
            file.write(f">{number}\n{''.join(letters[k] for k in types)}\n")
