"""Tables of receptors and ligands: each row in its own pocket, and no row lost."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from moldiff.cli import main
from moldiff.docking.library.pairs import Pairs
from moldiff.docking.where import Where
from moldiff.errors import InputError

CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"
EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
QUICK = ("--draws=4", "--starts=20", "--searches=6", "--rounds=2", "--conformers=2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = CAGE.read_text(encoding="ascii")
    (tmp_path / "a.pdb").write_text(text, encoding="ascii")
    moved = [
        f"{row[:30]}{float(row[30:38]) + 50:8.3f}{row[38:]}" if row.startswith("ATOM") else row
        for row in text.splitlines()
    ]
    (tmp_path / "b.pdb").write_text("\n".join(moved), encoding="ascii")
    return tmp_path


def pairs(folder: Path, text: str, where: Where | None = None) -> Pairs:
    (folder / "pairs.csv").write_text(text, encoding="utf-8")
    return Pairs(folder / "pairs.csv", where)


def test_each_row_has_its_own_pocket(folder: Path) -> None:
    (folder / "one.smi").write_text("CCN amine\n", encoding="ascii")
    found = pairs(
        folder,
        "\ufeffReceptor;Ligand;Center;Size;Name\na.pdb;CCO;10,20,30;12;\nb.pdb;one.smi;60,20,30;14;x\n"
        "b.pdb;one.smi;;;\n",
        Where(center=(60, 20, 30), size=13),
    )
    assert [entry.name for entry in found.entries] == ["pair-1", "x", "amine-3"]
    boxes = [found.place_of(entry)[1].box for entry in found.entries]
    np.testing.assert_allclose([box.centre[0] for box in boxes], [10, 60, 60])
    assert [float(box.size[0]) for box in boxes] == [12, 14, 13]
    assert found.entries[1].fields["receptor"] == "b.pdb"
    again = pairs(folder, f"receptor,ligand\n{EXAMPLE / 'receptor.pdb'},CCO\n")
    _, pocket = again.place_of(again.entries[0])  # without a place: the likeliest cavity
    assert pocket.box.contains(np.array([[30.5, 7.0, 13.3]])).all()


def test_the_size_of_a_row_is_that_of_its_box_wherever_the_box_is(folder: Path) -> None:
    table = "receptor,ligand,size\na.pdb,CCO,14\na.pdb,CCO,\n"
    found = pairs(folder, table, Where(center=(10, 20, 30), size=12))
    boxes = [found.place_of(entry)[1].box for entry in found.entries]
    assert [box.size.tolist() for box in boxes] == [[14.0] * 3, [12.0] * 3]
    np.testing.assert_allclose(boxes[0].centre, boxes[1].centre)


def test_names_are_unique_on_one_line_and_cells_have_lines(folder: Path) -> None:
    found = pairs(
        folder,
        "receptor,ligand,name,note\na.pdb,CCO,x,\na.pdb,CCN,x,\na.pdb,CCC,pair-4,\na.pdb,CC,,\n"
        'a.pdb,C1CC,x,\na.pdb,C,"y\nz","first\nsecond"\n',
    )
    names = ["x", "x-2", "pair-4", "pair-4-2", "x-3", "y z"]
    assert [entry.name for entry in found.entries] == names
    assert found.entries[1].notes == ("the name 'x' is that of row 1 too",)
    assert "C1CC" in found.entries[4].reason and found.entries[4].notes
    assert found.entries[5].fields["note"] == "first\nsecond"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smiles,name\nCCO,a\n", "no column receptor and no column ligand; it has: smiles, name"),
        ("receptor,smiles\na.pdb,CCO\n", "no column ligand"),
        ("receptor,ligand\n", "no rows"),
        ("", "no column receptor"),
    ],
)
def test_what_is_no_table_of_pairs(folder: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        pairs(folder, text)


def test_every_row_comes_back(folder: Path) -> None:
    """Docked, or with the reason why not: a receptor or a pocket that is not there, no molecule."""
    (folder / "pairs.csv").write_text(
        'receptor,ligand,center,batch\na.pdb,CCO,,1\nb.pdb,CCO,"60,20,30",2\nno.pdb,CCO,,3\n'
        "a.pdb,C1CC,,4\nb.pdb,CCO,,5\n",
        encoding="ascii",
    )
    command = [
        "dock",
        "--dock-many",
        str(folder / "pairs.csv"),
        "--center=10,20,30",
        "--box-size=12",
    ]
    output = folder / "hits.sdf"
    command += [*QUICK, "--proposals=random", "--restart", "-o", str(output)]
    assert main(command) == 0
    with output.with_suffix(".csv").open(encoding="utf-8") as stream:
        rows = {row["batch"]: row for row in csv.DictReader(stream)}
    assert [rows[k]["status"] for k in "12345"] == ["docked"] * 2 + ["refused"] * 3
    assert all(float(rows[k]["energy_kcal_mol"]) < 0 for k in "12")
    assert "no.pdb is not there" in rows["3"]["reason"] and "C1CC" in rows["4"]["reason"]
    assert "no atom of the receptor" in rows["5"]["reason"]
    poses = output.read_text(encoding="utf-8")
    assert poses.count("$$$$") == 2 and "a.pdb" in poses and "b.pdb" in poses
    assert not output.with_suffix(".html").exists()


def test_what_is_required_is_read_before_the_work(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "pairs.csv").write_text("receptor,ligand\na.pdb,CCO\n", encoding="ascii")
    words = ["dock", "--dock-many", str(folder / "pairs.csv"), "--center=10,20,30", *QUICK]
    words += ["--require", "A:611:hbonds:no", "-o", str(folder / "hits.sdf")]
    assert main(words) == 2
    assert "--require 'A:611:hbonds:no'" in capsys.readouterr().err
    assert not (folder / "hits.manifest.jsonl").exists()


def test_a_receptor_is_given_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pairs.csv").write_text("receptor,ligand\na.pdb,CCO\n", encoding="ascii")
    many = ["--dock-many", str(folder / "pairs.csv")]
    for more, words in (
        (["--receptor", str(CAGE)], "--receptor and --dock-many are both given"),
        (["--ligand", "CCO"], "both were given"),
    ):
        assert main(["dock", *many, *more]) == 2
        assert words in capsys.readouterr().err
