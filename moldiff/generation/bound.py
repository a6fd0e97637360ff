"""The likelihood of molecules under a model: the variational bound, with its terms."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from moldiff.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from moldiff.chem import Encoded
    from moldiff.diffusion.denoiser import Denoiser
    from moldiff.io import Record
    from moldiff.model import Model

__all__ = ["Likelihood", "bounds", "mean_terms", "to_json"]

_GROUP = 32  # molecules of one size that share a batch
_STREAM = 31  # number of the stream of random numbers


@dataclass(frozen=True)
class Likelihood:
    """The bound on one molecule's log-likelihood, or why there is none.

    Attributes
    ----------
    name, atoms:
        The record's name, and its number of atoms (0 without a molecule).
    elbo:
        Lower bound of log p in nats: minus the sum of ``terms``.  A density in 1/Å^(3(n-1)) of
        the labelled atoms, n among the model's sizes.
    terms:
        Terms of the bound on -log p, in nats: "size" -> {"prior"}, field ->
        {"prior", "diffusion", "reconstruction"}.
    reason:
        Why the molecule has no bound, or None.
    """

    name: str
    atoms: int
    elbo: float | None = None
    terms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    reason: str | None = None


def bounds(
    records: Sequence[Record],
    model: Model,
    *,
    steps: int = 256,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Likelihood]:
    """Return the bound of each record, in their order.

    Parameters
    ----------
    records:
        Molecules with coordinates and explicit hydrogens, as in `moldiff.io.read_molecules`.
    model:
        Used without temperature and self-conditioning: the bound is that of the plain reverse
        chain.
    steps:
        Steps of the chain; more are slower and tighter.
    seed:
        Seed of the noise; the same file, steps and seed give the same numbers.
    progress:
        Called with the number of network evaluations done, and with their total.

    Raises
    ------
    ConfigError
        If the model's process has no bound in closed form, ``steps`` is below 2, or the model is
        one of latents.
    """
    if model.codec is not None:
        raise ConfigError(
            "A latent model has no bound on log p of molecules: its decoder gives coordinates, "
            "not a density of them.",
            fix="Use a model of the molecules themselves, e.g. qm9.",
        )
    rows: dict[int, Likelihood] = {}
    names: list[str] = []
    encoded: dict[int, Encoded] = {}
    for i, record in enumerate(records):
        result, name = _encoded(record, model), record.name or f"record {record.index + 1}"
        names.append(name)
        if isinstance(result, str):
            atoms = 0 if record.mol is None else record.mol.GetNumAtoms()
            rows[i] = Likelihood(name, atoms, reason=result)
        else:
            encoded[i] = result
    groups = list(_groups(encoded))
    counter = _Counter(steps * len(groups), progress)
    for number, group in enumerate(groups):
        terms = _terms(model, [encoded[i] for i in group], steps, (seed, number), counter)
        for k, i in enumerate(group):
            values = {
                f: {part: float(v[k]) for part, v in parts.items()} for f, parts in terms.items()
            }
            total = math.fsum(v for parts in values.values() for v in parts.values())
            rows[i] = Likelihood(names[i], len(encoded[i].types), -total, values)
    return [rows[i] for i in range(len(records))]


def _encoded(record: Record, model: Model) -> Encoded | str:
    """The molecule encoded in the model's classes, or the reason why it cannot be."""
    from moldiff.chem import Rejected, encode
    from moldiff.generation.sampling import molecules_of

    record = record.with_bonds()
    if record.mol is None:
        return record.reason or "unreadable record"
    domain = molecules_of(model)
    molecule = encode(record.mol, domain.vocabulary)
    if isinstance(molecule, Rejected):
        return molecule.reason
    n = len(molecule.types)
    if not domain.sizes.get(n, 0.0) > 0:
        return f"the model generates no molecules of {n} atoms"
    return molecule


def _groups(encoded: Mapping[int, Encoded]) -> Iterable[list[int]]:
    """Indices of molecules of one size, in groups of bounded size."""
    sizes: dict[int, list[int]] = {}
    for i, molecule in encoded.items():
        sizes.setdefault(len(molecule.types), []).append(i)
    for _, members in sorted(sizes.items()):
        for start in range(0, len(members), _GROUP):
            yield members[start : start + _GROUP]


class _Counter:
    """Counts the evaluations of a denoiser from outside."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def watch(self, denoiser: Denoiser) -> Denoiser:
        """Return a denoiser with the same predictions whose evaluations are counted."""
        from moldiff.diffusion.guidance import Watched

        return Watched(denoiser, self.tick)

    def tick(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, max(self.done, self.total))


def _terms(
    model: Model,
    group: Sequence[Encoded],
    steps: int,
    stream: tuple[int, int],
    counter: _Counter,
) -> dict[str, dict[str, Tensor]]:
    """The terms of the bound on -log p of molecules of one size, each (b,)."""
    import torch

    from moldiff.diffusion.objective.bound import elbo
    from moldiff.generation.sampling import molecules_of
    from moldiff.seeds import generator

    domain = molecules_of(model)
    seed, number = stream
    x_0 = domain.encode(group, model.denoiser.process).to(model.device)
    rng = generator(seed, _STREAM, number)
    bound = elbo(counter.watch(model.denoiser), x_0, steps=steps, rng=rng)
    n, total = len(group[0].types), math.fsum(domain.sizes.values())
    size = torch.full((len(group),), -math.log(domain.sizes[n] / total), dtype=torch.float64)
    return {"size": {"prior": size}, **{f: dict(parts) for f, parts in bound.terms.items()}}


def mean_terms(rows: Iterable[Likelihood]) -> dict[str, float]:
    """Return the mean over molecules of the bound ("elbo") and of each field's terms, in nats."""
    bounded = [row for row in rows if row.elbo is not None]
    if not bounded:
        return {}
    fields = {f: [math.fsum(row.terms[f].values()) for row in bounded] for f in bounded[0].terms}
    mean = {f: math.fsum(values) / len(bounded) for f, values in fields.items()}
    return {"elbo": math.fsum(row.elbo or 0.0 for row in bounded) / len(bounded), **mean}


def to_json(rows: Sequence[Likelihood], settings: Mapping[str, Any]) -> str:
    """Return the report as JSON: settings, means, and a row for each molecule, of the same keys."""
    report = {
        **settings,
        "unit": "nats per molecule",
        "molecules": len(rows),
        "without_bound": sum(row.reason is not None for row in rows),
        "mean": mean_terms(rows) or None,
        "rows": [asdict(row) | {"terms": row.terms or None} for row in rows],
    }
    return json.dumps(report, indent=2)
