"""Generation: sizes -> noise -> trajectory -> molecules with provenance.

request (n, size | formula, seed) -> groups of equal size -> Sampler.trajectory
-> decode -> strict validity -> Generated (molecule, reason, tags)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.chem.demands import Interval, as_interval
from moldiff.chem.elements import classes_without
from moldiff.chem.formula import parse_formula
from moldiff.chem.hydrogens import hydrogens_last, relax_hydrogens
from moldiff.chem.properties import property_tags
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import canonical_smiles, strict_failure
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance import Inpaint, Restrict, laid_over
from moldiff.diffusion.guidance.condition import drawn, standardised, weighed_sizes
from moldiff.diffusion.process import Product
from moldiff.diffusion.process.latent import check_classless
from moldiff.diffusion.sampler import Sampler, State
from moldiff.domain.molecules import Molecules, encoded
from moldiff.errors import InputError
from moldiff.generation.demands import choices
from moldiff.generation.request import Frame, Generated, Request, Size
from moldiff.generation.sampling import molecules_of, provenance, sampled
from moldiff.model import Model
from moldiff.precision import recorded
from moldiff.seeds import generator
from moldiff.version import __version__

__all__ = ["generate", "sample_batch"]

_MAX_GROUP = 64  # graphs sampled together: enough to be fast, few enough to report often
_MAX_ROUNDS = 20  # with a filter: give up on a molecule after so many attempts
_STREAM_SIZES, _STREAM_NOISE, _STREAM_TARGETS = 11, 12, 13


def sample_batch(
    model: Model,
    denoiser: Denoiser,
    sampler: Sampler,
    b: int,
    n: int,
    *,
    rng: torch.Generator,
    conditions: Float[Tensor, "_ k"] | None = None,
    watch: Callable[[State], None] | None = None,
) -> Batch:
    """Sample b graphs of n atoms; ``watch`` sees every state of the trajectory.

    ``conditions`` are standardised, (b, k), or (1, k) for all graphs; NaN, or None for all, leaves
    a property open.
    """
    context = {} if conditions is None else {"conditions": conditions}
    x_1 = denoiser.process.prior(b, n, rng=rng, device=model.device, context=context)
    with torch.inference_mode():
        for state in sampler.trajectory(denoiser, x_1, rng=rng):
            if watch is not None:
                watch(state)
        return model.decode(state.x).to("cpu")


def generate(
    model: Model,
    request: Request,
    *,
    sampling: Mapping[str, Any] | None = None,
    record: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Generated]:
    """Generate molecules, one after another as groups are finished.

    Parameters
    ----------
    model:
        The model to sample from.
    request:
        How many molecules, and which.
    sampling:
        Changes to the model's own sampler settings (steps, stepper, grid, temperature,
        early_temperature, guidance, valence).  A temperature without an early one applies always.
    record:
        Keep the denoising trajectory of the first ``record`` molecules.
    progress:
        Called with the number of molecules' worth of work done since the last call.

    Raises
    ------
    InputError
        If the request cannot be met: a bad count, size, formula or condition.
    ConfigError
        If a sampling setting is wrong, such as guidance for a model without conditions.
    """
    job = _Job.of(model, request, laid_over(model.sampling, sampling or {}))
    sizes, yielded = job.sizes(), 0
    for round_number in range(_MAX_ROUNDS):
        failed: list[int] = []  # retried at the same size: a filter must not favour easy sizes
        for item in job.sample(sizes, round_number, max(0, record - yielded), progress):
            if item.failure is None or not request.keep_valid:
                yielded += 1
                yield item
            else:
                explicit = bool(job.domain.vocabulary.hydrogens)  # explicit atoms in the molecule
                failed.append(item.mol.GetNumHeavyAtoms() if explicit else item.mol.GetNumAtoms())
        if not failed:
            return
        sizes = np.asarray(failed)


@dataclass(frozen=True, eq=False)
class _Job:
    model: Model
    domain: Molecules
    request: Request
    sampler: Sampler
    denoiser: Denoiser
    wanted: Mapping[str, Sequence[float]]
    frequencies: Mapping[int, float]
    sampling: Mapping[str, Any]

    @classmethod
    def of(cls, model: Model, request: Request, sampling: Mapping[str, Any]) -> _Job:
        if request.n < 1:
            raise InputError(f"Cannot generate {request.n} molecules.", fix="Ask for at least 1.")
        domain, process = molecules_of(model), model.denoiser.process
        check_classless(process, sampling)
        wanted = choices(domain.conditions, request.conditions)
        allowed = _allowed(request, domain, process)
        # Inside of the other guidances, so that they judge what can come; and around them, so that
        # nothing they do to the logits brings back what must not come.
        denoiser, sampler = sampled(model, _restricted(model.denoiser, allowed), sampling)
        denoiser = _restricted(denoiser, allowed)
        size = request.size
        if request.formula is not None:
            types = _types(request.formula, domain, process, allowed)
            if size is not None and len(types) not in as_interval(size):
                raise InputError(
                    f"{request.formula} has {len(types)} atoms, not {as_interval(size).plain()}.",
                    fix="Give a formula or a size, not both.",
                )
            size = len(types)
            denoiser = Inpaint(denoiser, {"types": torch.from_numpy(types)})
        frequencies = _frequencies(domain, size)
        return cls(model, domain, request, sampler, denoiser, wanted, frequencies, sampling)

    def sizes(self) -> npt.NDArray[np.int64]:
        """Draw the number of atoms of each molecule, (n,)."""
        if len(self.frequencies) == 1:
            return np.full(self.request.n, next(iter(self.frequencies)))
        frequencies = weighed_sizes(self.frequencies, self.domain.conditions, self.wanted)
        weights = torch.tensor(list(frequencies.values()), dtype=torch.float64)
        rng = generator(self.request.seed, _STREAM_SIZES)
        indices = torch.multinomial(weights, self.request.n, replacement=True, generator=rng)
        return np.asarray(list(frequencies))[indices.numpy()]

    def sample(
        self,
        sizes: npt.NDArray[np.int64],
        round_number: int,
        record: int,
        progress: Callable[[float], None] | None,
    ) -> Iterator[Generated]:
        """Sample molecules of the given sizes, grouped by size."""
        # In the random order of the draw, so that the first molecules of an interrupted
        # run have different sizes.
        for n in dict.fromkeys(int(n) for n in sizes):
            total = int((sizes == n).sum())
            for start in range(0, total, _MAX_GROUP):
                b = min(_MAX_GROUP, total - start)
                key = (round_number, n, start)
                targets = self._targets(n, b, key)
                recorder = _Recorder(min(record, b))
                batch = self._run(b, n, key, targets, recorder, progress)
                record -= recorder.count
                for i in range(b):
                    target = targets[min(i, len(targets) - 1)]
                    yield self._finished(batch, i, target, recorder.frames(i))

    def _targets(self, n: int, b: int, key: tuple[int, ...]) -> list[dict[str, float]]:
        """The values that b molecules of n atoms are asked for; one row if all are alike."""
        rng = generator(self.request.seed, _STREAM_TARGETS, *key)
        return drawn(self.domain.conditions, self.wanted, n, b, rng=rng)

    def _run(
        self,
        b: int,
        n: int,
        key: tuple[int, ...],
        targets: Sequence[Mapping[str, float]],
        recorder: _Recorder,
        progress: Callable[[float], None] | None,
    ) -> Batch:
        def watch(state: State) -> None:
            recorder.watch(self.model, state)
            if progress is not None and state.step:
                progress(b / self.sampler.steps)

        rows = [standardised(self.domain.conditions, target) for target in targets]
        return sample_batch(
            self.model,
            self.denoiser,
            self.sampler,
            b,
            n,
            rng=generator(self.request.seed, _STREAM_NOISE, *key),
            conditions=torch.cat(rows) if self.wanted else None,
            watch=watch,
        )

    def _finished(
        self, batch: Batch, i: int, target: Mapping[str, float], frames: tuple[Frame, ...]
    ) -> Generated:
        mol = self.domain.decode(batch, i)
        # For folded hydrogens the model gives the number, not the positions.
        folded = bool(self.domain.vocabulary.hydrogens)
        mol = relax_hydrogens(mol) if folded else hydrogens_last(mol)
        with quiet():
            failure = strict_failure(mol)
            smiles = canonical_smiles(mol) if failure is None else None
        tags = {
            "SMILES": smiles or "",
            "strictly_valid": "yes" if failure is None else "no",
            "invalid_reason": failure or "",
            "model": f"{self.model.card.get('name', 'unnamed')} {self.model.digest}".strip(),
            "seed": str(self.request.seed),
            "steps": str(self.sampler.steps),
            "sampling": provenance(self.sampling),
            "precision": recorded(self.model.precision),
            "request": json.dumps(self.request.to_dict(), sort_keys=True),
            "hydrogens": "placed by rule, relaxed with MMFF94 (or UFF)" if folded else "",
            "moldiff_version": __version__,
            **property_tags(target, smiles),
        }
        return Generated(mol, failure, {k: v for k, v in tags.items() if v}, frames)


def _allowed(request: Request, domain: Molecules, process: Product) -> list[int] | None:
    """The classes of ``types`` that may come, or None for all."""
    if not request.without:
        return None
    if "types" not in process.processes:
        raise InputError(
            "A latent model cannot be forbidden an element: its latents have none.",
            fix="Use a model of the molecules themselves.",
        )
    return classes_without(request.without, domain.vocabulary)


def _restricted(denoiser: Denoiser, allowed: Sequence[int] | None) -> Denoiser:
    return denoiser if allowed is None else Restrict(denoiser, {"types": allowed})


def _types(
    formula: str, domain: Molecules, process: Product, allowed: Sequence[int] | None
) -> npt.NDArray[np.int64]:
    """The class of each atom of a formula, (n,)."""
    types = parse_formula(formula, domain.vocabulary)
    if "types" not in process.processes:
        raise InputError(
            "A latent model cannot be held to a formula: its latents have no elements.",
            fix="Give a --size, or use a model of the molecules themselves.",
        )
    if allowed is not None and not np.isin(types, allowed).all():
        raise InputError(
            f"{formula} has an element that the molecules are to be without.",
            fix="Give another formula, or allow its elements.",
        )
    return types


def _frequencies(domain: Molecules, size: Size) -> dict[int, float]:
    """The frequency of each size that may come."""
    low, high = min(domain.sizes), max(domain.sizes)
    if isinstance(size, int) and low <= size <= high:
        return {size: 1.0}
    interval = Interval(low, high) if size is None else as_interval(size)
    frequencies = {
        n: weight
        for n, weight in domain.sizes.items()
        if n in interval and (size is None or weight > 0)
    }
    if not frequencies:
        kind = "heavy atoms" if domain.vocabulary.hydrogens else "atoms (hydrogens included)"
        raise InputError(
            f"The model generates molecules of {low} to {high} {kind}, not of {interval.plain()}.",
            fix=f"Choose a size from {low} to {high}.",
        )
    return frequencies


class _Recorder:
    """Keeps the states of the first ``count`` graphs of a trajectory."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._states: list[tuple[float, Batch]] = []

    def watch(self, model: Model, state: State) -> None:
        if self.count:
            molecules = model.decode(state.x.map(lambda v: v[: self.count]))
            self._states.append((state.t, molecules.to("cpu")))

    def frames(self, i: int) -> tuple[Frame, ...]:
        if i >= self.count:
            return ()
        return tuple(Frame(t, encoded(batch, i)) for t, batch in self._states)
