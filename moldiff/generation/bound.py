"""How probable a model thinks molecules are: the variational bound, with its terms."""

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

_GROUP = 32  # molecules of one size that are looked at together
_STREAM = 31  # of random numbers


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
        What the bound on -log p is made of, in nats: "size" -> {"prior"}, field ->
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
        Without temperature and self-conditioning: the bound is of the plain reverse chain.
    steps:
        Steps of the chain; more are slower and tighter.
    seed:
        Decides the noise; the same file, steps and seed give the same figures.
    progress:
        Called with the network evaluations done, and how many there are in all.

    Raises
    ------
    ConfigError
        If the model's process has no bound in closed form, or steps are fewer than 2, or it is
        a model of latents.
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
        found, name = _encoded(record, model), record.name or f"record {record.index + 1}"
        names.append(name)
        if isinstance(found, str):
            atoms = 0 if record.mol is None else record.mol.GetNumAtoms()
            rows[i] = Likelihood(name, atoms, reason=found)
        else:
            encoded[i] = found
    groups = list(_groups(encoded))
    counter = _Counter(steps * len(groups), progress)
    for number, group in enumerate(groups):
        terms = _terms(model, [encoded[i] for i in group], steps, (seed, number), counter)
        for k, i in enumerate(group):
            own = {
                f: {part: float(v[k]) for part, v in parts.items()} for f, parts in terms.items()
            }
            total = math.fsum(v for parts in own.values() for v in parts.values())
            rows[i] = Likelihood(names[i], len(encoded[i].types), -total, own)
    return [rows[i] for i in range(len(records))]


def _encoded(record: Record, model: Model) -> Encoded | str:
    """The molecule in the model's classes, or why it has none."""
    from moldiff.chem import Rejected, encode
    from moldiff.generation.sampling import molecules_of

    if record.mol is None:
        return record.reason or "unreadable record"
    domain = molecules_of(model)
    found = encode(record.mol, domain.vocabulary)
    if isinstance(found, Rejected):
        return found.reason
    n = len(found.types)
    if not domain.sizes.get(n, 0.0) > 0:
        return f"the model makes no molecules of {n} atoms"
    return found


def _groups(encoded: Mapping[int, Encoded]) -> Iterable[list[int]]:
    """Indices of molecules of one size, some at a time."""
    sizes: dict[int, list[int]] = {}
    for i, molecule in encoded.items():
        sizes.setdefault(len(molecule.types), []).append(i)
    for _, members in sorted(sizes.items()):
        for start in range(0, len(members), _GROUP):
            yield members[start : start + _GROUP]


class _Counter:
    """Counts evaluations of a network, without its knowing."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def watch(self, denoiser: Denoiser) -> Denoiser:
        """Return a denoiser that predicts the same and is counted."""
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

    from moldiff.diffusion.bound import elbo
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
    found = [row for row in rows if row.elbo is not None]
    if not found:
        return {}
    fields = {f: [math.fsum(row.terms[f].values()) for row in found] for f in found[0].terms}
    mean = {f: math.fsum(values) / len(found) for f, values in fields.items()}
    return {"elbo": math.fsum(row.elbo or 0.0 for row in found) / len(found), **mean}


def to_json(rows: Sequence[Likelihood], settings: Mapping[str, Any]) -> str:
    """Return the report as JSON: settings, means, and a row for each molecule."""
    report = {
        **settings,
        "unit": "nats per molecule",
        "molecules": len(rows),
        "without_bound": sum(row.reason is not None for row in rows),
        "mean": mean_terms(rows),
        "rows": [{k: v for k, v in asdict(row).items() if v not in (None, {})} for row in rows],
    }
    return json.dumps(report, indent=2)
