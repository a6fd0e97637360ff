"""Biological assemblies: the right copies in the right places, under names of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moldiff.errors import InputError
from moldiff.protein import read_structure
from moldiff.protein.read import read_contents

Write = Callable[..., Path]
Line = Callable[..., str]

# A turn by 180° about z, and a shift by 30 Å along x.
REMARKS = """\
REMARK 350 COORDINATES FOR A COMPLETE MULTIMER
REMARK 350
REMARK 350 BIOMOLECULE: 1
REMARK 350 AUTHOR DETERMINED BIOLOGICAL UNIT: DIMERIC
REMARK 350 APPLY THE FOLLOWING TO CHAINS: A,
REMARK 350                    AND CHAINS: B
REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000
REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000
REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000
REMARK 350   BIOMT1   2 -1.000000  0.000000  0.000000       30.00000
REMARK 350   BIOMT2   2  0.000000 -1.000000  0.000000        0.00000
REMARK 350   BIOMT3   2  0.000000  0.000000  1.000000        0.00000
REMARK 350 BIOMOLECULE: 2
REMARK 350 APPLY THE FOLLOWING TO CHAINS: C
REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000
REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000
REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000
"""


def chains_at(path: Path, assembly: str | None) -> dict[str, list[float]]:
    """Chain -> the position of its first atom."""
    structure = read_structure(path, assembly=assembly)
    return {
        residue.chain: structure.positions[structure.residue == i][0].tolist()
        for i, residue in reversed(list(enumerate(structure.residues)))
    }


@pytest.fixture
def pdb(write: Write, line: Line) -> Path:
    rows = [
        line("CA", x=(1, 2, 3), chain="A"),
        line("C1", "LIG", 401, (5, 0, 0), chain="A", record="HETATM"),
        line("CA", x=(11, 0, 0), chain="B"),
        line("CA", x=(50, 0, 0), chain="C"),
    ]
    return write(REMARKS + "\n".join(rows))


def test_remark_350(pdb: Path) -> None:
    assert chains_at(pdb, None) == {"A": [1, 2, 3], "B": [11, 0, 0], "C": [50, 0, 0]}
    dimer = {"A": [1, 2, 3], "B": [11, 0, 0], "D": [29, -2, 3], "E": [19, 0, 0]}
    assert chains_at(pdb, "1") == dimer
    assert chains_at(pdb, "2") == {"C": [50, 0, 0]}
    structure = read_structure(pdb, assembly="1", exclude=["D:LIG"])
    assert any("D is A moved by operator 2" in note for note in structure.notes)
    assert any("not in assembly 1 left out: C" in note for note in structure.notes)
    assert [str(r) for r in structure.residues if r.name == "LIG"] == ["A:401 LIG"]


def test_an_assembly_that_is_not_there(pdb: Path, write: Write, line: Line) -> None:
    with pytest.raises(InputError, match="no assembly '7'") as caught:
        read_contents(pdb, assembly="7")
    assert "1, 2" in str(caught.value.fix)
    with pytest.raises(InputError, match="no assembly '1'"):
        read_contents(write(line("CA"), "plain.pdb"), assembly="1")
    with pytest.raises(InputError, match="none of its chains"):
        read_contents(write(REMARKS + line("CA", chain="Z"), "z.pdb"), assembly="2")


def cif(generated: str, operators: str) -> str:
    """Author's chain A is the label's A and B, a protein and its ligand."""
    keys = [f"matrix[{i}][{j}]" for i in (1, 2, 3) for j in (1, 2, 3)]
    keys = ["id", *keys, *(f"vector[{i}]" for i in (1, 2, 3))]
    table = "".join(f"_pdbx_struct_oper_list.{key}\n" for key in keys)
    columns = "group_PDB type_symbol label_atom_id label_comp_id label_asym_id auth_asym_id"
    columns += " auth_seq_id Cartn_x Cartn_y Cartn_z"
    return (
        f"data_X\nloop_\n_pdbx_struct_assembly_gen.assembly_id\n"
        f"_pdbx_struct_assembly_gen.oper_expression\n_pdbx_struct_assembly_gen.asym_id_list\n"
        f"{generated}loop_\n{table}{operators}loop_\n"
        + "".join(f"_atom_site.{column}\n" for column in columns.split())
        + "ATOM C CA ALA A A 1 1 2 3\nHETATM C C1 LIG B A 401 5 0 0\n"
    )


SHIFTS = "".join(f"{k} 1 0 0 0 1 0 0 0 1 {10 * int(k)} 0 0\n" for k in "123")
TURN = "P 0 -1 0 1 0 0 0 0 1 0 0 0\n"  # x, y -> -y, x


def test_mmcif_products_and_label_chains(write: Write) -> None:
    path = write(cif("1 '(P)(1,2-3)' A\n1 P B\n2 1 A,B\n", SHIFTS + TURN), "r.cif")
    structure = read_structure(path, assembly="1")
    found = [(str(r), structure.positions[i].tolist()) for i, r in enumerate(structure.residues)]
    # First the shift, then the turn: (1 + 10 k, 2, 3) becomes (-2, 1 + 10 k, 3).
    assert found == [
        ("A:1 ALA", [-2, 11, 3]),
        ("B:1 ALA", [-2, 21, 3]),
        ("C:1 ALA", [-2, 31, 3]),
        ("D:401 LIG", [0, 5, 0]),
    ]
    assert len(read_structure(path, assembly="2")) == 2 and len(read_structure(path)) == 2


def test_unknown_operators_are_no_assembly(write: Write) -> None:
    path = write(cif("1 1,9 A\n2 1 A\n", SHIFTS), "r.cif")
    assert [assembly.name for assembly in read_contents(path).assemblies] == ["2"]


def test_more_copies_than_letters(write: Write, line: Line) -> None:
    head = "REMARK 350 BIOMOLECULE: 1\nREMARK 350 APPLY THE FOLLOWING TO CHAINS: A\n"
    for k in range(1, 71):
        for i in (1, 2, 3):
            row = [f"{float(i == j):10.6f}" for j in (1, 2, 3)]
            shift = 20.0 * k if i == 1 else 0.0
            head += f"REMARK 350   BIOMT{i} {k:3d}{''.join(row)} {shift:14.5f}\n"
    structure = read_structure(write(head + line("CA")), assembly="1")
    assert len({residue.chain for residue in structure.residues}) == 70
    np.testing.assert_allclose(structure.positions[:, 0], 20.0 * np.arange(1, 71))
