"""Trials of a model of whole chains: backbones drawn after blueprints of real ones, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields

import numpy as np
import torch

from moldiff.backbones.quality import Quality, obeyed, quality, whole
from moldiff.backbones.sampling import TOGETHER, draw
from moldiff.model import Model
from moldiff.protein.backbone import Backbone
from moldiff.protein.secondary import HIDDEN, secondary

__all__ = ["figures", "trials"]

Trial = tuple[Quality, float]
"""The figures of a backbone, and the share of its blueprint that it obeys, or NaN."""


def trials(
    model: Model,
    natives: Iterable[Sequence[Backbone]],
    *,
    rng: torch.Generator,
    steps: int | None = None,
    progress: Callable[[float], None],
) -> list[Trial]:
    """Draw a backbone for each native one, given in groups of one length.

    Every other is drawn after the native's secondary structure, the others after none.
    """
    done: list[Trial] = []
    for group in natives:
        wanted = np.stack([secondary(chain.atoms) for chain in group])
        wanted[1::2] = HIDDEN
        for k in range(0, len(wanted), TOGETHER):
            part = wanted[k : k + TOGETHER]
            settings = {} if steps is None else {"steps": steps}
            drawn = draw(model, part, rng=rng, settings=settings)
            for atoms, blueprint in zip(drawn, part, strict=True):
                full = whole(atoms)
                states = secondary(full)
                done.append((quality(full, states), obeyed(states, blueprint)))
            progress(float(len(part)))
    return done


def figures(done: Sequence[Trial]) -> dict[str, float]:
    """Return the means of the figures of trials; ``score`` tells models apart.

    It is the share of secondary structure obeyed, of the bonds joined and of a native number of
    contacts, multiplied: none of them may be bought with another.
    """
    if not done:
        return {}
    values = {
        field.name: float(np.mean([getattr(one, field.name) for one, _ in done]))
        for field in fields(Quality)
    }
    values["obeyed"] = float(np.nanmean([share for _, share in done]))
    values["score"] = values["obeyed"] * values["joined"] * min(values["contacts"], 1.0)
    return {"samples": float(len(done))} | {name: round(v, 4) for name, v in values.items()}
