"""Which pose first, and how sure: the combined score and a calibrated confidence.

**Score.**  With the energy E of the Vina function (kcal/mol, lower is better), the learned
log-likelihood ratio L of `moldiff.dock.likelihood` (nats, higher is better) and the fraction f
of fast checks passed (`moldiff.dock.checks`),

    s = -E + lambda L,      score = s - |s| (1 - f^power),

which is s f^power for a pose that binds at all (s > 0): with power 4 and 13 checks, one failure
costs 27 %.  Higher is better.

**Confidence.**  P(RMSD <= 2 Å) from a logistic regression on features of the pose and of how
far the others are behind, then made monotone-calibrated on predictions for complexes the
regression has not seen (pool adjacent violators: M. Ayer et al., Ann. Math. Stat. 26, 641
(1955); B. Zadrozny & C. Elkan, KDD 2002).  Coefficients are data: `Ranking.save` writes JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moldiff.errors import ModelFileError

__all__ = ["FEATURES", "Confidence", "Ranking", "features", "reliability"]

FORMAT = "moldiff-ranking-1"
FEATURES = (
    "score",
    "gap",
    "score_per_atom",
    "energy_per_atom",
    "likelihood_per_atom",
    "fraction",
    "torsions",
    "atoms",
)
"""Features of a pose, in the order of `features`.  ``gap`` is how far its score is above the
best of the other clusters' (below zero for all but the first)."""

_ALONE = 3.0  # the gap of a pose without rival; also the largest one that counts


@dataclass(frozen=True)
class Confidence:
    """P(RMSD <= 2 Å) of poses from their features.

    Attributes
    ----------
    names:
        The features used, some of `FEATURES`.
    centre, scale, weights:
        Per feature: what is subtracted, what is divided by, and its weight.
    bias:
        Of the logistic regression.
    knots, values:
        Logits and calibrated probabilities between which it is interpolated; may be empty.
    """

    names: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def logit(self, rows: Tensor) -> Tensor:
        """Return the logits (p,) of features (p, len(FEATURES))."""
        chosen = rows[:, [FEATURES.index(name) for name in self.names]].double()
        scaled = (chosen - torch.tensor(self.centre).double()) / torch.tensor(self.scale).double()
        return scaled @ torch.tensor(self.weights).double() + self.bias

    def __call__(self, rows: Tensor) -> Tensor:
        """Return probabilities (p,) for features (p, len(FEATURES))."""
        logit = self.logit(rows)
        if not self.knots:
            return logit.sigmoid().float()
        return _interpolate(logit, torch.tensor(self.knots), torch.tensor(self.values)).float()


@dataclass(frozen=True)
class Ranking:
    """How poses are ranked.

    Attributes
    ----------
    weight:
        lambda: kcal/mol per nat of likelihood.
    power:
        Of the fraction of checks passed.
    with_likelihood, without_likelihood:
        Confidence where there is a likelihood model, and where there is none.
    card:
        What it was fitted on, and what was measured.
    """

    weight: float = 0.08
    power: float = 4.0
    with_likelihood: Confidence | None = None
    without_likelihood: Confidence | None = None
    card: Mapping[str, Any] | None = None

    def score(self, energy: Tensor, likelihood: Tensor | None, fraction: Tensor) -> Tensor:
        """Return scores (p,), higher is better; a value that is no number ranks last."""
        plain = -energy if likelihood is None else self.weight * likelihood - energy
        score = plain - plain.abs() * (1 - fraction.clamp(0, 1) ** self.power)
        return torch.where(score.isfinite(), score, -torch.inf)

    def confidence(
        self,
        energy: Tensor,
        likelihood: Tensor | None,
        fraction: Tensor,
        *,
        atoms: int,
        torsions: int,
    ) -> Tensor | None:
        """Return P(RMSD <= 2 Å) of one representative of each cluster, (p,).

        None if no confidence was fitted for what is known.  ``atoms`` are heavy.
        """
        chosen = self.without_likelihood if likelihood is None else self.with_likelihood
        if chosen is None:
            return None
        score = self.score(energy, likelihood, fraction)
        rows = features(score, energy, likelihood, fraction, atoms=atoms, torsions=torsions)
        return torch.where(score.isfinite(), chosen(rows.nan_to_num()), 0.0)

    def save(self, path: Path) -> None:
        """Write the coefficients as JSON."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Ranking:
        """Read what :meth:`save` wrote; ``ModelFileError`` if it is something else."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            if data.pop("format") != FORMAT:
                raise ValueError("it has another format")
            for key in ("with_likelihood", "without_likelihood"):
                if data[key] is not None:
                    data[key] = Confidence(**{k: _frozen(v) for k, v in data[key].items()})
            return cls(**data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(
                f"'{path}' holds no ranking: {error}.", fix="Fit it again: scripts/fit_ranking.py."
            ) from error


def features(
    score: Tensor,
    energy: Tensor,
    likelihood: Tensor | None,
    fraction: Tensor,
    *,
    atoms: int,
    torsions: int,
) -> Tensor:
    """Return the features (p, len(FEATURES)) of the representatives of p clusters of one ligand."""
    gap = torch.full_like(score, _ALONE)
    if len(score) > 1:
        best = score.topk(2)
        rival = torch.full_like(score, float(best.values[0]))
        rival[best.indices[0]] = best.values[1]
        gap = (score - rival).clamp(max=_ALONE)
    zero = torch.zeros_like(score)
    columns = {
        "score": score,
        "gap": gap,
        "score_per_atom": score / atoms,
        "energy_per_atom": energy / atoms,
        "likelihood_per_atom": zero if likelihood is None else likelihood / atoms,
        "fraction": fraction,
        "torsions": zero + torsions,
        "atoms": zero + atoms,
    }
    return torch.stack([columns[name] for name in FEATURES], 1)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def reliability(
    probabilities: Tensor, outcomes: Tensor, *, bins: int = 10
) -> list[dict[str, float]]:
    """Return the reliability curve: a row per bin of equal width that is not empty.

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


def _interpolate(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Piecewise linear, constant beyond the ends; knots strictly increasing."""
    knots, values = knots.double(), values.double()
    if len(knots) == 1:
        return values.expand(x.shape)
    right = torch.searchsorted(knots, x).clamp(1, len(knots) - 1)
    low, high = knots[right - 1], knots[right]
    share = ((x - low) / (high - low)).clamp(0, 1)
    return values[right - 1] + share * (values[right] - values[right - 1])
