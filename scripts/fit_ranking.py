#!/usr/bin/env python3
"""Fit weights and confidences of ranked poses: fit_ranking.py DOCKINGS.csv... --out ranking.json

The columns of a table are described in moldiff/docking/judge/dockings.py; `moldiff benchmark
docking` writes one.  Of several, such as of boxes up to 2 and 5 Å off, the figures are given for
each as well, by its folder.  --groups CLUSTERS.csv (complex,group) keeps complexes of one protein
in one fold.  --add cnn --to RANKING.json keeps a ranking as it is, and fits one weight for the CNN
beside its own, on dockings by the method cnn.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

from moldiff.docking.judge.dockings import read_dockings
from moldiff.docking.judge.fit import extend_ranking, fit_ranking
from moldiff.docking.judge.ranking import EVIDENCE, Ranking


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("ranking.json"))
    parser.add_argument("--power", type=float, default=4.0)
    parser.add_argument("--groups", type=Path)
    parser.add_argument(
        "--add", choices=[*EVIDENCE], help="one more evidence, beside those of --to"
    )
    parser.add_argument("--to", type=Path, help="the ranking to keep")
    parser.add_argument("--data", default="", help="what the dockings are of, for the card")
    args = parser.parse_args()
    if (args.add is None) != (args.to is None):
        parser.error("--add and --to belong together")
    groups = {}
    if args.groups:
        with args.groups.open(newline="", encoding="utf-8") as file:
            groups = {row["complex"]: row["group"] for row in csv.DictReader(file)}
    dockings = [one for table in args.tables for one in read_dockings(table, groups)]
    if args.add:
        ranking = extend_ranking(Ranking.load(args.to), dockings, args.add)
        card = dict(ranking.card or {}) | {f"{args.add}_data": args.data}
    else:
        ranking = fit_ranking(dockings, power=args.power)
        card = {"data": args.data} | dict(ranking.card or {})
    replace(ranking, card=card).save(args.out)
    for weighing in ranking.weighings:
        print(" ".join(f"{weight:+.4g} {name}" for name, weight in weighing.weights.items()))
        figures = dict(card["+".join(weighing.weights)])
        curve, parts = figures.pop("reliability"), figures.pop("tables")
        gain = figures.pop("gain", None)
        for name, value in figures.items():
            print(f"  {name:20s} {'–' if value is None else format(value, '.3f')}")
        if gain is not None:
            low, high = gain["low"], gain["high"]
            print(f"  over {gain['over']}: {gain['top1']:+.3f} ({low:+.3f} to {high:+.3f})")
        for name, part in parts.items():
            print(f"  {name}:", ", ".join(f"{key} {value:.3f}" for key, value in part.items()))
        for row in curve:
            print("   ", " ".join(f"{key} {value:.3f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
