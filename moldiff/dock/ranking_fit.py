"""Fit the ranking on dockings of complexes whose crystal pose is known.

The table is a CSV with a row per cluster of poses of each docking:

==============  =========================================================================
complex         name of the complex; rows of one complex are ranked against each other
rmsd            symmetry-corrected RMSD to the crystal pose, Å
energy          Vina energy, kcal/mol
likelihood      log-likelihood ratio, nats; empty in every row if there was no model
fraction        fraction of fast checks passed
atoms           heavy atoms of the ligand
torsions        rotors of the ligand
group           (optional) complexes of one group are never split between folds
==============  =========================================================================

Use complexes the likelihood was not trained on (its validation split), or lambda comes out
too large.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from moldiff.dock.ranking import FEATURES, Confidence, Ranking, features
from moldiff.errors import InputError

__all__ = ["Docking", "fit_confidence", "fit_ranking", "read_dockings", "top_one"]

_GOOD = 2.0  # Å
_WEIGHTS = (0.0, *torch.logspace(-2.5, 0.5, 31).tolist())  # kcal/mol per nat
_SHARPNESS = torch.logspace(-1.5, 1.0, 21).tolist()  # per kcal/mol
_FOLDS, _BINS, _RIDGE = 5, 20, 1e-3
_FLOOR = 0.01
_COLUMNS = ("complex", "rmsd", "energy", "likelihood", "fraction", "atoms", "torsions")


@dataclass(frozen=True, eq=False)
class Docking:
    """The p clusters of one docking: RMSD in Å, energy, likelihood or None, fraction, each (p,)."""

    name: str
    group: str
    rmsd: Tensor
    energy: Tensor
    likelihood: Tensor | None
    fraction: Tensor
    atoms: int
    torsions: int

    def features(self, ranking: Ranking, *, learned: bool) -> Tensor:
        """Return the features (p, len(FEATURES)), with or without the likelihood."""
        likelihood = self.likelihood if learned else None
        score = ranking.score(self.energy, likelihood, self.fraction)
        return features(
            score,
            self.energy,
            likelihood,
            self.fraction,
            atoms=self.atoms,
            torsions=self.torsions,
        )


def read_dockings(path: Path) -> list[Docking]:
    """Read the table; ``InputError`` if it is none."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        grouped: dict[str, list[dict[str, str]]] = {}
        for row in rows:
            grouped.setdefault(row["complex"], []).append(row)
        dockings = [_docking(name, part) for name, part in grouped.items()]
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"'{path}' is no table of dockings: {error!r}.",
            fix=f"It needs the columns {', '.join(_COLUMNS)}.",
        ) from error
    if not dockings:
        raise InputError(f"'{path}' holds no dockings.", fix="Run some first.")
    return dockings


def _docking(name: str, rows: list[dict[str, str]]) -> Docking:
    def column(key: str) -> Tensor:
        return torch.tensor([float(row[key]) for row in rows])

    learned = all(row.get("likelihood") for row in rows)
    return Docking(
        name,
        rows[0].get("group") or name,
        column("rmsd"),
        column("energy"),
        column("likelihood") if learned else None,
        column("fraction"),
        int(float(rows[0]["atoms"])),
        int(float(rows[0]["torsions"])),
    )


def top_one(dockings: list[Docking], ranking: Ranking, *, learned: bool = True) -> float:
    """Return the share of dockings whose first pose is within 2 Å."""
    hits = [float(d.rmsd[_scores(d, ranking, learned=learned).argmax()]) <= _GOOD for d in dockings]
    return sum(hits) / len(hits)


def _scores(docking: Docking, ranking: Ranking, *, learned: bool) -> Tensor:
    likelihood = docking.likelihood if learned else None
    return ranking.score(docking.energy, likelihood, docking.fraction)


def fit_ranking(dockings: list[Docking], *, power: float = 4.0, seed: int = 0) -> Ranking:
    """Fit lambda and both confidences.

    Lambda maximises the likelihood of the good poses under softmax(score / T) at the best T,
    over the dockings with good and bad poses: smoother than the top-1 success it stands for.
    """
    learned = all(d.likelihood is not None for d in dockings)
    mixed = [d for d in dockings if 0 < int((d.rmsd <= _GOOD).sum()) < len(d.rmsd)]
    if not mixed:
        raise InputError(
            "No docking has both a pose within 2 Å and one that is not.",
            fix="Give more dockings, or more poses of each.",
        )
    rankings = [Ranking(weight, power) for weight in (_WEIGHTS if learned else (0.0,))]
    best = max(rankings, key=lambda r: _separation(mixed, r, learned=learned))
    card: dict[str, float] = {
        "complexes": len(dockings),
        "oracle": sum(bool((d.rmsd <= _GOOD).any()) for d in dockings) / len(dockings),
        "top1_energy": top_one(dockings, replace(best, power=0.0), learned=False),
        "top1_energy_checks": top_one(dockings, best, learned=False),
    }
    without = fit_confidence(dockings, best, learned=False, seed=seed)
    within = None
    if learned:
        alone = [replace(d, energy=torch.zeros_like(d.energy)) for d in dockings]
        card["top1_likelihood"] = top_one(alone, replace(best, weight=1.0, power=0.0))
        card["top1_combined"] = top_one(dockings, best)
        within = fit_confidence(dockings, best, learned=True, seed=seed)
    return replace(best, card=card, with_likelihood=within, without_likelihood=without)


def _separation(dockings: list[Docking], ranking: Ranking, *, learned: bool) -> float:
    pairs = [(_scores(d, ranking, learned=learned), d.rmsd <= _GOOD) for d in dockings]

    def at(sharpness: float) -> float:
        logs = [(sharpness * score).log_softmax(0)[good].logsumexp(0) for score, good in pairs]
        return float(torch.stack(logs).mean())

    return max(map(at, _SHARPNESS))


def fit_confidence(
    dockings: list[Docking], ranking: Ranking, *, learned: bool, seed: int = 0
) -> Confidence:
    """Fit the regression on all poses, and calibrate it on folds of groups it has not seen."""
    rows = torch.cat([d.features(ranking, learned=learned) for d in dockings])
    outcomes = torch.cat([d.rmsd <= _GOOD for d in dockings])
    groups = sorted({d.group for d in dockings})
    rng = torch.Generator().manual_seed(seed)
    fold_of = dict(
        zip(groups, (torch.randperm(len(groups), generator=rng) % _FOLDS).tolist(), strict=True)
    )
    fold = torch.cat([torch.full((len(d.rmsd),), fold_of[d.group]) for d in dockings])
    names = tuple(n for n in FEATURES if learned or n != "likelihood_per_atom")
    unseen = torch.zeros(len(rows), dtype=torch.float64)
    for k in set(fold_of.values()):
        rest = fold != k
        if 0 < int(outcomes[rest].sum()) < int(rest.sum()):
            unseen[~rest] = _regression(names, rows[rest], outcomes[rest]).logit(rows[~rest])
    knots, values = _calibration(unseen, outcomes.double())
    return replace(_regression(names, rows, outcomes), knots=knots, values=values)


def _regression(names: tuple[str, ...], rows: Tensor, outcomes: Tensor) -> Confidence:
    """Logistic regression with a small ridge, by Newton's method."""
    x = rows[:, [FEATURES.index(name) for name in names]].double()
    centre, scale = x.mean(0), x.std(0, correction=0).clamp(min=1e-6)
    x = torch.cat([(x - centre) / scale, torch.ones(len(x), 1)], 1)
    y = outcomes.double()
    ridge = _RIDGE * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    ridge[-1, -1] = 1e-9
    w = torch.zeros(x.shape[1], dtype=torch.float64)
    for _ in range(30):
        p = (x @ w).sigmoid()
        slope = x.T @ (p - y) + ridge @ w
        step = torch.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, slope)
        w = w - step * min(1.0, 2.0 / float(step.abs().max() + 1e-12))
    return Confidence(
        names, tuple(centre.tolist()), tuple(scale.tolist()), tuple(w[:-1].tolist()), float(w[-1])
    )


def _calibration(logits: Tensor, outcomes: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots and probabilities: means over quantile bins, pooled until they increase."""
    order = logits.argsort()
    bins = max(1, min(_BINS, len(order) // 25))
    blocks: list[list[float]] = []  # sum of logits, sum of outcomes, count
    for part in order.tensor_split(bins):
        blocks.append([float(logits[part].sum()), float(outcomes[part].sum()), float(len(part))])
        while len(blocks) > 1 and blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    knots = tuple(total / count for total, _, count in blocks)
    values = tuple(min(max(hit / n, _FLOOR), 1 - _FLOOR) for _, hit, n in blocks)
    return knots, values
