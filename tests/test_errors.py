"""Errors name options on the command line and parameters in Python."""

from __future__ import annotations

import pickle

import pytest

import moldiff
from moldiff.cli.failure import guarded
from moldiff.errors import InputError, MissingFieldError, in_python


@pytest.mark.parametrize(
    ("told", "python"),
    [
        ("Give a larger --size; 20 suits.", "Give a larger 'size'; 20 suits."),
        ("give --size 30", "give size=30"),
        ("give --box-size 30 and --searches 9", "give size=30 and chains=9"),
        ("Give --center 1.5,-3,20.", "Give center='1.5,-3,20'."),
        ("For example --residues A:1,A:5.", "For example residues=['A:1', 'A:5']."),
        ("--pocket-ligand, --center or --autobox", "'pocket_ligand', 'center' or 'autobox'"),
        ("'codec' takes no '--teacher'.", "'codec' takes no 'teacher'."),
        ("--require 'A:611' is odd.", "require=['A:611'] is odd."),
        ("Use --start pose.", "Use start='pose'."),
        ("Add one: --condition logp=1.5.", "Add one: conditions={'logp': 1.5}."),
        ("Write --add 3..10.", "Write add=Interval(3, 10)."),
        ("(--keep HOH), or --waters all.", "(keep=['HOH']), or waters=True."),
        ("Run: moldiff complete FILE --report a.", "Run: moldiff complete FILE --report a."),
        ("one (moldiff train x --y 2), or --codec.", "one (moldiff train x --y 2), or 'codec'."),
        ("'/data/my--size 3.sdf' and 'a/--size' are", "'/data/my--size 3.sdf' and 'a/--size' are"),
        (
            "Give --smiles FILE, or no --smiles-alone.",
            "Give smiles=['FILE'], or no 'smiles_alone'.",
        ),
        ("alone: --smiles FILE --smiles-alone.", "alone: smiles=['FILE'], smiles_alone=True."),
        ("give --moses WHEEL. Or", "give moses='WHEEL'. Or"),
        (
            "with --devices: --device cuda --devices 0,1.",
            "with 'devices': device='cuda', devices='0,1'.",
        ),
        ("--size 20, --poses 3 or both", "size=20, poses=3 or both"),
        ("C--C and 1--2 are -- dashes.", "C--C and 1--2 are -- dashes."),
    ],
)
def test_options_become_parameters(told: str, python: str) -> None:
    assert in_python(told) == python


def test_the_same_error_speaks_both_languages(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        moldiff.dock("receptor.pdb", "CCO")

    with pytest.raises(InputError, match="Give one of 'pocket_ligand', 'center', ") as caught:
        fails()
    assert "--" not in str(caught.value)
    assert guarded(fails) == 2
    assert "Give one of --pocket-ligand, --center, " in capfd.readouterr().err


def test_errors_are_the_same_in_another_process() -> None:
    error = pickle.loads(pickle.dumps(InputError("--size is odd.", fix="Give --size 20.")))
    assert (error.what, error.fix) == ("--size is odd.", "Give --size 20.")
    assert str(error) == "'size' is odd. Give size=20."
    assert str(MissingFieldError("x", ["y"])) == "There is no field 'x' in this batch. It holds y."
