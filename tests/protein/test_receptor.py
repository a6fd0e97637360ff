"""Types and hydrogens of receptors, against chemistry perceived from bond orders."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.errors import InputError
from moldiff.protein import Receptor, prepare_receptor, read_structure, write_pdb
from tests.molecules import embedded

Write = Callable[..., Path]
Line = Callable[..., str]


@pytest.fixture
def receptor(write: Write, peptide_text: str) -> Receptor:
    return prepare_receptor(read_structure(write(peptide_text)))


def atom(receptor: Receptor, residue: str, name: str) -> int:
    structure = receptor.structure
    return next(
        i
        for i, n in enumerate(structure.names)
        if n == name and structure.residues[structure.residue[i]].name == residue
    )


def hydrogens(receptor: Receptor, residue: str, name: str) -> np.ndarray:
    return receptor.hydrogens[receptor.hydrogen_parent == atom(receptor, residue, name)]


# residue, atom: donor, acceptor, hydrophobic, hydrogens
EXPECTED = {
    ("GLY", "N"): (True, False, False, 3),
    ("GLY", "O"): (False, True, False, 0),
    ("SER", "N"): (True, False, False, 1),
    ("SER", "OG"): (True, True, False, 1),
    ("SER", "CB"): (False, False, False, 0),
    ("LYS", "NZ"): (True, False, False, 3),
    ("LYS", "CG"): (False, False, True, 0),
    ("LYS", "CE"): (False, False, False, 0),
    ("TRP", "NE1"): (True, False, False, 1),
    ("TRP", "CZ2"): (False, False, True, 0),
    ("ARG", "NE"): (True, False, False, 1),
    ("ARG", "NH1"): (True, False, False, 2),
    ("ASN", "ND2"): (True, False, False, 2),
    ("ASN", "OD1"): (False, True, False, 0),
    ("ASP", "OD2"): (False, True, False, 0),
    ("PRO", "N"): (False, False, False, 0),
    ("PRO", "CG"): (False, False, True, 0),
    ("TYR", "OH"): (True, True, False, 1),
    ("TYR", "CZ"): (False, False, False, 0),
    ("THR", "OG1"): (True, True, False, 1),
    ("THR", "CG2"): (False, False, True, 0),
    ("CYS", "SG"): (False, False, False, 0),
    ("CYS", "CB"): (False, False, False, 0),
}


@pytest.mark.parametrize("where", EXPECTED, ids=str)
def test_types_of_the_amino_acids(receptor: Receptor, where: tuple[str, str]) -> None:
    i = atom(receptor, *where)
    assert EXPECTED[where] == (
        receptor.donor[i],
        receptor.acceptor[i],
        receptor.hydrophobic[i],
        len(hydrogens(receptor, *where)),
    )


def test_hydrogens_stand_well(receptor: Receptor) -> None:
    """Bond lengths, and no hydrogen within 1.6 Å of an atom two bonds away."""
    x, h = receptor.structure.positions, receptor.hydrogens
    far = np.linalg.norm(h[:, None] - x[None], axis=-1)
    rows = np.arange(len(h))
    parent = far[rows, receptor.hydrogen_parent]
    np.testing.assert_allclose(parent, 0.985, atol=0.03)
    far[rows, receptor.hydrogen_parent] = 99
    assert far.min() > 1.75
    apart = np.linalg.norm(h[:, None] - h[None], axis=-1) + 9 * np.eye(len(h))
    assert apart.min() > 1.4
    assert (np.diff(receptor.hydrogen_parent) >= 0).all()


def test_planar_hydrogens_agree_with_a_force_field(receptor: Receptor, peptide_text: str) -> None:
    mol = Chem.MolFromPDBBlock(peptide_text)
    theirs = Chem.AddHs(mol, addCoords=True)
    for residue, name in (("LYS", "N"), ("TRP", "NE1"), ("ASN", "ND2"), ("ARG", "NE")):
        i = atom(receptor, residue, name)
        near = theirs.GetConformer().GetPositions()
        own = [a.GetIdx() for a in theirs.GetAtomWithIdx(i).GetNeighbors() if a.GetAtomicNum() == 1]
        for position in hydrogens(receptor, residue, name):
            assert np.linalg.norm(near[own] - position, axis=1).min() < 0.25


def test_hydroxyl_turns_to_an_acceptor(write: Write, line: Line, peptide_text: str) -> None:
    plain = prepare_receptor(read_structure(write(peptide_text)))
    oxygen = plain.structure.positions[atom(plain, "TYR", "OH")]
    carbon = plain.structure.positions[atom(plain, "TYR", "CZ")]
    axis = (oxygen - carbon) / np.linalg.norm(oxygen - carbon)
    for sign in (1, -1):
        side = np.cross(axis, [1.0, 0.0, 0.0]) * sign
        side /= np.linalg.norm(side)
        place = oxygen + 2.7 * (0.33 * axis + 0.94 * side)
        water = line("O", "HOH", 900, tuple(place), element="O", record="HETATM")
        text = peptide_text.replace("END", "") + "\n" + water
        receptor = prepare_receptor(read_structure(write(text), waters=True))
        (hydrogen,) = hydrogens(receptor, "TYR", "OH")
        assert np.linalg.norm(hydrogen - place) < 2.0


BONDED = {"ND1": ("CG", "CE1"), "NE2": ("CE1", "CD2")}


@pytest.mark.parametrize("near", ["ND1", "NE2"])
def test_metals_decide_the_tautomer(write: Write, line: Line, peptide_text: str, near: str) -> None:
    plain = prepare_receptor(read_structure(write(peptide_text)))
    nitrogen, *around = (
        plain.structure.positions[atom(plain, "HIS", name)] for name in (near, *BONDED[near])
    )
    out = 2 * nitrogen - around[0] - around[1]
    place = nitrogen + 2.1 * out / np.linalg.norm(out)
    zinc = line("ZN", "ZN", 900, tuple(place), element="ZN", record="HETATM")
    receptor = prepare_receptor(read_structure(write(f"{peptide_text.replace('END', '')}\n{zinc}")))
    donors = {name: bool(receptor.donor[atom(receptor, "HIS", name)]) for name in BONDED}
    assert not donors[near] and sum(donors.values()) == 1
    assert receptor.acceptor[atom(receptor, "HIS", near)]
    ion = atom(receptor, "ZN", "ZN")
    assert receptor.metal[ion] and receptor.donor[ion] and not receptor.acceptor[ion]


def test_a_histidine_that_nothing_speaks_for_has_its_hydrogen_on_ne2(
    write: Write, peptide_text: str
) -> None:
    """Alone, without its backbone, so that neither nitrogen has anything to point at."""
    side = [
        row for row in peptide_text.splitlines() if " HIS " in row and row[12:16].strip() != "N"
    ]
    receptor = prepare_receptor(read_structure(write("\n".join([*side, "END"]))))
    donors = {name: bool(receptor.donor[atom(receptor, "HIS", name)]) for name in BONDED}
    assert donors == {"ND1": False, "NE2": True}


def test_named_tautomers_are_kept(write: Write, peptide_text: str) -> None:
    for name, wanted in (("HID", (1, 0)), ("HIE", (0, 1)), ("HIP", (1, 1))):
        receptor = prepare_receptor(read_structure(write(peptide_text.replace("HIS", name))))
        got = [receptor.donor[atom(receptor, name, n)] for n in ("ND1", "NE2")]
        assert tuple(got) == wanted


MOLECULES = {
    "AMP": "Nc1ncnc2c1ncn2C1OC(COP(=O)([O-])[O-])C(O)C1O",
    "guanosine": "Nc1nc2c(ncn2C2OC(CO)C(O)C2O)c(=O)[nH]1",
    "sulphonium": "C[S+](CCC([NH3+])C(=O)[O-])CC",
    "pyridoxal": "Cc1ncc(COP(=O)([O-])[O-])c(C=O)c1O",
    "biopterin": "CC(O)C(O)C1CNc2nc(N)[nH]c(=O)c2N1",
    "biotin": "O=C1NC2CSC(CCCCC(=O)[O-])C2N1",
    "imidazole": "Cc1c[nH]cn1",
    "sugar": "OCC1OC(O)C(O)C(O)C1NC(C)=O",
    "tertiary amine": "C[NH+](C)CCc1ccccc1",
    "amidine": "NC(=[NH2+])c1ccccc1",
    "ester, nitrile": "COC(=O)c1ccccc1C#N",
    "urea": "CNC(=O)Nc1ccncc1",
    "phenol, morpholine amide": "Oc1ccc(CC(=O)N2CCOCC2)cc1",
}


@pytest.mark.parametrize("name", MOLECULES)
def test_cofactors_by_geometry(write: Write, name: str) -> None:
    """Donors and their hydrogens found from heavy atoms alone are those of the bond orders."""
    mol = embedded(MOLECULES[name], seed=7)
    AllChem.MMFFOptimizeMolecule(mol, maxIters=2000)
    heavy = Chem.RemoveHs(mol)
    wanted = [a.GetTotalNumHs() if a.GetAtomicNum() in (7, 8) else 0 for a in heavy.GetAtoms()]
    text = Chem.MolToPDBBlock(heavy).replace("UNL", "LIG")
    receptor = prepare_receptor(read_structure(write(text)))
    counts = np.bincount(receptor.hydrogen_parent, minlength=len(receptor))
    assert counts.tolist() == wanted
    greasy = [
        a.GetAtomicNum() == 6 and all(n.GetAtomicNum() == 6 for n in a.GetNeighbors())
        for a in heavy.GetAtoms()
    ]
    assert receptor.hydrophobic.tolist() == greasy


def test_traces_and_single_atoms(write: Write, line: Line) -> None:
    rows = [line("CA", number=k, x=(3.8 * k, 0, 0)) for k in range(5)]
    receptor = prepare_receptor(read_structure(write("\n".join(rows))))
    assert receptor.hydrophobic.all() and not len(receptor.hydrogens)
    lone = [line("N", element="N"), line("NZ", "LYS", 2, (9, 0, 0), element="N")]
    receptor = prepare_receptor(read_structure(write("\n".join(lone))))
    assert receptor.donor.all() and not len(receptor.hydrogens)


def test_subset(receptor: Receptor) -> None:
    mask = receptor.structure.residue >= 3
    part = receptor.subset(mask)
    x = part.structure.positions[part.hydrogen_parent]
    assert (np.linalg.norm(part.hydrogens - x, axis=1) < 1.1).all()
    assert len(part.hydrogens) < len(receptor.hydrogens) and len(part) == mask.sum()


def test_writing_and_reading_again(receptor: Receptor, tmp_path: Path) -> None:
    path = tmp_path / "out.pdb"
    write_pdb(receptor, path)
    again = read_structure(path)
    assert again.names == receptor.structure.names
    assert again.residues == receptor.structure.residues
    np.testing.assert_allclose(again.positions, receptor.structure.positions, atol=6e-4)
    mol = Chem.MolFromPDBFile(str(path), removeHs=False, sanitize=False)
    count = sum(a.GetAtomicNum() == 1 for a in mol.GetAtoms())
    assert count == len(receptor.hydrogens)
    write_pdb(receptor, path, hydrogens=False)
    assert " H" not in {line[76:78] for line in path.read_text().splitlines()}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_writing_what_the_format_has_no_room_for(write: Write, line: Line, tmp_path: Path) -> None:
    text = (
        "data_X\nloop_\n_atom_site.type_symbol\n_atom_site.label_atom_id\n"
        "_atom_site.label_comp_id\n_atom_site.auth_asym_id\n_atom_site.auth_seq_id\n"
        "_atom_site.Cartn_x\n_atom_site.Cartn_y\n_atom_site.Cartn_z\n"
        "C CA ALA AAA 123456 0 0 0\nC CA ALA A 2 9 9 9\nC C1 A1ABC B2 -5 5 5 5\n"
    )
    receptor = prepare_receptor(read_structure(write(text, "r.cif")))
    write_pdb(receptor, tmp_path / "o.pdb")
    rows = [r for r in (tmp_path / "o.pdb").read_text().splitlines() if r[:4] in ("ATOM", "HETA")]
    assert len({r[21] for r in rows}) == 3 and {len(r) for r in rows} == {78}
    assert [float(r[30:38]) for r in rows] == [0, 9, 5]


def test_writing_where_nobody_can(receptor: Receptor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot write"):
        write_pdb(receptor, tmp_path / "no" / "out.pdb")


def test_speed(write: Write, peptide_text: str, line: Line) -> None:
    """Linear in the atoms: some thousand take a fraction of a second of CPU time."""
    rows = [r for r in peptide_text.splitlines() if r.startswith("ATOM")]
    copies = []
    for k in range(50):
        shift = 40 * np.array([k % 4, k // 4 % 4, k // 16])
        for r in rows:
            x = np.array([float(r[30:38]), float(r[38:46]), float(r[46:54])]) + shift
            copies.append(
                f"{r[:21]}{chr(65 + k % 26)}{int(r[22:26]) + 20 * k:4d}{r[26:30]}"
                + "".join(f"{v:8.3f}" for v in x)
                + r[54:]
            )
    structure = read_structure(write("\n".join(copies)))
    assert len(structure) > 4500
    start = time.process_time()
    prepare_receptor(structure)
    assert time.process_time() - start < 1.5  # measured 0.05
