"""``moldiff generate --guidance``: registered guidances from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rdkit import Chem
from typer.testing import CliRunner

from moldiff.cli import app
from moldiff.diffusion.guidance import guidances, laid_over
from moldiff.errors import ConfigError

OWN = {
    "steps": 9,
    "temperature": 0.7,
    "early_temperature": {"bonds": 6.0},
    "valence": 0.6,
}


def generated(tmp_path: Path, *options: str) -> tuple[list[str], dict[str, object]]:
    path = tmp_path / "made.sdf"
    command = ["generate", "-n", "4", "--steps", "4", "--seed", "3", "-o", str(path), *options]
    command += ["--model", "qm9-skeleton"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    mols = list(Chem.SDMolSupplier(str(path), sanitize=False, removeHs=False))
    settings: dict[str, object] = json.loads(mols[0].GetProp("sampling"))
    return [Chem.MolToMolBlock(mol) for mol in mols], settings


def test_a_listed_guidance_is_the_short_setting_it_stands_for(tmp_path: Path) -> None:
    short, _ = generated(tmp_path, "--valence", "0.2", "--temperature", "0.4")
    listed, settings = generated(
        tmp_path, "--guidance", "valence,below=0.2", "--guidance", "temperature,temperature=0.4"
    )
    other, _ = generated(tmp_path, "--guidance", "valence,below=0.9")
    assert listed == short and other != short
    assert settings["guidance"] == [
        {"name": "valence", "below": 0.2},
        {"name": "temperature", "temperature": 0.4},
    ]


def test_a_list_replaces_what_it_names_and_leaves_the_rest() -> None:
    settings = laid_over(OWN, {"guidance": [{"name": "valence", "rounds": 5}]})
    assert guidances(settings) == [
        {"name": "valence", "rounds": 5},
        {"name": "temperature", "temperature": 0.7, "early": {"bonds": 6.0}},
    ]
    guided = {**OWN, "guidance": 2.0}
    names = [part["name"] for part in guidances(laid_over(guided, {"guidance": ["valence"]}))]
    assert names == ["classifier_free", "valence", "temperature"]
    assert laid_over(OWN, {"steps": 3}) == {**OWN, "steps": 3}
    assert laid_over(OWN, {"temperature": 1.0})["early_temperature"] is None


def test_a_guidance_that_is_off_is_left_out() -> None:
    assert guidances({"valence": 0}) == guidances({"guidance": [{"name": "valence", "below": 0}]})
    assert guidances({"valence": 0.0}) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"guidance": [3]},
        {"guidance": [{"below": 1}]},
        {"guidance": "valence"},
        {"guidance": ["valence", "valence"]},
    ],
    ids=str,
)
def test_what_is_not_a_list_of_names_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        guidances(wrong)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("valnce", "Did you mean 'valence'"),
        ("valence,below", "not a setting"),
        ("valence,below=low", "must be a number"),
        ("valence,blow=1", "Did you mean 'below'"),
        ("valence,below=0.2,below=0.6", "'below' of the guidance 'valence' is set twice"),
        ("valence,below=7", "from 0 to 1"),
        ("classifier_free", "without conditions"),
        ("2", "without conditions"),
    ],
)
def test_errors_say_what_and_how(option: str, words: str, tmp_path: Path) -> None:
    from moldiff.cli import main

    path = tmp_path / "none.sdf"
    command = ["generate", "-n", "1", "--guidance", option, "-o", str(path)]
    command += ["--model", "qm9-skeleton"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code != 0 and words in str(done.exception) and not path.exists()
    assert main(command) == 2


def test_one_thing_set_twice_is_refused() -> None:
    twice = {"valence": 0.3, "guidance": [{"name": "valence", "below": 0.5}]}
    with pytest.raises(ConfigError, match="'below' of the guidance 'valence' is set twice"):
        laid_over(OWN, twice)
    other = {"valence": 0.3, "guidance": [{"name": "valence", "rounds": 5}]}
    part = next(p for p in guidances(laid_over(OWN, other)) if p["name"] == "valence")
    assert part == {"name": "valence", "rounds": 5, "below": 0.3}
