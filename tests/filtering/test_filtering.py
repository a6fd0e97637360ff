"""Filters on files: records stay as they are, and every record has its row."""

from __future__ import annotations

import csv
import inspect
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from rdkit import Chem

import moldiff
from moldiff.chem import canonical_smiles
from moldiff.chem.filters import Measured
from moldiff.chem.picking import Pick
from moldiff.chem.ring_systems import ring_systems
from moldiff.chem.where import parse_where
from moldiff.cli.options import Sifting
from moldiff.errors import DataError, InputError
from moldiff.filtering.criteria import Criteria
from moldiff.filtering.known import known_molecules, known_rings
from moldiff.filtering.records import Item, items
from moldiff.filtering.report import summary, write_page
from moldiff.filtering.sieve import KEPT, NOT_PICKED, REJECTED, Sieve
from moldiff.filtering.unfound import Unfound
from moldiff.io import read_molecules, record_of, write
from tests.molecules import embedded

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
FLAT = Chem.MolToMolBlock(Chem.MolFromSmiles("C[C@H](F)/C=C/c1ccc[nH]1"))


def sifted(
    files: list[Path], output: Path, criteria: Criteria, pick: Pick | None = None, jobs: int = 1
) -> Sieve:
    with Sieve(criteria.judge(), output, pick) as sieve:
        for item in items(files, sieve.plan, sieve.filters.fields, sieve.form, jobs=jobs):
            sieve.add(item)
    return sieve


def table(sieve: Sieve) -> list[dict[str, str]]:
    with sieve.table.open() as file:
        return list(csv.DictReader(file))


def test_records_are_copied_as_they_are(tmp_path: Path) -> None:
    records = SAMPLE.read_text().split("$$$$\n")[:3]
    records += [FLAT + ">  <gap> (1)\n7.25\n\n>  <note>\ntwo\nlines\n\n", "broken\n\n\nno\n"]
    path = tmp_path / "in.sdf"
    path.write_text("$$$$\n".join([*records, ""]))
    sieve = sifted([path], tmp_path / "out.sdf", Criteria(["<gap> > 7 & hbd = 1"]))
    assert (tmp_path / "out.sdf").read_text() == records[3] + "$$$$\n"
    rows = table(sieve)
    assert [row["status"] for row in rows] == [REJECTED] * 3 + [KEPT, REJECTED]
    assert rows[3]["<gap>"] == "7.25" and rows[3]["donors"] == "1" and not rows[3]["reason"]
    assert "no molecule" in rows[4]["reason"] and "<gap> is missing" in rows[0]["reason"]
    assert rows[3]["smiles"] == Chem.CanonSmiles("C[C@H](F)/C=C/c1ccc[nH]1")
    told = summary(sieve, Criteria(["<gap> > 7 & hbd = 1"]), [path])
    assert json.loads(json.dumps(told))["rejected"] == {
        "not <gap> > 7": 3,
        "not hbd = 1": told["rejected"]["not hbd = 1"],
        "no molecule": 1,
    }


def test_the_table_has_the_short_fields_of_the_records(tmp_path: Path) -> None:
    made = {
        "rank": "1",
        "energy_kcal_mol": "-8.5",
        "notes": "as given",
        "status": "ours",
        "SMILES": "C",
        "seed": "0",
        "digest": "abc",
        "input_digest": "def",
        "moldiff_version": "0.2.0",
        "block": "two\nlines",
        "vector": "0 " * 200,
    }
    foreign = {"model": "Dreiding", "seed": "7", "late": "yes"}
    records = [record_of(Chem.MolFromSmiles("CCO"), tags=tags) for tags in (made, foreign)]
    write(records, tmp_path / "in.sdf")
    sieve = sifted([tmp_path / "in.sdf"], tmp_path / "out.sdf", Criteria(["<energy_kcal_mol> < 0"]))
    own = ["file", "record", "name", "smiles", "status", "reason", "<energy_kcal_mol>"]
    others = ["<rank>", "<notes>", "<status>", "<model>", "<seed>", "<late>"]
    first, second = table(sieve)
    assert list(first) == [*own, *others]
    assert [first[name] for name in others] == ["1", "as given", "ours", "", "", ""]
    assert [second[name] for name in others] == ["", "", "", "Dreiding", "7", "yes"]
    asked = sifted([tmp_path / "in.sdf"], tmp_path / "out.sdf", Criteria(["<block> has 'two'"]))
    assert table(asked)[0]["<block>"] == "two\nlines", "what is asked for is there"


@pytest.mark.parametrize("suffix", [".sdf", ".smi"])
def test_stereochemistry_survives_another_format(tmp_path: Path, suffix: str) -> None:
    smiles = ["F/C=C/[C@H](N)C(=O)O", "F/C=C\\Cl", "c1cc[nH]c1"]
    (tmp_path / "a.csv").write_text("ID,smiles\n" + "".join(f"m {s[-1]},{s}\n" for s in smiles))
    (tmp_path / "b.smi").write_text("".join(f"{s} of b\n" for s in smiles))
    files = [tmp_path / "a.csv", tmp_path / "b.smi"]
    sifted(files, tmp_path / f"out{suffix}", Criteria(["mw > 1"]))
    found = list(read_molecules(tmp_path / f"out{suffix}"))
    assert [canonical_smiles(r.mol, stereo=True) for r in found] == 2 * [
        Chem.CanonSmiles(s) for s in smiles
    ]
    assert [record.name for record in found][2:4] == ["m 1", "of b"]


def test_a_row_of_columns_is_written_as_a_molecule(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("ID SMILES gap\na OCC 7\nb CCN 8\n")
    sifted([tmp_path / "a.smi"], tmp_path / "out.smi", Criteria(["<gap> > 7"]))
    assert (tmp_path / "out.smi").read_text() == "CCN b\n"


def test_coordinates_of_other_formats_are_kept(tmp_path: Path) -> None:
    mol = embedded("CCO")
    (tmp_path / "a.xyz").write_text(Chem.MolToXYZBlock(mol))
    sifted([tmp_path / "a.xyz"], tmp_path / "out.sdf", Criteria(["alcohol = 1"]))
    (found,) = read_molecules(tmp_path / "out.sdf")
    assert found.mol is not None and found.mol.GetNumBonds() == 8
    assert abs(
        found.mol.GetConformer().GetPositions() - mol.GetConformer().GetPositions()
    ).max() < (1e-3)


# An ammonium whose charge only the comment states, atoms without hydrogens, and a broken frame.
_FRAMES = (
    Chem.MolToXYZBlock(embedded("[NH4+]")).replace("\n\n", "\ncharge=1\n", 1)
    + "3\n\nC 0 0 0\nC 0 0 1.5\nO 0 1.4 0\n2\n\nO 0 0 0\nO 0 0\n"
)


@pytest.mark.parametrize("form", [".smi", ".sdf"])
@pytest.mark.parametrize(
    ("name", "text", "kept", "told"),
    [
        ("a.xyz", _FRAMES, "[NH4+]", "missing hydrogens"),
        ("a.smi", "CC* part\nCCO whole\n", "CCO", "unknown element: atom 3, '*'"),
        ("a.csv", "smiles,gap\nCC*,1\nCCO,2\nC(C,3\n", "CCO", "unknown element: atom 3, '*'"),
    ],
)
def test_files_and_python_judge_alike(
    tmp_path: Path, name: str, text: str, kept: str, told: str, form: str
) -> None:
    (tmp_path / name).write_text(text)
    sieve = sifted([tmp_path / name], tmp_path / f"out{form}", Criteria(["mw > 10"]))
    found = moldiff.filter(tmp_path / name, where="mw > 10")
    reasons = ["; ".join(str(reason) for reason in one.reasons) for one in found.all]
    assert [row["reason"] for row in table(sieve)] == reasons
    assert any(told in reason for reason in reasons)
    (written,) = read_molecules(tmp_path / f"out{form}")
    assert canonical_smiles(written.mol) == found.kept[0].measured.smiles == kept


def test_processes_change_nothing(tmp_path: Path) -> None:
    texts = []
    for jobs in (1, 2):
        out = tmp_path / f"{jobs}.smi"
        sieve = sifted([SAMPLE, SAMPLE], out, Criteria(["rings < 2"], distinct=True), Pick(5), jobs)
        texts.append((out.read_text(), sieve.table.read_text()))
        assert sieve.outcome.kept == 5
    assert texts[0] == texts[1]


def test_repeated_and_unpicked_records_have_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCO a\nOCC b\nc1ccccc1 c\nCCCO d\n")
    sieve = sifted(
        [tmp_path / "a.smi"], tmp_path / "o.smi", Criteria(distinct=True), Pick(2, "butina")
    )
    rows = table(sieve)
    assert rows[1]["reason"] == "repeated" and rows[1]["status"] == REJECTED
    assert sorted(row["status"] for row in rows) == [KEPT, KEPT, NOT_PICKED, REJECTED]
    assert {row["reason"] for row in rows if row["status"] == NOT_PICKED} == {
        "not among the 2 picked"
    }
    placed = {row["place"]: row["name"] for row in rows if row["place"]}
    assert [line.split()[1] for line in (tmp_path / "o.smi").read_text().splitlines()] == [
        placed["1"],
        placed["2"],
    ]


def test_an_interruption_keeps_what_was_taken(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCO a\nCCN b\n")
    sieve = Sieve(Criteria(["O = 1"]).judge(), tmp_path / "o.smi")
    source = items([tmp_path / "a.smi"], sieve.plan, (), "smi")
    with pytest.raises(KeyboardInterrupt), sieve:
        sieve.add(next(source))
        raise KeyboardInterrupt
    assert (tmp_path / "o.smi").read_text() == "CCO a\n" and len(table(sieve)) == 1


def test_a_choice_that_is_refused_loses_nothing(tmp_path: Path) -> None:
    fingerprint = bytes(256)
    sieve = Sieve(Criteria().judge(), tmp_path / "o.smi", Pick(2, "butina"))
    with pytest.raises(InputError, match=r"All are in .*o\.smi"), sieve:
        for k in range(10_001):
            sieve.add(Item("", k, "", Measured("C", "C", fingerprint=fingerprint), text="C\n"))
    assert (tmp_path / "o.smi").read_text() == "C\n" * 10_001


def test_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "mine.smi").write_text("C[C@H](N)C(=O)O.Cl salt\nC1CC1 ring\nxx bad\n")
    mine = known_molecules(str(tmp_path / "mine.smi"))
    assert "CC(N)C(=O)O" in mine and "C1CC1" in mine and "CCC" not in mine
    assert "C1CC1" in known_rings(str(tmp_path / "mine.smi"))
    assert "C1CC1" in known_rings("qm9") and "CC" in known_molecules("qm9")
    druglike = known_rings("druglike")
    for smiles, usual in (("c1ccc2[nH]ccc2c1", True), ("O=C1CCCN1", True), ("C1=CC=C1", False)):
        (system,) = ring_systems(Chem.MolFromSmiles(smiles))
        assert (system in druglike) is usual
    (tmp_path / "bad.smi").write_text("xx\n")
    for bad, error in (("bad.smi", "no known molecules"), ("no.smi", "no file")):
        with pytest.raises(InputError, match=error):
            known_molecules(str(tmp_path / bad))
    with pytest.raises((InputError, DataError), match="no reference 'qm8'"):
        known_rings("qm8")


def test_the_page_shows_what_is_kept_first(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCN no\nCCO yes\nxx broken\n")
    sieve = sifted([tmp_path / "a.smi"], tmp_path / "o.sdf", Criteria(["O = 1"]))
    write_page(tmp_path / "o.html", sieve, "o.sdf")
    page = (tmp_path / "o.html").read_text()
    data = json.loads(
        page.split('<script type="application/json" id="data">')[1].split("</script")[0]
    )
    assert [(m["name"], m["valid"]) for m in data["molecules"]] == [("yes", True), ("no", False)]
    assert data["words"] == {"valid": "kept", "invalid": "rejected"} and data["total"] == 3
    assert data["molecules"][1]["kind"] == "not O = 1"
    assert data["molecules"][0]["tags"]["n_O"] == "1"


def test_python(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCO a\nCCN b\n")
    benzene = Chem.MolFromSmiles("c1ccccc1")
    benzene.SetProp("gap", "3")
    found = moldiff.filter([tmp_path / "a.smi", benzene, None], where="N = 0", pick=2)
    assert [str(one.reasons[0]) if one.reasons else "" for one in found.all] == [
        "",
        "not N = 0: n_N = 1",
        "",
        "no molecule: no molecule",
    ]
    assert {one.record.name for one in found.kept} == {"a", ""} and len(found.kept) == 2
    assert sorted(one.place for one in found.kept if one.place) == [1, 2]
    assert found.rejected == {"not N = 0": 1, "no molecule": 1}
    assert [one.record.mol for one in moldiff.filter(benzene, where="<gap> < 4").kept] == [benzene]
    assert not moldiff.filter(benzene, novel_to=str(tmp_path / "a.smi")).rejected
    with pytest.raises(InputError, match="no catalogue"):
        moldiff.filter(benzene, alerts="pain")


def test_molecules_as_far_apart_as_can_be_are_picked_unless_told_otherwise() -> None:
    assert Sifting(pick=3).choice(seed=1) == Pick(3, "maxmin", 1)
    assert Pick(3).method == "maxmin"
    assert inspect.signature(moldiff.filter).parameters["pick_by"].default == "maxmin"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("Foo bar", "foo Bar"), ["No <a> is 'fo'; there is 'foo Bar'."]),
        (("", " "), []),
        (("one", "two", "three"), ["No <a> is 'fo'; there are 'two', 'one', 'three'."]),
        ("abcdefg", ["No <a> is 'fo'; of 7 values there the nearest are "]),
        ("abcdefghij", ["No <a> is 'fo'; of more than 8 values there the nearest are "]),
    ],
)
def test_values_that_are_told_instead_of_a_text_are_counted_rightly(
    values: Sequence[str], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moldiff.filtering.unfound._MOST", 8)
    unfound = Unfound([parse_where("<a> = 'fo'")])
    for value in values:
        unfound.add({"a": value})
    notes = unfound.notes()
    assert len(notes) == len(told)
    assert all(note.startswith(text) for note, text in zip(notes, told, strict=True))
