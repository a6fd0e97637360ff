"""What read_structure makes of files as they are: whole, odd, damaged, and no structure at all."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moldiff.errors import InputError
from moldiff.protein import Structure, read_structure
from moldiff.protein.occupants import on
from moldiff.protein.read import read_contents

Write = Callable[..., Path]
Line = Callable[..., str]


def noted(structure: Structure, text: str) -> bool:
    return any(text in note for note in structure.notes)


def cif(rows: list[str], *, columns: str = "", head: str = "data_TEST\n") -> str:
    names = columns or (
        "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id auth_asym_id "
        "auth_seq_id pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy pdbx_PDB_model_num"
    )
    loop = "".join(f"_atom_site.{name}\n" for name in names.split())
    return f"{head}loop_\n{loop}" + "\n".join(rows) + "\n#\n"


ROWS = [
    "ATOM 1 N N . ALA AAA 1 ? 0 0 0 1 1",
    "ATOM 2 C CA . ALA AAA 1 ? 1.46 0 0 1 1",
    "ATOM 3 C C . ALA AAA 1 ? 2.0 1.4 0 1 1",
    "ATOM 4 O O . ALA AAA 1 ? 1.3 2.4 0 1 1",
    "ATOM 5 C CB . ALA AAA 1 ? 2.0 -0.8 1.2 1 1",
    'HETATM 6 O "O5\'" . LIG BBB 401 A 9 9 9 1 1',
]


def test_peptide(write: Write, peptide_text: str) -> None:
    structure = read_structure(write(peptide_text))
    assert [r.name for r in structure.residues] == [
        *("GLY", "SER", "HIS", "LYS", "TRP", "ARG"),
        *("ASN", "ASP", "PRO", "TYR", "THR", "CYS"),
    ]
    assert {r.kind for r in structure.residues} == {"protein"}
    assert structure.positions.dtype == np.float32 and structure.positions.shape[1] == 3
    assert (structure.numbers > 1).all() and not structure.notes
    assert len(structure) == len(structure.names) == len(structure.residue)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: "\n".join(row[:66] for row in t.splitlines()),  # no element column
        lambda t: "\n".join(row[:54] for row in t.splitlines()),  # coordinates only
        lambda t: "REMARK caf\xe9\n" + t,
        lambda t: t.replace("END", ""),
        lambda t: "\n\n" + t,
    ],
)
def test_dialects_give_the_same_atoms(
    write: Write, peptide_text: str, change: Callable[[str], str]
) -> None:
    wanted = read_structure(write(peptide_text))
    got = read_structure(write(change(peptide_text), "other.ent"))
    assert got.names == wanted.names and got.residues == wanted.residues
    np.testing.assert_array_equal(got.numbers, wanted.numbers)
    np.testing.assert_array_equal(got.positions, wanted.positions)


def test_gzip_and_wrong_suffix(write: Write, peptide_text: str) -> None:
    wanted = read_structure(write(peptide_text))
    packed = read_structure(write(gzip.compress(peptide_text.encode()), "r.pdb.gz"))
    misnamed = read_structure(write(peptide_text, "r.cif"))
    assert packed.names == misnamed.names == wanted.names


def test_mmcif(write: Write) -> None:
    structure = read_structure(write(cif(ROWS), "r.cif"))
    assert structure.names == ("N", "CA", "C", "O", "CB", "O5'")
    assert [str(r) for r in structure.residues] == ["AAA:1 ALA", "BBB:401A LIG"]
    assert [r.kind for r in structure.residues] == ["protein", "cofactor"]


def test_mmcif_with_the_least_columns(write: Write) -> None:
    rows = ["CA ALA A 1 0 0 0", "CB ALA A 1 1.5 0 0", "ZN ZN A 2 9 0 0"]
    columns = "label_atom_id label_comp_id label_asym_id label_seq_id Cartn_x Cartn_y Cartn_z"
    structure = read_structure(write(cif(rows, columns=columns), "r.cif"))
    assert structure.numbers.tolist() == [6, 6, 30]


@pytest.mark.parametrize("cut", [3, 10, 20, 30])
def test_truncated_mmcif(write: Write, cut: int) -> None:
    text = cif(ROWS * 3).rstrip("#\n")[:-cut]
    structure = read_structure(write(text, "r.cif"))
    assert len(structure) >= 5


DAMAGED = {
    "a value too few": (3, lambda row: row.replace(" 1.3 2.4", " 1.3"), ["line 20", "13 values"]),
    "a value too many": (1, lambda row: row + " 7", ["line 18", "15 values in a table of 14"]),
    "a coordinate": (2, lambda row: row.replace("2.0", "2.O"), ["line 19", "Cartn_x", "'2.O'"]),
    "a number": (4, lambda row: row.replace("AAA 1", "AAA x1"), ["line 21", "auth_seq_id"]),
    "cells run together": (0, lambda row: row.replace("0 0 0", "0 00"), ["line 17", "ATOM 1 N"]),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_mmcif_rows_are_named(write: Write, case: str) -> None:
    index, change, words = DAMAGED[case]
    rows = [change(row) if k == index else row for k, row in enumerate(ROWS)]
    with pytest.raises(InputError) as caught:
        read_structure(write(cif(rows), "r.cif"))
    assert all(word in caught.value.what for word in ["r.cif", *words]), caught.value.what
    assert "that line" in str(caught.value.fix)


def test_mmcif_atoms_without_coordinates_are_left_out(write: Write) -> None:
    rows = [ROWS[0], ROWS[1].replace("1.46 0 0", "? . ?"), *ROWS[2:]]
    assert noted(read_structure(write(cif(rows), "r.cif")), "1 atoms without readable coordinates")


def test_mmcif_unobserved_residues(write: Write) -> None:
    head = (
        "data_X\nloop_\n"
        + "".join(
            f"_pdbx_unobs_or_zero_occ_residues.{name}\n"
            for name in [
                "polymer_flag",
                "occupancy_flag",
                "auth_asym_id",
                "auth_seq_id",
                "auth_comp_id",
            ]
        )
        + "Y 1 AAA 2 GLY\nY 1 AAA 3 GLY\nY 0 AAA 4 GLY\nN 1 AAA 5 HOH\n#\n"
    )
    structure = read_structure(write(cif(ROWS, head=head), "r.cif"))
    assert noted(structure, "2 residues not seen in the experiment: AAA:2-3")


def test_remark_465(write: Write, peptide_text: str) -> None:
    head = (
        "REMARK 465   M RES C SSSEQI\nREMARK 465     MET A    -1\nREMARK 465     GLY A     0\n"
        "REMARK 465     SER A    50B\n"
    )
    structure = read_structure(write(head + peptide_text))
    assert noted(structure, "3 residues not seen in the experiment: A:-1-0, A:50B")


def test_chain_break_and_missing_atoms(write: Write, peptide_text: str) -> None:
    rows = [r for r in peptide_text.splitlines() if r[22:26] not in ("   5", "   6")]
    rows = [r for r in rows if not (r[17:20] == "LYS" and r[13:15] in ("CE", "NZ"))]
    structure = read_structure(write("\n".join(rows)))
    assert noted(structure, "1 chain break: A:4-7 (2 residues missing in the numbering)")
    assert noted(structure, "1 residue lacks atoms: A:4 LYS (CE NZ)")


def test_altlocs_stay_together(write: Write, line: Line) -> None:
    rows = [
        line("N", "SER", element="N"),
        line("CA", "SER", x=(1.4, 0, 0)),
        line("CB", "SER", x=(2, 1, 0), altloc="A", occupancy=0.4),
        line("CB", "SER", x=(2, 2, 0), altloc="B", occupancy=0.6),
        line("OG", "SER", x=(3, 1, 0), altloc="A", occupancy=0.4, element="O"),
        line("OG", "SER", x=(3, 2, 0), altloc="B", occupancy=0.6, element="O"),
        line("C", "SER", x=(0, 3, 0), altloc="A", occupancy=0.5),  # only A has it
    ]
    structure = read_structure(write("\n".join(rows)))
    where = dict(zip(structure.names, structure.positions[:, 1].tolist(), strict=True))
    assert where == {"N": 0, "CA": 0, "CB": 2, "OG": 2, "C": 3}
    assert noted(structure, "alternate locations: the fullest kept in A:1 SER (B of AB)")


def test_altloc_ties_go_to_the_first_letter(write: Write, line: Line) -> None:
    rows = [
        line("CA", x=(0, 0, 0), altloc="B", occupancy=0.5),
        line("CA", x=(0, 1, 0), altloc="A", occupancy=0.5),
    ]
    assert read_structure(write("\n".join(rows))).positions[0, 1] == 1


def test_single_altloc_is_kept(write: Write, line: Line) -> None:
    structure = read_structure(write(line("CA", altloc="C", occupancy=0.3)))
    assert len(structure) == 1 and not noted(structure, "alternate")


def test_microheterogeneity(write: Write, line: Line) -> None:
    rows = [
        line("CA", "SER", altloc="A", occupancy=0.3),
        line("CA", "THR", altloc="B", occupancy=0.7, x=(0.1, 0, 0)),
        line("CB", "SER", altloc="A", occupancy=0.3, x=(1.5, 0, 0)),
        line("CB", "THR", altloc="B", occupancy=0.7, x=(1.6, 0, 0)),
    ]
    structure = read_structure(write("\n".join(rows)))
    assert [r.name for r in structure.residues] == ["THR"] and len(structure) == 2


def test_insertion_codes_are_residues(write: Write, line: Line) -> None:
    rows = [line("CA", number=60, x=(4.0 * k, 0, 0), insertion=c) for k, c in enumerate(" AB")]
    assert [str(r) for r in read_structure(write("\n".join(rows))).residues] == [
        "A:60 ALA",
        "A:60A ALA",
        "A:60B ALA",
    ]


def test_models(write: Write, line: Line) -> None:
    text = "".join(f"MODEL        {k}\n{line('CA', x=(k, 0, 0))}\nENDMDL\n" for k in (3, 5))
    assert read_structure(write(text)).positions[0, 0] == 3
    second = read_structure(write(text), model=2)
    assert second.positions[0, 0] == 5 and noted(second, "model 2 of 2 taken")
    with pytest.raises(InputError, match="no model 3"):
        read_structure(write(text), model=3)


def groups(line: Line) -> str:
    het = {"record": "HETATM"}
    return "\n".join(
        [
            line("CA"),
            line("ZN", "ZN", 201, (10, 0, 0), element="ZN", **het),
            line("C1", "LIG", 301, (20, 0, 0), **het),
            line("C1", "HEM", 302, (30, 0, 0), **het),
            line("C1", "GOL", 401, (40, 0, 0), **het),
            line("CL", "CL", 402, (45, 0, 0), element="CL", **het),
            line("O", "HOH", 501, (50, 0, 0), element="O", **het),
        ]
    )


def test_groups_are_kept_or_dropped_and_said_so(write: Write, line: Line) -> None:
    structure = read_structure(write(groups(line)))
    assert [r.name for r in structure.residues] == ["ALA", "ZN", "LIG", "HEM"]
    assert [r.kind for r in structure.residues] == ["protein", "metal", "cofactor", "cofactor"]
    for text in (
        "waters left out: 1",
        "additives left out: A:401 GOL, A:402 CL",
        "metal ions kept as part of the receptor: A:201 ZN",
        "A:301 LIG, A:302 HEM",
    ):
        assert noted(structure, text)
    everything = read_structure(write(groups(line)), waters=True, additives=True)
    assert everything.residues[-1].kind == "water" and len(everything.residues) == 7


@pytest.mark.parametrize("entry", ["LIG", "lig", "A:301"])
def test_exclude(write: Write, line: Line, entry: str) -> None:
    structure = read_structure(write(groups(line)), exclude=[entry])
    assert "LIG" not in [r.name for r in structure.residues]
    assert noted(structure, "left out as asked: A:301 LIG")


@pytest.mark.parametrize("entry", ["XYZ", "A:999", "B:", "ALA"])
def test_exclude_unknown(write: Write, line: Line, entry: str) -> None:
    with pytest.raises(InputError, match="A:301 LIG"):
        read_structure(write(groups(line)), exclude=[entry])


def test_the_reference_ligand_is_left_out(write: Write, line: Line) -> None:
    contents = read_contents(write(groups(line)))
    found = on(contents.structure, np.array([[20.3, 0, 0]]))
    rest = contents.receptor(leave=dict.fromkeys(found, "the ligand"))
    assert [r.name for r in rest.residues] == ["ALA", "ZN", "HEM"]
    assert noted(rest, "left out, the ligand: A:301 LIG") and rest.residue.tolist() == [0, 1, 2]
    assert not noted(rest, "sugars) kept as part of the receptor: A:301")


def test_modified_residues_belong_to_the_chain(write: Write, peptide_text: str) -> None:
    rows = peptide_text.splitlines()
    changed = [
        "HETATM" + r[6:17] + "SEP" + r[20:] if r[17:20] == "SER" and r[:4] == "ATOM" else r
        for r in rows
    ]
    changed = [
        "HETATM" + r[6:17] + "X9Z" + r[20:] if r[17:20] == "TYR" and r[:4] == "ATOM" else r
        for r in changed
    ]
    structure = read_structure(write("\n".join(changed)))
    assert {r.name: r.kind for r in structure.residues}["SEP"] == "protein"
    assert {r.name: r.kind for r in structure.residues}["X9Z"] == "protein"


def test_a_free_amino_acid_is_no_residue(write: Write, peptide_text: str) -> None:
    rows = [r for r in peptide_text.splitlines() if r[17:20] == "ASP"]
    alone = [f"HETATM{r[6:22]} 900{r[26:]}" for r in rows]
    structure = read_structure(write("\n".join(alone)))
    assert [r.kind for r in structure.residues] == ["cofactor"]


def test_nucleic(write: Write, line: Line) -> None:
    names = ("P", "O5'", "C5'", "C4'", "C3'", "O3'", "C1*", "N9")
    rows = [line(n, "DA", x=(1.5 * k, 0, 0), element=n[0]) for k, n in enumerate(names)]
    structure = read_structure(write("\n".join(rows)))
    assert structure.residues[0].kind == "nucleic" and "C1'" in structure.names


@pytest.mark.parametrize(
    ("name", "residue", "number"),
    [
        (" CA ", "ALA", 6),
        ("CA  ", " CA", 20),
        ("CA  ", "ALA", 6),
        (" SE ", "MSE", 34),
        ("FE  ", "HEM", 26),
        (" CL1", "LIG", 17),  # the column says carbon, but no one calls a carbon so
        ("CL1 ", "LIG", 17),
        ("ZN  ", " ZN", 30),
        (" NA ", "HEM", 7),
        ("NA  ", " NA", 11),
    ],
)
def test_elements_from_names(
    write: Write, line: Line, name: str, residue: str, number: int
) -> None:
    structure = read_structure(write(line(name, residue, element="", record="HETATM")))
    assert structure.numbers.tolist() == [number]


def test_hydrogens_and_deuterium_are_dropped(write: Write, line: Line) -> None:
    rows = [
        line("CA"),
        line("HA", x=(1, 0, 0), element="H"),
        line("DA", x=(0, 1, 0), element="D"),
        line("HG11", "VAL", 2, x=(0, 1, 0), element=""),
        line("1HB", x=(0, 0, 1), element=""),
    ]
    assert read_structure(write("\n".join(rows))).names == ("CA",)


def test_odd_atoms_are_counted(write: Write, line: Line) -> None:
    good = line("CA")
    rows = [
        good,
        good,  # duplicate
        line("CB", x=(1.5, 0, 0), occupancy=0.0),
        line("QX", "ALA", x=(9, 0, 0), element="X"),
        line("CB", "ALA", 2, (5, 0, 0))[:40],  # cut off
        line("CG", "ALA", 2, (5, 0, 0)).replace("5.000", "5.0x0"),
        line("CD", "ALA", 3, (float("nan"), 0, 0)),
        line("C9", "LIG", 9, (0.1, 0, 0), record="HETATM"),  # on top of CA
    ]
    structure = read_structure(write("\n".join(rows)))
    assert structure.names == ("CA", "CB")
    for text in (
        "1 duplicate atoms",
        "1 atoms of zero occupancy kept",
        "1 atoms of unknown element",
        "3 damaged atom lines",
        "1 atoms on top of others",
    ):
        assert noted(structure, text), structure.notes


def test_repeated_numbers_are_different_residues(write: Write, line: Line) -> None:
    rows = [
        line("CA", x=(0, 0, 0), chain=" "),
        line("CA", "GLY", 2, (4, 0, 0), chain=" "),
        line("CA", x=(30, 0, 0), chain=" "),  # the second chain, also without a letter
        line("CA", x=(60, 0, 0), chain=" "),
    ]
    structure = read_structure(write("\n".join(rows)))
    assert len(structure) == len(structure.residues) == 4
    assert structure.residues[0].chain == ""


def test_large_numbers(write: Write, line: Line) -> None:
    rows = [
        line("CA", serial="A0000", number=9999),
        line("CA", serial="A0001", number="A000", x=(4, 0, 0)),
        line("CA", serial="*****", number="a000", x=(8, 0, 0)),
        line("CA", serial=1, number="-999", x=(12, 0, 0)),
        line("CA", number="    ", x=(16, 0, 0)),
    ]
    rows[2] = "HETATM100002" + rows[2][12:]
    numbers = [r.number for r in read_structure(write("\n".join(rows))).residues]
    assert numbers == [9999, 10_000, 1_223_056, -999, 0]


def test_more_atoms_than_the_format_counts(write: Write, line: Line) -> None:
    rows = [
        line("CA", number=k % 10_000, x=(k % 100 * 4, k // 100 % 100 * 4, k // 10_000 * 4))
        for k in range(120_000)
    ]
    structure = read_structure(write("\n".join(rows)))
    assert len(structure) == len(structure.residues) == 120_000
    assert noted(structure, "C-alpha atom only")


NO_STRUCTURES = {
    "empty": b"",
    "blank": b"\n \n",
    "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "sdf": b"\n  RDKit\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0 0.0 0.0 C\nM  END\n",
    "mol2": b"@<TRIPOS>MOLECULE\nx\n",
    "json": b'{"a": 1}',
    "text": b"hello\nworld\n",
    "header": b"HEADER    HYDROLASE\nEND\n",
    "cif": b"data_X\n_cell.length_a 10\n",
    "broken cif": b"data_X\nloop_\n_atom_site.Cartn_x\n'1\n'2\n",
    "cif without coordinates": b"data_X\nloop_\n_atom_site.id\n1\n2\n",
    "binary": bytes(range(256)) * 4,
    "damaged gzip": gzip.compress(b"ATOM" * 1000)[:30],
    "damaged atoms": b"ATOM  nothing here\nATOM\n",
    "hydrogens": b"ATOM      1  H   ALA A   1       0.000   0.000   0.000  1.00  0.00\n",
    "waters": b"HETATM    1  O   HOH A   1       0.000   0.000   0.000  1.00  0.00           O\n",
    "unpaired": b"ATOM      1 \xff\xfe  ALA A   1       x.000   0.000   0.000\n",
}


@pytest.mark.parametrize("name", NO_STRUCTURES)
def test_what_is_no_structure_is_refused(write: Write, name: str) -> None:
    path = write(NO_STRUCTURES[name], "bad.pdb")
    with pytest.raises(InputError) as caught:
        read_structure(path)
    assert "bad.pdb" in caught.value.what and caught.value.fix


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "no.pdb", tmp_path):
        with pytest.raises(InputError):
            read_structure(path)


def test_random_damage_never_crashes(write: Write, peptide_text: str) -> None:
    rng = np.random.default_rng(0)
    texts = (peptide_text, cif(ROWS))
    for k in range(60):
        content = bytearray(texts[k % 2].encode())
        for place in rng.integers(0, len(content), 12):
            content[place] = rng.integers(0, 256)
        cut = bytes(content[: int(rng.integers(1, len(content)))])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                assert len(read_structure(write(cut))) > 0
            except InputError as error:
                assert error.fix


def test_nothing_on_the_terminal(
    write: Write, peptide_text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    read_structure(write(peptide_text))
    read_structure(write(cif(ROWS), "r.cif"))
    assert capfd.readouterr() == ("", "")


def test_subset(write: Write, line: Line) -> None:
    structure = read_structure(write(groups(line)))
    part = structure.subset(np.array([False, True, False, True]))
    assert [r.name for r in part.residues] == ["ZN", "HEM"] and part.residue.tolist() == [0, 1]
