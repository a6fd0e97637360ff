"""The list: all molecules that conformers may be made of, shuffled, as a file.

It is drawn once, by several processes, and kept beside the conformers, so the first N of it are
the same molecules whenever N is raised.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from rdkit import rdBase

from moldiff.chem import Rejected
from moldiff.data.druglike.binary_cif import read_tables
from moldiff.data.druglike.components import Component, component_smiles, read_components
from moldiff.data.druglike.selection import (
    Candidate,
    Source,
    draw,
    neutral_form,
    scaffold,
    shuffled,
)
from moldiff.data.druglike.wheels import COMPONENTS, MOSES
from moldiff.data.write import sha256
from moldiff.errors import DataError, InputError
from moldiff.parallel import Progress, completed, in_order
from moldiff.text import replace_text

__all__ = ["SOURCES", "Inputs", "Listing", "make_listing"]

T = TypeVar("T")

_LAYOUT = 1  # to be raised when the same input would give another list
_CHUNK = 500  # candidates judged at once

#: In the order in which they are drawn; a molecule belongs to the first that has it.
SOURCES = (
    Source(
        "MOSES",
        "training set of MOSES (Polykovskiy et al. 2020), which is a part of ZINC; "
        f"inside PyPI's {MOSES.name}",
        "MIT",
        most=260_000,
        of_a_scaffold=5,
    ),
    Source("own", "the user's file", "the user's", listed=True),
    Source(
        "components",
        "Chemical Component Dictionary of the wwPDB (Westbrook et al. 2015), QED at least 0.3; "
        f"inside PyPI's {COMPONENTS.name}",
        "CC0 1.0",
    ),
)


@dataclass(frozen=True)
class Inputs:
    """Files: a wheel with MOSES, the user's SMILES, a wheel with the components."""

    moses: Path | None = None
    smiles: tuple[Path, ...] = ()
    components: Path | None = None

    def identity(self) -> dict[str, Any]:
        """All that the list depends on: its layout, and the sha256 of each file."""
        return {
            "layout": _LAYOUT,
            "moses": self.moses and sha256(self.moses),
            "own": [sha256(path) for path in self.smiles],
            "components": self.components and sha256(self.components),
        }

    def names(self) -> list[str]:
        """Names of the files."""
        paths = (self.moses, *self.smiles, self.components)
        return [path.name for path in paths if path is not None]


@dataclass(frozen=True)
class Listing:
    """Molecules in their order, the number of the source of each, and facts for the card.

    Attributes
    ----------
    rows:
        (SMILES, index into `SOURCES`).
    facts:
        ``identity`` and ``files`` (names) of the inputs, ``rdkit`` (version), ``drawn`` (of each
        source how many, and what was left out), and ``refused``: name and reason of each of the
        user's records that was left out.
    """

    rows: list[tuple[str, int]]
    facts: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write both files; without the second the first does not count."""
        text = "".join(f"{smiles}\t{source}\n" for smiles, source in self.rows)
        with gzip.GzipFile(folder / "list.smi.gz", "wb", mtime=0) as file:
            file.write(text.encode())
        replace_text(folder / "list.json", json.dumps(self.facts, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Listing | None:
        """Read what `save` wrote; None if there is none, ``DataError`` if it is damaged."""
        if not (folder / "list.json").is_file():
            return None
        try:
            facts = json.loads((folder / "list.json").read_text(encoding="utf-8"))
            with gzip.open(folder / "list.smi.gz", "rt", encoding="utf-8") as file:
                lines = (line.split() for line in file)
                return cls([(smiles, int(source)) for smiles, source in lines], facts)
        except (OSError, EOFError, ValueError) as error:
            raise DataError(
                f"The list in {folder} cannot be read: {error}.", fix=f"Delete {folder}."
            ) from error


def make_listing(
    folder: Path, inputs: Inputs, *, jobs: int = 1, progress: Progress | None = None
) -> Listing:
    """Return the list in a folder, drawn first if there is none.

    Raises
    ------
    InputError
        If the folder's list is of other inputs, or a file cannot be read.
    DataError
        If no molecule is left.
    """
    identity = inputs.identity()
    existing = Listing.load(folder)
    if existing is None:
        listing = _drawn(inputs, identity, jobs, progress or (lambda stage, done, total: None))
        listing.save(folder)
        return listing
    if existing.facts["identity"] != identity:
        raise InputError(
            f"{folder} has the list and conformers of other files: "
            f"{', '.join(existing.facts['files'])}, not {', '.join(inputs.names())}.",
            fix="Give another --output, or the same sources as before.",
        )
    return existing


def _drawn(inputs: Inputs, identity: dict[str, Any], jobs: int, report: Progress) -> Listing:
    seen: set[str] = set()
    parts = [
        draw(source, candidates, seen, partial(_tell, report, source, total))
        for source, (total, candidates) in zip(SOURCES, _candidates(inputs, jobs), strict=True)
    ]
    rows = shuffled(parts)
    left_out = [dict(part.left_out.most_common()) for part in parts]
    if not rows:
        reasons = ", ".join(f"{k} ({n})" for some in left_out for k, n in some.items())
        raise DataError(
            f"No molecule is left: {reasons}.",
            fix="Kept are neutral molecules of 10 to 40 atoms of C, N, O, F, P, S, Cl, Br or I.",
        )
    facts = {
        "identity": identity,
        "files": inputs.names(),
        "rdkit": rdBase.rdkitVersion,
        "drawn": [
            {"source": source.name, "molecules": len(part.smiles), "left out": some}
            for source, part, some in zip(SOURCES, parts, left_out, strict=True)
        ],
        "refused": [list(item) for part in parts for item in part.listed],
    }
    return Listing(rows, facts)


def _tell(report: Progress, source: Source, total: int, judged: int, taken: int) -> None:
    """Report the molecules that are taken, or the candidates where all of them are looked at."""
    if source.most is None:
        report(f"drawing from {source.name}", judged, total)
    else:
        report(f"drawing from {source.name}", taken, min(source.most, total))


def _candidates(inputs: Inputs, jobs: int) -> Iterator[tuple[int, Iterator[Candidate]]]:
    """Yield how many candidates each of `SOURCES` has at most, and them; none if not wanted."""
    texts = [] if inputs.moses is None else _moses(MOSES.read(inputs.moses))
    random.Random(0).shuffle(texts)
    yield len(texts), _judged(_with_scaffold, texts, jobs)
    own = [line for path in inputs.smiles for line in _lines(path)]
    yield len(own), _judged(_own, own, jobs)
    if inputs.components is None:
        yield 0, iter(())
        return
    tables = read_tables(COMPONENTS.read(inputs.components))
    yield len(tables["chem_comp"]), _judged(_components, read_components(tables), jobs)


def _judged(
    function: Callable[[list[T]], list[Candidate]], records: Iterable[T], jobs: int
) -> Iterator[Candidate]:
    """Apply a function to chunks of records in several processes; in their order."""
    waiting = iter(records)
    chunks = iter(lambda: list(islice(waiting, _CHUNK)), [])
    return chain.from_iterable(in_order(completed(function, chunks, jobs)))


def _with_scaffold(texts: list[str]) -> list[Candidate]:
    return [
        replace(candidate, scaffold="" if candidate.reason else scaffold(candidate.smiles))
        for candidate in (_candidate(neutral_form(text)) for text in texts)
    ]


def _own(lines: list[tuple[str, str]]) -> list[Candidate]:
    return [replace(_candidate(neutral_form(text)), name=name) for name, text in lines]


def _components(records: list[Component | Rejected]) -> list[Candidate]:
    candidates = []
    for record in records:
        smiles = component_smiles(record) if isinstance(record, Component) else record
        candidates.append(_candidate(neutral_form(smiles) if isinstance(smiles, str) else smiles))
    return candidates


def _candidate(smiles: str | Rejected) -> Candidate:
    return Candidate(smiles) if isinstance(smiles, str) else Candidate(reason=smiles.reason)


def _moses(content: bytes) -> list[str]:
    """Return the SMILES of the CSV file, its header left out."""
    lines = gzip.decompress(content).decode().split("\n")[1:]
    return [line.split(",")[0] for line in lines if line]


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and SMILES of each line with one; ``InputError`` if there is none."""
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"'{path}' cannot be read: {error}.", fix="Give a text file.") from error
    words = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
    lines = [(f"{path.name}, line {number}", some[0]) for number, some in words if some]
    if not lines:
        raise InputError(f"'{path}' is empty.", fix="Give a file with one SMILES on each line.")
    yield from lines
