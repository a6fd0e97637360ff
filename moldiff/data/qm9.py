"""QM9 with explicit hydrogens, from the CSV files inside the ``qm9pack`` wheel.

Geometries are B3LYP/6-31G(2df,p) minima; the source already omits the 3,054 molecules whose
geometry and SMILES disagree.  The files lack bonds; the first route that works gives them:

1. ``rdDetermineBonds`` with total charge 0, kept where it agrees with the row's SMILES;
2. connectivity from the geometry, bond orders and charges from the row's SMILES as template;
3. the result of 1 despite the SMILES (counted separately).

Split: Hoogeboom et al. 2022 (EDM), https://arxiv.org/abs/2203.17003: the legacy generator
with seed 0 permutes the 130,831 rows; 100,000 train, 17,748 validation, 13,083 test.
Data: Ruddigkeit et al. 2012, https://doi.org/10.1021/ci300415d; Ramakrishnan et al. 2014,
https://doi.org/10.1038/sdata.2014.22.
"""

from __future__ import annotations

import csv
import importlib.util
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem import (
    QM9,
    Encoded,
    Rejected,
    canonical_smiles,
    decode,
    encode,
    quiet,
    strict_failure,
)
from moldiff.data.bonds import assign_bonds
from moldiff.data.preparation import Preparation
from moldiff.data.shards import SIZE, Entry, Refused, Shard
from moldiff.data.store import Store
from moldiff.data.write import sha256
from moldiff.errors import DataError, MissingExtraError
from moldiff.parallel import Progress

__all__ = ["COUNT", "PROPERTIES", "edm_split", "parse_row", "prepare", "source_files"]

COUNT = 130_831
PROPERTIES: tuple[tuple[str, str, str], ...] = (
    # name, unit, column of the source
    ("A", "GHz", "RotA_GHz"),
    ("B", "GHz", "RotB_GHz"),
    ("C", "GHz", "RotC_GHz"),
    ("mu", "D", "Dipole_debye"),
    ("alpha", "bohr^3", "Polarizability_bohr3"),
    ("homo", "hartree", "HOMO_au"),
    ("lumo", "hartree", "LUMO_au"),
    ("gap", "hartree", "HOMO_LUMO_gap_au"),
    ("r2", "bohr^2", "R2_bohr2"),
    ("zpve", "hartree", "ZPVE_au"),
    ("U0", "hartree", "InternalEnergy_0K_au"),
    ("U", "hartree", "InternalEnergy_298K_au"),
    ("H", "hartree", "Enthalphy_298K_au"),
    ("G", "hartree", "GibbsFreeEnergy_298K_au"),
    ("Cv", "cal/(mol K)", "Heatcapacity_Cv_cal_mol_K"),
)
_NEEDED = ("XYZ_file", "SMILES", "N_atoms", "Stoichiometry", "Elements", "XYZ_Ang")
_FORMULA = ("H", "C", "N", "O", "F")

Row = dict[str, str]
# First row, rows, and the split of each.
Task = tuple[int, list[Row], npt.NDArray[np.int8]]


@dataclass(frozen=True)
class Parsed:
    """One checked row: symbols, coordinates (n, 3) in Å, SMILES and the 15 properties."""

    name: str
    smiles: str
    symbols: tuple[str, ...]
    positions: npt.NDArray[np.float64]
    properties: tuple[float, ...]


@dataclass(frozen=True)
class _Stored:
    encoded: Encoded
    smiles: str
    properties: tuple[float, ...]
    route: str


def prepare(
    destination: str | Path,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
    limit: int | None = None,
) -> Store:
    """Read, check and bond all of QM9 and write it as a store (about a minute on two cores).

    Molecules that are strictly valid after an encode-decode round trip are stored; all others are
    listed with the reason in ``rejected.csv``.  Interrupted, the same preparation goes on where it
    stopped (`moldiff.data.preparation`).

    Parameters
    ----------
    jobs:
        Number of processes.
    progress:
        Called as ``progress(stage, rows done, total rows)``.
    announce:
        Called with what is reused of an interrupted preparation, or discarded.
    limit:
        Read only the first ``limit`` rows, for a quick look; they keep their split.

    Raises
    ------
    MissingExtraError
        If ``qm9pack`` is not installed.
    DataError
        If its files are unexpected, or the store cannot be written.
    """
    total = COUNT if limit is None else min(limit, COUNT)
    files = source_files()
    identity = {"qm9": [sha256(file) for file in files], "rows": total}
    with Preparation.begin(destination, identity, progress=progress, announce=announce) as work:
        tasks = ((task, len(task[1]) / total) for task in _tasks(files, limit))
        rows = work.encode("preparing QM9", _process_chunk, tasks, jobs=jobs)
        with work.discarding():
            if rows != total:
                raise DataError(
                    f"qm9pack holds {rows} rows, {total} expected.",
                    fix="Install the tested version: pip install qm9pack==1.0.3",
                )
        routes = Counter[str]()
        for shard in work.shards(arrays=False):
            routes.update(shard.notes["routes"])
        return work.finish(
            work.shards(),
            vocabulary=QM9,
            source="QM9 (Ramakrishnan et al. 2014) from PyPI's qm9pack",
            properties=[(name, unit) for name, unit, _ in PROPERTIES],
            notes={"rows": total, "split": "EDM, seed 0", "bonds": dict(routes.most_common())},
        )


def edm_split() -> npt.NDArray[np.int8]:
    """(130831,) split of each row before any rejection: 0 train, 1 validation, 2 test."""
    # RandomState(0) is the legacy generator that np.random.seed(0) would set globally.
    permutation = np.random.RandomState(0).permutation(COUNT)
    split = np.full(COUNT, 2, dtype=np.int8)
    split[permutation[:100_000]] = 0
    split[permutation[100_000:117_748]] = 1
    return split


def source_files() -> list[Path]:
    """Find the three CSV files of ``qm9pack`` without importing it, which would load pandas."""
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("qm9pack", "qm9", "Preparing QM9")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    files = [folder / f"qm9_part{k}.csv" for k in (1, 2, 3)]
    for file in files:
        if not file.is_file():
            raise DataError(
                f"The installed qm9pack lacks {file.name}.",
                fix="Install it again: pip install --force-reinstall qm9pack==1.0.3",
            )
    return files


def parse_row(row: Row) -> Parsed | Rejected:
    """Parse one CSV row (column -> text) and check that its counts agree and all is finite."""
    try:
        symbols = tuple(re.findall(r"'([A-Z][a-z]?)'", row["Elements"]))
        numbers = [float(x) for x in re.sub(r"[\[\]\s]", "", row["XYZ_Ang"]).split(",")]
        formula = [int(x) for x in row["Stoichiometry"].strip("[] ").split(",")]
        properties = tuple(float(row[column]) for _, _, column in PROPERTIES)
        n_atoms, name, smiles = int(row["N_atoms"]), row["XYZ_file"], row["SMILES"]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return Rejected(f"unreadable row: {error}")
    if not len(symbols) == n_atoms == len(numbers) / 3:
        return Rejected(
            f"counts disagree: {n_atoms} atoms, {len(symbols)} elements, {len(numbers)} numbers"
        )
    if [symbols.count(e) for e in _FORMULA] != formula:
        return Rejected("counts disagree: the elements are not the stoichiometry's")
    if not all(map(math.isfinite, (*numbers, *properties))):
        return Rejected("non-finite numbers")
    positions = np.array(numbers).reshape(-1, 3)
    return Parsed(name, smiles, symbols, positions, properties)


def _rows(files: Iterable[Path]) -> Iterator[Row]:
    columns = (*_NEEDED, *(column for _, _, column in PROPERTIES))
    for path in files:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            missing = [c for c in columns if c not in header]
            if missing:
                raise DataError(
                    f"{path} lacks the columns {missing}.",
                    fix="Install the tested version: pip install qm9pack==1.0.3",
                )
            places = [header.index(c) for c in columns]
            for line in reader:
                cells = [line[k] if k < len(line) else "" for k in places]
                yield dict(zip(columns, cells, strict=True))


def _tasks(files: Iterable[Path], limit: int | None) -> Iterator[Task]:
    rows = islice(_rows(files), limit)
    split = edm_split()
    for start in count(0, SIZE):
        part = list(islice(rows, SIZE))
        if not part:
            return
        yield start, part, split[start : start + len(part)]


def _process_chunk(task: Task) -> Shard:
    start, rows, split = task
    results = list[Entry | Refused]()
    routes = Counter[str]()
    with quiet():
        for index, row in enumerate(rows):
            result = _process_row(row)
            if isinstance(result, Rejected):
                name = row.get("XYZ_file", "")
                results.append(Refused(start + index, name, result.reason))
            elif index < len(split):  # beyond QM9 there is none, and the rows are refused
                routes[result.route] += 1
                arrays, smiles, values = result.encoded, result.smiles, result.properties
                results.append(Entry(arrays, smiles, int(split[index]), start + index, values))
    return Shard.of(results, {"routes": routes})


def _process_row(row: Row) -> _Stored | Rejected:
    parsed = parse_row(row)
    if isinstance(parsed, Rejected):
        return parsed
    problems = []
    for route, mol in assign_bonds(parsed.symbols, parsed.positions, parsed.smiles):
        stored = _round_trip(mol, parsed.properties, route)
        if isinstance(stored, _Stored):
            return stored
        problems.append(f"{route}: {stored.reason}")
    return Rejected("no bonds: " + "; ".join(problems))


def _round_trip(
    mol: Chem.Mol | str, properties: tuple[float, ...], route: str
) -> _Stored | Rejected:
    """Encode and decode; accept the arrays if the decoded molecule is strictly valid."""
    if isinstance(mol, str):
        return Rejected(mol)
    encoded = encode(mol, QM9)
    if isinstance(encoded, Rejected):
        return encoded
    decoded = decode(encoded, QM9)
    reason = strict_failure(decoded)
    smiles = canonical_smiles(decoded)
    if reason is not None or smiles is None:
        return Rejected(reason or "no SMILES")
    return _Stored(encoded, smiles, properties, route)
