"""Generation: sizes -> noise -> trajectory -> molecules with provenance.

request (n, size | formula, seed) -> groups of equal size (`order`) -> molecules (`job`), in order
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from moldiff.diffusion.guidance import laid_over
from moldiff.generation.given import Given
from moldiff.generation.job import Job, sample_batch
from moldiff.generation.order import BLOCK, blocks, groups
from moldiff.generation.request import Generated, Request
from moldiff.model import Model

__all__ = ["generate", "redraw", "sample_batch"]


def generate(
    model: Model,
    request: Request,
    *,
    sampling: Mapping[str, Any] | None = None,
    given: Given | None = None,
    record: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Generated]:
    """Generate molecules in the order they are drawn, which n has no part in.

    Of two requests that differ in n alone the shorter gives the first molecules of the longer
    (`moldiff.generation.order`).  Interrupted, those that are complete come out.

    Parameters
    ----------
    model:
        The model to sample from.
    request:
        How many molecules, and which.
    sampling:
        Changes to the model's own sampler settings (steps, stepper, grid, temperature,
        early_temperature, guidance, valence).  A temperature without an early one applies always.
    given:
        What is given of every molecule; by default nothing.
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
    job = Job.of(model, request, laid_over(model.sampling, sampling or {}), given)
    waiting: dict[int, Generated | None] = {}  # made, but not an earlier one
    following = 0
    try:
        for block in blocks(request.n):
            for group in groups(block, job.sizes(block)):
                for place, item in job.make(group, record, progress):
                    waiting[place] = item
                while following in waiting:
                    ready = waiting.pop(following)
                    following += 1
                    if ready is not None:
                        yield ready
    except KeyboardInterrupt:  # what is complete is not lost
        yield from (item for _, item in sorted(waiting.items()) if item is not None)
        raise


def redraw(
    model: Model, request: Request, sampling: Mapping[str, Any], places: Collection[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], Generated]]:
    """Draw some molecules of a request again, without the others.

    Parameters
    ----------
    sampling:
        All sampler settings, as the record of a molecule has them.
    places:
        Which, by place in the drawn order and round, both from 0: a later round is that of a
        molecule which a filter had drawn again.

    Yields
    ------
    tuple
        Place and round, and the molecule, but for rounding (`moldiff.generation.order`).

    Raises
    ------
    InputError, ConfigError
        As `generate`.
    """
    job = Job.of(model, request, sampling, None)
    for round_number in sorted({number for _, number in places}):
        wanted = sorted(place for place, number in places if number == round_number)
        for start in sorted({place // BLOCK * BLOCK for place in wanted}):
            sizes = job.sizes(range(start, start + BLOCK))
            here = [place for place in wanted if start <= place < start + BLOCK]
            for group in groups(here, [sizes[place - start] for place in here]):
                for place, item in job.draw_round(group, round_number):
                    yield (place, round_number), item
