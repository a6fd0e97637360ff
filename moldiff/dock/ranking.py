"""Which pose first, and how sure: the combined score and a calibrated confidence.

**Score.**  With the energy E of the Vina function (kcal/mol, lower is better), the learned
log-likelihood ratio L of `moldiff.dock.likelihood` (nats, higher is better), the consensus C of
the model's draws (`moldiff.dock.proposals.consensus`, zero without a model) and the fraction f
of fast checks passed (`moldiff.dock.checks`),

    s = -E + lambda L + mu C,      score = s - |s| (1 - f^power),

which is s f^power for a pose that binds at all (s > 0): with power 4 and 13 checks, one failure
costs 27 %.  Higher is better; poses that pass all checks come before those that do not.

**Confidence.**  P(RMSD <= 2 Å) from a logistic regression on three features: how far the score
stands out among those of the other clusters, its depth for a ligand of this size, and the
torsions.  Slope and offset of the logit are calibrated on predictions for complexes the
regression has not seen (J. Platt, Advances in Large Margin Classifiers, 61 (1999)), so the
confidence is a smooth function that grows with the score.  Coefficients are data:
`Ranking.save` writes JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moldiff.errors import ModelFileError

__all__ = ["FEATURES", "Confidence", "Ranking", "features", "reliability"]

FORMAT = "moldiff-ranking-2"
FEATURES = ("share", "depth", "torsions")
"""Features of a pose, in the order of `features`.  ``share`` is the logarithm of its Boltzmann
weight, exp(score) over the sum of the best clusters'; ``depth`` is score / sqrt(heavy atoms)."""

_RIVALS = 10  # clusters in the sum of ``share``: however many are known, the same ones count


@dataclass(frozen=True)
class Confidence:
    """P(RMSD <= 2 Å) of poses from their features: the sigmoid of ``bias + weights . features``.

    Attributes
    ----------
    weights:
        One for each of `FEATURES`.
    bias:
        The logit where all features are zero.

    Raises
    ------
    ValueError
        If there is not one finite weight for each feature, or the bias is not finite.
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
class Ranking:
    """How poses are ranked.

    Attributes
    ----------
    weight:
        lambda: kcal/mol per nat of likelihood.
    power:
        Of the fraction of checks passed.
    agreement:
        mu: kcal/mol per unit of the draws' consensus.
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
    agreement: float = 0.0

    def score(
        self,
        energy: Tensor,
        likelihood: Tensor | None,
        fraction: Tensor,
        consensus: Tensor | None = None,
    ) -> Tensor:
        """Return scores (p,), higher is better; a value that is no number ranks last."""
        plain = -energy if likelihood is None else self.weight * likelihood - energy
        if consensus is not None:
            plain = plain + self.agreement * consensus
        score = plain - plain.abs() * (1 - fraction.clamp(0, 1) ** self.power)
        return torch.where(score.isfinite(), score, -torch.inf)

    def order(self, score: Tensor, fraction: Tensor) -> Tensor:
        """Return the poses best first, (p,): what fails a check is behind all that pass."""
        order = score.argsort(descending=True, stable=True)
        if self.power == 0:  # checks do not count
            return order
        return order[(fraction[order] < 1).byte().argsort(stable=True)]

    def confidence(
        self,
        energy: Tensor,
        likelihood: Tensor | None,
        fraction: Tensor,
        consensus: Tensor | None = None,
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
        score = self.score(energy, likelihood, fraction, consensus)
        rows = features(score, atoms=atoms, torsions=torsions)
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


def features(score: Tensor, *, atoms: int, torsions: int) -> Tensor:
    """Return the features (p, len(FEATURES)) of the representatives of p clusters of one ligand."""
    rivals = score.topk(min(_RIVALS, len(score))).values
    columns = {
        "share": score - rivals.logsumexp(0),
        "depth": score / atoms**0.5,
        "torsions": torch.full_like(score, torsions),
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
