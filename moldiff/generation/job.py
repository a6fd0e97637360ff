"""What is drawn for a request: sizes, batches of molecules, and their tags.

groups of equal size (`order`) -> Sampler.trajectory -> decode -> strict validity -> Generated
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.chem.properties import property_tags
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import canonical_smiles
from moldiff.diffusion.allowed import Allowed
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance import Keep
from moldiff.diffusion.guidance.condition import draw_targets, standardised, weighed_sizes
from moldiff.diffusion.process.latent import check_classless
from moldiff.diffusion.sampler import Sampler, State
from moldiff.domain.molecules import Molecules, encoded
from moldiff.errors import InputError
from moldiff.generation.allowed import elements_allowed, formula_allowed, frequencies
from moldiff.generation.demands import choices
from moldiff.generation.given import Classes, Finished, Given, GivenBatch, Nothing
from moldiff.generation.order import BLOCK, Group
from moldiff.generation.request import Frame, Generated, Request
from moldiff.generation.sampling import molecules_of, provenance, sampled
from moldiff.io.seal import sealed
from moldiff.model import Model
from moldiff.precision import recorded
from moldiff.seeds import Generators, generator
from moldiff.version import __version__

__all__ = ["Job", "sample_batch"]

_MAX_ROUNDS = 20  # with a filter: give up on a molecule after so many attempts
_STREAM_SIZES, _STREAM_NOISE, _STREAM_TARGETS, _STREAM_GIVEN = 11, 12, 13, 14


def sample_batch(
    model: Model,
    denoiser: Denoiser,
    sampler: Sampler,
    b: int,
    n: int,
    *,
    rng: torch.Generator,
    conditions: Float[Tensor, "_ k"] | None = None,
    allowed: Allowed | None = None,
    given: Batch | None = None,
    watch: Callable[[State], None] | None = None,
) -> Batch:
    """Sample b graphs of n atoms; ``watch`` sees every state of the trajectory.

    ``conditions`` are standardised, (b, k), or (1, k) for all graphs; NaN, or None for all, leaves
    a property open.  ``allowed`` are the classes that sites may have.  ``given`` has the values of
    the sites that its context marks as clean.
    """
    entries = {"conditions": conditions, "allowed": allowed}
    context = {name: entry for name, entry in entries.items() if entry is not None}
    if given is None:
        x_1 = denoiser.process.prior(b, n, rng=rng, device=model.device, context=context)
    else:
        x_1 = denoiser.process.start(given.given(**context).to(model.device), rng=rng)
    with torch.inference_mode():
        for state in sampler.trajectory(denoiser, x_1, rng=rng):
            if watch is not None:
                watch(state)
        return model.decode(state.x).to("cpu")


@dataclass(frozen=True, eq=False)
class Job:
    """A request to a model, checked, and the settings with which it is carried out."""

    model: Model
    domain: Molecules
    request: Request
    given: Given
    steps: int
    wanted: Mapping[str, Sequence[float]]
    frequencies: Mapping[int, float]
    sampling: Mapping[str, Any]
    elements: Classes
    formula: Classes

    @classmethod
    def of(
        cls, model: Model, request: Request, sampling: Mapping[str, Any], given: Given | None
    ) -> Job:
        wanted: object = request.n
        if not isinstance(wanted, Integral) or request.n < 1:
            raise InputError(
                f"Cannot generate {request.n!r} molecules.", fix="Ask for a whole number from 1 on."
            )
        domain, process = molecules_of(model), model.denoiser.process
        check_classless(process, sampling)
        wanted = choices(domain.conditions, request.conditions)
        elements = elements_allowed(request, domain, process)
        _, sampler = sampled(model, model.denoiser, sampling)  # before any work
        size = request.size
        formula: Classes = {}
        if request.formula is not None:
            formula = formula_allowed(request.formula, size, domain, process, elements)
            size = formula["types"].shape[1]
        return cls(
            model=model,
            domain=domain,
            request=request,
            given=Nothing(domain) if given is None else given,
            steps=sampler.steps,
            wanted=wanted,
            frequencies=frequencies(domain, size),
            sampling=sampling,
            elements=elements,
            formula=formula,
        )

    def sizes(self, block: range) -> list[int]:
        """Draw the number of atoms of each molecule of a block."""
        if len(self.frequencies) == 1:
            return [next(iter(self.frequencies))] * len(block)
        weighed = weighed_sizes(self.frequencies, self.domain.conditions, self.wanted)
        weights = torch.tensor(list(weighed.values()), dtype=torch.float64)
        rng = generator(self.request.seed, _STREAM_SIZES, block.start)
        indices = torch.multinomial(weights, BLOCK, replacement=True, generator=rng)
        return [list(weighed)[k] for k in indices[: len(block)].tolist()]

    def make(
        self, group: Group, record: int, progress: Callable[[float], None] | None
    ) -> Iterator[tuple[int, Generated | None]]:
        """Make the molecules of a group; None in the place of one that the filter refuses.

        With a filter, those that fail are drawn again at the same size: it must not favour easy
        sizes.
        """
        rest = group
        for round_number in range(_MAX_ROUNDS if self.request.keep_valid else 1):
            failed: list[int] = []
            for place, item in self.draw_round(rest, round_number, record, progress):
                if item.failure is None or not self.request.keep_valid:
                    yield place, item
                else:
                    failed.append(place)
            if not failed:
                return
            rest = Group(group.size, tuple(failed))
        yield from ((place, None) for place in rest.places)

    def draw_round(
        self,
        group: Group,
        round_number: int,
        record: int = 0,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[tuple[int, Generated]]:
        """Yield the molecules of a group by place, as they come in a round (from 0) of drawing."""
        rngs = self._generators(_STREAM_TARGETS, round_number, group)
        targets = draw_targets(self.domain.conditions, self.wanted, group.size, rngs)
        rngs = self._generators(_STREAM_GIVEN, round_number, group)
        part = self.given.batch(self.domain, group.size, self.elements, rngs)
        recorder = _Recorder(sum(place < record for place in group.places))
        batch = self._run(group, part, round_number, targets, recorder, progress)
        for i, place in enumerate(group.places):
            target = targets[min(i, len(targets) - 1)]
            finished = part.finished(i, self.domain.decode(batch, i))
            order = {"place": f"{place + 1}"}
            if round_number:
                order["round"] = f"{round_number + 1}"
            yield place, self._tagged(finished, target, order, recorder.frames(i))

    def _generators(self, stream: int, round_number: int, group: Group) -> list[torch.Generator]:
        seed = self.request.seed
        return [generator(seed, stream, round_number, place) for place in group.places]

    def _guided(self, allowed: Classes) -> tuple[Denoiser, Sampler]:
        # Inside of the other guidances, so that they judge what can come; and around them, so that
        # nothing they do to the logits brings back what must not come.
        denoiser = _kept(self.model.denoiser, allowed)
        denoiser, sampler = sampled(self.model, denoiser, self.sampling)
        return _kept(_kept(denoiser, allowed), self.formula), sampler

    def _run(
        self,
        group: Group,
        part: GivenBatch,
        round_number: int,
        targets: Sequence[Mapping[str, float]],
        recorder: _Recorder,
        progress: Callable[[float], None] | None,
    ) -> Batch:
        def watch(state: State) -> None:
            recorder.watch(self.model, state)
            if progress is not None and state.step:
                progress(len(group.places) / self.steps)

        rows = [standardised(self.domain.conditions, target) for target in targets]
        return sample_batch(
            self.model,
            *self._guided(part.allowed),
            len(group.places),
            group.size,
            rng=Generators(self._generators(_STREAM_NOISE, round_number, group)),
            conditions=torch.cat(rows) if self.wanted else None,
            # Not the formula: noise of one class each is nothing that its models were trained with.
            allowed=Allowed(part.allowed) if part.allowed else None,
            given=part.x_0,
            watch=watch,
        )

    def _tagged(
        self,
        item: Finished,
        target: Mapping[str, float],
        order: Mapping[str, str],
        frames: tuple[Frame, ...],
    ) -> Generated:
        mol, invalid = item.mol, item.invalid
        with quiet():
            smiles = canonical_smiles(mol, stereo=True) if invalid is None else None
        folded = bool(self.domain.vocabulary.hydrogens)
        tags = {
            "SMILES": smiles or "",
            "strictly_valid": "yes" if invalid is None else "no",
            "invalid_reason": invalid or "",
            "model": f"{self.model.card.get('name', 'unnamed')} {self.model.digest}".strip(),
            "seed": str(self.request.seed),
            **order,
            "steps": str(self.steps),
            "sampling": provenance(self.sampling),
            "precision": recorded(self.model.precision),
            "request": json.dumps(self.request.to_dict(), sort_keys=True),
            "hydrogens": "placed by rule, relaxed with MMFF94 (or UFF)" if folded else "",
            "moldiff_version": __version__,
            **item.tags,
            **property_tags(target, smiles),
        }
        fields = {name: text for name, text in tags.items() if text}
        return Generated(mol, invalid or item.lacking, sealed(mol, fields), frames)


def _kept(denoiser: Denoiser, allowed: Classes) -> Denoiser:
    return Keep(denoiser, allowed) if allowed else denoiser


class _Recorder:
    """Keeps the states of the first ``count`` graphs of a trajectory."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._states: list[tuple[float, Batch]] = []
        self._predictions: list[Batch] = []  # from each state but the last

    def watch(self, model: Model, state: State) -> None:
        if self.count:
            self._states.append((state.t, self._decoded(model, state.x)))
            if state.prediction is not None:  # made from the state before
                likeliest = model.denoiser.process.mode(state.prediction)
                self._predictions.append(self._decoded(model, likeliest))

    def _decoded(self, model: Model, x: Batch) -> Batch:
        return model.decode(x.map(lambda v: v[: self.count])).to("cpu")

    def frames(self, i: int) -> tuple[Frame, ...]:
        if i >= self.count:
            return ()
        ends = [encoded(batch, i) for batch in self._predictions]
        frames = zip_longest(self._states, ends)
        return tuple(Frame(t, encoded(batch, i), end) for (t, batch), end in frames)
