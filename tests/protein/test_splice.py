"""New residues in the text of structure files: everything that is there stays as it is written."""

from __future__ import annotations

import io

import numpy as np
import pytest
from Bio.PDB import MMCIFIO, PDBParser

from moldiff.errors import InputError
from moldiff.protein.splice import Insertion, NewResidue, spliced
from tests.backbones import backbone
from tests.proteins import names_of, pdb_lines, seqres

CHAIN = backbone(12, seed=1)
NAMES = names_of(CHAIN)


def insertion(first: int, last: int, *, replaced: tuple[int, ...] = ()) -> Insertion:
    """The residues [first, last) of the chain, numbered as they were."""
    x = CHAIN.atoms.astype(float)
    new = [
        NewResidue(NAMES[k], k + 1, "", dict(zip(("N", "CA", "C", "O"), x[k], strict=True)), 12.5)
        for k in range(first, last)
    ]
    return Insertion("A", x[first - 1, 2], x[last, 0], new, first + 1, [x[k, 1] for k in replaced])


def test_a_pdb_file_keeps_its_lines_and_gets_those_that_were_cut() -> None:
    whole, cut = pdb_lines(CHAIN), pdb_lines(CHAIN, without={5, 6})
    head, tail = seqres(NAMES), "HETATM 9000  O   HOH A 201      90.000  90.000  90.000\nEND\n"
    text = spliced((head + cut + tail).encode(), "pdb", [insertion(5, 7)], "built A:6-7")
    lines = text.splitlines(keepends=True)
    assert [line for line in lines if line in head + cut + tail] == (head + cut + tail).splitlines(
        keepends=True
    )
    added = [line for line in lines if line not in head + cut + tail]
    assert added[0] == "REMARK 999 built A:6-7\n"
    fields = [line[12:54] for line in whole.splitlines()]
    assert [line[12:54] for line in text.splitlines() if line.startswith("ATOM")] == fields
    assert [int(line[6:11]) for line in added[1:]] == list(range(9001, 9009))
    assert all(
        line[54:66] == "  1.00 12.50" and line[76:78] == f" {line[13]}" for line in added[1:]
    )


def test_statements_that_are_no_longer_true_go() -> None:
    listed = [f"REMARK 465     {NAMES[k]} A  {k + 1:4d}\n" for k in (0, 5, 6)]
    rows = pdb_lines(CHAIN, without={5, 6}).splitlines(keepends=True)
    rows.insert(20, "TER\n")  # some programs write it at a gap
    text = spliced("".join([*listed, *rows]).encode(), "pdb", [insertion(5, 7)], "")
    assert listed[0] in text and listed[1] not in text and listed[2] not in text
    assert "TER" not in text


def test_residues_are_replaced_with_all_that_is_said_about_them() -> None:
    rows = pdb_lines(CHAIN).splitlines(keepends=True)
    anisotropic = rows[20].replace("ATOM  ", "ANISOU")
    rows.insert(21, anisotropic)
    text = spliced("".join(rows).encode(), "pdb", [insertion(5, 7, replaced=(5, 6))], "")
    assert anisotropic not in text
    assert text.count(f"{NAMES[5]} A   6") == 4


def as_cif(text: str) -> str:
    writer, out = MMCIFIO(), io.StringIO()
    writer.set_structure(PDBParser(QUIET=True).get_structure("x", io.StringIO(text)))
    writer.save(out)
    return out.getvalue()


UNSEEN = """loop_
_pdbx_unobs_or_zero_occ_residues.auth_asym_id
_pdbx_unobs_or_zero_occ_residues.auth_seq_id
_pdbx_unobs_or_zero_occ_residues.PDB_ins_code
A 1 ?
A 6 ?
A 7 ?
#
"""


def test_a_cif_file_keeps_its_rows() -> None:
    cut = as_cif(pdb_lines(CHAIN, without={5, 6})) + UNSEEN
    text = spliced(cut.encode(), "cif", [insertion(5, 7)], "built")
    kept = [line for line in cut.splitlines() if line not in ("A 6 ?", "A 7 ?")]
    assert [line for line in text.splitlines() if line in kept] == kept
    assert "A 6 ?" not in text and "A 1 ?" in text
    from Bio.PDB import MMCIFParser

    chain = MMCIFParser(QUIET=True).get_structure("x", io.StringIO(text))[0]["A"]
    assert [residue.id[1] for residue in chain] == list(range(1, 13))
    found = np.array([[atom.coord for atom in residue] for residue in chain])
    np.testing.assert_allclose(found, CHAIN.atoms, atol=6e-4)


def test_rows_over_several_lines_are_refused() -> None:
    rows = as_cif(pdb_lines(CHAIN)).splitlines()
    broken = "\n".join(row.replace(" A 1 ", " A\n1 ") for row in rows)
    with pytest.raises(InputError, match="a row to a line"):
        spliced(broken.replace(" . ", " .\n").encode(), "cif", [insertion(5, 7)], "")
