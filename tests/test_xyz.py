"""XYZ as programs write it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moldiff.io import Writer, read_molecules
from tests.molecules import embedded


def put(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


WATER_XYZ = "O 0 0 0.1173\nH 0 0.7572 -0.4692\nH 0 -0.7572 -0.4692\n"


@pytest.mark.parametrize(
    "text",
    [
        "3\nwater\n" + WATER_XYZ,
        # QM9's own: Mathematica's exponents, charges, then frequencies, SMILES and InChI
        "3\ngdb 3\t799.5 437.9\nO\t-0.03\t 0.97\t 7.6*^-3\t-0.58\n"
        "H\t 0.06\t 2.0*^-2\t0.002\t0.29\nH\t 0.87\t 1.30\t 6.9*^-4\t 0.29\n"
        "1671.4 3803.6 3907.6\nO\tO\nInChI=1S/H2O/h1H2\tInChI=1S\n",
        "3\nProperties=pos:R:3:species:S:1\n0 0 .1 O\n0 .7572 -.4692 H\n0 -.7572 -.4692 H\n",
        '3\nLattice="9 0 0 0 9 0 0 0 9" Properties=Z:I:1:forces:R:3:pos:R:3 energy=-76.4\n'
        "8 9 9 9 0 0 .1\n1 9 9 9 0 .7572 -.4692\n1 9 9 9 0 -.7572 -.4692\n",
        "3\n\n0 0 .1 O\n0 .7572 -.4692 H\n0 -.7572 -.4692 H\n",
        "3\n\n1 O 0 0 .1\n2 H 0 .7572 -.4692\n3 H 0 -.7572 -.4692\n",
        "3\n\nO1 0 0 1.173D-01\nH2 0 0.7572d0 -4.692D-01\nH_3 0 -0.7572 -4.692E-01\n",
        "3\nheavy\nO 0 0 0.1\nD 0 0.7572 -0.4692\n2H 0 -0.7572 -0.4692\n",
    ],
)
def test_xyz_layouts(tmp_path: Path, text: str) -> None:
    frames = list(read_molecules(put(tmp_path / "a.xyz", text + "3\nlast\n" + WATER_XYZ)))
    assert [r.reason for r in frames] == [None, None] and frames[1].name == "last"
    mol = frames[0].mol
    assert mol is not None and [a.GetSymbol() for a in mol.GetAtoms()] == ["O", "H", "H"]
    gaps = mol.GetConformer().GetPositions()[1:] - mol.GetConformer().GetPositions()[0]
    assert np.allclose(np.linalg.norm(gaps, axis=1), 0.96, atol=0.02)
    bonded = frames[0].with_bonds().mol
    assert bonded is not None and bonded.GetNumBonds() == 2
    if "heavy" in text:
        assert [a.GetIsotope() for a in bonded.GetAtoms()] == [0, 2, 2]


@pytest.mark.parametrize(
    ("comment", "charge", "name"),
    [
        ("charge=1 spin=1", 1, ""),
        ("ammonium charge=+1", 1, "ammonium"),
        ("Charge: -2, mult 1", -2, "Charge: -2, mult 1"),
        ('{"charge": 1}', 1, '{"charge": 1}'),
        ("total_charge=-1", -1, ""),
        ("charge=0.5 gap=0.2", None, ""),
        ("Properties=species:S:1:pos:R:3:charge:R:1", None, ""),
        ("O=C1CNC2C3CC12O3", None, "O=C1CNC2C3CC12O3"),
        ("surcharge=3 water", None, ""),
    ],
)
def test_xyz_comments(tmp_path: Path, comment: str, charge: int | None, name: str) -> None:
    (record,) = read_molecules(put(tmp_path / "a.xyz", f"3\n{comment}\n" + WATER_XYZ))
    assert (record.charge, record.name) == (charge, name)


def test_xyz_says_what_is_wrong(tmp_path: Path) -> None:
    text = f"3\n{WATER_XYZ}\n3\nx\nO 0 0 0\n\n1\nProperties=pos:R:3\n0 0 0\n"
    reasons = [r.reason for r in read_molecules(put(tmp_path / "a.xyz", text))]
    assert reasons == [
        "wrong atom count: 3 announced, 2 found; line 2 must be a comment",
        "wrong atom count: 3 announced, 1 found",
        "no XYZ layout: Properties= names no columns 'species' and 'pos'",
    ]


def test_tags_come_back_from_xyz(tmp_path: Path) -> None:
    tags = {"SMILES": "CC=O", "model": "qm9 ab", "request": '{"n": 3}', "steps": "10", "empty": ""}
    with Writer(tmp_path / "a.xyz") as writer:
        writer.write(embedded("CC=O"), tags, "moldiff-0-1")
    (record,) = read_molecules(tmp_path / "a.xyz")
    assert record.name == "moldiff-0-1" and record.tags == tags
