"""What a request limits: elements, the atoms of a formula, the numbers of atoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moldiff.chem.demands import Interval, as_interval
from moldiff.chem.elements import classes_without
from moldiff.chem.formula import parse_formula
from moldiff.diffusion.process import Product
from moldiff.domain.molecules import Molecules
from moldiff.errors import InputError
from moldiff.generation.request import Request, Size

__all__ = ["allowed", "frequencies", "types_of"]


def allowed(request: Request, domain: Molecules, process: Product) -> list[int] | None:
    """The classes of ``types`` that may come, or None for all."""
    if not request.without:
        return None
    if "types" not in process.processes:
        raise InputError(
            "A latent model cannot be forbidden an element: its latents have none.",
            fix="Use a model of the molecules themselves.",
        )
    return classes_without(request.without, domain.vocabulary)


def types_of(
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


def frequencies(domain: Molecules, size: Size) -> dict[int, float]:
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
