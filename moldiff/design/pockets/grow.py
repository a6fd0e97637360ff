"""Parts that are grown in their pose: pushed out of walls, settled, and proved to have stayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moldiff.design.api import possible, stream
from moldiff.design.pockets.run import Design, Judge
from moldiff.design.pockets.settle import Settler
from moldiff.design.pockets.starts import Start
from moldiff.design.proof import prove
from moldiff.diffusion.guidance import guidances
from moldiff.generation.api import Guidances, Options
from moldiff.generation.request import Generated, Size
from moldiff.model import Model
from moldiff.text import numbers_of

__all__ = ["GUIDANCE", "Growing"]

GUIDANCE = "surroundings"
_BATCH = 8  # molecules of one start and size, made together


@dataclass(frozen=True, eq=False)
class Growing:
    """A source of designs around parts in their pose; starts take turns.

    Attributes
    ----------
    starts:
        At least one.
    settler:
        Of the pocket.
    maker:
        The model, loaded.
    add:
        Heavy atoms that are added; by default what each start says.

    The guidance ``surroundings`` always applies unless it is set.
    """

    starts: Sequence[Start]
    settler: Settler
    maker: Model
    add: Size | str = None

    def __call__(
        self, turn: int, most: int, random: np.random.Generator, options: Options
    ) -> tuple[Iterator[Generated], Judge]:
        """See `moldiff.design.pockets.run.Source`."""
        start, count = self.starts[turn % len(self.starts)], min(_BATCH, most)
        # What is made together has one size.
        size = int(random.choice(possible(start.task, self.add, options.get("size"), self.maker)))
        changed: Any = {**options, "seed": int(random.integers(1 << 31)), "size": size}
        changed |= {"model": self.maker, "guidance": _guided(options.get("guidance"))}
        return stream(start.task, count, **changed), lambda item: self._design(item, start)

    def _design(self, item: Generated, start: Start) -> Design:
        """Settle a molecule and prove again that it has its part."""
        if item.failure is not None:
            return Design(item, start.name, reason=item.failure)
        scaffold = start.task.part.scaffold
        settled = self.settler(item.mol, range(scaffold.size), seed=int(item.tags["seed"]))
        if isinstance(settled, str):
            return Design(item, start.name, reason=settled)
        points = [number - 1 for number in numbers_of(item.tags["attachments"]) or ()]
        proof = prove(settled.mol, scaffold, points)
        tags = {"kept": proof.line, "part_kept": "no" if proof.failure else "yes"}
        return Design(item, start.name, settled, proof.failure or settled.reason, tags)


def _guided(guidance: Guidances | None) -> list[Mapping[str, Any]]:
    listed = guidances({} if guidance is None else {"guidance": guidance})
    parts: list[Mapping[str, Any]] = list(listed)
    known = {part["name"] for part in parts}
    return parts if GUIDANCE in known else [*parts, {"name": GUIDANCE}]
