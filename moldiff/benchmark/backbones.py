"""The benchmark of whole backbones: drawn ones beside native ones, and beside spoilt ones.

No folding program judges here, so what can be said is how like native backbones those are that a
model draws (`moldiff.backbones.natives`).  The natives here are of held-out topologies; that spoilt
ones are not native-like shows that it means something.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moldiff.backbones.blueprints import drawn
from moldiff.backbones.joining import joined, settled
from moldiff.backbones.natives import figures_of, unlike
from moldiff.backbones.quality import Quality, obeyed, quality, whole
from moldiff.backbones.sampling import TOGETHER, Given, draw, hesitation
from moldiff.benchmark.mpnn import mpnn_entropies
from moldiff.metrics.value import bootstrap
from moldiff.model import Model
from moldiff.protein.backbone import Backbone
from moldiff.protein.secondary import HIDDEN, secondary
from moldiff.seeds import Generators, generator
from moldiff.train.parts import Parts
from moldiff.train.workloads.chains import motif

__all__ = ["ASKED", "HEADER", "KINDS", "Judged", "judged", "recorded", "row"]

KINDS = ("as told", "drawn", "free", "around", "native", "1 Å off", "mirrored")
"""Drawn after the secondary structure of natives, after one that is drawn, after none, and around
motifs of natives; natives, and natives spoilt."""

HEADER = (
    "backbones",
    "count",
    "helix, strand",
    "as told",
    "contacts",
    "size",
    "phi > 0",
    "joined",
    "hesitation",
    "native-like",
    "CPU-s",
)
ASKED = "ProteinMPNN"
"""One more column where it is asked."""
_DRAWN = KINDS[:4]
_AROUND = KINDS[3]
_MOTIFS = Parts(share=1.0, two=0.5, smallest=0.2, largest=0.4)
_OFF = 1.0  # Å, root mean square distance by which residues are moved, before they are joined


class Judged(NamedTuple):
    """A backbone's figures.

    ``nats`` is the entropy of the sequence model's amino acids per residue when none is known,
    ``mpnn`` that of ProteinMPNN's, NaN if it is not asked.
    """

    kind: str
    residues: int
    quality: Quality
    obeyed: float
    nats: float
    mpnn: float
    seconds: float

    @property
    def native_like(self) -> bool:
        """Whether all its figures are inside the bands of natives (`moldiff.backbones.natives`)."""
        return unlike(figures_of(self.quality, self.nats), self.residues) == ()


def judged(
    model: Model,
    designer: Model,
    natives: Sequence[Sequence[Backbone]],
    *,
    kinds: Sequence[str] = KINDS,
    steps: int | None = None,
    seed: int = 0,
    python: str | None = None,
) -> Iterator[Judged]:
    """Yield the figures of natives, given in groups of one length, and of what is made after them.

    ``designer`` is a model of sequences; with ``python`` (`moldiff.benchmark.mpnn`) ProteinMPNN is
    asked as well.
    """
    number = 0
    settings = {} if steps is None else {"steps": steps}
    for group in natives:
        for first in range(0, len(group), TOGETHER):
            part = group[first : first + TOGETHER]
            assigned = np.stack([secondary(one.atoms) for one in part])
            for kind in kinds:
                rng = Generators([generator(seed, number + k) for k in range(len(part))])
                random = np.random.default_rng([seed, number])
                begin = time.process_time()
                wanted = assigned if kind == "as told" else np.full_like(assigned, HIDDEN)
                if kind == "drawn":
                    sources = [generator(seed, number + k, 0) for k in range(len(part))]
                    wanted = np.stack([drawn(assigned.shape[1], rng=one) for one in sources])
                if kind == _AROUND:
                    atoms, wanted = _around(model, part, assigned, random, rng, settings)
                elif kind in _DRAWN:
                    drawn_atoms = draw(model, wanted, rng=rng, settings=settings)
                    atoms = [settled(one)[0] for one in drawn_atoms]
                else:
                    atoms = [whole(one) for one in _spoilt(kind, part, random)]
                seconds = (time.process_time() - begin) / len(part)
                nats = hesitation(designer, np.stack(atoms))
                mpnn = mpnn_entropies(python, atoms) if python else np.full(len(atoms), np.nan)
                entropies = zip(nats.tolist(), mpnn.tolist(), strict=True)
                for one, blueprint, both in zip(atoms, wanted, entropies, strict=True):
                    states = secondary(one)
                    share = obeyed(states, blueprint)
                    yield Judged(kind, len(one), quality(one, states), share, *both, seconds)
            number += len(part)


def _around(
    model: Model,
    chains: Sequence[Backbone],
    assigned: npt.NDArray[np.int64],
    random: np.random.Generator,
    rng: Generators,
    settings: Mapping[str, Any],
) -> tuple[list[npt.NDArray[np.float64]], npt.NDArray[np.int64]]:
    """Chains (n, 4, 3) around motifs cut out of natives, and what was asked for: nothing.

    A motif is one segment of 20 to 40 % of the residues, or two to four segments.
    """
    atoms = np.stack([one.atoms for one in chains])
    kept = np.stack([motif(atoms.shape[1], _MOTIFS, random) for _ in chains])
    states = np.where(kept, assigned, HIDDEN)
    drawn_atoms = draw(model, states, rng=rng, settings=settings, given=Given(atoms, kept))
    native = atoms.astype(np.float64)
    settle = zip(drawn_atoms, native, kept, strict=True)
    return [settled(*one)[0] for one in settle], np.full_like(assigned, HIDDEN)


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


def row(kind: str, done: Sequence[Judged]) -> tuple[str, ...]:
    """Return the row of the table `HEADER` for the backbones of a kind; () without any.

    Where ProteinMPNN was asked it has the cell `ASKED` behind.

    Means; the interval is that of 95 % by bootstrap over backbones.
    """
    those = [one for one in done if one.kind == kind]
    if not those:
        return ()
    like = np.array([one.native_like for one in those], dtype=float)
    native = bootstrap(like, lambda some: float(some.mean()))
    mean = {
        name: float(np.mean([getattr(one.quality, name) for one in those]))
        for name in ("helix", "strand", "contacts", "size", "left", "joined")
    }
    share = np.array([one.obeyed for one in those])
    mpnn = np.mean([one.mpnn for one in those])
    return (
        kind,
        f"{len(those)}",
        f"{100 * mean['helix']:.0f}, {100 * mean['strand']:.0f} %",
        "–" if np.isnan(share).all() else f"{100 * np.nanmean(share):.1f} %",
        f"{mean['contacts']:.2f}",
        f"{mean['size']:.2f}",
        f"{100 * mean['left']:.1f} %",
        f"{100 * mean['joined']:.1f} %",
        f"{np.mean([one.nats for one in those]):.2f}",
        native.text(0, "%"),
        f"{np.mean([one.seconds for one in those]):.1f}" if kind in _DRAWN else "–",
        *(() if np.isnan(mpnn) else (f"{mpnn:.2f}",)),
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
            values |= {} if np.isnan(one.mpnn) else {"mpnn": round(one.mpnn, 4)}
            values |= {"seconds": round(one.seconds, 2)}
            if not k:
                writer.writerow(values)
            writer.writerow(values.values())
            file.flush()
            yield one
