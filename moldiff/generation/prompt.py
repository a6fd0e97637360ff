"""Prompts: what a molecule is to be, in words.

::

    moldiff generate --prompt "two aromatic rings, a basic amine, logP below 3, no bromine"

A prompt is phrases parted by commas, semicolons or "and".  Every phrase is one of these, and
anything else is an error that quotes it: nothing is guessed, and nothing is passed over.

    HOW MANY  WHAT              two aromatic rings; no bromine; 20-30 heavy atoms
    PROPERTY  COMPARISON        logP below 3; TPSA 60-90; QED over 0.7; rings = 2

HOW MANY and COMPARISON are

    2, two, exactly two         that number; "a" and "an" are one, "no" and "without" none
    at least 2, 2 or more, 2+   and with: no fewer than, a minimum of, >=
    at most 2, 2 or fewer       and with: up to, no more than, a maximum of, <=
    more than 2, fewer than 2   and with: above, over, >; less than, below, under, <
    between 2 and 4, 2-4        and with: 2 to 4, from 2 to 4, 2..4; "two or three"
    about 2, around 2           of a count: give or take a tenth of it, and 1 at least;
                                of a measured number: that number is aimed at

Numbers are digits, or words from zero to ten.  WHAT is a ring, a fragment, an element by name or
symbol, or another count, in the singular or plural.  A bound belongs to what is wanted, so that
"logP below 3" is logp <= 3; of counts "fewer than 3" is at most 2.  "A pyridine" is exactly one:
say "at least one pyridine" if more will do.  "No bromine or iodine" stands for both, and "no
halogens" for all that the model has.

An element of which there is to be none never occurs: its classes are forbidden to the model.  A
number of heavy atoms (of all atoms, if the model's hydrogens are atoms) sets the size.  All else
are conditions, if the model has been trained with them: each molecule is given values drawn from
the training data's distribution inside of what was asked for.  Two phrases about one thing are
both to hold; if they cannot, that is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from moldiff.chem.demands import Interval, compared, is_count
from moldiff.chem.properties import PROPERTIES
from moldiff.chem.words import (
    HALOGENS,
    NUMBERS,
    UNITS,
    element_name,
    noun_of,
    nouns,
    spoken,
)
from moldiff.errors import InputError, did_you_mean

__all__ = ["Wish", "help_text", "parse_prompt"]

_EXAMPLES = "Write phrases such as 'two aromatic rings', 'logP below 3', 'no bromine'"
_NUMBER = rf"([-+−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|{'|'.join(NUMBERS)})"
#: Ways to say a relation to a number (#), in the order in which they are tried.
_SAYINGS = (
    ("between # and #", ".."),
    ("from # to #", ".."),
    (r"# ?(?:to|-|–|\.\.) ?#", ".."),
    ("# or #", "or"),
    ("(?:at least |no fewer than |no less than |a minimum of |>= ?|≥ ?)#", ">="),
    (r"#(?: or more|\+)", ">="),
    ("(?:at most |up to |no more than |a maximum of |<= ?|≤ ?)#", "<="),
    ("# or (?:fewer|less)", "<="),
    ("(?:more than |greater than |higher than |above |over |> ?)#", ">"),
    ("(?:fewer than |less than |lower than |below |under |< ?)#", "<"),
    ("(?:about |around |roughly |approximately |near |~ ?|≈ ?)#", "~"),
    ("(?:exactly )?#", "="),
)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("#", _NUMBER), re.IGNORECASE)


_COUNTED = [
    *((_compiled(rf"{saying} (.+)"), relation) for saying, relation in _SAYINGS),
    (re.compile("(an?) (.+)", re.IGNORECASE), "="),
]
_VALUES = {**NUMBERS, "a": 1, "an": 1}
_NONE = re.compile("(?:no|without) (.+)", re.IGNORECASE)
_COMPARED = [
    (
        _compiled(
            r"(?:an? |the )?(.+?)(?: |(?=[<>=≤≥~≈:]))(?:is |of |should be |must be |: ?|= ?)?"
            rf"{saying}(?: ?({'|'.join(UNITS.values())}))?"
        ),
        relation,
    )
    for saying, relation in _SAYINGS
]
_FILLER = re.compile(
    r"(?:(?:an? )?(?:molecules?|compounds?) |(?:but|with|having|has|have|containing|contains) )+",
    re.IGNORECASE,
)
# A comma, semicolon or "and" ends a phrase, but for the one within "between 2 and 4".
_PARTS = _compiled(r"between # and #|(?P<end>[,;\n]|\band\b)")


@dataclass(frozen=True)
class Wish:
    """Values of a property that are wanted, and the words in which the user said so."""

    name: str
    interval: Interval
    phrase: str


def parse_prompt(
    prompt: str, names: Sequence[str] = (), elements: Sequence[str] = ()
) -> list[Wish]:
    """Return what a prompt asks for.

    Parameters
    ----------
    prompt:
        Phrases, see the module.
    names:
        Further properties than the package's own, such as columns of a model's data.
    elements:
        The elements of the model, of which "no halogens" leaves out the halogens.

    Raises
    ------
    InputError
        If a phrase is not understood, or can be true of no molecule.
    """
    known = nouns(names)
    wishes: list[Wish] = []
    for phrase in _phrases(prompt):
        wishes += _understood(phrase, known, elements)
    if not wishes:
        raise InputError("The prompt is empty.", fix=f"{_EXAMPLES}.")
    return wishes


def help_text() -> str:
    """Return the grammar, and the nouns of each property."""
    lines = [
        f"  {name:16} {', '.join(spoken(name))}{'' if is_count(name) else ' (measured)'}"
        for name in PROPERTIES
    ]
    about = (__doc__ or "").replace("::\n\n", "")
    return "\n".join([about, "Properties and their nouns:", "", *lines])


def _phrases(prompt: str) -> Iterator[str]:
    """The phrases of a prompt, without the words that only connect them."""
    start = 0
    ends = [match.span() for match in _PARTS.finditer(prompt) if match["end"]]
    for end, following in [*ends, (len(prompt), len(prompt))]:
        phrase = " ".join(prompt[start:end].split()).rstrip(".")
        start = following
        filler = _FILLER.match(phrase)
        phrase = phrase[filler.end() :] if filler else phrase
        if phrase:
            yield phrase


def _understood(phrase: str, known: Mapping[str, str], elements: Sequence[str]) -> list[Wish]:
    """The wishes of a phrase."""
    unknown: list[str] = []
    wishes = (
        _how_many(phrase, known, unknown)
        or _none_of(phrase, known, elements, unknown)
        or _how_much(phrase, known, unknown)
    )
    if not wishes:
        raise _refused(phrase, unknown, known, elements)
    return wishes


def _how_many(phrase: str, known: Mapping[str, str], unknown: list[str]) -> list[Wish]:
    """The wish of a phrase such as "two rings"; nouns that are none go to ``unknown``."""
    for pattern, relation in _COUNTED:
        if match := pattern.fullmatch(phrase):
            *numbers, noun = match.groups()
            name = noun_of(noun, known)
            if name is not None:
                return [_counted(phrase, name, relation, numbers)]
            unknown.append(noun)
    return []


def _how_much(phrase: str, known: Mapping[str, str], unknown: list[str]) -> list[Wish]:
    """The wish of a phrase such as "logP below 3"; nouns that are none go to ``unknown``."""
    for pattern, relation in _COMPARED:
        if match := pattern.fullmatch(phrase):
            noun, *numbers, unit = match.groups()
            name = noun_of(noun, known)
            if name is not None:
                _check_unit(phrase, name, unit)
                return [Wish(name, _interval(phrase, name, relation, numbers), phrase)]
            unknown.append(noun)
    return []


def _none_of(
    phrase: str, known: Mapping[str, str], elements: Sequence[str], unknown: list[str]
) -> list[Wish]:
    """The wishes of "no bromine or iodine"; nouns that are none go to ``unknown``."""
    match = _NONE.fullmatch(phrase)
    wishes: list[Wish] = []
    for noun in re.split(r" n?or ", match[1]) if match else ():
        name = noun_of(noun, known)
        if noun.lower() in ("halogen", "halogens", "halogen atoms"):
            wishes += _no_halogen(phrase, elements)
        elif name is not None:
            wishes.append(_counted(phrase, name, "=", ["zero"]))
        else:
            unknown.append(noun)
            return []
    return wishes


def _no_halogen(phrase: str, elements: Sequence[str]) -> list[Wish]:
    present = [symbol for symbol in HALOGENS if symbol in elements]
    if not present:
        raise InputError(
            f"'{phrase}' asks for nothing: the model has no halogen among its elements.",
            fix=f"Leave it out; its elements are {', '.join(elements)}.",
        )
    return [Wish(f"n_{symbol}", Interval(0, 0), phrase) for symbol in present]


def _counted(phrase: str, name: str, relation: str, numbers: Sequence[str]) -> Wish:
    """The wish for a number of a noun."""
    if not is_count(name):
        raise InputError(
            f"'{phrase}' is not understood: {spoken(name)[0]} is a measured number, not a count.",
            fix=f"Write it first, as in '{spoken(name)[0]} below 3'.",
        )
    return Wish(name, _interval(phrase, name, relation, numbers), phrase)


def _interval(phrase: str, name: str, relation: str, words: Sequence[str]) -> Interval:
    """The values in a relation to numbers given as words."""
    numbers = [float(_VALUES.get(word.lower(), word.replace("−", "-"))) for word in words]
    if relation == "or":
        if not is_count(name) or numbers[1] - numbers[0] != 1:
            raise InputError(
                f"'{phrase}' is not understood: 'or' joins two counts that follow each other.",
                fix="Write 'two or three rings', or 'between 2 and 5'.",
            )
        relation = ".."
    try:
        return compared(name, relation, *numbers)
    except InputError as error:
        raise InputError(f"'{phrase}' cannot be: {error.what}", fix=error.fix) from None


def _check_unit(phrase: str, name: str, unit: str | None) -> None:
    if unit and not re.fullmatch(UNITS.get(name, "(?!)"), unit, re.IGNORECASE):
        own = PROPERTIES[name].unit if name in PROPERTIES else ""
        raise InputError(
            f"'{phrase}' is not understood: '{unit}' is no unit of {spoken(name)[0]}.",
            fix=f"Its unit is {own}." if own else "It has no unit: leave it out.",
        )


def _refused(
    phrase: str, unknown: Sequence[str], known: Mapping[str, str], elements: Sequence[str]
) -> InputError:
    """The error for a phrase that is not understood."""
    fix = f"{_EXAMPLES}; moldiff generate --prompt help lists all."
    name = noun_of(phrase, known)
    if name is not None:
        noun = spoken(name)[0]
        how = f"at least one {noun}" if is_count(name) else f"{noun} below 3"
        return InputError(
            f"'{phrase}' does not say how many or how much.", fix=f"Write '{how}'. {fix}"
        )
    nearest = min(unknown, key=len) if unknown else phrase
    about = f": there is no '{nearest}' to ask for" if unknown else ""
    words = {spoken(name)[0] for name in known.values() if name in PROPERTIES}
    words |= {element_name(symbol) for symbol in elements}
    return InputError(
        f"'{phrase}' is not understood{about}.", fix=f"{did_you_mean(nearest, words)} {fix}"
    )
