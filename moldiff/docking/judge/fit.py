"""Fit the ranking on dockings of complexes with known crystal poses.

`moldiff.docking.judge.dockings` reads the table of them.  Use complexes that the models were not
trained on (their validation split); otherwise the fit overweights them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moldiff.docking.judge.dockings import Docking
from moldiff.docking.judge.logit import choices, regression
from moldiff.docking.judge.ranking import (
    EVIDENCE,
    Confidence,
    Ranking,
    Weighing,
    calibration_error,
    entered,
    features,
    reliability,
)
from moldiff.errors import InputError
from moldiff.metrics.value import bootstrap

__all__ = ["extend_ranking", "fit_ranking", "top_one"]

_FOLDS = 10
_FLATTEST = 0.1  # smallest slope of the calibration: confidence rises with the score
# Evidence that needs no model.
_ALWAYS = ("energy", "hydrophobic")
# Evidence of some of the poses alone, which gets a weight by `extend_ranking`, or of some dockings,
# whose weight is given.
_OPTIONAL = ("cnn", "cavity")
_CASES = (
    _ALWAYS,
    (*_ALWAYS, "distance_score"),
    (*_ALWAYS, "distance_score", "rightness"),
    tuple(name for name in EVIDENCE if name not in (*_OPTIONAL, "rightness")),
    tuple(name for name in EVIDENCE if name not in _OPTIONAL),
)

_Weigh = Callable[[list[Docking]], dict[str, float]]


def top_one(dockings: list[Docking], ranking: Ranking) -> float:
    """Return the fraction of dockings whose first pose is within 2 Å."""
    return sum(bool(d.good[_first(d, ranking)]) for d in dockings) / len(dockings)


def fit_ranking(dockings: list[Docking], *, power: float = 4.0, seed: int = 0) -> Ranking:
    """Fit weights and a confidence for each set of available evidence.

    The sets: all evidence; that for random proposals, which lacks the pose network's; both also
    without the rank network's; and the energy terms alone.  Each is fitted on the dockings with
    exactly that evidence or, if there are none, on all that include it.  The figures of the card
    are cross-validated in folds of groups, except "top1_seen"; the oracle and "top1_energy" involve
    no fit.  "gain" is how much more often the first pose is right than by the set before, with a
    95 % interval by bootstrap over complexes.
    """
    before: tuple[str, dict[str, bool]] | None = None
    weighings: list[Weighing] = []
    card: dict[str, Any] = {
        "complexes": len({_complex(d.name) for d in dockings}),
        "groups": len({d.group for d in dockings}),
    }
    for names in dict.fromkeys(_available(dockings, case) for case in _CASES):
        candidates = [d for d in dockings if set(names) <= set(d.evidence)]
        exactly = [d for d in candidates if set(names) == set(d.evidence) - set(_OPTIONAL)]
        fitted = _fit(exactly or candidates, partial(_weights, names=names), power, seed)
        label = "+".join(names)
        weighings.append(fitted.weighing)
        card[label] = fitted.figures
        if before is not None and before[1].keys() & fitted.right.keys():
            card[label]["gain"] = _gain(*before, fitted.right)
        before = label, fitted.right
    return Ranking(tuple(weighings), power, card)


def extend_ranking(
    ranking: Ranking, dockings: list[Docking], name: str, *, seed: int = 0
) -> Ranking:
    """Give a ranking more weighings, each one of its own and the weight of one more evidence.

    The score of the own weighing counts as it is, so that a single weight is fitted: for evidence
    such as "cnn", of which there are fewer dockings.  The figures of the card are cross-validated
    as those of `fit_ranking`, but that the own weights may have been fitted on the same complexes.

    Raises
    ------
    InputError
        If no docking has the evidence.
    """
    dockings = [d for d in dockings if name in d.evidence]
    if not dockings:
        raise InputError(f"No docking has the evidence '{name}'.", fix=f"Fill a column {name}.")
    kept = [w for w in ranking.weighings if name not in w.weights]
    card: dict[str, Any] = {}
    added = []
    for own in kept:
        with_all = [d for d in dockings if set(own.weights) <= set(d.evidence)]
        weigh = partial(_one_more, own=own.weights, name=name)
        fitted = _fit(with_all, weigh, ranking.power, seed)
        fitted.figures["top1_without"] = top_one(with_all, Ranking((own,), ranking.power))
        added.append(fitted.weighing)
        card["+".join(fitted.weighing.weights)] = fitted.figures
    card |= {f"{name}_complexes": len({_complex(d.name) for d in dockings})}
    return replace(ranking, weighings=(*kept, *added), card={**dict(ranking.card or {}), **card})


def _available(dockings: list[Docking], case: tuple[str, ...]) -> tuple[str, ...]:
    """Return the evidence of a case that at least one docking has."""
    return tuple(name for name in case if any(name in d.evidence for d in dockings))


@dataclass(frozen=True)
class _Fitted:
    """A weighing, figures for the card, and whether the first pose of each docking is right."""

    weighing: Weighing
    figures: dict[str, Any]
    right: dict[str, bool]


def _complex(name: str) -> str:
    """The complex of a docking, whose name has the seed behind it: ``set/id#0``."""
    return name.partition("#")[0]


def _gain(label: str, before: Mapping[str, bool], now: Mapping[str, bool]) -> dict[str, Any]:
    """How much more often the first pose is right than before, over the dockings of both."""
    by_complex: dict[str, list[float]] = {}
    for key in before.keys() & now.keys():
        by_complex.setdefault(_complex(key), []).append(float(now[key] - before[key]))
    rows = np.array([np.mean(values) for _, values in sorted(by_complex.items())])
    value = bootstrap(rows, np.mean)
    return {"over": label, "top1": value.value, "low": value.low, "high": value.high}


def _fit(dockings: list[Docking], weigh: _Weigh, power: float, seed: int) -> _Fitted:
    """Fit weights by ``weigh``, and a confidence.

    The figures of a docking come from weights and a regression fitted on other groups.
    """
    if not any(d.informative for d in dockings):
        raise InputError(
            "No docking has both a pose within 2 Å and one beyond.",
            fix="Give more dockings, or more poses of each.",
        )
    best = Ranking((Weighing(weigh(dockings)),), power)
    fold_of = _folds(dockings, seed)
    unseen = [best] * len(dockings)
    logit = [torch.zeros(len(d.rmsd), dtype=torch.float64) for d in dockings]
    for fold in set(fold_of.values()):
        rest = [d for d in dockings if fold_of[d.group] != fold]
        if not any(d.informative for d in rest):
            continue
        ranking = Ranking((Weighing(weigh(rest)),), power)
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
    firsts = (bool(d.good[_first(d, r)]) for d, r in zip(dockings, unseen, strict=True))
    right = {f"{d.name}@{d.table}": one for d, one in zip(dockings, firsts, strict=True)}
    return _Fitted(Weighing(best.weighings[0].weights, confidence), figures, right)


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
    sure = torch.stack([p[k] for p, k in zip(confidences, first, strict=True)])
    tables = sorted({d.table for d in dockings})
    by_table = [torch.tensor([d.table == table for d in dockings]) for table in tables]
    return {
        **_rates(dockings, right),
        "tables": {
            table: _rates([d for d, k in zip(dockings, own, strict=True) if k], right[own])
            for table, own in zip(tables, by_table, strict=True)
        },
        "evidence_unseen": float(torch.stack(shares).mean()),
        "log_loss": _log_loss(chances, outcomes),
        "log_loss_of_mean": _log_loss(outcomes.double().mean().expand(len(chances)), outcomes),
        "auc_first": _auc(sure, right),
        "calibration_error_first": calibration_error(reliability(sure, right)),
        "reliability": reliability(chances, outcomes),
    }


def _rates(dockings: list[Docking], right: Tensor) -> dict[str, float]:
    """Shares of dockings with a right pose, by its place; ``right``: whether the first is."""
    return {
        "dockings": len(dockings),
        "oracle": sum(bool(d.good.any()) for d in dockings) / len(dockings),
        "top1_energy": top_one(dockings, Ranking(power=0.0)),
        "top1_unseen": float(right.double().mean()),
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
    right choices, shrunk by a ridge.  While a
    weight has the wrong sign, the largest such one is dropped and the rest fitted again.
    """
    informative = [d for d in dockings if d.informative]
    importance = _importance(informative)
    active = list(names)
    while True:
        rows = [
            torch.stack([entered(d.evidence, name) for name in active], 1).double()
            for d in informative
        ]
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


def _one_more(dockings: list[Docking], own: Mapping[str, float], name: str) -> dict[str, float]:
    """The weights of ``own`` and, by the same logit, that of one more evidence."""
    informative = [d for d in dockings if d.informative]
    known = [
        sum(w * entered(d.evidence, key).double() for key, w in own.items()) for d in informative
    ]
    rows = [(x := entered(d.evidence, name).double()[:, None]) - x.mean(0) for d in informative]
    spread = torch.cat(rows).std(0, correction=0).clamp(min=1e-6)
    good = [d.good for d in informative]
    fitted = choices([x / spread for x in rows], good, _importance(informative), known) / spread
    return {**own, name: max(float(fitted), 0.0)}


def _importance(dockings: list[Docking]) -> Tensor:
    """k dockings of one group count as sqrt(k)."""
    count = Counter(d.group for d in dockings)
    return torch.tensor([count[d.group] ** -0.5 for d in dockings]).double()


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
