"""Ranking of poses: a combined score and a calibrated confidence.

**Score.**  A weighted sum of the evidence for a pose (`moldiff.docking.judge.evidence`) and the
fraction f of fast checks passed (`moldiff.docking.judge.checks`),

    s = sum_k w_k g(e_k),      score = s - |s| (1 - f^power),

where g is ln(1 + e) of distances in Å, since whether a pose would be moved by 5 or by 8 Å says
little, and e itself of the rest.  The score is s f^power for a pose that binds (s > 0): with
power 4 and 13 checks, one failure costs 27 %.  Higher is better; poses that pass all checks come
before those that do not.  The weights are those of a conditional logit: softmax(s) over the poses
of a ligand is the probability of each to be the right one.  Between several cavities the logarithm
of the probability of a pose's cavity is one more term.  The evidence depends on the
available models, on the source of the poses and on what is known of the place, so each case has
its own weights and confidence.

**Confidence.**  P(RMSD <= 2 Å) from a logistic regression on three features: how far the score
stands out from the other clusters, its depth for a ligand of this size, and the torsions.  Slope
and offset of the logit are calibrated on predictions for complexes held out from the regression
(J. Platt, Advances in Large Margin Classifiers, 61 (1999)), so the confidence grows smoothly with
the score.  Coefficients are data: `Ranking.save` writes JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moldiff.errors import ModelFileError
from moldiff.text import replace_text

__all__ = [
    "EVIDENCE",
    "FEATURES",
    "Confidence",
    "Ranking",
    "Weighing",
    "calibration_error",
    "entered",
    "features",
    "reliability",
]

FORMAT = "moldiff-ranking-5"
EVIDENCE: Mapping[str, int] = {
    "energy": -1,
    "hydrophobic": 0,
    "distance_score": 1,
    "pull": -1,
    "turn": -1,
    "rightness": 1,
    "offset": -1,
    "cnn": 1,
    "cavity": 1,
}
"""Names of the evidence, and the sign of its weight (0: either)."""
_DISTANCES = ("pull", "turn", "offset")  # in Å
FEATURES = ("odds", "depth", "torsions")
"""Features of a pose, in the order of `features`.  ``odds`` is the logarithm of exp(score) over its
sum for the best other clusters; ``depth`` is score / sqrt(heavy atoms)."""

_CAVITY = 2.0  # weight of ln P(cavity): datasets/complexes/README.md
_RIVALS = 10  # clusters among which the odds are, at most
_CERTAIN = 20.0  # the largest odds, for a pose without a rival


@dataclass(frozen=True)
class Confidence:
    """P(RMSD <= 2 Å) of poses from their features: the sigmoid of ``bias + weights . features``.

    Attributes
    ----------
    weights:
        One for each of `FEATURES`.
    bias:
        The logit at zero features.

    Raises
    ------
    ValueError
        If the weights are not one finite number per feature, or the bias is not finite.
    """

    weights: tuple[float, ...]
    bias: float

    def __post_init__(self) -> None:
        if len(self.weights) != len(FEATURES):
            raise ValueError(f"{len(self.weights)} weights for {len(FEATURES)} features")
        if not all(math.isfinite(value) for value in (*self.weights, self.bias)):
            raise ValueError("a coefficient is not a finite number")

    def __call__(self, rows: Tensor) -> Tensor:
        """Return probabilities (p,) for features (p, len(FEATURES))."""
        return (rows.double() @ torch.tensor(self.weights).double() + self.bias).sigmoid().float()


@dataclass(frozen=True)
class Weighing:
    """Weights for one set of available evidence, and the matching confidence.

    Raises
    ------
    ValueError
        If a name is not in `EVIDENCE`, or a weight is not finite.
    """

    weights: Mapping[str, float]
    confidence: Confidence | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.weights if name not in EVIDENCE]
        if unknown or not self.weights:
            raise ValueError(f"no evidence is called '{unknown[0]}'" if unknown else "no weights")
        if not all(math.isfinite(weight) for weight in self.weights.values()):
            raise ValueError("a weight is not a finite number")


@dataclass(frozen=True)
class Ranking:
    """How poses are ranked.

    Attributes
    ----------
    weighings:
        The weights for each set of available evidence.
    power:
        Exponent of the fraction of checks passed.
    card:
        The data of the fit, and its results.
    """

    weighings: tuple[Weighing, ...] = ()
    power: float = 4.0
    card: Mapping[str, Any] | None = None

    def weighing(self, known: Iterable[str]) -> Weighing:
        """Return the weights that use most of the available evidence, or else the energy alone.

        Of poses in several cavities: those of one, with the cavity's chance in place of the offset
        from where somebody looked, and without a confidence.
        """
        names = set(known)
        if "cavity" in names:
            own = self.weighing(names - {"cavity"}).weights
            rest = {name: weight for name, weight in own.items() if name != "offset"}
            return Weighing({**rest, "cavity": _CAVITY})
        fitting = [w for w in self.weighings if names.issuperset(w.weights)]
        return max(fitting, key=lambda w: len(w.weights), default=Weighing({"energy": -1.0}))

    def score(self, evidence: Mapping[str, Tensor], fraction: Tensor) -> Tensor:
        """Return scores (p,), higher is better; non-finite values rank last."""
        weights = self.weighing(evidence).weights
        weighted = torch.stack([w * entered(evidence, name) for name, w in weights.items()]).sum(0)
        score = weighted - weighted.abs() * (1 - fraction.clamp(0, 1) ** self.power)
        return torch.where(score.isfinite(), score, -torch.inf)

    def order(self, score: Tensor, fraction: Tensor) -> Tensor:
        """Return the poses best first, (p,).

        Poses that fail a check come after all that pass; poses without a score come last.
        """
        order = score.nan_to_num(nan=-torch.inf).argsort(descending=True, stable=True)
        fails = (fraction < 1) & (self.power != 0)  # power 0 ignores the checks
        return order[torch.where(score.isfinite(), fails.byte(), 2)[order].argsort(stable=True)]

    def confidence(
        self, evidence: Mapping[str, Tensor], fraction: Tensor, *, atoms: int, torsions: int
    ) -> Tensor | None:
        """Return P(RMSD <= 2 Å) of one representative of each cluster, (p,).

        None if no confidence was fitted for this evidence.  ``atoms`` are heavy.
        """
        calibrated = self.weighing(evidence).confidence
        if calibrated is None:
            return None
        score = self.score(evidence, fraction)
        rows = features(score, atoms=atoms, torsions=torsions)
        return torch.where(score.isfinite(), calibrated(rows.nan_to_num()), 0.0)

    def save(self, path: Path) -> None:
        """Write the coefficients as JSON."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1)
        replace_text(Path(path), text + "\n")

    @classmethod
    def load(cls, path: Path) -> Ranking:
        """Read a file of :meth:`save`; raise ``ModelFileError`` if it is not one."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            if data.pop("format") != FORMAT:
                raise ValueError("it has another format")
            weighings = tuple(_weighing(**row) for row in data.pop("weighings"))
            return cls(weighings, **data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(
                f"'{path}' holds no ranking: {error}.", fix="Fit it again: scripts/fit_ranking.py."
            ) from error


def _weighing(weights: dict[str, float], confidence: dict[str, Any] | None) -> Weighing:
    """Build a weighing from JSON values."""
    if confidence is None:
        return Weighing(weights)
    return Weighing(weights, Confidence(tuple(confidence["weights"]), confidence["bias"]))


def entered(evidence: Mapping[str, Tensor], name: str) -> Tensor:
    """Return evidence of poses as it enters their score, (p,): of distances ln(1 + Å)."""
    value = evidence[name]
    return value.log1p() if name in _DISTANCES else value


def features(score: Tensor, *, atoms: int, torsions: int) -> Tensor:
    """Return the features (p, len(FEATURES)) of the representatives of p clusters of one ligand."""
    best = score.topk(min(_RIVALS, len(score))).indices
    own = torch.arange(len(score))[:, None] == best
    rivals = score[best].expand(own.shape).masked_fill(own, -torch.inf).logsumexp(1)
    columns = {
        "odds": (score - rivals).clamp(-_CERTAIN, _CERTAIN),
        "depth": score / atoms**0.5,
        "torsions": torch.full_like(score, torsions),
    }
    return torch.stack([columns[name] for name in FEATURES], 1)


def reliability(
    probabilities: Tensor, outcomes: Tensor, *, bins: int = 10
) -> list[dict[str, float]]:
    """Return the reliability curve: a row for each non-empty bin of equal width.

    ``expected`` is the mean probability (p,) in the bin, ``observed`` the share of outcomes
    (p,) that are true, ``error`` its binomial standard error.
    """
    place = (probabilities * bins).long().clamp(0, bins - 1)
    rows = []
    for k in range(bins):
        here = place == k
        count = int(here.sum())
        if count:
            share = float(outcomes[here].double().mean())
            rows.append(
                {
                    "low": k / bins,
                    "high": (k + 1) / bins,
                    "count": float(count),
                    "expected": float(probabilities[here].double().mean()),
                    "observed": share,
                    "error": (share * (1 - share) / count) ** 0.5,
                }
            )
    return rows


def calibration_error(curve: Sequence[Mapping[str, float]]) -> float:
    """Return how far probabilities are from what is seen, on average over a `reliability` curve.

    The expected calibration error of M. P. Naeini et al., AAAI (2015): the absolute differences of
    ``expected`` and ``observed``, weighted by ``count``; from 0 to 1.
    """
    apart = sum(row["count"] * abs(row["expected"] - row["observed"]) for row in curve)
    return apart / sum(row["count"] for row in curve)
