"""``moldiff generate --condition``: what is wanted, how sharply, and what cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem

from moldiff.data.store import Store
from moldiff.models import load
from moldiff.train import TrainConfig, Trainer

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def conditional(store: Store, model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny untrained model, with two conditions."""
    directory = tmp_path_factory.mktemp("conditional")
    values = {
        **TrainConfig.from_yaml(model_file.with_name("tiny.yaml")).to_dict(),
        "conditions": {"properties": ["logp", "rings"]},
        "output": str(directory),
    }
    trainer = Trainer(TrainConfig.from_dict(values), store)
    path = directory / "conditional.safetensors"
    trainer.model.save(path, card=trainer.card())
    return path


def test_a_request_is_in_the_tags(run: Run, conditional: Path, tmp_path: Path) -> None:
    words = ("--model", conditional, "-n", 3, "-o", tmp_path / "a.sdf")
    done = run(
        "generate", *words, "--condition", "rings=1", "--condition", "logp=0.5", "--guidance", 2
    )
    assert done.status == 0, done.err
    for mol in Chem.SDMolSupplier(str(tmp_path / "a.sdf"), sanitize=False):
        assert float(mol.GetProp("target_rings")) == 1 and float(mol.GetProp("target_logp")) == 0.5
        assert json.loads(mol.GetProp("request"))["conditions"] == {"rings": 1.0, "logp": 0.5}
        assert json.loads(mol.GetProp("sampling"))["guidance"] == 2
    assert "outside" not in done.err
    far = run("generate", *words, "--condition", "logp=40")
    assert far.status == 0 and "logp = 40 is outside" in far.err and "98 %" in far.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--condition", "lopg=1"), "Did you mean 'logp'"),
        (("--condition", "logp"), "--condition logp=1.5"),
        (("--condition", "logp=high"), "--condition logp=1.5"),
        (("--condition", "logp=nan"), "finite number"),
        (("--condition", "logp=1", "--condition", "logp=2"), "given twice"),
        (("--guidance", "2"), "no condition to be guided to"),
        (("--condition", "logp=1", "--guidance", "inf"), "finite number"),
        (("--condition", "rings<0"), "No value of 'rings' is below 0"),
        (("--condition", "logp=3..1"), "smaller bound first"),
        (("--prompt", "two rings, soluble"), "'soluble' is not understood"),
        (("--prompt", "two rings, QED over 0.7"), "It can be asked for logp, rings, atoms from"),
        (("--prompt", "two rings", "--condition", "rings=1"), "'rings = 1' and 'two rings'"),
        (("--prompt", "no Br"), "no element 'Br'. Its elements are H, C, N, O, F"),
        (("--without", "F,Br"), "no element 'Br'"),
        (("--only", "C", "--only", "X"), "no element 'X'"),
        (("--size", "9..x"), "--size is a number of atoms, not '9..x'"),
    ],
)
def test_what_cannot_be_is_refused(
    run: Run, conditional: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    done = run("generate", "--model", conditional, "-n", 1, "-o", tmp_path / "a.sdf", *words)
    assert done.status == 2 and told in " ".join(done.err.split())
    assert not (tmp_path / "a.sdf").exists()


@pytest.mark.parametrize("words", [("--condition", "logp=1"), ("--guidance", "2")])
def test_a_model_without_conditions_says_which_have_some(
    run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    words = ("--model", "qm9-skeleton", *words)
    done = run("generate", "-n", 1, "-o", tmp_path / "a.sdf", *words)
    told = " ".join(done.err.split())
    assert done.status == 2 and "'qm9-skeleton' was trained without conditions" in told
    assert "Bundled models with conditions:" in told and "--method classifier-free" in told


def test_a_prompt_is_understood_aloud_and_what_is_met_is_counted(
    run: Run, conditional: Path, tmp_path: Path
) -> None:
    words = ("--model", conditional, "-n", 6, "-o", tmp_path / "a.sdf", "--size", "9..14")
    prompt = "at most two rings, logP below 2, no fluorine, up to 12 atoms"
    done = run("generate", *words, "--prompt", prompt)
    assert done.status == 0, done.err
    assert "Understood: rings <= 2, logp <= 2, without F, atoms = 9..12." in done.err
    told = " ".join(done.out.split())
    mols = list(Chem.SDMolSupplier(str(tmp_path / "a.sdf"), sanitize=False))
    reached = [float(mol.GetProp("reached_rings")) for mol in mols if mol.HasProp("reached_rings")]
    met = sum(value <= 2 for value in reached)
    assert f"rings <= 2 met by {met} ({100 * met / 6:.1f} %)" in told and "logp <= 2 met by" in told
    for mol in mols:
        assert 9 <= mol.GetNumAtoms() <= 12
        assert float(mol.GetProp("target_rings")) in (0, 1, 2)
        assert float(mol.GetProp("target_logp")) <= 2
        assert "F" not in {atom.GetSymbol() for atom in mol.GetAtoms()}
        request = json.loads(mol.GetProp("request"))
        assert request["conditions"] == {"rings": "<= 2", "logp": "<= 2"}
        assert request["without"] == ["F"] and request["size"] == "9..12"
    same = ("--condition", "rings<3", "--condition", "logp<2", "--without", "F", "--size", "9..12")
    again = run("generate", *words[:-2], *same)
    assert again.status == 0 and "Understood" not in again.err
    smiles = [mol.GetProp("SMILES") if mol.HasProp("SMILES") else "" for mol in mols]
    other = list(Chem.SDMolSupplier(str(tmp_path / "a.sdf"), sanitize=False))
    assert smiles == [mol.GetProp("SMILES") if mol.HasProp("SMILES") else "" for mol in other]
    exact = run("generate", *words[:-2], "--condition", "logp=1").out
    assert "logp = 1" in exact and "met within" in exact


def test_the_grammar_is_printed(run: Run, tmp_path: Path) -> None:
    done = run("generate", "--prompt", "help")
    assert done.status == 0
    assert "HOW MANY and COMPARISON are" in done.out and "polar surface area" in done.out
    assert "hydrogen-bond donor" in done.out and "basic amine" in done.out


def test_info_and_cite_speak_of_the_conditions(run: Run, conditional: Path) -> None:
    told = run("info", conditional).out
    assert "conditions" in told and "logp" in told and "(98 % of the data)" in told
    assert "ho2022" in run("cite", conditional).out
    assert "ho2022" in run("cite", "classifier-free").out


def test_the_bundled_model_is_as_it_was_before_there_were_conditions(
    run: Run, tmp_path: Path
) -> None:
    """Molecules of a model without conditions stay, and there is no word of conditions.

    They were those of the version before conditions, until the order of the draw changed them.
    """
    model = load("qm9")
    assert model.domain.conditions == () and "conditions" not in model.config()["domain"]
    assert not any("conditions" in name for name in model.network.state_dict())
    words = ("-n", 4, "--model", "qm9", "--seed", 3, "--size", 14, "--steps", 6)
    then = ("--sampler", "ddim", "--temperature", 0.7, "--valence", 0)  # its settings of that time
    assert run("generate", *words, *then, "-o", tmp_path / "a.smi").status == 0
    smiles = [line.split()[0] for line in (tmp_path / "a.smi").read_text().splitlines()]
    assert smiles[:2] == ["[H]C12OC3([H])C1([H])C3([H])(C#N)C2([H])[H]", "N[C]1NN=C2NC=N[C]12"]
