"""Sequences for structures: what is designed, what stays, what is said, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import moldiff
from moldiff.bundled import bundled_models
from moldiff.cli import main
from moldiff.errors import InputError, ModelFileError
from moldiff.model import Model
from moldiff.protein.backbone import LETTERS, Backbone
from moldiff.protein.sequence import fasta_sequences
from moldiff.sequences.backbones import template
from moldiff.sequences.result import Designs
from tests.backbones import backbone
from tests.contracts.conftest import DOMAINS
from tests.proteins import pdb_lines

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z" / "receptor.pdb"
BUNDLED = "sequence" in bundled_models()


def letters(chain: Backbone) -> str:
    return "".join(LETTERS[k] for k in chain.types)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows nothing, but has its opinions."""
    settings = {**DOMAINS["sequences"], "domain": "sequences", "precondition": "clean"}
    made = Model.from_config(settings | {"sampling": {"steps": 4, "temperature": 0.1}}, seed=1)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng))
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    made.save(path)
    return path


@pytest.fixture(scope="module")
def two_chains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("structure") / "two.pdb"
    far = Backbone(backbone(20, seed=2).atoms + np.float32(4), *_types(20, seed=2))
    path.write_text(pdb_lines(backbone(30)) + "TER\n" + pdb_lines(far, name="B") + "TER\nEND\n")
    return path


def _types(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    chain = backbone(n, seed=seed)
    return chain.types, chain.regular


def pdb(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_what_is_fixed_stays_and_what_is_excluded_is_not_drawn(
    model: Path, two_chains: Path
) -> None:
    native = letters(backbone(30))
    designs = moldiff.sequence(
        two_chains,
        3,
        chains=["A"],
        fix=["A:5-12", "A:30"],
        without=["LEU,G", "cys"],
        temperature=2.0,
        model=model,
    )
    assert isinstance(designs, Designs) and len(designs) == 3
    drawn = set()
    for one in designs:
        assert one.sequences.keys() == {"A"}  # B is seen, and stays
        text = one.sequences["A"]
        assert len(text) == 30 and text[4:12] == native[4:12] and text[29] == native[29]
        free = text[:4] + text[12:29]
        drawn |= set(free)
        known = native[:4] + native[12:29]
        share = sum(a == b for a, b in zip(free, known, strict=True)) / len(free)
        assert one.recovery() == one.recovery("A") == pytest.approx(share)
        assert np.isnan(one.log_probabilities[4:12]).all()
        assert np.isfinite(one.log_probabilities[12:29]).all() and one.log_p() < 0
    assert not drawn & set("LGC") and len(drawn) > 8
    assert len({one.sequences["A"] for one in designs}) == 3


def test_a_design_depends_on_its_number_and_the_seed(model: Path, two_chains: Path) -> None:
    many = moldiff.sequence(two_chains, 3, seed=4, temperature=1.0, model=model)
    few = moldiff.sequence(two_chains, 2, seed=4, temperature=1.0, model=model)
    other = moldiff.sequence(two_chains, 2, seed=5, temperature=1.0, model=model)
    assert [one.sequences for one in few] == [one.sequences for one in many[:2]]
    assert few[0].sequences != other[0].sequences
    np.testing.assert_allclose(few[1].log_probabilities, many[1].log_probabilities, atol=1e-4)


def test_the_other_chain_is_seen(model: Path, two_chains: Path, tmp_path: Path) -> None:
    """Chain A is designed differently where the chain beside it has another sequence."""
    changed = re.sub(r"[A-Z]{3} B", "TRP B", two_chains.read_text())
    other = pdb(tmp_path / "other.pdb", changed)
    both = [
        moldiff.sequence(path, 4, chains=["A"], temperature=1.0, model=model)
        for path in (two_chains, other)
    ]
    assert any(a.sequences != b.sequences for a, b in zip(*both, strict=True))


def test_a_lower_temperature_draws_what_is_more_probable(model: Path, two_chains: Path) -> None:
    cold, hot = (
        np.mean(
            [one.log_p() for one in moldiff.sequence(two_chains, 4, temperature=t, model=model)]
        )
        for t in (0.05, 5.0)
    )
    assert np.mean(cold) > np.mean(hot) + 0.1


def test_both_formats_give_the_same(model: Path, two_chains: Path, tmp_path: Path) -> None:
    gemmi = pytest.importorskip("gemmi")
    structure = gemmi.read_structure(str(two_chains))
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(tmp_path / "two.cif"))
    for one, other in zip(
        moldiff.sequence(two_chains, 2, model=model),
        moldiff.sequence(tmp_path / "two.cif", 2, model=model),
        strict=True,
    ):
        assert one.sequences == other.sequences and one.sequences.keys() == {"A", "B"}


def test_files_say_what_they_are(model: Path, two_chains: Path, tmp_path: Path) -> None:
    designs = moldiff.sequence(two_chains, 2, chains=["B"], seed=9, model=model)
    text = designs.save(tmp_path / "d.fasta").read_text()
    first = text.splitlines()[0]
    digest = Model.load(model).digest
    assert first.startswith(">two-1_B recovery=0.") and f"seed=9 model={digest}" in first
    assert f"log_p={designs[0].log_p('B'):.3f} temperature=0.1 steps=4" in first
    one = tmp_path / "one.fasta"
    one.write_text(text[: text.index(">two-2")])
    read, _ = fasta_sequences(one, ["A", "B"])  # as moldiff complete --sequence reads it
    assert read["B"].letters == designs[0].sequences["B"]
    data = json.loads(designs.save(tmp_path / "d.json").read_text())
    assert data["schema"] == "moldiff.sequence 1" and data["model"] == digest
    assert [r["designed"] for r in data["residues"]] == [False] * 30 + [True] * 20
    each = data["designs"][1]["confidence"]
    assert each[:30] == [None] * 30 and all(0 < p < 1 for p in each[30:])
    table = designs.save(tmp_path / "d.csv").read_text().splitlines()
    assert len(table) == 3 and table[0].startswith("design,chain,residues,designed,recovery,log_p")
    assert "<td>B</td>" in designs._repr_html_() and "2 designs of two.pdb" in repr(designs)
    frame = designs.to_frame() if pytest.importorskip("pandas") else None
    assert frame is not None and list(frame["residues"]) == [20, 20]
    with pytest.raises(InputError, match=r"d\.txt"):
        designs.save(tmp_path / "d.txt")


def test_what_is_odd_is_said(tmp_path: Path) -> None:
    lines = pdb_lines(backbone(40), without=(20, 21)).splitlines(keepends=True)
    text = "".join(
        line for line in lines if not (line[22:26].strip() == "6" and line[12:16].strip() == "C")
    )
    text = re.sub(r"[A-Z]{3} A  10 ", "MSE A  10 ", text)
    text = re.sub(r"[A-Z]{3} A  11 ", "UNK A  11 ", text)
    read = template(pdb(tmp_path / "odd.pdb", text))
    notes = " ".join(read.notes)
    assert re.search(r"without N, CA or C are out of the sequences: A:6 ", notes)
    assert "MSE as M" in notes and "A:11 UNK" in notes and "is broken after A:20 " in notes
    assert len(read) == 37 and read.designed.all()
    at = {residue.number: k for k, residue in enumerate(read.residues)}
    assert LETTERS[read.types[at[10]]] == "M"
    assert read.places[at[23]] - read.places[at[20]] == 3  # two are missing between
    assert read.places[at[7]] - read.places[at[5]] == 2


def test_a_long_chain_is_said_and_done(tmp_path: Path) -> None:
    read = template(pdb(tmp_path / "long.pdb", pdb_lines(backbone(301))))
    assert any("301 residues" in note and "300" in note for note in read.notes)
    assert 295 < len(read) <= 301  # a made-up chain runs through itself


def test_oxygens_that_are_missing_are_placed(tmp_path: Path) -> None:
    chain = backbone(20)
    read = template(pdb(tmp_path / "bare.pdb", pdb_lines(chain, atoms="N CA C")))
    off = np.linalg.norm(read.atoms[:, 3] - chain.atoms[:, 3], axis=1)
    assert off[:-1].max() < 0.1
    assert np.linalg.norm(read.atoms[-1, 3] - read.atoms[-1, 2]) == pytest.approx(1.231, abs=1e-3)


def test_chains_are_far_apart(two_chains: Path) -> None:
    read = template(two_chains)
    first, second = (read.places[read.of_chain(c)] for c in "AB")
    assert (np.diff(first) == 1).all() and second.min() - first.max() >= 1000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fix": ["A:5-99"]}, "no residue A:99"),
        ({"fix": ["A:9-3"]}, "ends before it begins"),
        ({"fix": ["C:1"]}, "no residue C:1"),
        ({"fix": ["5-9"]}, "no range"),
        ({"fix": ["A:", "B:"]}, "All residues are fixed"),
        ({"chains": ["Z"]}, "no chain 'Z'"),
        ({"without": ["XYZ"]}, "'XYZ' is no amino acid to do without. Known: ALA, ARG, ASN"),
        ({"without": [",".join(LETTERS)]}, "Without any amino acid"),
        ({"temperature": 0.0}, "temperature of 0"),
        ({"temperature": float("nan")}, "temperature of nan"),
        ({"steps": 0}, "0 steps"),
        ({"n": 0}, "0 sequences"),
    ],
)
def test_requests_that_cannot_be_met(
    model: Path, two_chains: Path, options: dict[str, object], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        moldiff.sequence(two_chains, model=model, **options)  # type: ignore[arg-type]


def test_structures_that_have_no_backbone(model: Path, tmp_path: Path) -> None:
    trace = pdb(tmp_path / "trace.pdb", pdb_lines(backbone(20), atoms="CA"))
    with pytest.raises(InputError, match="no backbone atoms but C-alpha"):
        moldiff.sequence(trace, model=model)
    water = "HETATM    1  O   HOH A   1       0.000   0.000   0.000  1.00 20.00           O\n"
    with pytest.raises(InputError, match="holds no protein"):
        moldiff.sequence(pdb(tmp_path / "water.pdb", water), model=model)


def test_models_of_something_else_are_refused(model: Path, two_chains: Path) -> None:
    with pytest.raises(ModelFileError, match="a model of backbones, not a model of seq"):
        moldiff.sequence(two_chains, model="backbones")
    with pytest.raises(ModelFileError, match="holds a model of sequences"):
        moldiff.complete(EXAMPLE, rebuild=["A:600-602"], model=model)


def test_the_command_writes_asks_and_pipes(
    model: Path, two_chains: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "d.fasta", tmp_path / "d.json"
    line = ["sequence", str(two_chains), "-n", "2", "--model", str(model)]
    assert main([*line, "-o", str(out), "--report", str(report), "--fix", "A:1-9"]) == 0
    shown = capsys.readouterr()
    assert "recovery" in shown.out and out.read_text().count(">two-") == 4
    assert json.loads(report.read_text())["seed"] == 0
    assert main([*line, "-o", str(out), "--seed", "1"]) == 0  # its own file
    out.write_text("my notes")
    assert main([*line, "-o", str(out)]) == 2
    assert "--force" in capsys.readouterr().err and out.read_text() == "my notes"
    assert main([*line, "-o", str(out), "--force"]) == 0
    capsys.readouterr()
    assert main([*line, "-o", "-", "--seed", "1"]) == 0
    assert capsys.readouterr().out.startswith(">two-1_A recovery=")
    assert main([*line, "-o", str(two_chains)]) == 2
    assert main([*line, "-o", str(tmp_path / "d.txt")]) == 2


@pytest.mark.skipif(BUNDLED, reason="the model is bundled")
def test_without_a_bundled_model_it_says_how_to_get_one(two_chains: Path) -> None:
    with pytest.raises(InputError, match="moldiff train sequence"):
        moldiff.sequence(two_chains)


@pytest.mark.skipif(not BUNDLED, reason="the model is not bundled")
def test_the_bundled_model_recovers_a_native_sequence() -> None:
    """Of a receptor of 255 residues, of which 244 are free; by chance it would be 6 %."""
    one = moldiff.sequence(EXAMPLE, fix=["A:550-560"])[0]
    assert one.recovery() > 0.22 and one.log_p() > -2.0
    assert len(set(one.sequences["A"])) > 12
