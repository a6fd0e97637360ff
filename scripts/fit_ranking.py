#!/usr/bin/env python3
"""Fit weights and confidences of ranked poses: fit_ranking.py DOCKINGS.csv --out ranking.json

The columns of the table are described in moldiff/docking/judge/fit.py; `moldiff benchmark docking`
writes one.  --groups CLUSTERS.csv (complex,group) keeps complexes of one protein in one fold.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

from moldiff.docking.judge.fit import fit_ranking, read_dockings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, default=Path("ranking.json"))
    parser.add_argument("--power", type=float, default=4.0)
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--data", default="", help="what the dockings are of, for the card")
    args = parser.parse_args()
    groups = {}
    if args.groups:
        with args.groups.open(newline="", encoding="utf-8") as file:
            groups = {row["complex"]: row["group"] for row in csv.DictReader(file)}
    ranking = fit_ranking(read_dockings(args.table, groups), power=args.power)
    card = {"data": args.data} | dict(ranking.card or {})
    replace(ranking, card=card).save(args.out)
    for weighing in ranking.weighings:
        print(" ".join(f"{weight:+.4g} {name}" for name, weight in weighing.weights.items()))
        told = dict(card["+".join(weighing.weights)])
        curve = told.pop("reliability")
        for name, value in told.items():
            print(f"  {name:20s} {'–' if value is None else format(value, '.3f')}")
        for row in curve:
            print("   ", " ".join(f"{key} {value:.3f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
