"""Structure files as other programs write them: moved columns, long names, ions, hydrogens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moldiff.errors import InputError
from moldiff.protein import Receptor, Structure, prepare_receptor, read_structure

Write = Callable[..., Path]
Line = Callable[..., str]


def noted(structure: Structure, text: str) -> bool:
    return any(text in note for note in structure.notes)


def same(a: Structure, b: Structure) -> bool:
    return (
        a.names == b.names
        and [str(r) for r in a.residues] == [str(r) for r in b.residues]
        and np.array_equal(a.positions, b.positions)
        and np.array_equal(a.numbers, b.numbers)
    )


# --- columns and encodings -------------------------------------------------------------------


def atoms(text: str) -> list[str]:
    return [row for row in text.splitlines() if row.startswith("ATOM")]


def blanks(row: str) -> str:
    words = (row[:6], row[6:11], row[12:16], row[17:20], row[21], row[22:26], row[30:38])
    words += (row[38:46], row[46:54], row[54:60], row[60:66], row[76:78])
    return " ".join(word.strip() for word in words)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: f"{row[:6]}100123{row[11:]}",  # a serial number of six digits
        lambda row: f"{row[:6]}1001234{row[11:]}",
        lambda row: f"{row[:6]}*****{row[11:]}",
        lambda row: f"  {row}",
        blanks,
        lambda row: blanks(row).replace(" ", "\t"),
    ],
)
def test_moved_columns(write: Write, peptide_text: str, change: Callable[[str], str]) -> None:
    wanted = read_structure(write(peptide_text))
    got = read_structure(write("\n".join(map(change, atoms(peptide_text)))))
    assert same(wanted, got) and not noted(got, "damaged")
    half = [change(row) if k % 2 else row for k, row in enumerate(atoms(peptide_text))]
    assert same(wanted, read_structure(write("\n".join(half))))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings(write: Write, peptide_text: str, encoding: str) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    wanted = read_structure(write(peptide_text))
    text = "\n".join(atoms(peptide_text))
    assert same(wanted, read_structure(write(mark + text.encode(encoding))))


@pytest.mark.parametrize("number", [12345, 99999])
def test_residue_numbers_of_five_digits(write: Write, line: Line, number: int) -> None:
    row = line("CA", number=1)
    for text in (f"{row[:22]}{number}{row[27:]}", f"{row[:22]}{number} {row[27:]}"):
        assert [r.number for r in read_structure(write(text)).residues] == [number]


def test_chains_of_two_letters(write: Write, peptide_text: str) -> None:
    rows = atoms(peptide_text)
    for change, where in (
        (lambda row: f"{row[:20]}AB{row[22:]}", "columns 21-22"),
        (lambda row: f"{row[:21]}AB{int(row[22:26]):>3}{row[26:]}", "columns 22-23"),
    ):
        structure = read_structure(write("\n".join(map(change, rows))))
        assert {r.chain for r in structure.residues} == {"AB"} and noted(structure, where)


def test_residues_of_four_letters(write: Write, line: Line, peptide_text: str) -> None:
    text = re.sub(r"ASP (.)", r"ASPP\1", peptide_text).replace("HIS A", "HISEA")
    structure = read_structure(write(text))
    assert {"ASPP", "HISE"} <= {r.name for r in structure.residues}
    assert {r.chain for r in structure.residues} == {"A"} and not noted(structure, "two letters")
    odd = [f"HETATM{row[6:17]}XYZWA{row[22:]}" for row in (line("C1"), line("C2", x=(1.5, 0, 0)))]
    guessed = read_structure(write("\n".join([peptide_text.replace("END", ""), *odd])))
    assert noted(guessed, "ambiguous") and "XYZW" in {r.name for r in guessed.residues}


def test_segments_stand_for_blank_chains(write: Write, peptide_text: str) -> None:
    rows = [f"{row[:21]} {row[22:]}" for row in atoms(peptide_text)]
    both = [f"{row[:72]:<72}{name:<4}{row[76:]}" for name in ("PROA", "PROB") for row in rows]
    half = len(rows)
    moved = [
        f"{row[:30]}{float(row[30:38]) + 60 * (k >= half):8.3f}{row[38:]}"
        for k, row in enumerate(both)
    ]
    structure = read_structure(write("\n".join(moved)))
    assert {r.chain for r in structure.residues} == {"PROA", "PROB"}
    assert noted(structure, "segments stand for them: PROA, PROB")
    assert {r.chain for r in read_structure(write("\n".join(both[:half]))).residues} == {""}


def test_a_file_with_many_damaged_lines_is_refused(write: Write, peptide_text: str) -> None:
    rows = atoms(peptide_text)
    bad = [row[:34] if k % 8 == 0 else row for k, row in enumerate(rows)]
    with pytest.raises(InputError, match="damaged atom lines"):
        read_structure(write("\n".join(bad)))
    assert noted(read_structure(write("\n".join([rows[0][:34], *rows[1:]]))), "1 damaged")


# --- elements --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "residue", "number"),
    [
        *((f"{n:<4}", n, z) for n, z in (("SOD", 11), ("POT", 19), ("CAL", 20), ("CES", 55))),
        *((f" {n:<3}", n, z) for n, z in (("SOD", 11), ("POT", 19), ("CAL", 20), ("CES", 55))),
        (" LIT", "LIT", 3),
        (" ZN ", "ZN2", 30),
        (" Na+", "NA+", 11),
        (" FE ", "HEM", 26),
        (" Fe ", "LIG", 26),
        ("FE1 ", "SF4", 26),
        (" BR1", "LIG", 35),
        (" CO ", "B12", 27),
        (" CD ", "LIG", 6),
        (" NA ", "HEM", 7),
    ],
)
def test_elements_without_a_column(
    write: Write, line: Line, name: str, residue: str, number: int
) -> None:
    row = line(name, residue, 900, (30, 0, 0), element="", record="HETATM")
    structure = read_structure(write("\n".join([line("CA"), row])))
    assert structure.numbers.tolist() == [6, number]


def test_chloride_by_any_name_is_an_additive(write: Write, line: Line) -> None:
    rows = [
        line("CA"),
        *(
            line(n, n, k, (9 * k, 0, 0), element="", record="HETATM")
            for k, n in ((5, "CLA"), (6, "CL-"))
        ),
    ]
    structure = read_structure(write("\n".join(rows)))
    assert len(structure) == 1 and noted(structure, "additives left out: A:5 CLA, A:6 CL-")


def test_unknown_single_atoms_are_noted(write: Write, line: Line) -> None:
    row = line(" Q1 ".replace("Q", "C"), "XX9", 7, (20, 0, 0), element="", record="HETATM")
    assert noted(read_structure(write("\n".join([line("CA"), row]))), "A:7 XX9 (as C)")


# --- hydrogens -------------------------------------------------------------------------------


def hydrogen(line: Line, receptor: Receptor, name: str, parent: tuple[int, str]) -> str:
    """A hydrogen 1 Å from an atom, away from its residue."""
    structure = receptor.structure
    atom = next(
        i
        for i, n in enumerate(structure.names)
        if n == parent[1] and structure.residues[structure.residue[i]].number == parent[0]
    )
    own = structure.positions[structure.residue == structure.residue[atom]]
    away = structure.positions[atom] - own.mean(0)
    x = structure.positions[atom] + away / np.linalg.norm(away)
    residue = structure.residues[structure.residue[atom]]
    return line(name, residue.name, residue.number, tuple(x), element="H")


def donors(receptor: Receptor, number: int) -> set[str]:
    structure = receptor.structure
    return {
        structure.names[i]
        for i in np.flatnonzero(receptor.donor).tolist()
        if structure.residues[structure.residue[i]].number == number
    }


@pytest.mark.parametrize("sites", [("ND1",), ("NE2",), ("ND1", "NE2")])
def test_hydrogens_of_the_file_decide_histidines(
    write: Write, line: Line, peptide_text: str, sites: tuple[str, ...]
) -> None:
    plain = prepare_receptor(read_structure(write(peptide_text)))
    rows = [hydrogen(line, plain, f"H{site[1:]}", (3, site)) for site in sites]
    receptor = prepare_receptor(read_structure(write("\n".join([*atoms(peptide_text), *rows]))))
    assert donors(receptor, 3) == {"N", *sites}
    assert noted(receptor.structure, "1 by the file's hydrogens")
    names = [receptor.structure.names[i] for i in receptor.hydrogen_parent.tolist()]
    assert all(site in names for site in sites)


def test_hydrogens_of_the_file_protonate_acids(write: Write, line: Line, peptide_text: str) -> None:
    plain = prepare_receptor(read_structure(write(peptide_text)))
    row = hydrogen(line, plain, "HD2", (8, "OD2"))
    receptor = prepare_receptor(read_structure(write("\n".join([*atoms(peptide_text), row]))))
    assert donors(plain, 8) == {"N"} and donors(receptor, 8) == {"N", "OD2"}
    assert noted(receptor.structure, "acids protonated in the file: A:8 ASP OD2")


def test_where_the_file_has_its_hydrogens_absence_decides(
    write: Write, line: Line, peptide_text: str
) -> None:
    plain = prepare_receptor(read_structure(write(peptide_text)))
    structure = plain.structure
    rows = []
    for x, parent in zip(plain.hydrogens, plain.hydrogen_parent, strict=True):
        residue = structure.residues[structure.residue[parent]]
        if structure.names[parent] != "OH":  # a tyrosinate
            rows.append(
                line(f"H{len(rows)}"[:4], residue.name, residue.number, tuple(x), element="H")
            )
    receptor = prepare_receptor(read_structure(write("\n".join([*atoms(peptide_text), *rows]))))
    changed = np.flatnonzero(plain.donor != receptor.donor).tolist()
    assert [structure.names[i] for i in changed] == ["OH"]
    np.testing.assert_allclose(len(receptor.hydrogens), len(rows))


@pytest.mark.parametrize(
    ("name", "state", "wanted"),
    [
        ("ASP", "ASPP", {"N", "OD2"}),
        ("ASP", "ASH", {"N", "OD2"}),
        ("ASP", "ASPH", {"N", "OD2"}),
        ("HIS", "HISH", {"N", "ND1", "NE2"}),
        ("HIS", "HISA", {"N", "ND1"}),
        ("HIS", "HSE", {"N", "NE2"}),
        ("HIS", "HSD", {"N", "ND1"}),
    ],
)
def test_names_of_force_fields(
    write: Write, peptide_text: str, name: str, state: str, wanted: set[str]
) -> None:
    rows = [row.replace(f"{name} ", f"{state:<4}", 1) for row in atoms(peptide_text)]
    receptor = prepare_receptor(read_structure(write("\n".join(rows))))
    (number,) = {r.number for r in receptor.structure.residues if r.name == state}
    assert donors(receptor, number) == wanted
    assert not any("two letters" in note for note in receptor.structure.notes)


def test_subset_carries_hydrogens(write: Write, line: Line, peptide_text: str) -> None:
    plain = prepare_receptor(read_structure(write(peptide_text)))
    row = hydrogen(line, plain, "HD1", (3, "ND1"))
    structure = read_structure(write("\n".join([*atoms(peptide_text), row])))
    part = structure.subset(structure.residue >= 2)
    assert part.names[int(part.hydrogen_parent[0])] == "ND1" and len(part.hydrogens) == 1
    assert len(structure.subset(structure.residue < 2).hydrogens) == 0
