"""Drawing backbones: what is asked for, what is written, and what is refused."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import moldiff
from moldiff.backbones.request import lengths_of
from moldiff.backbones.result import Backbones
from moldiff.backbones.sampling import Given, draw
from moldiff.bundled import bundled_models
from moldiff.cli import main
from moldiff.errors import InputError
from moldiff.geometry.arrays import superposed_rmsd
from moldiff.model import Model
from moldiff.protein.read import read_contents
from moldiff.protein.secondary import HIDDEN
from moldiff.protein.trace import trace
from tests.backbones import backbone
from tests.proteins import pdb_lines

BUNDLED = "chains" in bundled_models()


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "template.pdb"
    path.write_text(pdb_lines(backbone(32)) + "TER\nEND\n")
    return path


@pytest.mark.thorough
def test_a_backbone_depends_on_its_number_and_the_seed(model: Path) -> None:
    many = moldiff.backbone(4, length="20-24", seed=3, sequences=0, model=model)
    few = moldiff.backbone(2, length="20-24", seed=3, sequences=0, model=model)
    other = moldiff.backbone(2, length="20-24", seed=4, sequences=0, model=model)
    assert isinstance(many, Backbones) and len(many) == 4
    assert all(20 <= len(fold) <= 24 for fold in many) and len({len(fold) for fold in many}) > 1
    for a, b in zip(few, many, strict=False):
        assert len(a) == len(b)
        assert superposed_rmsd(*(x.atoms.reshape(-1, 3) for x in (a, b))) < 0.3
    assert [fold.atoms.shape for fold in few] != [fold.atoms.shape for fold in other] or (
        superposed_rmsd(*(x[0].atoms.reshape(-1, 3) for x in (few, other))) > 1
    )


def test_bonds_are_exact_and_the_shift_is_told(model: Path) -> None:
    (fold,) = moldiff.backbone(1, length=22, structure="free", sequences=0, model=model)
    c, n = fold.atoms[:-1, 2], fold.atoms[1:, 0]
    assert np.abs(np.linalg.norm(n - c, axis=-1) - 1.329).max() < 0.02
    assert fold.quality.joined == 1 and fold.moved > 0
    assert np.abs(fold.atoms[:, 1].mean(0)).max() < 1e-6
    assert fold.structure.strip("HEC") == "" and fold.wanted == "?" * 22 and fold.obeyed is None


def test_a_structure_decides_length_and_is_compared(model: Path) -> None:
    (fold,) = moldiff.backbone(1, structure="cc HHHHHHHH cc ??????????", sequences=0, model=model)
    assert fold.wanted == "CCHHHHHHHHCC??????????" and len(fold) == 22
    same = [a == b for a, b in zip(fold.wanted, fold.structure, strict=True) if a != "?"]
    assert fold.obeyed == pytest.approx(sum(same) / 12)


def test_little_noise_leaves_a_chain_nearly_as_it_is(model: Path, template: Path) -> None:
    atoms = backbone(32).atoms[:, :3].reshape(-1, 3).astype(float)
    off = []
    for noise in (0.02, 1.0):
        (fold,) = moldiff.backbone(
            1, like=template, noise=noise, steps=1, sequences=0, model=_kept(model)
        )
        assert len(fold) == 32 and "H" in fold.wanted
        off.append(float(superposed_rmsd(fold.atoms[:, :3].reshape(-1, 3), atoms)))
    assert off[0] < 1.5 < off[1]


def test_noise_is_added_up_to_its_time_and_taken_away_from_there(model: Path) -> None:
    made, seen = Model.load(model, domain="chains"), []
    made.network.register_forward_pre_hook(lambda _, inputs: seen.append(float(inputs[1].max())))
    states = np.full((1, 32), HIDDEN)
    rng = torch.Generator().manual_seed(0)
    draw(made, states, rng=rng, given=Given.chains(backbone(32).atoms, 1, 0.4))
    assert max(seen) == pytest.approx(0.4) and len(seen) == 4
    seen.clear()
    draw(made, states, rng=rng)
    assert max(seen) == pytest.approx(1.0)


def _kept(model: Path) -> Path:
    """The model as it begins: residues hardly move, so a prediction is nearly its input."""
    made = Model.load(model)
    with torch.no_grad():
        for step in made.network.steps:  # type: ignore[union-attr]
            step.weight.mul_(0.01)
            step.bias.mul_(0.0)
    path = model.with_name("kept.safetensors")
    made.save(path)
    return path


@pytest.mark.skipif("sequence" not in bundled_models(), reason="needs the model of sequences")
@pytest.mark.thorough
def test_files_are_written_and_read_again(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "drawn"
    line = ["backbone", "-n", "2", "--length", "20", "--sequences", "2", "--model", str(model)]
    assert main([*line, "-o", str(folder)]) == 0
    assert "backbone-2" in capsys.readouterr().out
    names = {"backbone-1.pdb", "backbone-2.pdb", "backbones.csv", "backbones.html"}
    assert {path.name for path in folder.iterdir()} == names | {"sequences.fasta"}
    rows = list(csv.DictReader((folder / "backbones.csv").open()))
    records = re.findall(r">(\S+) .*\n([A-Z]+)", (folder / "sequences.fasta").read_text())
    assert [name for name, _ in records] == [f"backbone-{i}-{k}" for i in (1, 2) for k in (1, 2)]
    assert rows[1]["sequence"] == records[2][1] and len(records[2][1]) == 20
    read = trace(read_contents(folder / "backbone-2.pdb").structure)
    assert read.atoms.shape == (20, 4, 3) and len(read.fragments["A"]) == 1
    designs = moldiff.sequence(folder / "backbone-2.pdb", steps=2)
    assert designs.template.types.tolist() == [
        "ACDEFGHIKLMNPQRSTVWY".index(x) for x in records[2][1]
    ]
    # The same command may write again; what somebody else wrote stays.
    assert main([*line, "-o", str(folder)]) == 0
    fewer = ["1" if word == "2" else word for word in line]
    assert main([*fewer, "-o", str(folder)]) == 2  # the second would seem to be of this run
    assert "backbone-2.pdb of another run" in capsys.readouterr().err
    (folder / "backbone-1.pdb").write_text("mine\n")
    assert main([*line, "-o", str(folder)]) == 2
    assert (folder / "backbone-1.pdb").read_text() == "mine\n"
    assert main([*line, "-o", str(folder), "--force"]) == 0


def test_a_result_shows_itself(model: Path, tmp_path: Path) -> None:
    drawn = moldiff.backbone(2, length=20, sequences=0, model=model)
    assert drawn.notes[0] == "models are trained on chains of 40 to 80 residues, not on others."
    assert "joining moved residues of backbone-1" in drawn.notes[1]
    assert repr(drawn) == "<2 backbones of 20 to 20 residues>"
    assert [row["name"] for row in drawn.rows()] == ["backbone-1", "backbone-2"]
    assert "<iframe" in drawn._repr_html_() and drawn[:1] == (drawn[0],)
    assert drawn.save(tmp_path / "table.csv").read_text().startswith("name,residues,")
    assert "GLY" in drawn[0].to_pdb() and not drawn.to_fasta()
    with pytest.raises(InputError, match="unknown"):
        drawn.save(tmp_path / "drawn.xyz")


@pytest.mark.parametrize(
    ("text", "expected"), [("60-80", (60, 80)), (70, (70, 70)), ((20, 30), (20, 30))]
)
def test_lengths(text: int | str | tuple[int, int], expected: tuple[int, int]) -> None:
    assert lengths_of(text) == expected


@pytest.mark.parametrize("text", ["", "a", "80-60", "10", "20-201", "-5", "30.5"])
def test_lengths_that_cannot_be(text: str) -> None:
    with pytest.raises(InputError):
        lengths_of(text)


def test_a_chain_to_begin_with_must_be_whole(model: Path, tmp_path: Path, template: Path) -> None:
    broken = tmp_path / "broken.pdb"
    lines = [line for line in template.read_text().splitlines() if line[22:26].strip() != "12"]
    broken.write_text("\n".join(lines))
    with pytest.raises(InputError, match="has gaps"):
        moldiff.backbone(1, like=broken, model=model)
    with pytest.raises(InputError, match="30 letters, the chain 32"):
        moldiff.backbone(1, like=template, structure="H" * 30, model=model)


def test_of_several_chains_one_is_chosen_or_the_first_is_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = tmp_path / "two.pdb"
    apart = backbone(24, seed=3)
    second = pdb_lines(replace(apart, atoms=apart.atoms + np.float32(80)), name="B")
    two.write_text(f"{pdb_lines(backbone(32))}TER\n{second}TER\nEND\n")
    drawn = moldiff.backbone(1, like=two, chain="B", sequences=0, model=model)
    assert len(drawn[0]) == 24 and drawn.provenance["chain"] == "B"
    assert not any("two.pdb" in note for note in drawn.notes)
    line = ["backbone", "--like", str(two), "--sequences", "0", "--model", str(model)]
    assert main([*line, "-o", str(tmp_path / "drawn")]) == 0
    assert "two.pdb has the chains A, B; backbones begin with A" in capsys.readouterr().err
    told = [
        row[11:] for row in (tmp_path / "drawn" / "backbone-1.pdb").read_text().splitlines()[:3]
    ]
    assert "like=two.pdb chain=A noise=0.3" in " ".join(told)  # in lines of 80 columns
    with pytest.raises(InputError, match="no protein chain 'C'"):
        moldiff.backbone(1, like=two, chain="C", model=model)
    with pytest.raises(InputError, match="chosen of a structure, and none is given"):
        moldiff.backbone(1, chain="A", model=model)
    with pytest.raises(InputError, match=r"structure file .* does not exist"):
        moldiff.backbone(1, like=tmp_path / "none.pdb", model=model)


@pytest.mark.skipif(not BUNDLED, reason="the model of whole backbones is not bundled")
@pytest.mark.thorough
def test_the_bundled_model_draws_proteins() -> None:
    """After a blueprint of three helices: compact, of the right hand, and as asked for."""
    wanted = "CCC" + 15 * "H" + "CCCC" + 15 * "H" + "CCCC" + 15 * "H" + "CCC"
    drawn = moldiff.backbone(6, structure=wanted, steps=30, sequences=0, seed=1)
    for fold in drawn:
        assert fold.quality.joined == 1 and fold.quality.left < 0.1
        assert 0.85 < fold.quality.size < 1.4 and fold.quality.clashes < 4
    assert np.mean([fold.obeyed for fold in drawn]) > 0.75
    assert np.mean([fold.quality.contacts for fold in drawn]) > 0.4
