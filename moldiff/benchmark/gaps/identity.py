"""How alike the chains of the training are to the gaps: by MMseqs2, a program of its own.

M. Steinegger & J. Söding, Nat. Biotechnol. 35 (2017) 1026.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from moldiff.completion.trials import Cut
from moldiff.data.backbones import BackboneStore
from moldiff.errors import MoldiffError
from moldiff.protein.backbone import LETTERS

__all__ = ["GROUPS", "closest", "covering", "group_of", "letters", "matches"]

GROUPS = ("< 30 %", "30 to 90 %", "≥ 90 %")
"""By the sequence identity to the closest chain trained on that covers the gap."""
_BOUNDS = (0.3, 0.9)
_COLUMNS = ("query", "fident", "qstart", "qend")
# The most sensitive search that MMseqs2 advises; a weak match is one below the least bound.
_SEARCH = ("-s", "7.5", "-e", "10", "--max-seqs", "10000", "--threads", "1", "-v", "1")


def group_of(identity: float) -> str:
    """Return which of `GROUPS` an identity, 0 to 1, belongs to."""
    return GROUPS[sum(identity >= bound for bound in _BOUNDS)]


def closest(cuts: Sequence[Cut], trained: BackboneStore) -> Mapping[int, float]:
    """Return the identity to the closest chain trained on, by the number of each cut's chain.

    See `covering` and `matches`.
    """
    gaps = ((str(cut.index), letters(cut.chain.types)) for cut in cuts)
    known = trained.indices("train").tolist()
    chains = ((str(k), letters(trained.part("types", k))) for k in known)
    hits = [
        (int(query), float(identity), int(first) - 1, int(last))  # from 1, in the program's table
        for query, identity, first, last in matches(gaps, chains, _COLUMNS)
    ]
    return covering(cuts, hits)


def matches(
    queries: Iterable[tuple[str, str]], targets: Iterable[tuple[str, str]], columns: Sequence[str]
) -> list[list[str]]:
    """Return the local alignments of sequences that MMseqs2 finds, the values of columns of each.

    Sequences are given with their names; columns have the program's own names.

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
        asked, known, table = (Path(folder, name) for name in ("q.fasta", "t.fasta", "hits"))
        for path, named in ((asked, queries), (known, targets)):
            path.write_text("".join(f">{name}\n{text}\n" for name, text in named), "ascii")
        words = (program, "easy-search", *map(str, (asked, known, table, Path(folder, "tmp"))))
        done = subprocess.run(
            [*words, *_SEARCH, "--format-output", ",".join(columns)], capture_output=True, text=True
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise MoldiffError(f"mmseqs failed: {said[-1].rstrip('.')}.", fix="Try it by hand.")
        return [line.split("\t") for line in table.read_text("ascii").splitlines()]


def letters(types: Iterable[int]) -> str:
    """Return amino acids as letters, X where unknown."""
    return "".join((LETTERS + "X")[k] for k in types)


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
