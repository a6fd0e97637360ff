"""Missing residues built by the bundled model, looked at by code of its own."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from Bio.Data.IUPACData import protein_letters_3to1

import moldiff
from moldiff.cli import main
from moldiff.completion.result import Completion, b_factor
from moldiff.errors import InputError
from moldiff.protein.backbone import Backbone
from tests.backbones import backbone
from tests.proteins import names_of, pdb_lines, seqres

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z" / "receptor.pdb"
CUT = range(585, 588)

Atoms = dict[tuple[str, str], dict[str, np.ndarray]]


def example() -> list[str]:
    """The lines of the example's receptor with the sequence of what is there."""
    lines = EXAMPLE.read_text().splitlines(keepends=True)
    names = {line[22:27]: line[17:20] for line in lines if line.startswith("ATOM")}
    return [seqres([*names.values()]), *lines]


def number(line: str) -> int:
    return int(line[22:26]) if line.startswith(("ATOM", "HETATM")) else -1


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cut") / "cut.pdb"
    path.write_text("".join(line for line in example() if number(line) not in CUT))
    return path


@pytest.fixture(scope="module")
def done(cut: Path) -> Completion:
    return moldiff.complete(cut, ensemble=3)


def atoms_of(text: str) -> Atoms:
    found: Atoms = {}
    for line in text.splitlines():
        if line.startswith("ATOM"):
            x = np.array([float(line[k : k + 8]) for k in (30, 38, 46)])
            found.setdefault((line[22:27].strip(), line[17:20]), {})[line[12:16].strip()] = x
    return found


def angle(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    n, m = np.cross(b - a, c - b), np.cross(c - b, d - c)
    return float(np.degrees(np.arctan2(np.linalg.norm(c - b) * (b - a) @ m, n @ m)))


def test_what_is_there_stays_as_it_is_written(cut: Path, done: Completion, tmp_path: Path) -> None:
    done.write(tmp_path / "filled.pdb")
    before, after = cut.read_text().splitlines(), (tmp_path / "filled.pdb").read_text().splitlines()
    assert [line for line in after if line in set(before)] == before
    added = [line for line in after if line not in set(before)]
    assert {number(line) for line in added[1:]} == set(CUT)
    whole = {line[12:27] for line in example() if number(line) in CUT}
    assert {line[12:27] for line in added[1:]} == whole  # all atoms, with their names


def test_the_chain_is_closed_trans_and_of_l_amino_acids(done: Completion) -> None:
    residues = atoms_of(done.text())
    keys = [key for key in residues if CUT.start - 1 <= int(key[0]) <= CUT.stop]
    assert len(keys) == len(CUT) + 2
    for a, b in pairwise(keys):
        one, two = residues[a], residues[b]
        assert abs(np.linalg.norm(one["C"] - two["N"]) - 1.33) < 0.02
        assert abs(angle(one["CA"], one["C"], two["N"], two["CA"])) > 150 or b[1] == "PRO"
    for key in keys[1:-1]:
        own = residues[key]
        if key[1] != "GLY":
            turn = np.cross(own["N"] - own["CA"], own["C"] - own["CA"]) @ (own["CB"] - own["CA"])
            assert turn > 2


def test_backbones_clash_with_nothing(done: Completion) -> None:
    residues = atoms_of(done.text())
    built = {key for key in residues if int(key[0]) in CUT}
    near = {key for key in residues if int(key[0]) in (CUT.start - 1, CUT.stop)}
    others = [x for key in set(residues) - built - near for x in residues[key].values()]
    own = [residues[key][name] for key in built for name in ("N", "CA", "C", "O")]
    apart = np.linalg.norm(np.array(own)[:, None] - np.array(others), axis=-1)
    assert apart.min() > 2.4


def test_the_spread_is_told(done: Completion) -> None:
    (one,) = done.built
    assert one.ensemble.shape[1:] == (len(CUT), 4, 3) and 1 < len(one.ensemble) <= 3
    mean = one.ensemble.astype(float).mean(0)
    off = np.sqrt(np.square(one.ensemble - mean).sum(-1).mean((0, 2)))
    np.testing.assert_allclose(one.spread, off, rtol=1e-4)
    rows = [line for line in done.text().splitlines() if number(line) == CUT.start]
    assert float(rows[0][60:66]) == pytest.approx(b_factor(one.spread[0]), abs=0.01)
    told = json.loads(done.to_json())
    assert told["built"][0]["residues"] == f"A:{CUT.start}-{CUT.stop - 1}"
    assert [each["number"] for each in told["built"][0]["each"]] == [*CUT]
    assert b_factor(float("nan")) == 0


def test_a_seed_gives_the_same_residues(cut: Path, done: Completion) -> None:
    assert moldiff.complete(cut, ensemble=3).text() == done.text()
    assert moldiff.complete(cut, ensemble=3, seed=1).text() != done.text()


def test_other_formats_say_the_same(done: Completion, tmp_path: Path) -> None:
    done.write(tmp_path / "filled.cif")
    again = moldiff.complete(tmp_path / "filled.cif")
    assert not again.built
    again.write(tmp_path / "again.pdb")
    first, second = (atoms_of(text) for text in (done.text(), (tmp_path / "again.pdb").read_text()))
    assert list(first) == list(second)
    for key, atoms in first.items():
        for name, x in atoms.items():
            np.testing.assert_array_equal(second[key][name], x)
    with pytest.raises(InputError, match="unknown suffix"):
        done.write(tmp_path / "filled.sdf")


def test_it_is_saved_by_suffix_a_table_and_a_page(
    cut: Path, done: Completion, tmp_path: Path
) -> None:
    (row,) = done.rows()
    assert (row["gap"], row["residues"], row["built"]) == ("A:585-587", len(CUT), "yes")
    assert row["sequence"] == done.built[0].absent.letters and row["reason"] is None
    mean = float(np.sqrt(np.square(done.built[0].spread).mean()))
    assert row["spread_angstrom"] == pytest.approx(mean, abs=1e-3)
    done.write(tmp_path / "written.cif")
    texts = [tmp_path / "written.cif", tmp_path / "saved.cif"]
    assert done.save(texts[1]) == texts[1] and texts[1].read_text() == texts[0].read_text()
    assert done.save(tmp_path / "a.PDB").read_text() == done.text("pdb")
    assert done.save(tmp_path / "a.json").read_text() == done.to_json()
    assert done.save(tmp_path / "a.csv").read_text() == done.to_csv()
    done.write_page(tmp_path / "written.html")
    page = done.save(tmp_path / "saved.html").read_text()
    assert page == (tmp_path / "written.html").read_text() == done.to_html()
    with pytest.raises(InputError, match=r"'a\.sdf': its suffix is unknown"):
        done.save(tmp_path / "a.sdf")


def refused(tmp_path: Path, text: str, **settings: object) -> str:
    path = tmp_path / "in.pdb"
    path.write_text(text)
    found = moldiff.complete(path, **settings)  # type: ignore[arg-type]
    assert not found.built and len(found.refused) == 1
    assert found.text() == text
    (row,) = found.rows()
    assert row["built"] == "no" and row["reason"] == found.refused[0].reason
    assert row["residues"] == found.refused[0].residues and row["spread_angstrom"] is None
    return f"{found.refused[0].where} {found.refused[0].reason}"


def test_what_is_not_built_has_a_reason(tmp_path: Path) -> None:
    chain = backbone(40, seed=3)
    names = names_of(chain)
    cut = pdb_lines(chain, without=range(20, 25))
    assert "A:21-25 too long: 5 residues, at most 4" in refused(
        tmp_path, seqres(names) + cut, max_gap=4
    )
    strange = [*names[:21], "SEP", *names[22:]]
    assert "SEP: modified" in refused(tmp_path, seqres(strange) + cut)
    trace = pdb_lines(chain, without=range(20, 25), atoms="CA")
    assert "only C-alpha" in refused(tmp_path, seqres(names) + trace)
    lacking = cut.replace("  O   " + names[19] + " A  20", "  OXT " + names[19] + " A  20")
    assert "A:20" in (told := refused(tmp_path, seqres(names) + lacking)) and "lacks O" in told
    labels = [
        (k + 1, "") if k < 20 else (20, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[k - 20]) for k in range(40)
    ]
    numbers = pdb_lines(
        chain, labels=[*labels[:20], *[(20, "Z")] * 5, *labels[20:35]], without=range(20, 25)
    )
    assert "no free number: A:20A is there" in refused(tmp_path, seqres(names) + numbers)
    near = seqres([*names[:20], *names[24:]]) + cut  # a residue for a gap of five
    assert "Å apart, 1 residue can span 7.6 Å at most" in refused(tmp_path, near)
    shifted = Backbone(chain.atoms + np.float32(0.5), chain.types, chain.regular)
    twice = seqres(names) + cut + pdb_lines(shifted, name="B")
    assert "B:20 lies on A:20" in refused(tmp_path, twice)


def test_requests_that_cannot_be_met(cut: Path, tmp_path: Path) -> None:
    for settings, message in (
        ({"max_gap": 16}, "1 to 15"),
        ({"ensemble": 0}, "1 to 1000"),
        ({"rebuild": ["A:9"]}, "no residue"),
        ({"rebuild": ["A:590-580"]}, "ends before it begins in chain A. Write A:580-590"),
        ({"model": "qm9"}, "not a model of backbones"),
    ):
        with pytest.raises(moldiff.errors.MoldiffError, match=message):
            moldiff.complete(cut, **settings)  # type: ignore[arg-type]
    water = tmp_path / "water.pdb"
    water.write_text("HETATM    1  O   HOH A 201      90.000  90.000  90.000\n")
    with pytest.raises(InputError, match="no protein"):
        moldiff.complete(water)


def test_on_the_command_line(cut: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output, record = tmp_path / "out.pdb", tmp_path / "out.json"
    words = ["complete", str(EXAMPLE), "--rebuild", "A:586-587", "--ensemble", "2"]
    assert main([*words, "-o", str(output), "--report", str(record)]) == 0
    told = capfd.readouterr()
    assert "1 of 1 gap built" in told.out and "A:586-587" in told.out
    before, after = EXAMPLE.read_text().splitlines(), output.read_text().splitlines()
    gone = {number(line) for line in before if line not in set(after)}
    assert gone == {586, 587} and json.loads(record.read_text())["built"]
    page = output.with_suffix(".html").read_text()
    assert "A:586-587" in page and "Missing residues of receptor.pdb" in page
    for wrong, message in (
        (["-o", str(EXAMPLE)], "overwrite"),
        (["-o", str(tmp_path / "x.sdf")], "unknown suffix"),
        (["--sequence", str(tmp_path / "none.fasta")], "cannot be read"),
    ):
        assert main([*words, *wrong]) == 2
        assert message in capfd.readouterr().err


def test_what_is_asked_for_and_not_built_is_a_failure(
    cut: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bare, fasta = tmp_path / "bare.pdb", tmp_path / "s.fasta"
    kept = [line for line in cut.read_text().splitlines(True) if line.startswith("ATOM")]
    bare.write_text("".join(kept))
    names = {line[22:27]: line[17:20] for line in example()[1:] if line.startswith("ATOM")}
    letters = [protein_letters_3to1[name.capitalize()] for name in names.values()]
    fasta.write_text(f">Z\n{''.join(letters)}\n")
    words = ["complete", str(bare), "--max-gap", "1", "-o", str(tmp_path / "out.pdb")]
    assert main(words) == 1, "nobody said what is missing, and nothing is built"
    told = capfd.readouterr().err
    assert "Nothing is built: A:585-587, no sequence of this chain." in told
    assert "--sequence FILE, a FASTA file: a line '>A', and below it the sequence" in told
    assert (tmp_path / "out.pdb").is_file(), "as it was"
    assert main([*words, "--sequence", str(fasta)]) == 1
    told = capfd.readouterr().err
    assert "Nothing is built: A:585-587, too long: 3 residues" in told
    assert "Give --max-gap 3." in told
    assert "the record '>Z' is taken for the only chain, A" in told
    whole = ["complete", str(EXAMPLE), "--sequence", str(fasta), "-o", str(tmp_path / "out.pdb")]
    assert main(whole) == 0, "nothing is missing"
    letters[3] = "W"
    fasta.write_text(f">A\n{''.join(letters)}\n")
    assert main(whole) == 0
    assert "residues that differ from the sequence, and stay" in capfd.readouterr().err
    long = [*words, "--rebuild", "A:600-605"]
    assert main(long) == 1 and "too long: 6 residues" in capfd.readouterr().err
    text = [*words, "--sequence", "".join(letters)]
    assert main(text) == 2
    told = capfd.readouterr().err
    assert "is a sequence, and no file has that name" in told and "a line '>A'" in told


def test_a_gap_that_is_known_and_not_built_is_a_failure_too(
    cut: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["complete", str(cut), "--max-gap", "2", "-o", str(tmp_path / "out.pdb"), "--no-html"]
    assert main(words) == 1
    assert "Nothing is built: A:585-587, too long" in capfd.readouterr().err
    base = "ATOM      1  N1   DA B   1      90.000  90.000  90.000  1.00  0.00           N\n"
    nucleic = tmp_path / "nucleic.pdb"
    nucleic.write_text("SEQRES   1 B    3   DA  DA  DA\n" + "".join(example()) + base)
    assert main(["complete", str(nucleic), *words[2:], "--force"]) == 0, "no protein lacks any"
    assert "chain B" in capfd.readouterr().out


def test_a_chain_without_a_name(
    cut: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nameless = tmp_path / "nameless.pdb"
    lines = [line for line in cut.read_text().splitlines(True) if line.startswith("ATOM")]
    nameless.write_text("".join(f"{line[:21]} {line[22:]}" for line in lines))
    words = ["complete", str(nameless), "-o", str(tmp_path / "out.pdb"), "--no-html"]
    assert main(words) == 1
    told = capfd.readouterr()
    assert "Nothing is built: 585-587, no" in told.err and ":585" not in told.out + told.err
    fasta = tmp_path / "s.fasta"
    fasta.write_text(">\n" + "GA" * 200 + "\n")
    assert main([*words, "--sequence", str(fasta)]) == 1
    assert "Nothing is built: chain (blank), its sequence does not fit" in capfd.readouterr().err
    assert main([*words, "--rebuild", "600-602", "--ensemble", "1"]) == 0
    assert "600-602" in (out := capfd.readouterr().out) and ":600" not in out


def test_what_could_be_built_is_written_where_a_range_is_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.pdb"
    words = ["complete", str(EXAMPLE), "-o", str(output), "--ensemble", "1", "--no-html"]
    words += ["--max-gap", "2", "--rebuild", "A:586-587", "--rebuild", "A:600-605"]
    assert main(words) == 1
    told = capfd.readouterr()
    assert "1 of 2 gaps built" in told.out
    assert "Not all residues of --rebuild are built: A:600-605, too long: 6" in told.err
    before, after = EXAMPLE.read_text().splitlines(), output.read_text().splitlines()
    assert {number(line) for line in before if line not in set(after)} == {586, 587}
