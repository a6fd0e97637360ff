"""Docking into a receptor whose missing residues are built first."""

from __future__ import annotations

import re
from pathlib import Path

import gemmi
import pytest
from rdkit import Chem

from moldiff.cli import main
from moldiff.docking.api import site
from moldiff.docking.where import Where
from moldiff.io import Record
from moldiff.protein.sequence import file_sequences
from moldiff.view.docking import render_docking
from tests.proteins import seqres

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
CUT = (566, 567)  # beside the ligand's pocket


@pytest.fixture(scope="module")
def receptor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = (EXAMPLE / "receptor.pdb").read_text().splitlines(keepends=True)
    names = {line[22:27]: line[17:20] for line in lines if line.startswith("ATOM")}
    kept = [ln for ln in lines if not ln.startswith("ATOM") or int(ln[22:26]) not in CUT]
    path = tmp_path_factory.mktemp("receptor") / "cut.pdb"
    path.write_text("".join([seqres([*names.values()]), *kept]))
    return path


def test_residues_near_the_box_are_built_said_and_marked(receptor: Path) -> None:
    ligand = Chem.MolFromMolFile(str(EXAMPLE / "ligand.sdf"))
    where = Where(ligand=EXAMPLE / "ligand.sdf")
    place = site(receptor, where, complete=True)
    assert {residue.number for residue in place.built} == set(CUT)
    told = [note for note in place.notes if "are built" in note]
    assert len(told) == 1 and "A:566-567" in told[0]
    atoms = site(receptor, where).receptor.structure
    assert len(place.receptor.structure) > len(atoms)
    page = render_docking(
        [Record(ligand, "crystal", None, "a.sdf", 0, {})],
        place.receptor,
        title="Poses",
        built=place.built,
    )
    serials = re.search(r'"built":\[([\d,]+)\]', page)
    assert serials and len(serials[1].split(",")) >= 4 * len(CUT)


@pytest.mark.thorough
def test_the_filled_receptor_is_written_beside_the_poses_and_docks_alike(
    receptor: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    poses, filled = tmp_path / "poses.sdf", tmp_path / "poses.receptor.pdb"
    quick = ("--draws=2", "--starts=4", "--searches=2", "--rounds=0", "--conformers=1", "--no-html")
    words = ["dock", "-r", str(receptor), "-l", "CCO", "-o", str(poses), *quick]
    words += ["--pocket-ligand", str(EXAMPLE / "ligand.sdf"), "--complete"]
    filled.write_text("mine")
    assert main(words) == 2 and "poses.receptor.pdb" in capfd.readouterr().err
    filled.unlink()
    assert main(words) == 0 and "poses.receptor.pdb" in capfd.readouterr().out.replace("\n", "")
    where = Where(ligand=EXAMPLE / "ligand.sdf")
    again, place = site(filled, where), site(receptor, where, complete=True)
    assert len(again.receptor) == len(place.receptor) and not again.built
    assert {r.number for r in place.built} == set(CUT)
    assert main(words) == 0, "its own files"
    capfd.readouterr()
    words[2] = str(filled)
    assert main(words) == 2 and "would overwrite" in capfd.readouterr().err
    words.remove("--complete")
    text = filled.read_text()
    assert main(words) == 0, "the receptor beside the poses, as docs/receptors.md has it"
    assert filled.read_text() == text
    far = site(receptor, Where(center=(66.0, 8.0, -20.0), size=8), complete=True)
    assert far.write_receptor(tmp_path / "far.sdf") == []


def test_a_receptor_in_mmcif_is_filled_in_mmcif(
    receptor: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, where = tmp_path / "cut.cif", Where(ligand=EXAMPLE / "ligand.sdf")
    structure = gemmi.read_structure(str(receptor))
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(path))
    place = site(path, where, complete=True)
    assert {residue.number for residue in place.built} == set(CUT)
    filled = tmp_path / "poses.receptor.cif"
    assert place.write_receptor(tmp_path / "poses.sdf") == [filled]
    assert len(site(filled, where).receptor) == len(place.receptor)
    filled.write_text("mine")
    words = ["dock", "-r", str(path), "-l", "CCO", "--autobox", "-o", str(tmp_path / "poses.sdf")]
    assert main([*words, "--complete"]) == 2
    assert "poses.receptor.cif" in capfd.readouterr().err and filled.read_text() == "mine"


def test_gaps_elsewhere_are_left(receptor: Path) -> None:
    far = Where(center=(66.0, 8.0, -20.0), size=8)
    place = site(receptor, far, complete=True)
    assert not place.built and "no residues are missing near the box" in place.notes


def test_without_a_sequence_it_is_said(receptor: Path, tmp_path: Path) -> None:
    path = tmp_path / "bare.pdb"
    rows = receptor.read_text().splitlines(keepends=True)
    path.write_text("".join(row for row in rows if not row.startswith("SEQRES")))
    place = site(path, Where(ligand=EXAMPLE / "ligand.sdf"), complete=True)
    assert not place.built
    (note,) = (note for note in place.notes if note.startswith("residues"))
    assert "not built: A:566-567, no sequence of this chain" in note and "--sequence" in note


def test_doubts_about_the_sequence_are_noted(receptor: Path, tmp_path: Path) -> None:
    bare, fasta = tmp_path / "bare.pdb", tmp_path / "s.fasta"
    rows = receptor.read_text().splitlines(keepends=True)
    bare.write_text("".join(row for row in rows if not row.startswith("SEQRES")))
    (sequence,) = file_sequences(receptor.read_bytes(), "pdb", receptor).values()
    changed = "W" + sequence.letters[1:]
    fasta.write_text(f">Z\n{changed}\n")
    where = Where(ligand=EXAMPLE / "ligand.sdf")
    notes = site(bare, where, complete=True, sequence=fasta).notes
    assert "the record '>Z' is taken for the only chain, A" in notes
    assert any("residues that differ from the sequence" in note for note in notes)


def test_a_sequence_alone_is_refused(
    receptor: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["dock", "-r", str(receptor), "-l", "CCO", "--autobox", "-o", str(tmp_path / "o.sdf")]
    assert main([*words, "--sequence", "a.fasta"]) == 2
    assert "--complete" in capfd.readouterr().err
