"""Which classes and sizes a request allows."""

from __future__ import annotations

import torch

from moldiff.chem.demands import Interval, as_interval
from moldiff.chem.elements import classes_without
from moldiff.chem.formula import parse_formula
from moldiff.diffusion.guidance import one_of
from moldiff.diffusion.process import Product
from moldiff.domain.molecules import Molecules
from moldiff.errors import InputError
from moldiff.generation.given import Classes
from moldiff.generation.request import Request, Size

__all__ = ["elements_allowed", "formula_allowed", "frequencies"]


def elements_allowed(request: Request, domain: Molecules, process: Product) -> Classes:
    """Return the classes of ``types`` that may come; nothing where all may.

    Raises
    ------
    InputError
        If an element is unknown, none remains, or the model is one of latents.
    """
    if not request.without:
        return {}
    if "types" not in process.processes:
        raise InputError(
            "A latent model cannot be forbidden an element: its latents have none.",
            fix="Use a model of the molecules themselves.",
        )
    classes = classes_without(request.without, domain.vocabulary)
    return {"types": one_of(classes, process.categorical()["types"])}


def formula_allowed(
    formula: str, size: Size, domain: Molecules, process: Product, elements: Classes
) -> Classes:
    """Return the one class of each of the n atoms of a formula, {"types": (1, n, k)}.

    Raises
    ------
    InputError
        If it is no formula of the model's elements, has an element that is not among the allowed
        ``elements`` or another ``size``, or the model is one of latents.
    """
    types = torch.from_numpy(parse_formula(formula, domain.vocabulary))
    if "types" not in process.processes:
        raise InputError(
            "A latent model cannot be held to a formula: its latents have no elements.",
            fix="Give a --size, or use a model of the molecules themselves.",
        )
    if "types" in elements and not elements["types"][0, 0, types].all():
        raise InputError(
            f"{formula} has an element that the molecules are to be without.",
            fix="Give another formula, or allow its elements.",
        )
    if size is not None and len(types) not in as_interval(size):
        raise InputError(
            f"{formula} has {len(types)} atoms, not {as_interval(size)}.",
            fix="Give a formula or a size, not both.",
        )
    classes = process.categorical()["types"]
    return {"types": torch.nn.functional.one_hot(types, classes).bool().unsqueeze(0)}


def frequencies(domain: Molecules, size: Size) -> dict[int, float]:
    """Return the frequency of each size that may come.

    Raises
    ------
    InputError
        If the model generates none of them.
    """
    low, high = min(domain.sizes), max(domain.sizes)
    if isinstance(size, int) and low <= size <= high:
        return {size: 1.0}
    interval = Interval(low, high) if size is None else as_interval(size)
    weights = {
        n: weight
        for n, weight in domain.sizes.items()
        if n in interval and (size is None or weight > 0)
    }
    if not weights:
        kind = "heavy atoms" if domain.vocabulary.hydrogens else "atoms (hydrogens included)"
        raise InputError(
            f"The model generates molecules of {low} to {high} {kind}, not of {interval}.",
            fix=f"Choose a size from {low} to {high}.",
        )
    return weights
