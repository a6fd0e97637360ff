"""The benchmark of whole backbones: drawn ones beside native ones, and beside spoilt ones.

No folding program judges here, so what can be said is how like native backbones those are that a
model draws.  *Native-like* is a backbone all of whose figures lie where those of nine in ten
natives do: contacts, size, handedness, share of helices and strands, clashes, and the hesitation of
the sequence model.  That spoilt natives are not native-like shows that it means something; that not
all natives are is by construction.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moldiff.backbones.joining import joined
from moldiff.backbones.quality import Quality, obeyed, quality, whole
from moldiff.backbones.sampling import TOGETHER, draw, hesitation
from moldiff.benchmark.recovery import interval
from moldiff.model import Model
from moldiff.protein.backbone import Backbone
from moldiff.protein.secondary import HIDDEN, secondary
from moldiff.seeds import Generators, generator

__all__ = ["HEADER", "KINDS", "Judged", "judged", "native_like", "recorded", "row"]

KINDS = ("as told", "free", "native", "1 Å off", "mirrored")
"""Drawn after the secondary structure of natives and after none; natives, and natives spoilt."""

HEADER = (
    "backbones",
    "count",
    "helix, strand",
    "as told",
    "contacts",
    "size",
    "phi > 0",
    "clashes",
    "hesitation",
    "native-like",
    "CPU-s",
)
_DRAWN = KINDS[:2]
_OFF = 1.0  # Å, root mean square distance by which residues are moved, before they are joined
_BAND = (0.05, 0.95)


class Judged(NamedTuple):
    """A backbone's figures.

    ``nats`` is the entropy of the sequence model's amino acids per residue when none is known.
    """

    kind: str
    residues: int
    quality: Quality
    obeyed: float
    nats: float
    seconds: float

    @property
    def figures(self) -> npt.NDArray[np.float64]:
        """The figures that make it native-like or not."""
        q = self.quality
        return np.array([q.contacts, q.size, q.left, q.regular, q.clashes, self.nats])


def judged(
    model: Model,
    designer: Model,
    natives: Sequence[Sequence[Backbone]],
    *,
    kinds: Sequence[str] = KINDS,
    steps: int | None = None,
    seed: int = 0,
) -> Iterator[Judged]:
    """Yield the figures of natives, given in groups of one length, and of what is made after them.

    ``designer`` is a model of sequences.
    """
    number = 0
    for group in natives:
        for first in range(0, len(group), TOGETHER):
            part = group[first : first + TOGETHER]
            told = np.stack([secondary(one.atoms) for one in part])
            for kind in kinds:
                rng = Generators([generator(seed, number + k) for k in range(len(part))])
                begin = time.process_time()
                settings = {} if steps is None else {"steps": steps}
                wanted = told if kind == "as told" else np.full_like(told, HIDDEN)
                chains: npt.NDArray[np.floating]
                if kind in _DRAWN:
                    chains = joined(draw(model, wanted, rng=rng, settings=settings))
                else:
                    chains = _spoilt(kind, part, np.random.default_rng([seed, number]))
                seconds = (time.process_time() - begin) / len(part)
                atoms = [whole(one) for one in chains]
                nats = hesitation(designer, np.stack(atoms))
                for one, blueprint, entropy in zip(atoms, wanted, nats.tolist(), strict=True):
                    states = secondary(one)
                    share = obeyed(states, blueprint)
                    yield Judged(kind, len(one), quality(one, states), share, entropy, seconds)
            number += len(part)


def _spoilt(
    kind: str, chains: Sequence[Backbone], rng: np.random.Generator
) -> npt.NDArray[np.floating]:
    """Natives, or what is made of them, (b, n, 3, 3)."""
    atoms = np.stack([one.atoms[:, :3] for one in chains])
    if kind == "native":
        return joined(atoms)
    if kind == "mirrored":
        return joined(atoms) * np.array([1, 1, -1])
    off = rng.normal(scale=_OFF / np.sqrt(3), size=(*atoms.shape[:2], 1, 3))
    return joined(atoms + off)


def native_like(done: Sequence[Judged]) -> npt.NDArray[np.bool_]:
    """Return which backbones have all figures inside the bands of the natives among them."""
    figures = np.stack([one.figures for one in done])
    natives = np.array([one.kind == "native" for one in done])
    if not natives.any():
        return np.zeros(len(done), bool)
    low, high = np.quantile(figures[natives], _BAND, axis=0)
    inside: npt.NDArray[np.bool_] = ((figures >= low) & (figures <= high)).all(1)
    return inside


def row(kind: str, done: Sequence[Judged], alike: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the row of the table `HEADER` for the backbones of a kind; () without any.

    Means; the interval is that of 95 % by bootstrap over backbones.
    """
    chosen = np.array([one.kind == kind for one in done], bool)
    those = [one for one in done if one.kind == kind]
    if not those:
        return ()
    like = alike[chosen]
    low, high = interval(lambda some: float(like[some].mean()), len(like))
    mean = {
        name: float(np.mean([getattr(one.quality, name) for one in those]))
        for name in ("helix", "strand", "contacts", "size", "left", "clashes")
    }
    share = np.array([one.obeyed for one in those])
    return (
        kind,
        f"{len(those)}",
        f"{100 * mean['helix']:.0f}, {100 * mean['strand']:.0f} %",
        "–" if np.isnan(share).all() else f"{100 * np.nanmean(share):.1f} %",
        f"{mean['contacts']:.2f}",
        f"{mean['size']:.2f}",
        f"{100 * mean['left']:.1f} %",
        f"{mean['clashes']:.2f}",
        f"{np.mean([one.nats for one in those]):.2f}",
        f"{100 * like.mean():.0f} % ({100 * low:.0f} to {100 * high:.0f})",
        f"{np.mean([one.seconds for one in those]):.1f}" if kind in _DRAWN else "–",
    )


def recorded(runs: Iterator[Judged], path: Path) -> Iterator[Judged]:
    """Yield backbones, and write a row of each into a CSV file as soon as it is judged."""
    first = next(runs, None)
    if first is None:
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for k, one in enumerate(chain([first], runs)):
            values = {"kind": one.kind, "residues": one.residues, **one.quality.row()}
            values |= {"obeyed": round(one.obeyed, 4), "nats": round(one.nats, 4)}
            values |= {"seconds": round(one.seconds, 2)}
            if not k:
                writer.writerow(values)
            writer.writerow(values.values())
            file.flush()
            yield one
