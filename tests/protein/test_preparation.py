"""A prepared receptor: what is kept and why, and a file that reads as the one it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import moldiff
from moldiff.docking.preparation import Preparation, prepare
from moldiff.docking.site import Where, site
from moldiff.errors import InputError
from moldiff.protein import prepare_receptor, read_structure, write_pdb
from tests.protein.test_sites import AWAY, SMALL, two_hollows

Write = Callable[..., Path]
Line = Callable[..., str]


@pytest.fixture
def crowded(write: Write, line: Line, peptide_text: str) -> Path:
    """A peptide with a haem, a zinc ion, sulphate, a ligand of ten atoms, and three waters."""
    rows = [row for row in peptide_text.splitlines() if row.startswith("ATOM")]

    def group(name: str, number: int, elements: str, at: tuple[float, float, float]) -> list[str]:
        return [
            line(
                f"{e}{k}", name, number, (at[0] + 1.4 * k, at[1], at[2]), element=e, record="HETATM"
            )
            for k, e in enumerate(elements)
        ]

    rows += group("LIG", 401, "CCCNCCOCCC", (40, 0, 0))
    rows += group("HEM", 402, "CCNCCNCC", (0, 40, 0))
    rows += group("SO4", 403, "S", (0, 0, 40))
    rows.append(line("ZN", "ZN", 404, (0, 45, 0), element="ZN", record="HETATM"))
    for number, x in ((501, 43.0), (502, 70.0), (503, 90.0)):
        rows.append(line("O", "HOH", number, (x, 3.0, 0), element="O", record="HETATM"))
    return write("\n".join([*rows, "END", ""]))


def verdicts(done: Preparation) -> dict[str, tuple[bool, str]]:
    return {fate.residue.name: (fate.kept, fate.why) for fate in done.groups}


def test_what_is_kept_and_why(crowded: Path) -> None:
    done = prepare(crowded)
    assert verdicts(done) == {
        "LIG": (False, "a ligand of the experiment"),
        "HEM": (True, "a cofactor"),
        "SO4": (False, "additive"),
        "ZN": (True, "a metal ion"),
    }
    assert done.waters == (0, 3) and done.chains() == [("A", 12, "protein")]
    assert done.boxes[0].what == "ligand A:401 LIG"
    assert done.boxes[0].options == "--center=46.3,0,0 --box-size 25,25,25"
    assert len(done.ligands) == 10


def test_in_python_it_is_a_verb_whose_file_docks_alike(crowded: Path, tmp_path: Path) -> None:
    done = moldiff.prepare(crowded, keep=["SO4"])
    assert isinstance(done, moldiff.Preparation) and verdicts(done)["SO4"][0]
    assert json.loads(done.to_json()) == done.to_dict()
    again = moldiff.prepare(done.write(tmp_path / "prepared.pdb"), keep=["SO4"])
    assert len(again.receptor) == len(done.receptor) and not len(again.ligands)
    with pytest.raises(InputError, match=r"unknown suffix '\.cif'.*\.pdb or \.ent"):
        done.write(tmp_path / "prepared.cif")


def test_it_is_saved_by_suffix_with_a_row_for_each_group_and_box(
    crowded: Path, tmp_path: Path
) -> None:
    done = prepare(crowded)
    rows = {row["name"]: row for row in done.rows()}
    assert len(rows) == len(done.groups) + len(done.boxes) and len(done.groups) == 4
    assert rows["A:401 LIG"]["kept"] == "no" and rows["A:402 HEM"]["why"] == "a cofactor"
    assert rows["A:401 LIG"]["center_x_angstrom"] is None
    box = rows["ligand A:401 LIG"]
    assert (box["item"], box["kind"], box["kept"]) == ("box", "ligand", None)
    assert [box[f"center_{axis}_angstrom"] for axis in "xyz"] == [46.3, 0, 0]
    assert box["size_z_angstrom"] == 25
    assert len({tuple(row) for row in done.rows()}) == 1
    written, saved = done.write(tmp_path / "written.pdb"), done.save(tmp_path / "saved.pdb")
    assert saved.read_text() == written.read_text() and "prepared this receptor" in str(
        saved.read_text()
    )
    assert done.save(tmp_path / "a.csv").read_text() == done.to_csv()
    assert json.loads(done.save(tmp_path / "a.json").read_text()) == done.to_dict()
    assert done.save(tmp_path / "a.html").read_text() == done.to_html()
    with pytest.raises(InputError, match=r"'a\.cif': its suffix is unknown"):
        done.save(tmp_path / "a.cif")


def test_what_is_asked_for(crowded: Path) -> None:
    done = prepare(crowded, keep=["A:401", "A:502"], exclude=["A:HEM"])
    assert verdicts(done)["LIG"] == (True, "kept as asked")
    assert verdicts(done)["HEM"] == (False, "as asked")
    assert done.waters == (1, 3)
    assert prepare(crowded, keep=["HOH"]).waters == (3, 3)
    assert prepare(crowded, waters=True).waters == (3, 3)
    assert prepare(crowded, waters=5.0).waters == (1, 3)
    assert prepare(crowded, waters=5.0, keep=["A:503"]).waters == (2, 3)


def test_no_ligand_for_waters_to_be_near(write: Write, peptide_text: str) -> None:
    with pytest.raises(InputError, match="no ligand that waters could be within 5 Å of"):
        prepare(write(peptide_text), waters=5.0)


def test_the_account_is_data(crowded: Path) -> None:
    account = json.loads(json.dumps(prepare(crowded).to_dict(), allow_nan=False))
    assert {"residue": "A:401", "name": "LIG", "kind": "cofactor", "kept": False}.items() <= (
        account["residues"][0].items()
    )
    assert [entry["name"] for entry in account["residues"]].count("HOH") == 3
    (histidine,) = account["protonation"]
    assert histidine["name"] == "HIS" and histidine["decided_by"] == "its hydrogen bonds"
    assert account["hydrogens"]["of the file"] == 0 < account["hydrogens"]["placed"]
    assert account["boxes"][0]["center"] == pytest.approx([46.3, 0, 0], abs=1e-3)


@pytest.mark.parametrize("state", ["HIS", "HIP", "HISA"])
def test_the_written_file_reads_as_the_one_it_was_made_of(
    crowded: Path, write: Write, tmp_path: Path, state: str
) -> None:
    """Donors, acceptors, hydrogens and order of the atoms are the same, so the poses are, too."""
    text = crowded.read_text(encoding="ascii")
    named = state if len(state) == 4 else f"{state} "
    path = write(text.replace("HIS ", named), "named.pdb")
    done = prepare(path)
    write_pdb(done.receptor, tmp_path / "prepared.pdb")
    again = prepare_receptor(read_structure(tmp_path / "prepared.pdb"))
    before = done.receptor
    assert again.structure.residues == before.structure.residues
    assert again.structure.names == before.structure.names
    np.testing.assert_array_equal(again.structure.positions, before.structure.positions)
    for name in ("donor", "acceptor", "hydrophobic", "metal", "hydrogen_parent"):
        np.testing.assert_array_equal(getattr(again, name), getattr(before, name), err_msg=name)
    np.testing.assert_allclose(again.hydrogens, before.hydrogens, atol=6e-4)
    assert {s.why for s in again.states} == {"the file's hydrogens"}
    assert [s.atoms for s in again.states] == [s.atoms for s in before.states]
    second = prepare(tmp_path / "prepared.pdb")
    assert second.hydrogens == {"of the file": len(before.hydrogens), "placed": 0}


def test_acids_with_their_hydrogen(write: Write, peptide_text: str) -> None:
    done = prepare(write(peptide_text.replace("ASP ", "ASPP")))
    (acid,) = (state for state in done.receptor.states if state.residue.name == "ASPP")
    assert (acid.atoms, acid.why) == (("OD2",), "its name")


def test_a_short_chain_stays_and_is_said(write: Write, peptide_text: str) -> None:
    rows = [row for row in peptide_text.splitlines() if row.startswith("ATOM")]
    many = [
        f"{row[:21]}A{int(row[22:26]) + 20 * k:4d}{row[26:30]}{float(row[30:38]) + 40 * k:8.3f}"
        f"{row[38:]}"
        for k in range(5)
        for row in rows
    ]
    short = [f"{row[:21]}P{row[22:30]}{float(row[30:38]) - 40:8.3f}{row[38:]}" for row in rows]
    done = prepare(write("\n".join([*many, *short])))
    assert any("--exclude P:" in note for note in done.notes)
    assert [chain for chain, _, _ in done.chains()] == ["A", "P"]


def test_cavities_are_those_of_docking(write: Write, line: Line) -> None:
    """The copies of a cavity in a dimer's chains are one, and a ligand in a copy lies in it."""
    dimer = two_hollows(fond=True, chains="AB")
    rows = [
        line("CA", residue.name, residue.number, tuple(x), chain=residue.chain)
        for residue, x in zip(dimer.residues, dimer.positions.tolist(), strict=True)
    ]
    for k, element in enumerate("CCCNCCOCCC"):  # in the second chain's copy of the likeliest
        at = (SMALL + AWAY + [0.7 * k - 3.15, 0.0, 0.0]).tolist()
        rows.append(line(f"{element}{k}", "LIG", 1, tuple(at), chain="L", record="HETATM"))
    path = write("\n".join([*rows, "END", ""]))
    found = site(path, Where(autobox=True), cavities=5)
    cavities = [one for one in prepare(path).boxes if one.what.startswith("cavity")]
    for pocket, candidate in zip([found.pocket, *found.pocket.others], cavities, strict=False):
        np.testing.assert_array_equal(candidate.box.centre, pocket.box.centre)
        np.testing.assert_array_equal(candidate.box.size, pocket.box.size)
    copy = ",".join(f"{v:g}" for v in np.round(cavities[0].box.centre + AWAY, 1) + 0.0)
    assert cavities[0].what == f"cavity 1, where L:1 LIG lies; copies of it are at {copy}"
    assert len(cavities) == 2
