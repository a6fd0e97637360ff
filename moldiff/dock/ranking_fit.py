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
consensus       (optional) consensus of the model's draws with the pose
group           (optional) complexes of one group are never split between folds
==============  =========================================================================

Use complexes the likelihood was not trained on (its validation split), or lambda comes out
too large.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moldiff.dock.ranking import Confidence, Ranking, features, reliability
from moldiff.errors import InputError

__all__ = ["Docking", "fit_confidence", "fit_ranking", "read_dockings", "top_one"]

_GOOD = 2.0  # Å
_WEIGHTS = (0.0, *torch.logspace(-2.5, 0.5, 31).tolist())  # kcal/mol per nat
_AGREEMENTS = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.2, 1.6, 2.4)  # kcal/mol per unit of consensus
_SHARPNESS = torch.logspace(-1.5, 1.0, 21).tolist()  # per kcal/mol
_FOLDS, _RIDGE = 10, 1e-3
_FLATTEST = 0.1  # slope of the calibration: more score is never less confidence
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
    consensus: Tensor | None = None

    def scores(self, ranking: Ranking, *, learned: bool) -> Tensor:
        """Return the scores (p,), with or without the likelihood."""
        likelihood = self.likelihood if learned else None
        return ranking.score(self.energy, likelihood, self.fraction, self.consensus)

    def first(self, ranking: Ranking, *, learned: bool) -> int:
        """Return the pose that comes first."""
        return int(ranking.order(self.scores(ranking, learned=learned), self.fraction)[0])

    def features(self, ranking: Ranking, *, learned: bool) -> Tensor:
        """Return the features (p, len(FEATURES)), with or without the likelihood."""
        scores = self.scores(ranking, learned=learned)
        return features(scores, atoms=self.atoms, torsions=self.torsions)


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
        column("consensus") if all(row.get("consensus") for row in rows) else None,
    )


def top_one(dockings: list[Docking], ranking: Ranking, *, learned: bool = True) -> float:
    """Return the share of dockings whose first pose is within 2 Å."""
    hits = [float(d.rmsd[d.first(ranking, learned=learned)]) <= _GOOD for d in dockings]
    return sum(hits) / len(hits)


def fit_ranking(dockings: list[Docking], *, power: float = 4.0, seed: int = 0) -> Ranking:
    """Fit lambda, mu and both confidences.

    Lambda and mu maximise the likelihood of the good poses under softmax(score / T) at the best T,
    over the dockings with good and bad poses: smoother than the top-1 success it stands for.

    What the card says of complexes not seen ("unseen", "reliability") is cross-validated.
    """
    learned = all(d.likelihood is not None for d in dockings)
    mixed = [d for d in dockings if 0 < int((d.rmsd <= _GOOD).sum()) < len(d.rmsd)]
    if not mixed:
        raise InputError(
            "No docking has both a pose within 2 Å and one that is not.",
            fix="Give more dockings, or more poses of each.",
        )
    agreed = all(d.consensus is not None for d in dockings)
    rankings = [
        Ranking(weight, power, agreement=agreement)
        for agreement in (_AGREEMENTS if agreed else (0.0,))
        for weight in (_WEIGHTS if learned else (0.0,))
    ]
    evidence = torch.stack([_evidence(mixed, r, learned=learned) for r in rankings])
    best = rankings[_weightiest(evidence)]
    energy = replace(best, agreement=0.0)
    card: dict[str, Any] = {
        "complexes": len(dockings),
        "oracle": sum(bool((d.rmsd <= _GOOD).any()) for d in dockings) / len(dockings),
        "top1_energy": top_one(dockings, replace(energy, power=0.0), learned=False),
        "top1_energy_checks": top_one(dockings, energy, learned=False),
    }
    without, told = fit_confidence(dockings, best, learned=False, seed=seed)
    within = None
    if learned:
        alone = [replace(d, energy=torch.zeros_like(d.energy)) for d in dockings]
        card["top1_likelihood"] = top_one(alone, replace(energy, weight=1.0, power=0.0))
        card["top1_without_consensus"] = top_one(dockings, energy)
        card["top1_combined"] = top_one(dockings, best)
        card["top1_unseen"] = _unseen_top_one(dockings, mixed, rankings, evidence, seed)
        within, told = fit_confidence(dockings, best, learned=True, seed=seed)
    card |= told
    return replace(best, card=card, with_likelihood=within, without_likelihood=without)


def _evidence(dockings: list[Docking], ranking: Ranking, *, learned: bool) -> Tensor:
    """Log-probability of the good poses by sharpness and docking, (s, d)."""
    sharpness = torch.tensor(_SHARPNESS)[:, None]
    columns = []
    for d in dockings:
        share = (sharpness * d.scores(ranking, learned=learned)).log_softmax(1)
        columns.append(share[:, d.rmsd <= _GOOD].logsumexp(1))
    return torch.stack(columns, 1)


def _weightiest(evidence: Tensor) -> int:
    """The first ranking of the most evidence (w, s, d), each at its best sharpness."""
    return int(evidence.mean(2).amax(1).argmax())


def _unseen_top_one(
    dockings: list[Docking],
    mixed: list[Docking],
    rankings: list[Ranking],
    evidence: Tensor,
    seed: int,
) -> float:
    """Top-1 success of dockings ranked with a lambda that was fitted without them."""
    fold_of = _folds(dockings, seed)
    hits = 0.0
    for fold in set(fold_of.values()):
        rest = torch.tensor([fold_of[d.group] != fold for d in mixed])
        best = rankings[_weightiest(evidence[..., rest])] if rest.any() else rankings[0]
        here = [d for d in dockings if fold_of[d.group] == fold]
        hits += len(here) * top_one(here, best)
    return hits / len(dockings)


def _folds(dockings: list[Docking], seed: int) -> dict[str, int]:
    """Group -> fold, evenly at random."""
    groups = sorted({d.group for d in dockings})
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))
    return dict(zip(groups, (order % _FOLDS).tolist(), strict=True))


def fit_confidence(
    dockings: list[Docking], ranking: Ranking, *, learned: bool, seed: int = 0
) -> tuple[Confidence, dict[str, Any]]:
    """Fit the regression on all poses, and calibrate it on folds of groups it has not seen.

    Returns
    -------
    tuple
        The confidence, and for the card how it does on the folds: mean log loss in nats (that
        of the mean outcome beside it), area under the ROC curve of the first poses of the
        dockings, and the reliability curve.
    """
    rows = torch.cat([d.features(ranking, learned=learned) for d in dockings])
    outcomes = torch.cat([d.rmsd <= _GOOD for d in dockings])
    fold_of = _folds(dockings, seed)
    fold = torch.cat([torch.full((len(d.rmsd),), fold_of[d.group]) for d in dockings])
    logit = torch.zeros(len(rows), dtype=torch.float64)
    for k in set(fold_of.values()):
        rest = fold != k
        if 0 < int(outcomes[rest].sum()) < int(rest.sum()):
            weights, bias = _regression(rows[rest], outcomes[rest])
            logit[~rest] = rows[~rest].double() @ weights + bias
    slope, offset = _regression(logit[:, None], outcomes)
    slope = slope.clamp(min=_FLATTEST)
    weights, bias = _regression(rows, outcomes)
    fitted = Confidence(tuple((slope * weights).tolist()), float(slope * bias + offset))
    unseen = (slope * logit + offset).sigmoid()
    starts = [0, *torch.tensor([len(d.rmsd) for d in dockings]).cumsum(0).tolist()]
    first = [a + d.first(ranking, learned=learned) for a, d in zip(starts, dockings, strict=False)]
    return fitted, {
        "log_loss": _log_loss(unseen, outcomes),
        "log_loss_of_mean": _log_loss(outcomes.double().mean().expand(len(rows)), outcomes),
        "auc_first": _auc(unseen[first], outcomes[first]),
        "reliability": reliability(unseen, outcomes),
    }


def _regression(rows: Tensor, outcomes: Tensor) -> tuple[Tensor, float]:
    """Weights (k,) and bias: logistic regression with a small ridge, by Newton's method."""
    x = rows.double()
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
    weights = w[:-1] / scale
    return weights, float(w[-1] - weights @ centre)


def _log_loss(probabilities: Tensor, outcomes: Tensor) -> float:
    right = torch.where(outcomes, probabilities, 1 - probabilities)
    return float(-right.clamp(min=1e-6).log().mean())


def _auc(values: Tensor, outcomes: Tensor) -> float | None:
    """Area under the ROC curve; None where all outcomes are the same."""
    good, bad = values[outcomes], values[~outcomes]
    if not len(good) or not len(bad):
        return None
    above = (good[:, None] > bad).double() + 0.5 * (good[:, None] == bad).double()
    return float(above.mean())
