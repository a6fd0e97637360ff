#!/usr/bin/env python3
"""How well scores of crystal poses follow measured affinities, beside the number of heavy atoms.

    python scripts/measure_affinity.py complexes/casf2016 CoreSet.dat --output runs/affinity

For each complex (`moldiff.benchmark.docking.complexes`) the crystal pose is minimised in the
docking energy and scored (`moldiff score --minimise`, with gnina's network if it is installed).
The table has a complex in each row: its code first, then resolution, year, pK, the measurement and
its target, as CASF-2016 has it.  Printed are the scoring power (Pearson's correlation with pK over
all complexes) and the ranking power (Spearman's, the mean over targets with three complexes or
more), each with a 95 % interval by bootstrap over targets, and the difference to heavy atoms alone,
paired.  A row of scores.jsonl for each complex; those that are there are not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from moldiff.benchmark.docking.complexes import Case, read_crystal, read_set  # noqa: E402
from moldiff.docking.score import score  # noqa: E402

_DRAWS = 4000  # resamplings of an interval
_FEWEST = 3  # complexes of a target whose order is judged
# What is printed -> the field, and the sign that makes it grow with the affinity.
SCORES = {
    "heavy atoms": ("atoms", 1),
    "energy, minimised": ("energy_kcal_mol", -1),
    "energy before torsions": ("inter", -1),
    "energy as in the crystal": ("energy_given", -1),
    "distances": ("distance_score", 1),
    "gnina's network, pose": ("cnn_score", 1),
    "gnina's network, pK": ("cnn_affinity", 1),
}


def main() -> None:
    """Score what is not scored yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("complexes", type=Path)
    parser.add_argument("affinities", type=Path)
    parser.add_argument("--output", type=Path, default=Path("runs/affinity"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows = scored(read_set(arguments.complexes), arguments.output / "scores.jsonl")
    known = affinities(arguments.affinities)
    rows = [row | known[row["id"]] for row in rows if row["id"] in known and "reason" not in row]
    table(rows)


def scored(cases: list[Case], path: Path) -> list[dict]:
    """The scores of the complexes, kept in a file."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    there = {row["id"] for row in rows}
    with path.open("a", encoding="utf-8") as file:
        for k, case in enumerate(cases):
            if case.id not in there:
                rows.append({"id": case.id, **scores_of(case)})
                file.write(json.dumps(rows[-1]) + "\n")
                file.flush()
            if k % 25 == 24:
                print(f"{k + 1} of {len(cases)}", file=sys.stderr, flush=True)
    return rows


def scores_of(case: Case) -> dict[str, float | str]:
    """The scores of a crystal pose, or the reason why there are none."""
    mol = read_crystal(case)
    if isinstance(mol, str):
        return {"reason": mol}
    (record,) = score(case.receptor, mol, minimise=True, cnn=find_spec("rustina") is not None)
    if record.mol is None:
        return {"reason": str(record.reason)}
    fields = {name for name, _ in SCORES.values()} & record.tags.keys()
    atoms = float(record.mol.GetNumHeavyAtoms())
    return {"atoms": atoms, **{name: float(record.tags[name]) for name in sorted(fields)}}


def affinities(path: Path) -> dict[str, dict[str, float | str]]:
    """The pK and the target of each complex of a table."""
    lines = (line.split() for line in path.read_text().splitlines() if not line.startswith("#"))
    return {words[0]: {"pk": float(words[3]), "target": words[5]} for words in lines if words}


def table(rows: list[dict]) -> None:
    """Print both powers of every score."""
    groups = defaultdict(list)
    for k, row in enumerate(rows):
        groups[row["target"]].append(k)
    targets = list(groups.values())
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(targets), size=len(targets)) for _ in range(_DRAWS)]
    pk = np.array([row["pk"] for row in rows])
    print(f"{len(rows)} complexes of {len(targets)} targets\n")
    print("| score | scoring power | minus heavy atoms | ranking power | minus heavy atoms |")
    print("|---|--:|--:|--:|--:|")
    base = None
    for label, (name, sign) in SCORES.items():
        if not all(name in row for row in rows):
            continue
        x = np.array([sign * row[name] for row in rows])
        orders = [spearman(x[g], pk[g]) if len(g) >= _FEWEST else np.nan for g in targets]
        both = [(powers(x, pk, orders, targets, d)) for d in (range(len(targets)), *draws)]
        values = np.array(both)
        base = values if base is None else base
        cells = [
            cell
            for k in range(2)
            for cell in (spread(values[:, k]), spread(values[:, k] - base[:, k]))
        ]
        print(f"| {label} | {' | '.join(cells)} |")


def powers(x, pk, orders, targets, drawn) -> tuple[float, float]:
    """Pearson's correlation of the complexes of some targets, and the mean of their orders."""
    rows = np.concatenate([targets[t] for t in drawn])
    return float(np.corrcoef(x[rows], pk[rows])[0, 1]), float(
        np.nanmean([orders[t] for t in drawn])
    )


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's correlation; 0 where one of both is constant."""
    a, b = rankdata(x), rankdata(y)
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else 0.0


def spread(values: np.ndarray) -> str:
    """The first value, with the 95 % interval of the others."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{values[0]:+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main()
