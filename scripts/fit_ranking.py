#!/usr/bin/env python3
"""Fit lambda and the confidence of ranked poses: fit_ranking.py DOCKINGS.csv --out ranking.json

The columns of the table are described in moldiff/dock/ranking_fit.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from moldiff.dock.ranking_fit import fit_ranking, read_dockings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, default=Path("ranking.json"))
    parser.add_argument("--power", type=float, default=4.0)
    args = parser.parse_args()
    dockings = read_dockings(args.table)
    ranking = fit_ranking(dockings, power=args.power)
    ranking.save(args.out)
    print(f"lambda {ranking.weight:.4f} kcal/mol per nat, mu {ranking.agreement:.2f} kcal/mol")
    card = dict(ranking.card or {})
    curve = card.pop("reliability")
    for name, value in card.items():
        print(f"{name:20s} {'–' if value is None else format(value, '.3f')}")
    print("confidence of complexes not seen:")
    for row in curve:
        print(" ".join(f"{key} {value:.3f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
