"""Which molecules of their requests records are: what is missing, and what is there twice.

What is drawn at a place does not depend on how many molecules are asked for (`order`), nor on
whether those that fail are drawn again in another round. So a draw is its model, its settings, its
request without these two, its place and its round.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from moldiff.io import Record
from moldiff.io.seal import SEAL

__all__ = ["Asked", "asked_of", "is_design", "is_pose", "order_of", "repeated_of"]

_NOT_OF_A_DRAW = ("n", "keep_valid")
_SETTINGS = ("model", "precision", "sampling")
_OF_A_POSE = "box_center"
_OF_A_DESIGN = ("design", "kept")


@dataclass(frozen=True)
class Asked:
    """A request, and what records lack of it: a filter, or whoever stopped the run, left it out.

    Attributes
    ----------
    model, seed:
        The model's name and digest, and the seed.
    n:
        How many molecules were asked for; of several requests for the same draws, the most.
    gaps:
        The first and the last place, from 1, of each stretch that no record has.
    """

    model: str
    seed: int
    n: int
    gaps: tuple[tuple[int, int], ...]

    @property
    def missing(self) -> int:
        """Number of molecules that no record has."""
        return sum(last - first + 1 for first, last in self.gaps)


def is_pose(tags: Mapping[str, str]) -> bool:
    """Whether docking wrote a record: not, if only a field says so that its digest does not cover.

    Such a pose has fields of the molecule that was docked, but is no draw.
    """
    names = list(tags)
    return _OF_A_POSE in (names[: names.index(SEAL)] if SEAL in names else names)


def is_design(tags: Mapping[str, str]) -> bool:
    """Whether a record is of `moldiff.design`: its fields tell neither its part nor its docking.

    One that evolved in a pocket (`moldiff.design.pockets.evolve`) has fields of the molecule that
    was docked, as a pose has, but no part that was kept.
    """
    return any(name in tags for name in _OF_A_DESIGN)


def order_of(tags: Mapping[str, str]) -> tuple[str, str]:
    """Return the place in the drawn order, and the round, both from 1."""
    return tags["place"], tags.get("round", "1")


def asked_of(records: Sequence[Record], altered: Collection[int]) -> tuple[Asked, ...]:
    """Return the requests that records name, and which of their molecules are missing.

    ``altered`` are the indices of records whose fields may lie: their places count as taken, but
    what they ask for is not believed. Designs are left out: their part is not told.
    """
    asked: dict[tuple[str, ...], int] = {}
    places: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for k, key, n in _requests(records):
        places[key].add(int(order_of(records[k].tags)[0]))
        if k not in altered:
            asked[key] = max(n, asked.get(key, 0))
    return tuple(
        Asked(model=key[0], seed=int(key[-1]), n=n, gaps=tuple(_gaps(places[key], n)))
        for key, n in asked.items()
    )


def repeated_of(records: Sequence[Record], altered: Collection[int]) -> tuple[tuple[int, ...], ...]:
    """Return the indices of each set of records that are the same draw, or copies of one record."""
    same: dict[tuple[str, ...], list[int]] = defaultdict(list)
    known = {k: (*key, *order_of(records[k].tags)) for k, key, _ in _requests(records)}
    for k, record in enumerate(records):
        if SEAL in record.tags and k not in altered:
            same[known.get(k, (record.tags[SEAL],))].append(k)
    return tuple(tuple(members) for members in same.values() if len(members) > 1)


def _requests(records: Sequence[Record]) -> Iterator[tuple[int, tuple[str, ...], int]]:
    """Yield index, what distinguishes the draws of its request from others, and n."""
    for k, record in enumerate(records):
        tags = record.tags
        if SEAL not in tags or is_design(tags) or is_pose(tags):
            continue
        try:
            request = json.loads(tags["request"])
            n, seed = int(request["n"]), int(request["seed"])
            draws = {name: value for name, value in request.items() if name not in _NOT_OF_A_DRAW}
            _, _ = (int(text) for text in order_of(tags))
        except (ValueError, OverflowError, KeyError, TypeError, AttributeError):
            continue
        settings = (tags.get(name, "") for name in _SETTINGS)
        yield k, (*settings, json.dumps(draws, sort_keys=True), f"{seed}"), n


def _gaps(places: Collection[int], n: int) -> Iterator[tuple[int, int]]:
    there = sorted(place for place in places if 1 <= place <= n)
    for before, after in pairwise([0, *there, n + 1]):
        if after - before > 1:
            yield before + 1, after - 1
