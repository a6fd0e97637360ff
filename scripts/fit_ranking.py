#!/usr/bin/env python3
"""Fit lambda and the confidence of ranked poses: fit_ranking.py DOCKINGS.csv --out ranking.json

The columns of the table are described in moldiff/dock/ranking_fit.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from moldiff.dock.ranking import reliability
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
    print(f"lambda {ranking.weight:.4f} kcal/mol per nat")
    for name, value in (ranking.card or {}).items():
        print(f"{name:20s} {value:.3f}")
    learned = ranking.with_likelihood is not None
    confidence = ranking.with_likelihood or ranking.without_likelihood
    rows = torch.cat([d.features(ranking, learned=learned) for d in dockings])
    outcomes = torch.cat([d.rmsd <= 2 for d in dockings])
    for row in reliability(confidence(rows), outcomes):
        print(" ".join(f"{key} {value:.3f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
