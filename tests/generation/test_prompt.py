"""Prompts: every phrase means what it says, and what means nothing is refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moldiff.chem.demands import ATOMS, Interval, compared, demand_line, is_count
from moldiff.chem.properties import PROPERTIES
from moldiff.chem.words import NUMBERS, noun_of, nouns, spoken
from moldiff.errors import InputError
from moldiff.generation.prompt import help_text, parse_prompt
from moldiff.text import plural

ELEMENTS = ("C", "N", "O", "F", "S", "Cl", "Br")
COLUMNS = ("gap", "U_0")


def lines(prompt: str) -> list[str]:
    return [demand_line(w.name, w.interval) for w in parse_prompt(prompt, COLUMNS, ELEMENTS)]


@pytest.mark.parametrize(
    ("prompt", "meaning"),
    [
        ("two aromatic rings", "aromatic_rings = 2"),
        ("three rings", "rings = 3"),
        ("a basic amine", "basic_amines = 1"),
        ("A Basic Amine", "basic_amines = 1"),
        ("an indole", "indole = 1"),
        ("ten rotatable bonds", "rotatable = 10"),
        ("exactly 3 N atoms", "n_N = 3"),
        ("zero esters", "ester = 0"),
        ("no nitro groups", "nitro = 0"),
        ("without ketones", "ketone = 0"),
        ("a carboxylic acid", "carboxylic_acid = 1"),
        ("a pyridine ring", "pyridine = 1"),
        ("2 thiophenes", "thiophene = 2"),
        ("two amides", "amide = 2"),
        ("no bromine", "n_Br = 0"),
        ("no Br", "n_Br = 0"),
        ("no iodine atoms", "n_I = 0"),
        ("no I", "n_I = 0"),
        ("two fluorines", "n_F = 2"),
        ("a sulfur atom", "n_S = 1"),
        ("one sulphur", "n_S = 1"),
        ("a boron", "n_B = 1"),
        ("fewer than 2 borons", "n_B <= 1"),
        ("at least two rings", "rings >= 2"),
        ("two or more rings", "rings >= 2"),
        ("2+ rings", "rings >= 2"),
        ("no fewer than 2 rings", "rings >= 2"),
        ("at most 5 hydrogen-bond donors", "donors <= 5"),
        ("up to five H-bond donors", "donors <= 5"),
        ("no more than 5 donors", "donors <= 5"),
        ("5 or fewer donors", "donors <= 5"),
        ("at most 0 esters", "ester = 0"),
        ("more than 2 heteroatoms", "heteroatoms >= 3"),
        ("fewer than three acceptors", "acceptors <= 2"),
        ("less than 3 acceptors", "acceptors <= 2"),
        ("between two and four rings", "rings = 2..4"),
        ("from 2 to 4 rings", "rings = 2..4"),
        ("2 to 4 rings", "rings = 2..4"),
        ("2–4 rings", "rings = 2..4"),
        ("one or two rings", "rings = 1..2"),
        ("20-30 heavy atoms", "heavy_atoms = 20..30"),
        ("about 25 heavy atoms", "heavy_atoms = 22..28"),
        ("around two rings", "rings = 1..3"),
        ("18 atoms", "atoms = 18"),
        ("logP below 3", "logp <= 3"),
        ("logP < 3", "logp <= 3"),
        ("logp<=3", "logp <= 3"),
        ("clogP less than 3.5", "logp <= 3.5"),
        ("a log P of at most 3", "logp <= 3"),
        ("logP above -0.5", "logp >= -0.5"),
        ("logP -1-3", "logp = -1..3"),
        ("logP between -1 and 3", "logp = -1..3"),
        ("logP: 2.5", "logp = 2.5"),
        ("logP is about two", "logp = 2"),
        ("TPSA 60-90", "tpsa = 60..90"),
        ("TPSA of 60 to 90 Å^2", "tpsa = 60..90"),
        ("polar surface area under 90 square angstroms", "tpsa <= 90"),
        ("QED over 0.7", "qed >= 0.7"),
        ("drug-likeness at least 0.7", "qed >= 0.7"),
        ("SA score below 3", "sa <= 3"),
        ("fsp3 over 0.4", "fsp3 >= 0.4"),
        ("molecular weight around 350", "weight = 350"),
        ("MW <500 Da", "weight <= 500"),
        ("rotatable bonds under 5", "rotatable <= 4"),
        ("rings = 2", "rings = 2"),
        ("the rings should be at least 2", "rings >= 2"),
        ("gap over 0.2", "gap >= 0.2"),
        ("U_0 = -3.5", "U_0 = -3.5"),
    ],
)
def test_a_phrase_means(prompt: str, meaning: str) -> None:
    assert lines(prompt) == [meaning]
    assert lines(meaning) == [meaning]  # what is printed can be asked for


@pytest.mark.parametrize(
    ("prompt", "meanings"),
    [
        (
            "two aromatic rings, a basic amine, logP below 3, no bromine",
            ["aromatic_rings = 2", "basic_amines = 1", "logp <= 3", "n_Br = 0"],
        ),
        ("two fluorines and a sulfur atom", ["n_F = 2", "n_S = 1"]),
        ("between 2 and 4 rings and no nitriles", ["rings = 2..4", "nitrile = 0"]),
        ("a ring; TPSA 60-90\nan ether,", ["rings = 1", "tpsa = 60..90", "ether = 1"]),
        ("a molecule with two amides, but no nitriles.", ["amide = 2", "nitrile = 0"]),
        ("no bromine or iodine", ["n_Br = 0", "n_I = 0"]),
        ("no Br nor I or esters", ["n_Br = 0", "n_I = 0", "ester = 0"]),
        ("no halogens", ["n_F = 0", "n_Cl = 0", "n_Br = 0"]),
        ("having a ring, and containing no N", ["rings = 1", "n_N = 0"]),
    ],
)
def test_phrases_are_parted(prompt: str, meanings: list[str]) -> None:
    assert lines(prompt) == meanings


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "prompt is empty"),
        (" , and ;", "prompt is empty"),
        ("two rings, soluble", "'soluble' is not understood"),
        ("drug-like", "'drug-like' is not understood"),
        ("low logP", "'low logP' is not understood"),
        ("two pyridnes", "no 'pyridnes' to ask for. Did you mean 'pyridine'"),
        ("no bromin", "Did you mean 'bromine'"),
        ("no br or foo", "there is no 'br' to ask for"),
        ("aromatic rings", "does not say how many or how much. Write 'at least one aromatic ring'"),
        ("logP", "Write 'logP below 3'"),
        ("3 logP", "logP is a measured number, not a count"),
        ("no TPSA", "TPSA is a measured number, not a count"),
        ("a QED", "Write it first, as in 'QED below 3'"),
        ("2.5 rings", "'rings' is a count, and cannot be 2.5"),
        ("-2 rings", "'rings' is a count, and cannot be -2"),
        ("fewer than 0 rings", "No value of 'rings' is below 0"),
        ("between 4 and 2 rings", "between 4 and 2"),
        ("TPSA 90-60", "Give the smaller bound first"),
        ("TPSA below 90 Da", "'Da' is no unit of TPSA. Its unit is Å^2"),
        ("logP below 3 Da", "It has no unit: leave it out"),
        ("one or three rings", "'or' joins two counts that follow each other"),
        ("two halogens", "no 'halogens' to ask for"),
        ("only carbon", "'only carbon' is not understood"),
        ("logP below 1,5", "'5' is not understood"),
        ("2 rings or more", "no 'rings or more' to ask for"),
        ("amide ring = 1", "no 'amide ring' to ask for"),
        ("two aromatic rings or so", "no 'aromatic rings or so'"),
        ("logP below three or so", "'logP below three or so' is not understood"),
        ("not a ring", "'not a ring' is not understood"),
        ("rings", "at least one ring"),
        ("a couple of rings", "no 'couple of rings' to ask for"),
        ("eleven rings", "'eleven rings' is not understood"),
    ],
)
def test_what_means_nothing_is_refused(prompt: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_prompt(prompt, COLUMNS, ELEMENTS)
    assert words in str(refused.value)
    if "not understood" in words:
        assert "Known: " in refused.value.fix and "--prompt help" in refused.value.fix


def test_no_halogen_of_a_model_that_has_none() -> None:
    with pytest.raises(InputError, match="no halogen among its elements"):
        parse_prompt("no halogens", (), ("C", "N"))


@pytest.mark.parametrize("name", [*PROPERTIES, ATOMS])
def test_every_property_can_be_said(name: str) -> None:
    known = nouns()
    for noun in (name, *spoken(name)):
        assert (
            noun_of(noun, known) == noun_of(plural(noun) if noun != name else noun, known) == name
        )
        assert is_count(name) or lines(f"{noun} over 0.5") == [f"{name} >= 0.5"]
    assert name == ATOMS or f"  {name} " in help_text()


COUNTS = sorted(name for name in (*PROPERTIES, ATOMS) if is_count(name))
MEASURED = sorted(name for name in PROPERTIES if not is_count(name))
AFTER = {
    ">=": "at least {}",
    "<=": "up to {}",
    ">": "more than {}",
    "<": "fewer than {}",
    "=": "{}",
}


@st.composite
def phrases(draw: st.DrawFn) -> tuple[str, str, Interval]:
    """A well-formed phrase, and the property and the values that it must stand for."""
    whole = draw(st.booleans())
    name = draw(st.sampled_from(COUNTS if whole else MEASURED))
    noun = draw(st.sampled_from(spoken(name)))
    numbers = st.integers(0, 60) if whole else st.floats(-500, 500).map(lambda x: round(x, 4))
    relation = draw(st.sampled_from([*AFTER, ".."]))
    first, second = sorted((draw(numbers), draw(numbers)))
    if relation == "..":
        words = draw(st.sampled_from(["between {} and {}", "from {} to {}", "{}..{}"]))
        said, values = words.format(first, second), (first, second)
    else:
        first += relation == "<" and whole  # no count is below 0
        said, values = AFTER[relation].format(first), (first,)
    if whole and draw(st.booleans()):
        words = {str(value): word for word, value in NUMBERS.items()}
        said = " ".join(words.get(word, word) for word in said.split())
        phrase = f"{said} {plural(noun)}"
    else:
        phrase = f"{noun} {said}"
    return phrase, name, compared(name, relation, *values)


@given(st.lists(phrases(), min_size=1, max_size=4), st.sampled_from([", ", "; ", " and "]))
def test_what_is_understood_can_be_printed_and_read_again(
    said: list[tuple[str, str, Interval]], between: str
) -> None:
    understood = parse_prompt(between.join(phrase for phrase, _, _ in said))
    assert [(w.name, w.interval) for w in understood] == [(n, i) for _, n, i in said]
    again = parse_prompt(", ".join(demand_line(w.name, w.interval) for w in understood))
    assert [(w.name, w.interval) for w in again] == [(n, i) for _, n, i in said]
