"""Libraries as vendors and databases write them: no invented row, nothing of the input lost."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from rdkit import Chem

from moldiff.chem.tautomers import tautomers
from moldiff.docking.library.entries import Entry, carried, enumerated, read_library
from moldiff.docking.library.screening import LibraryRun
from moldiff.docking.ligands import read_ligand
from moldiff.docking.result import DockedPose, DockingResult, merged
from moldiff.docking.settings import Settings
from moldiff.docking.site import Where, site
from moldiff.errors import InputError
from moldiff.io import identifier
from moldiff.protein.pocket import Box
from tests.molecules import embedded

CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"


def names(entries: list[Entry]) -> list[str]:
    return [entry.name for entry in entries]


def library(path: Path, text: str | bytes) -> list[Entry]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_library(path)


RACEMATE = "C[C@H](O)c1ccccc1 |&1:1|"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.smi", "CCO ethanol\nc1ccccc1 benzene\n"),
        ("a.smi", "\ufeffCCO\tethanol\nc1ccccc1\tbenzene\n"),
        ("a.ism", "CCO ethanol\nc1ccccc1 benzene\n"),
        ("a.smiles", "smiles id\nCCO ethanol\nc1ccccc1 benzene\n"),
        ("a.can", "# a comment\nCCO ethanol\n\nc1ccccc1 benzene\n"),
        ("a.txt", "SMILES\tIdnumber\nCCO\tethanol\nc1ccccc1\tbenzene\n"),
        ("a.tsv", "ID\tCanonical SMILES\nethanol\tCCO\nbenzene\tc1ccccc1\n"),
        ("a.csv", "Molecule ChEMBL ID;Smiles\nethanol;CCO\nbenzene;c1ccccc1\n"),
        ("a.csv.gz", gzip.compress(b"smiles,name\nCCO,ethanol\nc1ccccc1,benzene\n", mtime=0)),
        ("a.smi.gz", gzip.compress(b"CCO ethanol\nc1ccccc1 benzene\n", mtime=0)),
        ("a.smi", "CCO ethanol\nc1ccccc1 benzene\n".encode("utf-16")),
        ("a.csv", "smiles,name\r\nCCO,ethanol\r\nc1ccccc1,benzene\r\n".encode("utf-16")),
    ],
)
def test_kinds_and_encodings(tmp_path: Path, name: str, text: str | bytes) -> None:
    entries = library(tmp_path / name, text)
    assert names(entries) == ["ethanol", "benzene"]
    assert [Chem.MolToSmiles(Chem.RemoveHs(entry.mol)) for entry in entries] == ["CCO", "c1ccccc1"]


def test_windows_names(tmp_path: Path) -> None:
    (entry,) = library(tmp_path / "a.csv", "smiles,name\nCCO,Éthanol\n".encode("cp1252"))
    assert entry.name == "Éthanol"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.smi", f"{RACEMATE} x\n"),
        ("a.cxsmiles", f"smiles\tid\n{RACEMATE}\tx\n"),
        ("a.smi", f"smiles id\n{RACEMATE} x\n"),
        ("a.csv", f"smiles,id\n{RACEMATE},x\n"),
    ],
)
def test_extensions_of_smiles_are_no_names(tmp_path: Path, name: str, text: str) -> None:
    (entry,) = library(tmp_path / name, text)
    assert entry.name == "x" and entry.mol is not None and len(entry.mol.GetStereoGroups()) == 1


def sdf(title: str, smiles: str, **fields: str) -> str:
    block = Chem.MolToMolBlock(embedded(smiles))
    tags = "".join(f">  <{key}>\n{value}\n\n" for key, value in fields.items())
    return f"{title}{block}{tags}$$$$\n"


def test_a_mol_block_in_a_field_is_no_record(tmp_path: Path) -> None:
    inner = Chem.MolToMolBlock(Chem.MolFromSmiles("CCN"))
    text = sdf("one", "CCO", original=inner, id="7") + sdf("two", "CCC")
    entries = library(tmp_path / "a.sdf", text)
    assert names(entries) == ["one", "two"] and all(entry.mol for entry in entries)
    assert entries[0].fields["id"] == "7" and "V2000" in entries[0].fields["original"]


def test_a_record_without_its_end_is_still_found(tmp_path: Path) -> None:
    text = sdf("one", "CCO").replace("$$$$\n", "") + sdf("two", "CCC")
    assert [entry.mol is None for entry in library(tmp_path / "a.sdf", text)] == [False, True]


@pytest.mark.parametrize("field", ["ID", "IDNUMBER", "zinc_id", "Catalog ID", "ChEMBL_ID", "CAS"])
def test_identifiers_of_nameless_records(tmp_path: Path, field: str) -> None:
    entries = library(tmp_path / "a.sdf", sdf("", "CCO", **{"MW": "46", field: "Z1"}))
    assert names(entries) == ["Z1"] and entries[0].fields["MW"] == "46"
    assert read_ligand(tmp_path / "a.sdf")[1] == "Z1"
    assert identifier({"MW": "46"}) == ""


def test_every_column_is_carried_under_a_name_of_its_own() -> None:
    fields = {"SMILES": "CCO", "Name": "x", "logP": "1"}
    assert carried(fields, ("smiles", "name")) == {
        "input_SMILES": "CCO",
        "input_Name": "x",
        "logP": "1",
    }


def test_isomers_are_entries_of_one_record(tmp_path: Path) -> None:
    text = "smiles,name,batch\nCCO,a,1\nCC(O)F,b,2\nC1CC,c,3\n"
    entries = enumerated(library(tmp_path / "a.csv", text))
    assert names(entries) == ["a", "b_isomer1", "b_isomer2", "c"]
    assert [entry.record for entry in entries] == [0, 1, 1, 2]
    assert [entry.index for entry in entries] == [0, 1, 2, 3]
    assert entries[2].fields["batch"] == "2" and "isomer 2 of 2" in entries[2].notes
    assert entries[3].mol is None


def test_tautomers_are_entries_of_one_record(tmp_path: Path) -> None:
    text = "smiles,name\nOc1ccccn1,a\nCCO,b\nC[C@H](N)c1ccnc(O)c1,c\nC1CC,d\n"
    entries = enumerated(library(tmp_path / "a.csv", text), stereo=False, tautomers=2)
    assert names(entries) == ["a_tautomer1", "a_tautomer2", "b", "c_tautomer1", "c_tautomer2", "d"]
    assert [entry.record for entry in entries] == [0, 0, 1, 2, 2, 3]
    smiles = [Chem.MolToSmiles(Chem.RemoveHs(entry.mol)) for entry in entries if entry.mol]
    assert smiles[:2] == ["Oc1ccccn1", "O=c1cccc[nH]1"], "as given first, then the likeliest"
    assert all("@" in text for text in smiles[3:]), "what a tautomer keeps of the stereo stays"
    assert "tautomer 2 of 2" in entries[1].notes and not entries[2].notes
    both = enumerated(
        entries=library(tmp_path / "b.csv", "smiles\nCC(F)c1ccnc(O)c1\n"), tautomers=2
    )
    assert names(both)[-1] == "ligand-1_tautomer2_isomer2" and len(both) == 4


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_tautomers_are_capped(limit: int) -> None:
    guanine = Chem.MolFromSmiles("Nc1nc2[nH]cnc2c(=O)[nH]1")
    forms = tautomers(guanine, limit)
    assert len(forms) == limit and forms[0] is guanine
    assert len({Chem.MolToSmiles(form) for form in forms}) == limit


def test_the_table_has_the_columns_of_the_input_and_nothing_stale_beside_it(tmp_path: Path) -> None:
    (tmp_path / "lib.csv").write_text("smiles,name,batch\nC1CC,a,7\n,b,8\n", encoding="ascii")
    place = site(CAGE, Where(center=(10, 20, 30), size=12))
    output = tmp_path / "hits.sdf"
    for suffix in (".sdf", ".html"):
        output.with_suffix(suffix).write_text("of an older run", encoding="ascii")
    with LibraryRun.open(place, tmp_path / "lib.csv", Settings(), output) as run:
        run.work()
        files = run.write(output.with_suffix(".html"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("hits.csv", "hits.manifest.jsonl", "hits.sdf", "lib.csv")
    ]
    assert output.read_text(encoding="ascii") == ""
    header, first, _ = files[1].read_text(encoding="utf-8").splitlines()
    assert header.endswith(",receptor_notes,input_smiles,input_name,batch")
    assert {"required", "hbond", "clash"} <= set(header.split(","))
    assert first.startswith("1,a,refused,") and first.endswith(",C1CC,a,7")


def pose(smiles: str, score: float, lacks: tuple[str, ...] | None = None) -> DockedPose:
    return DockedPose(1, embedded("CCO"), -1.0, score, smiles=smiles, lacks=lacks)


def test_isomers_share_one_ranking() -> None:
    box = Box([0, 0, 0], 20)
    first = DockingResult("x", "A", (pose("", 3.0), pose("", 2.0)), box, "random", seconds={"a": 1})
    second = DockingResult("x", "B", (pose("", 1.0),), box, "random", seconds={"a": 2})
    both = merged([first, second], "open", poses=1)
    assert [(p.rank, p.smiles) for p in both.poses] == [(1, "A"), (2, "B")]
    assert both.smiles == "open" and both.seconds == {"a": 3}
    assert [tags["SMILES"] for _, tags in both.records()] == ["A", "B"]


def test_of_isomers_the_one_that_has_what_is_required_comes_first() -> None:
    box = Box([0, 0, 0], 20)
    poses = [pose("A", 3.0, ("A:1",)), pose("B", 1.0, ())]
    both = merged([DockingResult("x", p.smiles, (p,), box, "random") for p in poses], "open", 2)
    assert [p.smiles for p in both.poses] == ["B", "A"]


def test_a_library_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown suffix"):
        library(tmp_path / "a.xlsx", b"PK")
    with pytest.raises(InputError, match="no column 'smiles'"):
        library(tmp_path / "a.tsv", "a\tb\n1\t2\n")
    entries = library(tmp_path / "a.csv.gz", gzip.compress(b"smiles\nCCO\n")[:-6])
    assert entries[-1].reason.startswith("damaged gzip file")
