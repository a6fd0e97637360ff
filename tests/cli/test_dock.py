"""``moldiff dock``: files, tags, notes, and every bad input as one clear line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.io import read_molecules

Run = Callable[..., Any]
CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"
CENTER = "10,20,30"
QUICK = (
    "--box-size=12",
    "--draws=4",
    "--starts=20",
    "--searches=6",
    "--rounds=2",
    "--conformers=2",
    "--proposals=random",
)
DOCK = ("dock", "--receptor", "cage.pdb", "--center", CENTER, *QUICK)
ONE = (*DOCK, "--ligand", "CCO", "-o", "out.sdf")
PLACELESS = ("dock", "--receptor", "cage.pdb", "--ligand", "CCO", *QUICK)

# command line, words of the error
CASES = {
    "empty ligand": ((*DOCK, "--ligand", " "), ["--ligand is empty", ".sdf, .mol"]),
    "no ligand": (DOCK, ["--ligand or --ligands", "neither"]),
    "two ligands": ((*ONE, "--ligands", "good.csv"), ["both were given"]),
    "no receptor": (("dock", "--ligand", "CCO", "--center", CENTER), ["--receptor"]),
    "jobs for one": ((*ONE, "--jobs", "4"), ["--jobs is for a library"]),
    "restart of one": ((*ONE, "--restart"), ["--restart is for a library"]),
    "shard of one": ((*ONE, "--shard", "1/2"), ["--shard is for a library"]),
    "missing receptor": (("dock", "--receptor", "no.pdb", *ONE[3:]), ["no.pdb", "not there"]),
    "receptor kind": (("dock", "--receptor", "good.csv", *ONE[3:]), ["'.csv'", ".pdb"]),
    "empty PDB": (("dock", "--receptor", "empty.pdb", *ONE[3:]), ["empty.pdb"]),
    "no PDB": (("dock", "--receptor", "text.pdb", *ONE[3:]), ["text.pdb"]),
    "empty mmCIF": (("dock", "--receptor", "empty.cif", *ONE[3:]), ["empty.cif"]),
    "no pocket": (PLACELESS, ["--pocket-ligand", "--center", "--residues", "--autobox"]),
    "two pockets": ((*ONE, "--autobox"), ["more than once"]),
    "nothing in the box": ((*PLACELESS, "--center", "500,500,500"), ["500, 500, 500", "no atom"]),
    "empty box": ((*ONE, "--box-size", "0"), ["size 0", "4 to 60"]),
    "absurd box": ((*ONE, "--box-size", "10000"), ["size 10000", "4 to 60"]),
    "out of the world": (
        (*PLACELESS, "--center", "1e9,0,0"), ["no atom", "nearest", "the receptor's centre is at"],
    ),
    "NaN box": ((*ONE, "--box-size", "nan"), ["size nan"]),
    "two edges": ((*ONE, "--box-size", "10,20"), ["10,20"]),
    "worded box": ((*ONE, "--box-size", "large"), ["--box-size large"]),
    "no point": ((*PLACELESS, "--center", "1,2"), ["--center 1,2", "three numbers"]),
    "infinite point": ((*PLACELESS, "--center", "1,2,inf"), ["--center 1,2,inf"]),
    "no residue": ((*PLACELESS, "--residues", "Z:999"), ["Z:999"]),
    "far pocket": ((*PLACELESS, "--pocket-ligand", "far.sdf"), ["far.sdf", "Å away"]),
    "flat pocket": ((*PLACELESS, "--pocket-ligand", "flat.smi"), ["flat.smi", "3D coordinates"]),
    "missing pocket": ((*PLACELESS, "--pocket-ligand", "no.sdf"), ["no.sdf"]),
    "pocket of two": ((*PLACELESS, "--pocket-ligand", "two.smi"), ["--pocket-ligand takes one"]),
    "no such group": ((*PLACELESS, "--pocket-ligand", "Z:9"), ["no group 'Z:9'", "no such file"]),
    "small box": (
        (*PLACELESS[:5], "--center", CENTER, "--box-size", "4"),
        ["too small", "--box-size"],
    ),
    "reference of two": ((*ONE, "--reference", "two.smi"), ["--reference takes one"]),
    "invalid SMILES": ((*DOCK, "--ligand", "C1CC("), ["C1CC(", "SMILES"]),
    "missing ligand": ((*DOCK, "--ligand", "no.sdf"), ["no.sdf"]),
    "broken ligand": ((*DOCK, "--ligand", "broken.sdf"), ["broken.sdf", "not an SDF"]),
    "several ligands": ((*DOCK, "--ligand", "two.smi"), ["2 molecules", "--ligands"]),
    "valence": ((*DOCK, "--ligand", "texas.mol"), ["texas", "cannot be docked"]),
    "unknown element": ((*DOCK, "--ligand", "[Xe]"), ["cannot be docked"]),
    "hydrogen": ((*DOCK, "--ligand", "[H][H]"), ["cannot be docked"]),
    "cannot be embedded": ((*DOCK, "--ligand", "impossible.smi"), ["cannot be docked"]),
    "lost metal": ((*DOCK, "--ligand", "CCO.[Fe+2]"), ["Fe", "without the metal"]),
    "lone boron": ((*DOCK, "--ligand", "[B-2]"), ["cannot be docked"]),
    "structure as ligand": ((*DOCK, "--ligand", "lig.pdb"), ["no bond orders"]),
    "nothing to keep": ((*ONE, "--keep", "XYZ"), ["XYZ", "keep"]),
    "no library": ((*DOCK, "--ligands", "no.csv"), ["no.csv"]),
    "library kind": ((*DOCK, "--ligands", "cage.pdb"), ["'.pdb'", ".csv"]),
    "library without SMILES": ((*DOCK, "--ligands", "bad.csv"), ["'smiles'", "a, b"]),
    "empty library": ((*DOCK, "--ligands", "empty.csv"), ["empty.csv"]),
    "library without rows": ((*DOCK, "--ligands", "header.csv"), ["no molecules"]),
    "output kind": ((*ONE, "-o", "out.pdb"), ["'.pdb'", ".sdf"]),
    "no directory": ((*ONE, "-o", "no/out.sdf"), ["'no'", "mkdir -p"]),
    "over the library": ((*DOCK, "--ligands", "good.csv", "-o", "good.sdf"), ["would overwrite"]),
    "over the ligand": ((*DOCK, "--ligand", "far.sdf", "-o", "far.sdf"), ["would overwrite"]),
    "no group": ((*ONE, "--exclude", "XYZ"), ["XYZ"]),
    "no model": ((*ONE, "--proposals", "diffusion", "--model", "no.safetensors"), ["no.safe"]),
    "unknown proposals": ((*ONE, "--proposals", "magic"), ["magic"]),
    "pH": ((*ONE, "--ph", "5"), ["pH 5", "7.4"]),
    "poses": ((*ONE, "--poses", "0"), ["--poses"]),
    "threads": ((*ONE, "--threads", "100000"), ["--threads must be from 1 to"]),
    "precision": ((*ONE, "--precision", "float16"), ["--precision", "float16", "auto"]),
    "no reference": ((*ONE, "--reference", "no.sdf"), ["no.sdf"]),
}  # fmt: skip

TEXTS = {
    "cage.pdb": CAGE.read_text(),
    "empty.pdb": "",
    "text.pdb": "HELLO\n",
    "empty.cif": "data_x\n#\n",
    "good.csv": "smiles,name\nCCO,a\n",
    "bad.csv": "a,b\n1,2\n",
    "empty.csv": "",
    "header.csv": "smiles,name\n",
    "broken.sdf": "x\n\n\nnothing\n$$$$\n",
    "two.smi": "CCO a\nCCN b\n",
    "flat.smi": "CCO a\n",
    # camphor with one of its two bridgeheads turned inside out
    "impossible.smi": "CC1(C)[C@@H]2CC[C@]1(C)C(=O)C2 impossible\n",
    "texas.mol": """texas

  test
  6  5  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.0000    0.0000    0.0000 H   0  0
   -1.0000    0.0000    0.0000 H   0  0
    0.0000    1.0000    0.0000 H   0  0
    0.0000   -1.0000    0.0000 H   0  0
    0.0000    0.0000    1.0000 H   0  0
  1  2  1  0
  1  3  1  0
  1  4  1  0
  1  5  1  0
  1  6  1  0
M  END
""",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a receptor, and bad files."""
    monkeypatch.chdir(tmp_path)
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    for name, at in (("near", (10.0, 20.0, 30.0)), ("far", (310.0, 20.0, 30.0))):
        mol = Chem.AddHs(Chem.MolFromSmiles("OCC(=O)N"))
        AllChem.EmbedMolecule(mol, randomSeed=1)
        conformer = mol.GetConformer()
        conformer.SetPositions(conformer.GetPositions() + at)
        (tmp_path / f"{name}.sdf").write_text(Chem.MolToMolBlock(mol) + "$$$$\n")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_one_clear_line(run: Run, folder: Path, case: str) -> None:
    words, expected = CASES[case]
    before = sorted(folder.rglob("*"))
    done = run(*words)
    lines = [line for line in done.err.splitlines() if line.startswith("Error:")]
    assert done.status in (1, 2) and len(lines) == 1, done.err
    assert "Traceback" not in done.err and "Error: Unexpected" not in done.err
    for word in expected:
        assert word in lines[0]
    assert sorted(folder.rglob("*")) == before, "nothing is left behind"


def test_a_truncated_receptor_still_docks_or_says_why(run: Run, folder: Path) -> None:
    text = TEXTS["cage.pdb"]
    (folder / "cut.pdb").write_text(text[: len(text) * 2 // 3 + 17])
    done = run("dock", "--receptor", "cut.pdb", *ONE[3:])
    assert "Traceback" not in done.err and "Unexpected" not in done.err
    assert done.status == 0 and (folder / "out.sdf").is_file()


def test_a_ligand_becomes_poses_a_record_and_a_page(run: Run, folder: Path) -> None:
    done = run(*DOCK, "--ligand", "near.sdf", "--reference", "near.sdf", "-o", "out.sdf")
    assert done.status == 0, done.err
    records = list(read_molecules(folder / "out.sdf"))
    given = Chem.MolFromMolFile(str(folder / "near.sdf"), removeHs=False)
    energies = []
    for rank, record in enumerate(records, start=1):
        assert record.mol is not None and record.tags["rank"] == str(rank)
        assert record.name == "near"
        assert record.tags["proposals"].startswith("random")
        assert record.tags["box_center"] == "10.000 20.000 30.000"
        same = [a.GetSymbol() for a in record.mol.GetAtoms()]
        assert same == [a.GetSymbol() for a in given.GetAtoms()], "atom order and hydrogens kept"
        energies.append(float(record.tags["energy_kcal_mol"]))
    report = json.loads((folder / "out.json").read_text())
    assert [pose["rank"] for pose in report["poses"]] == list(range(1, len(records) + 1))
    assert report["schema"] == "moldiff.docking"
    assert report["seconds"]["conformers"] > 0
    assert "near" in done.out and "kcal/mol" in done.out and "Å from reference" in done.out
    page = (folder / "out.html").read_text()
    assert "near in cage.pdb" in page and "http-equiv" in page


def test_the_same_seed_gives_the_same_poses(run: Run, folder: Path) -> None:
    for name in ("a", "b"):
        done = run(*DOCK, "--ligand", "NCC(=O)O", "-o", f"{name}.sdf", "--no-html")
        assert done.status == 0, done.err
    assert (folder / "a.sdf").read_text() == (folder / "b.sdf").read_text()
    assert not list(folder.glob("*.html"))


@pytest.mark.thorough
def test_another_type_of_products_is_recorded(run: Run, folder: Path) -> None:
    assert run(*ONE).status == 0
    usual = json.loads((folder / "out.json").read_text())["provenance"]
    done = run(*ONE, "--precision", "bfloat16")
    assert done.status == 0 and "bfloat16" in done.out
    lower = json.loads((folder / "out.json").read_text())["provenance"]
    assert "precision" not in usual and lower["precision"] == "bfloat16"
    assert {r.tags["precision"] for r in read_molecules(folder / "out.sdf")} == {"bfloat16"}
    many = (*DOCK, "--ligands", "good.csv", "-o", "many.sdf")
    assert run(*many).status == 0
    refused = run(*many, "--precision", "bfloat16")
    assert refused.status != 0 and "precision was unset, is now" in refused.err


@pytest.mark.thorough
def test_a_library_has_a_row_for_every_record(run: Run, folder: Path) -> None:
    rows = ["CCO,one", "C1CC(,two", ",three", "NCC(=O)O,one", "[Na+].[Cl-],salt", "CCN"]
    (folder / "lib.csv").write_text("\n".join(["smiles,name", *rows, ""]))
    words = (*DOCK, "--ligands", "lib.csv", "-o", "hits.sdf")
    done = run(*words)
    assert done.status == 0, done.err
    with (folder / "hits.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["place"] for row in table] == ["1", "2", "3", "", "", ""], "the hits first"
    table.sort(key=lambda row: int(row["row"]))
    assert [row["row"] for row in table] == ["1", "2", "3", "4", "5", "6"]
    status = {row["name"]: row["status"] for row in table}
    assert status == {
        "one": "docked",
        "two": "refused",
        "three": "refused",
        "one-2": "docked",
        "salt": "refused",
        "ligand-6": "docked",
    }
    assert all(row["reason"] for row in table if row["status"] != "docked")
    assert "row 1" in table[3]["notes"]
    hits = list(read_molecules(folder / "hits.sdf"))
    energies = [float(hit.tags["energy_kcal_mol"]) for hit in hits]
    assert len(hits) == 3 and energies == sorted(energies)
    again = run(*words)
    assert again.status == 0 and "6 of 6 rows were done before" in again.err
    other = run(*words, "--seed", "1")
    assert other.status == 2 and "seed was 0, is now 1" in other.err and "--restart" in other.err
    assert run(*words, "--seed", "1", "--restart").status == 0


@pytest.mark.thorough
def test_each_pose_says_which_isomer_it_is(run: Run, folder: Path) -> None:
    words = (*DOCK, "--ligand", "CC(O)F", "-o", "out.sdf", "--no-html", "--poses", "3")
    mixed = run(*words)
    assert mixed.status == 0 and "1 stereo centre or bond is unspecified" in mixed.err
    assert all("@" in pose.tags["SMILES"] for pose in read_molecules(folder / "out.sdf"))
    assert all(
        "@" in pose["smiles"] for pose in json.loads((folder / "out.json").read_text())["poses"]
    )
    each = run(*words, "--enumerate-stereo")
    assert each.status == 0 and "2 of 2 isomers docked" in each.err
    found = {pose.tags["SMILES"] for pose in read_molecules(folder / "out.sdf")}
    assert found == {"C[C@H](O)F", "C[C@@H](O)F"}
    (folder / "lib.csv").write_text("smiles,name,batch\nCC(O)F,a,7\n")
    many = run(*DOCK, "--ligands", "lib.csv", "-o", "hits.sdf", "--enumerate-stereo", "--no-html")
    assert many.status == 0, many.err
    with (folder / "hits.csv").open() as file:
        table = list(csv.DictReader(file))
    assert sorted((r["row"], r["name"], r["batch"]) for r in table) == [
        ("1", "a_isomer1", "7"),
        ("1", "a_isomer2", "7"),
    ]
    assert {r["smiles"] for r in table} == found
    hits = list(read_molecules(folder / "hits.sdf"))
    assert all(hit.tags["batch"] == "7" and hit.tags["input_smiles"] == "CC(O)F" for hit in hits)


def test_a_library_without_a_pose_ends_with_an_error(run: Run, folder: Path) -> None:
    (folder / "allbad.csv").write_text("smiles,name\nC1CC,a\n,b\n")
    done = run(*DOCK, "--ligands", "allbad.csv", "-o", "hits.sdf")
    assert done.status == 1 and "None of the 2 rows of allbad.csv" in done.err
    assert (folder / "hits.sdf").read_text() == ""
    assert "hits.csv" in done.err and (folder / "hits.csv").is_file()


def test_a_part_without_a_pose_is_no_error_and_can_be_merged(run: Run, folder: Path) -> None:
    (folder / "lib.csv").write_text("smiles,name\nCCO,a\nC1CC,b\n")
    for shard in ("1/2", "2/2"):
        done = run(*DOCK, "--ligands", "lib.csv", "--shard", shard, "-o", "hits.sdf")
        assert done.status == 0, done.err
    assert "The only row of lib.csv could not be docked: hits.2of2.sdf is empty" in done.err
    assert (folder / "hits.2of2.sdf").read_text() == ""
    assert run("merge", "hits.1of2.sdf", "hits.2of2.sdf", "-o", "hits.sdf").status == 0
    assert (folder / "hits.sdf").read_text().count("$$$$") == 1
    assert run("merge", "hits.2of2.sdf", "-o", "none.sdf").status == 0
    assert (folder / "none.sdf").read_text() == ""


def test_a_reference_of_another_molecule_is_noted(run: Run, folder: Path) -> None:
    note = "the reference is not this ligand"
    docked = run(*ONE)
    assert docked.status == 0 and note not in docked.err
    (folder / "same.sdf").write_text((folder / "out.sdf").read_text().split("$$$$\n")[0] + "$$$$\n")
    assert note not in run(*ONE, "--reference", "same.sdf").err
    assert note in run(*ONE[:-4], "--ligand", "CCCO", *ONE[-2:], "--reference", "same.sdf").err


def test_a_box_shorter_than_the_ligand_is_noted(run: Run, folder: Path) -> None:
    done = run(*DOCK, "--box-size", "8", "--ligand", "CCCCCCCCCCCC", "-o", "out.sdf", "--no-html")
    assert done.status == 0 and "shorter than the ligand" in done.err


def test_view_leaves_out_the_ligand_that_the_poses_lie_on(run: Run, folder: Path) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("OC(CC)C(=O)N"))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    conformer = mol.GetConformer()
    at = (10.0, 20.0, 30.0)
    conformer.SetPositions(conformer.GetPositions() + at)
    (folder / "near.sdf").write_text(Chem.MolToMolBlock(mol) + "$$$$\n")
    ligand = (
        Chem.MolToPDBBlock(Chem.RemoveHs(mol)).replace("UNL     1", "LIG L 401").split("CONECT")[0]
    )
    (folder / "with.pdb").write_text(f"{CAGE.read_text().replace('END', '')}{ligand}")
    for words in ((), ("--reference", "L:401")):
        done = run("view", "near.sdf", "--receptor", "with.pdb", "-o", "page.html", *words)
        assert done.status == 0, done.err
        page = (folder / "page.html").read_text()
        assert "the poses stand in its place: L:401 LIG" in page and re.search(r'"rmsd":0.0', page)
    assert "is shown as the reference" not in done.err
    refused = run("view", "near.sdf", "--receptor", "with.pdb", "--reference", "Z:9")
    assert refused.status == 2 and "no group 'Z:9' to be the --reference" in refused.err


def test_view_says_what_is_no_pose(run: Run, folder: Path) -> None:
    flat = Chem.MolFromSmiles("CCO")
    AllChem.Compute2DCoords(flat)
    (folder / "flat.sdf").write_text(Chem.MolToMolBlock(flat) + "$$$$\n")
    for name in ("flat.sdf", "flat.smi"):
        refused = run("view", name, "--receptor", "cage.pdb", "-o", "page.html")
        assert refused.status == 2 and "no 3D coordinates" in refused.err
    assert not (folder / "page.html").exists()
    both = [(folder / name).read_text() for name in ("flat.sdf", "near.sdf", "far.sdf")]
    (folder / "both.sdf").write_text("".join(both))
    done = run("view", "both.sdf", "--receptor", "cage.pdb")
    assert done.status == 0 and "1 of 3 records have no 3D" in done.err
    assert "1 of 3 poses are over 6 Å" in done.err


def test_view_shows_poses_in_their_receptor(run: Run, folder: Path) -> None:
    assert run(*ONE, "--no-html").status == 0
    done = run("view", "out.sdf", "--receptor", "cage.pdb", "--reference", "near.sdf")
    assert done.status == 0, done.err
    assert "out.sdf in cage.pdb" in (folder / "out.html").read_text()
    bad = run("view", "out.sdf", "--reference", "near.sdf")
    assert bad.status == 2 and "--receptor" in bad.err
