#!/usr/bin/env python3
"""Fit which cavity holds the ligand: fit_sites.py SETS... [--within 6] [--leave IDS]

Each set is a folder of complexes as `moldiff benchmark docking` reads them, with whole receptors
(ID/protein.pdb): pockets that were cut out about a ligand have their cavity there.  A cavity is
the ligand's if its middle is within so many Å of the ligand's, or if it is a copy of one that is.
The figures are of weights fitted without a complex and those of its protein: a column `target` of
the index, by its first three letters.  The weights go into `moldiff/protein/sites.py`.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from moldiff.benchmark.docking.complexes import Case, read_crystal, read_set
from moldiff.docking.judge.logit import choices
from moldiff.protein.occupants import on
from moldiff.protein.read import read_contents
from moldiff.protein.sites import FEATURES, binding_sites

FOLDS = 10
NEAR = (4.0, 6.0, 8.0)  # Å


@dataclass(frozen=True)
class Receptor:
    """A receptor with k cavities: features (k, f), distances (k,) in Å, the right ones (k,)."""

    group: str
    features: torch.Tensor
    far: np.ndarray
    right: torch.Tensor
    copies: np.ndarray  # (k,): the first cavity of which each is a copy

    @property
    def informative(self) -> bool:
        """Whether there are both right and wrong cavities."""
        return 0 < int(self.right.sum()) < len(self.right)


def read(case: Case, group: str, within: float) -> Receptor | None:
    """Find the cavities of a receptor and how far they are from its ligand; None without any."""
    crystal = read_crystal(case)
    if isinstance(crystal, str):
        return None
    known = crystal.GetConformer().GetPositions()
    contents = read_contents(case.receptor)
    leave = dict.fromkeys(on(contents.structure, known), "the reference ligand lies on it")
    found = binding_sites(contents.receptor(leave=leave))
    if not found:
        return None
    found.sort(key=lambda site: -site.cavity.volume)
    far = np.array([np.linalg.norm(site.cavity.centre - known.mean(0)) for site in found])
    first = np.array([next(j for j, b in enumerate(found) if a.copies(b)) for a in found])
    right = torch.tensor([bool((far[first == k] <= within).any()) for k in first])
    rows = [[site.features[name] for name in FEATURES] for site in found]
    return Receptor(group, torch.tensor(rows, dtype=torch.float64), far, right, first)


def fit(receptors: list[Receptor]) -> torch.Tensor:
    """Return the weights (f,) of a conditional logit over the cavities of each receptor."""
    some = [r for r in receptors if r.informative]
    rows = [r.features - r.features.mean(0) for r in some]
    spread = torch.cat(rows).std(0).clamp(min=1e-9)
    worth = torch.ones(len(some), dtype=torch.float64)
    return choices([x / spread for x in rows], [r.right for r in some], worth) / spread


def unseen(receptors: list[Receptor]) -> list[torch.Tensor]:
    """Return ln P of the cavities of each receptor by weights that were fitted on other groups."""
    groups = sorted({r.group for r in receptors})
    order = np.random.default_rng(0).permutation(len(groups)) % FOLDS
    fold = dict(zip(groups, order.tolist(), strict=True))
    weights = {k: fit([r for r in receptors if fold[r.group] != k]) for k in set(fold.values())}
    return [(r.features @ weights[fold[r.group]]).log_softmax(0) for r in receptors]


def nearest(receptor: Receptor, order: np.ndarray, count: int, *, copies: bool) -> float:
    """Distance in Å of the nearest of the first few cavities in an order, copies left out.

    With ``copies`` a cavity is as near as the nearest of its copies.
    """
    _, place = np.unique(receptor.copies[order], return_index=True)
    first = order[np.sort(place)[:count]]
    here = np.isin(receptor.copies, receptor.copies[first]) if copies else first
    return float(receptor.far[here].min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--within", type=float, default=6.0, help="Å")
    parser.add_argument("--leave", default="", help="ids to leave out, with commas")
    args = parser.parse_args()
    left = {word for word in args.leave.split(",") if word}
    receptors, cases = [], 0
    for folder in args.sets:
        targets = {}
        if (folder / "index.csv").is_file():
            with (folder / "index.csv").open(newline="", encoding="utf-8-sig") as file:
                targets = {row["id"]: row.get("target") for row in csv.DictReader(file)}
        for case in read_set(folder):
            if case.id in left:
                continue
            cases += 1
            one = read(case, (targets.get(case.id) or case.id)[:3], args.within)
            receptors += [] if one is None else [one]
    chances = unseen(receptors)
    print(f"{cases} complexes, {len(receptors)} with cavities")
    some = [(r, p) for r, p in zip(receptors, chances, strict=True) if r.informative]
    logs = [float(p[r.right].logsumexp(0)) for r, p in some]
    even = [float(torch.log(r.right.double().mean())) for r, _ in some]
    print(f"ln P of the right cavity, unseen: {np.mean(logs):.3f}; even: {np.mean(even):.3f}")
    print("per cent of complexes with the ligand within 4, 6, 8 Å of one of the first cavities,")
    print("and of one of them or their copies:")
    for name, orders in (
        ("by volume", [np.arange(len(r.far)) for r in receptors]),
        ("by chance", [np.argsort(-p.numpy(), kind="stable") for p in chances]),
    ):
        for count in (1, 2, 3, 5):
            words = []
            for copies in (False, True):
                pairs = zip(receptors, orders, strict=True)
                far = [nearest(r, order, count, copies=copies) for r, order in pairs]
                shares = [100 * sum(value <= reach for value in far) / cases for reach in NEAR]
                words.append(", ".join(f"{share:.0f}" for share in shares))
            print(f"  {name}, first {count}: {'; '.join(words)}")
    print({name: round(w, 2) for name, w in zip(FEATURES, fit(receptors).tolist(), strict=True)})


if __name__ == "__main__":
    main()
