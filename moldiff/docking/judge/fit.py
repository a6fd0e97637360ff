"""Fit the ranking on dockings of complexes with known crystal poses.

The table is a CSV with a row per cluster of poses of each docking:

==============  =========================================================================
complex         name of the complex; the rows of a complex are ranked together
rmsd            symmetry-corrected RMSD to the crystal pose, Å
energy          Vina energy, kcal/mol
fraction        fraction of fast checks passed
atoms           heavy atoms of the ligand
torsions        rotors of the ligand
group           (optional) complexes of one group, best of one protein, share a fold
==============  =========================================================================

optionally the rest of `moldiff.docking.judge.ranking.EVIDENCE`, a column each; empty fields mean
that a docking lacks that evidence.  Use complexes that the models were not trained on (their
validation split); otherwise the fit overweights them.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moldiff.docking.judge.logit import choices, regression
from moldiff.docking.judge.ranking import (
    EVIDENCE,
    Confidence,
    Ranking,
    Weighing,
    features,
    reliability,
)
from moldiff.errors import InputError

__all__ = ["Docking", "fit_ranking", "read_dockings", "top_one"]

_GOOD = 2.0  # Å
_FOLDS = 10
_FLATTEST = 0.1  # smallest slope of the calibration: confidence rises with the score
_COLUMNS = ("complex", "rmsd", "energy", "fraction", "atoms", "torsions")
# Evidence that needs no model.
_ALWAYS = ("energy", "hydrophobic")
_CASES = (_ALWAYS, (*_ALWAYS, "likelihood"), tuple(EVIDENCE))


@dataclass(frozen=True, eq=False)
class Docking:
    """The p clusters of one docking: RMSD in Å, evidence, fraction of checks passed, each (p,)."""

    name: str
    group: str
    rmsd: Tensor
    evidence: Mapping[str, Tensor]
    fraction: Tensor
    atoms: int
    torsions: int

    @property
    def good(self) -> Tensor:
        """Whether each pose is within 2 Å, (p,) bool."""
        return self.rmsd <= _GOOD

    @property
    def informative(self) -> bool:
        """Whether there are both right and wrong poses, so that the docking informs the fit."""
        return 0 < int(self.good.sum()) < len(self.good)


def read_dockings(path: Path, groups: Mapping[str, str] | None = None) -> list[Docking]:
    """Read the table; ``groups`` maps the table's groups to others, for those it contains.

    Raises
    ------
    InputError
        If the file is not such a table, or is empty.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        grouped: dict[str, list[dict[str, str]]] = {}
        for row in rows:
            grouped.setdefault(row["complex"], []).append(row)
        dockings = [_docking(name, part, groups or {}) for name, part in grouped.items()]
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"'{path}' is not a table of dockings: {error!r}.",
            fix=f"It needs the columns {', '.join(_COLUMNS)}.",
        ) from error
    if not dockings:
        raise InputError(f"'{path}' holds no dockings.", fix="Run some first.")
    return dockings


def _docking(name: str, rows: list[dict[str, str]], groups: Mapping[str, str]) -> Docking:
    def column(key: str) -> Tensor:
        return torch.tensor([float(row[key]) for row in rows])

    available = [key for key in EVIDENCE if key == "energy" or all(row.get(key) for row in rows)]
    group = rows[0].get("group") or name
    return Docking(
        name,
        groups.get(group, group),
        column("rmsd"),
        {key: column(key) for key in available},
        column("fraction"),
        int(float(rows[0]["atoms"])),
        int(float(rows[0]["torsions"])),
    )


def top_one(dockings: list[Docking], ranking: Ranking) -> float:
    """Return the fraction of dockings whose first pose is within 2 Å."""
    return sum(bool(d.good[_first(d, ranking)]) for d in dockings) / len(dockings)


def fit_ranking(dockings: list[Docking], *, power: float = 4.0, seed: int = 0) -> Ranking:
    """Fit weights and a confidence for each set of available evidence.

    The sets: all evidence; the evidence for random proposals, which lacks the pose network's; and
    the energy terms alone.  Each is fitted on the dockings with exactly that evidence or, if there
    are none, on all that include it.  The figures of the card are cross-validated in folds of
    groups, except "top1_seen"; the oracle and "top1_energy" involve no fit.
    """
    weighings: list[Weighing] = []
    card: dict[str, Any] = {
        "complexes": len({d.name for d in dockings}),
        "groups": len({d.group for d in dockings}),
    }
    for names in dict.fromkeys(_available(dockings, case) for case in _CASES):
        candidates = [d for d in dockings if set(names) <= set(d.evidence)]
        dockings_of_case = [d for d in candidates if set(names) == set(d.evidence)] or candidates
        weighing, figures = _fit(dockings_of_case, names, power, seed)
        weighings.append(weighing)
        card["+".join(names)] = figures
    return Ranking(tuple(weighings), power, card)


def _available(dockings: list[Docking], case: tuple[str, ...]) -> tuple[str, ...]:
    """Return the evidence of a case that at least one docking has."""
    return tuple(name for name in case if any(name in d.evidence for d in dockings))


def _fit(
    dockings: list[Docking], names: tuple[str, ...], power: float, seed: int
) -> tuple[Weighing, dict[str, Any]]:
    """Fit weights and confidence on the named evidence; return them and figures for the card.

    The figures of a docking come from weights and a regression fitted on other groups.
    """
    if not any(d.informative for d in dockings):
        raise InputError(
            "No docking has both a pose within 2 Å and one beyond.",
            fix="Give more dockings, or more poses of each.",
        )
    best = Ranking((Weighing(_weights(dockings, names)),), power)
    fold_of = _folds(dockings, seed)
    unseen = [best] * len(dockings)
    logit = [torch.zeros(len(d.rmsd), dtype=torch.float64) for d in dockings]
    for fold in set(fold_of.values()):
        rest = [d for d in dockings if fold_of[d.group] != fold]
        if not any(d.informative for d in rest):
            continue
        ranking = Ranking((Weighing(_weights(rest, names)),), power)
        weights, bias = regression(*_table(rest, ranking))
        for k, d in enumerate(dockings):
            if fold_of[d.group] == fold:
                unseen[k] = ranking
                logit[k] = _table([d], ranking)[0].double() @ weights + bias
    rows, outcomes = _table(dockings, best)
    slope, offset = regression(torch.cat(logit)[:, None], outcomes)
    slope = slope.clamp(min=_FLATTEST)
    weights, bias = regression(rows, outcomes)
    confidence = Confidence(tuple((slope * weights).tolist()), float(slope * bias + offset))
    confidences = [(slope * values + offset).sigmoid() for values in logit]
    figures = _figures(dockings, unseen, confidences) | {"top1_seen": top_one(dockings, best)}
    return Weighing(best.weighings[0].weights, confidence), figures


def _figures(
    dockings: list[Docking], rankings: list[Ranking], confidences: list[Tensor]
) -> dict[str, Any]:
    """Return figures for the card from rankings and confidences that held each docking out."""
    pairs = list(zip(dockings, rankings, strict=True))
    first = [_first(d, ranking) for d, ranking in pairs]
    outcomes, chances = torch.cat([d.good for d in dockings]), torch.cat(confidences)
    right = torch.stack([d.good[k] for d, k in zip(dockings, first, strict=True)])
    shares = [
        _share(d, ranking.score(d.evidence, d.fraction)) for d, ranking in pairs if d.informative
    ]
    return {
        "dockings": len(dockings),
        "oracle": sum(bool(d.good.any()) for d in dockings) / len(dockings),
        "top1_energy": top_one(dockings, Ranking(power=0.0)),
        "top1_unseen": float(right.double().mean()),
        "evidence_unseen": float(torch.stack(shares).mean()),
        "log_loss": _log_loss(chances, outcomes),
        "log_loss_of_mean": _log_loss(outcomes.double().mean().expand(len(chances)), outcomes),
        "auc_first": _auc(
            torch.stack([p[k] for p, k in zip(confidences, first, strict=True)]), right
        ),
        "reliability": reliability(chances, outcomes),
    }


def _first(docking: Docking, ranking: Ranking) -> int:
    score = ranking.score(docking.evidence, docking.fraction)
    return int(ranking.order(score, docking.fraction)[0])


def _share(docking: Docking, score: Tensor) -> Tensor:
    """Log-probability of the good poses under softmax(score)."""
    return score.double().log_softmax(0)[docking.good].logsumexp(0)


def _table(dockings: list[Docking], ranking: Ranking) -> tuple[Tensor, Tensor]:
    """Features (p, len(FEATURES)) and outcomes (p,) of all poses."""
    rows = [
        features(ranking.score(d.evidence, d.fraction), atoms=d.atoms, torsions=d.torsions)
        for d in dockings
    ]
    return torch.cat(rows), torch.cat([d.good for d in dockings])


def _folds(dockings: list[Docking], seed: int) -> dict[str, int]:
    """Assign the groups to folds of equal size at random."""
    groups = sorted({d.group for d in dockings})
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))
    return dict(zip(groups, (order % _FOLDS).tolist(), strict=True))


# --- the weights -----------------------------------------------------------------------------


def _weights(dockings: list[Docking], names: tuple[str, ...]) -> dict[str, float]:
    """Weights of a conditional logit: softmax(score) is the probability of the good poses.

    D. McFadden, Conditional logit analysis of qualitative choice behavior (1974), with several
    right choices, shrunk by a ridge.  k dockings of one group count as sqrt(k).  While a
    weight has the wrong sign, the largest such one is dropped and the rest fitted again.
    """
    informative = [d for d in dockings if d.informative]
    count = Counter(d.group for d in informative)
    importance = torch.tensor([count[d.group] ** -0.5 for d in informative]).double()
    active = list(names)
    while True:
        rows = [torch.stack([d.evidence[name] for name in active], 1).double() for d in informative]
        rows = [x - x.mean(0) for x in rows]
        spread = torch.cat(rows).std(0, correction=0).clamp(min=1e-6)
        weights = (
            choices([x / spread for x in rows], [d.good for d in informative], importance) / spread
        )
        fitted = dict(zip(active, weights.tolist(), strict=True))
        wrong = [name for name in active if fitted[name] * EVIDENCE[name] < 0]
        if not wrong or len(active) == 1:
            return {name: fitted.get(name, 0.0) for name in names}
        active.remove(max(wrong, key=lambda name: abs(fitted[name])))


def _log_loss(probabilities: Tensor, outcomes: Tensor) -> float:
    right = torch.where(outcomes, probabilities, 1 - probabilities)
    return float(-right.clamp(min=1e-6).log().mean())


def _auc(values: Tensor, outcomes: Tensor) -> float | None:
    """Area under the ROC curve; None if all outcomes are equal."""
    good, bad = values[outcomes], values[~outcomes]
    if not len(good) or not len(bad):
        return None
    above = (good[:, None] > bad).double() + 0.5 * (good[:, None] == bad).double()
    return float(above.mean())
