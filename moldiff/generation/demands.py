"""What is demanded of the molecules: a prompt, conditions, elements and sizes, as one whole.

::

    prompt, conditions, without, only, size --- demanded(model) ---> Demands
    Demands: conditions -> targets of the network; without -> forbidden classes; size -> sizes

Two demands on one thing must both hold.  An element without which molecules are to be is forbidden,
and where the model has its number as a condition, the network is told 0 as well.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from moldiff.chem.demands import (
    ATOMS,
    Interval,
    as_interval,
    demand_line,
    element_of,
    is_count,
    parse_demand,
)
from moldiff.chem.elements import classes_without, others
from moldiff.diffusion.guidance import guidances
from moldiff.diffusion.guidance.condition import Condition, remarks, standardised
from moldiff.domain.molecules import Molecules
from moldiff.errors import InputError
from moldiff.generation.prompt import Wish, parse_prompt
from moldiff.generation.request import Conditions, Size
from moldiff.generation.sampling import molecules_of
from moldiff.model import Model
from moldiff.models import conditional_models
from moldiff.text import several

__all__ = ["Demands", "accepted", "check_conditions", "choices", "demanded"]

_CHOICES = 128  # values among which the target of a measured property is drawn
_MET = 0.25  # a measured value is met within this part of the standard deviation of the data
_SIZE = "size"
#: Count -> another that it is part of.
_PART_OF = {
    "aromatic_rings": "rings",
    **dict.fromkeys(("primary_amine", "secondary_amine", "tertiary_amine"), "basic_amines"),
}


@dataclass(frozen=True)
class Demands:
    """What is demanded of every molecule.

    Attributes
    ----------
    conditions:
        Wanted values of properties with which the model was trained.
    size:
        Number of atoms, or an interval of numbers; None for any.
    without:
        Elements that no molecule has.
    counted:
        Which atoms the size counts: ``heavy_atoms``, or ``atoms``.
    """

    conditions: Mapping[str, Interval]
    size: Size = None
    without: tuple[str, ...] = ()
    counted: str = ATOMS

    def lines(self) -> list[str]:
        """Return the demands as texts, each of which is a phrase of a prompt."""
        absent = {f"n_{symbol}" for symbol in self.without}
        lines = [demand_line(n, i) for n, i in self.conditions.items() if n not in absent]
        lines += [f"without {symbol}" for symbol in self.without]
        return lines + (
            [] if self.size is None else [demand_line(self.counted, as_interval(self.size))]
        )

    def around(self, elements: Collection[str]) -> Demands:
        """Return the demands on molecules that have a part with some elements.

        That other atoms are without them is not said of the whole molecule.
        """
        conditions = {
            name: interval
            for name, interval in self.conditions.items()
            if interval != Interval(0, 0) or element_of(name) not in elements
        }
        return replace(self, conditions=conditions)


def demanded(
    model: Model,
    *,
    prompt: str | None = None,
    conditions: Conditions | str | None = None,
    without: str | Sequence[str] = (),
    only: str | Sequence[str] = (),
    size: Size | str = None,
) -> Demands:
    """Return what is demanded of the molecules of a model; the parameters are those of a request.

    Raises
    ------
    InputError
        If a phrase of the prompt is not understood, the model cannot be asked for something, or
        two demands contradict each other.
    """
    domain = molecules_of(model)
    without, only = several(without), several(only)
    elements = tuple(dict.fromkeys(domain.vocabulary.elements))
    names = [condition.name for condition in domain.conditions]
    counted = "heavy_atoms" if domain.vocabulary.hydrogens else ATOMS
    given = _intervals(model, conditions or {})
    wishes = [Wish(name, interval, demand_line(name, interval)) for name, interval in given.items()]
    without = (*without, *(others(only, domain.vocabulary) if only else ()))
    wishes += [Wish(f"n_{symbol}", Interval(0, 0), f"without {symbol}") for symbol in without]
    if size is not None:
        wishes.append(Wish(_SIZE, as_interval(size), demand_line(_SIZE, as_interval(size))))
    asked = parse_prompt(prompt, names, elements) if prompt is not None else []
    wishes += [replace(wish, name=_SIZE) if wish.name == counted else wish for wish in asked]
    merged = _merged(wishes)
    atoms: Size = None
    if (sized := merged.pop(_SIZE, None)) is not None:
        atoms = int(sized.interval.low) if sized.interval.exact else sized.interval
    forbidden = {f"n_{symbol}": symbol for symbol in without}
    for wish in asked:
        symbol = element_of(wish.name)
        if symbol is not None and merged[wish.name].interval == Interval(0, 0):
            forbidden[wish.name] = symbol
    if forbidden:
        classes_without(tuple(forbidden.values()), domain.vocabulary)
    for name, wish in merged.items():
        if name not in names and name not in forbidden:
            raise _unavailable(wish, domain, counted)
    kept = {name: wish.interval for name, wish in merged.items() if name in names}
    return Demands(kept, atoms, tuple(forbidden.values()), counted)


def accepted(model: Model, demands: Demands) -> dict[str, Interval]:
    """Return the values that meet each condition.

    Of one value of a measured property, which no molecule has exactly, they are those within a
    quarter of the standard deviation of the training data.
    """
    spreads = {c.name: c.std for c in molecules_of(model).conditions if not is_count(c.name)}
    return {
        name: Interval(interval.low - about, interval.high + about)
        for name, interval in demands.conditions.items()
        for about in [_MET * spreads.get(name, 0.0) if interval.exact else 0.0]
    }


def check_conditions(
    model: Model, conditions: Conditions, guidance: float | Sequence[object] | None = None
) -> list[str]:
    """Return warnings about values that are rare in the model's training data.

    Raises
    ------
    InputError
        If the model lacks the condition (the error lists models that have it), or classifier-free
        guidance is given without a condition.
    """
    available = molecules_of(model).conditions
    guided = "classifier_free" in {part["name"] for part in guidances({"guidance": guidance})}
    if not available and (conditions or guided):
        models = [f"{m} ({', '.join(has)})" for m, has in conditional_models().items()]
        train = "Train one: moldiff train my.sdf --method classifier-free --condition logp."
        raise InputError(
            f"The model '{model.card.get('name', '')}' was trained without conditions.",
            fix=f"Bundled models with conditions: {'; '.join(models) or 'none'}. {train}",
        )
    if guided and not conditions:
        raise InputError(
            "There is guidance, but no condition to be guided to.",
            fix=f"Add one: --condition {available[0].name}={available[0].mean:g}.",
        )
    return list(remarks(available, choices(available, conditions)))


def choices(conditions: Sequence[Condition], wanted: Conditions) -> dict[str, tuple[float, ...]]:
    """Return the values any of which will do, by condition, in rising order.

    Of an interval they are the whole numbers of a count, or 128 values at equal distances, from
    the part that is in the central 98 % of the training data; where nothing is, the nearest end.

    Raises
    ------
    InputError
        If the model lacks a condition, or there is no such value.
    """
    plain = {n: _finite_end(v) if isinstance(v, Interval) else v for n, v in wanted.items()}
    standardised(conditions, plain)
    known = {condition.name: condition for condition in conditions}
    return {
        name: _choices(known[name], value) if isinstance(value, Interval) else (float(value),)
        for name, value in wanted.items()
    }


def _choices(condition: Condition, interval: Interval) -> tuple[float, ...]:
    usual = interval.meet(Interval(condition.low, condition.high))
    nearest = interval.low if interval.low > condition.high else interval.high
    usual = usual or Interval(nearest, nearest)
    if interval.exact or not is_count(condition.name):
        steps = 1 if usual.exact else _CHOICES
        width = (usual.high - usual.low) / max(1, steps - 1)
        return tuple(usual.low + k * width for k in range(steps))
    whole = range(math.ceil(usual.low), math.floor(usual.high) + 1)
    # The usual values may lie between two whole numbers; one beside them is then in the interval.
    beside = (math.floor(usual.low), math.ceil(usual.high))
    values = tuple(map(float, whole or [k for k in beside if k in interval]))
    if not values:
        raise InputError(
            f"'{condition.name}' is a count, and there is no whole number in {interval}.",
            fix="Give a wider interval.",
        )
    return values


def _intervals(model: Model, conditions: Conditions | str) -> dict[str, Interval]:
    """The conditions as intervals; errors as :func:`check_conditions`."""
    if isinstance(conditions, str):
        conditions = dict(map(parse_demand, several(conditions)))
    check_conditions(model, conditions)
    return {name: as_interval(value) for name, value in conditions.items()}


def _merged(wishes: Sequence[Wish]) -> dict[str, Wish]:
    """One wish for each name, whose values satisfy all wishes for it."""
    merged: dict[str, Wish] = {}
    for wish in wishes:
        if (before := merged.get(wish.name)) is not None:
            both = before.interval.meet(wish.interval)
            if both is None:
                raise _contradiction(before, wish)
            wish = Wish(wish.name, both, f"{before.phrase}, {wish.phrase}")
        merged[wish.name] = wish
    for part, whole in _PART_OF.items():
        compared = part in merged and whole in merged
        if compared and merged[part].interval.low > merged[whole].interval.high:
            raise _contradiction(merged[part], merged[whole])
    return merged


def _contradiction(one: Wish, other: Wish) -> InputError:
    return InputError(
        f"'{one.phrase}' and '{other.phrase}' cannot both be.", fix="Leave one of them out."
    )


def _unavailable(wish: Wish, domain: Molecules, counted: str) -> InputError:
    names = [condition.name for condition in domain.conditions]
    sizes = f"{counted} from {min(domain.sizes)} to {max(domain.sizes)}"
    elements = ", ".join(dict.fromkeys(domain.vocabulary.elements))
    return InputError(
        f"The model cannot be asked for '{wish.phrase}': it has no condition '{wish.name}'.",
        fix=f"It can be asked for {', '.join([*names, sizes])}, and for none of an element "
        f"({elements}).",
    )


def _finite_end(interval: Interval) -> float:
    return interval.low if math.isfinite(interval.low) else interval.high
