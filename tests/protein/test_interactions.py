"""Interactions: every kind at its limits, what is known of a crystal structure, and ProLIF's."""

from __future__ import annotations

import itertools
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff.chem.protonate import protonate
from moldiff.protein.interactions import KINDS, Interaction, by_kind, find_interactions, label
from moldiff.protein.interactions.ligand import ligand_features
from moldiff.protein.interactions.receptor import receptor_features
from moldiff.protein.occupants import on
from moldiff.protein.read import read_contents
from moldiff.protein.receptor import Receptor, prepare_receptor
from moldiff.protein.structure import Residue, Structure
from tests.molecules import embedded
from tests.protein import prolif_reference

ROOT = Path(__file__).parents[2]
GLUCOCORTICOID = ROOT / "datasets" / "docking" / "1m2z"
COMPLEXES = Path(os.environ.get("MOLDIFF_COMPLEXES", ROOT.parent / "shared" / "data" / "complexes"))
NAMES = {"F": "PHE", "D": "ASP", "K": "LYS", "S": "SER", "L": "LEU", "H": "HIS", "C": "CYS"}


def amino_acid(letter: str) -> Receptor:
    """One amino acid, or a metal ion for a symbol, as a receptor."""
    if letter in ("Zn", "Na"):
        numbers = [Chem.GetPeriodicTable().GetAtomicNumber(letter)]
        residue = Residue("A", 7, "", letter.upper(), "metal")
        return _receptor(np.zeros((1, 3)), numbers, [letter.upper()], residue)
    mol = embedded(Chem.MolToSmiles(Chem.MolFromSequence(letter)))
    template = Chem.MolFromSequence(letter)
    match = mol.GetSubstructMatch(template)
    x = mol.GetConformer().GetPositions()[list(match)]
    names = [atom.GetPDBResidueInfo().GetName().strip() for atom in template.GetAtoms()]
    numbers = [atom.GetAtomicNum() for atom in template.GetAtoms()]
    return _receptor(x, numbers, names, Residue("A", 7, "", NAMES[letter], "protein"))


def _receptor(x: np.ndarray, numbers: list[int], names: list[str], residue: Residue) -> Receptor:
    zeros = np.zeros(len(x), dtype=np.int32)
    return prepare_receptor(
        Structure(
            x.astype(np.float32), np.array(numbers, dtype=np.int16), tuple(names), zeros, (residue,)
        )
    )


def at(receptor: Receptor, *names: str) -> np.ndarray:
    """The middle (3,) of some atoms."""
    structure = receptor.structure
    return np.asarray(
        np.mean([structure.positions[structure.names.index(name)] for name in names], axis=0),
        dtype=float,
    )


def unit(v: np.ndarray) -> np.ndarray:
    return np.asarray(v / np.linalg.norm(v))


def frame(first: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Rows: an axis, the part of another across it, and the third."""
    a = unit(first)
    b = unit(near - (near @ a) * a)
    return np.stack([a, b, np.cross(a, b)])


def move(
    mol: Chem.Mol, origin: np.ndarray, axes: np.ndarray, to: np.ndarray, new: np.ndarray
) -> Chem.Mol:
    """The molecule with the axes (3, 3) at a point of it laid on new axes at another point."""
    moved = Chem.Mol(mol)
    x = moved.GetConformer().GetPositions()
    moved.GetConformer().SetPositions((x - origin) @ axes.T @ new + to)
    return moved


def found(mol: Chem.Mol, receptor: Receptor, kind: str) -> list[Interaction]:
    return [one for one in find_interactions(mol, receptor) if one.kind == kind]


def benzene() -> tuple[Chem.Mol, np.ndarray, np.ndarray]:
    """Benzene, its middle, and axes: the normal, and to the first carbon."""
    mol = embedded("c1ccccc1")
    ring = mol.GetConformer().GetPositions()[:6]
    middle = ring.mean(0)
    return mol, middle, frame(np.cross(ring[0] - middle, ring[1] - middle), ring[0] - middle)


def turned(axes: np.ndarray, degrees: float) -> np.ndarray:
    """Axes turned about the third of them."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ axes


def phenyl() -> tuple[Receptor, np.ndarray, np.ndarray]:
    """Phenylalanine, the middle of its ring, and axes: the normal, and to CZ."""
    receptor = amino_acid("F")
    middle = at(receptor, "CG", "CD1", "CD2", "CE1", "CE2", "CZ")
    to = at(receptor, "CZ") - middle
    return receptor, middle, frame(np.cross(to, at(receptor, "CE1") - middle), to)


@pytest.mark.parametrize(
    ("apart", "tilt", "form"),
    [
        (3.8, 0, "face"),
        (3.8, 34, "face"),
        (3.8, 40, None),
        (5.4, 0, "face"),
        (5.6, 0, None),
        (5.6, 90, "edge"),
        (5.6, 80, "edge"),
        (5.6, 70, None),  # the planes meet 2 Å from the middle
        (6.6, 90, None),
    ],
)
def test_stacked_rings(apart: float, tilt: float, form: str | None) -> None:
    receptor, middle, axes = phenyl()
    mol, centre, own = benzene()
    pose = move(mol, centre, own, middle + apart * axes[0], turned(axes, tilt))
    stacks = found(pose, receptor, "pi_stacking")
    assert [one.role for one in stacks] == ([form] if form else [])
    for one in stacks:
        assert one.distance == pytest.approx(apart, abs=0.05)
        assert one.angle == pytest.approx(tilt, abs=2.0)
        assert len(one.ligand) == len(one.receptor) == 6


@pytest.mark.parametrize(("apart", "aside", "yes"), [(4.0, 25, 1), (4.0, 35, 0), (4.6, 0, 0)])
def test_a_cation_on_a_ring(apart: float, aside: float, yes: int) -> None:
    receptor, middle, axes = phenyl()
    mol = embedded("[NH4+]")
    way = turned(axes, aside)[0]
    nitrogen = mol.GetConformer().GetPositions()[0]
    pose = move(mol, nitrogen, np.eye(3), middle + apart * way, np.eye(3))
    assert len(found(pose, receptor, "cation_pi")) == yes


def test_a_ring_of_the_ligand_on_lysine() -> None:
    receptor = amino_acid("K")
    mol, centre, own = benzene()
    way = at(receptor, "NZ") - at(receptor, "CE")
    pose = move(mol, centre, own, at(receptor, "NZ") + 4.0 * unit(way), frame(way, np.ones(3)))
    assert [one.role for one in found(pose, receptor, "cation_pi")] == ["ring"]


@pytest.mark.parametrize(("apart", "yes"), [(4.4, 1), (4.6, 0)])
def test_salt_bridges(apart: float, yes: int) -> None:
    ammonium = embedded("[NH4+]")
    receptor = amino_acid("D")
    way = unit(at(receptor, "OD1") - at(receptor, "OD2"))  # away from the second oxygen
    nitrogen = ammonium.GetConformer().GetPositions()[0]
    pose = move(ammonium, nitrogen, np.eye(3), at(receptor, "OD1") + apart * way, np.eye(3))
    assert [one.role for one in found(pose, receptor, "salt_bridge")] == yes * ["cation"]
    chloride = Chem.MolFromSmiles("[Cl-]")
    chloride.AddConformer(Chem.Conformer(1))
    lysine = amino_acid("K")
    way = unit(at(lysine, "NZ") - at(lysine, "CE"))
    chloride.GetConformer().SetPositions((at(lysine, "NZ") + apart * way)[None])
    assert [one.role for one in found(chloride, lysine, "salt_bridge")] == yes * ["anion"]


@pytest.mark.parametrize(
    ("apart", "angle", "yes"), [(2.9, 110, 1), (3.4, 110, 1), (3.6, 110, 0), (2.9, 60, 0)]
)
def test_a_hydroxyl_is_turned_to_the_acceptor(apart: float, angle: float, yes: int) -> None:
    """Acetonitrile's nitrogen near a serine: which way the hydrogen was put does not matter."""
    receptor = amino_acid("S")
    oxygen = at(receptor, "OG")
    axes = frame(at(receptor, "CB") - oxygen, at(receptor, "CA") - oxygen)
    mol = embedded("CC#N")
    x = mol.GetConformer().GetPositions()
    for spin in range(0, 360, 90):
        around = np.array([0, np.cos(np.radians(spin)), np.sin(np.radians(spin))]) @ axes
        bend = np.radians(angle)
        way = np.cos(bend) * axes[0] + np.sin(bend) * around
        pose = move(
            mol, x[2], frame(x[1] - x[2], np.ones(3)), oxygen + apart * way, frame(way, np.ones(3))
        )
        bonds = [one for one in found(pose, receptor, "hbond") if one.names == ("OG",)]
        assert [one.role for one in bonds] == yes * ["acceptor"]


@pytest.mark.parametrize(("degrees", "yes"), [(0, 1), (30, 1), (45, 0)])
def test_a_fixed_hydrogen_has_to_point_at_the_acceptor(degrees: float, yes: int) -> None:
    """Histidine's N-H, with the acceptor in the line of the bond and off it."""
    receptor = amino_acid("H")
    names = [receptor.structure.names[p] for p in receptor.hydrogen_parent]
    k = names.index("NE2")
    nitrogen = at(receptor, "NE2")
    axes = frame(receptor.hydrogens[k] - nitrogen, at(receptor, "CE1") - nitrogen)
    axes = axes[[0, 2, 1]] * np.array([1, 1, -1])[:, None]  # bend out of the ring's plane
    way = turned(axes, degrees)[0]
    mol = embedded("CC#N")
    x = mol.GetConformer().GetPositions()
    pose = move(
        mol, x[2], frame(x[1] - x[2], np.ones(3)), nitrogen + 3.0 * way, frame(way, np.ones(3))
    )
    bonds = [one for one in found(pose, receptor, "hbond") if one.names == ("NE2",)]
    assert len(bonds) == yes


@pytest.mark.parametrize(
    ("apart", "side", "yes"), [(3.2, 120, 1), (3.2, 160, 0), (3.2, 70, 0), (3.6, 120, 0)]
)
def test_halogen_bonds(apart: float, side: float, yes: int) -> None:
    """Chlorobenzene in line with a carboxylate's oxygen, at an angle to its C-O bond."""
    receptor = amino_acid("D")
    oxygen = at(receptor, "OD1")
    axes = frame(at(receptor, "CG") - oxygen, at(receptor, "CB") - at(receptor, "CG"))
    way = turned(axes, -side)[0]
    mol = embedded("Clc1ccccc1")
    x = mol.GetConformer().GetPositions()
    pose = move(
        mol, x[0], frame(x[1] - x[0], np.ones(3)), oxygen + apart * way, frame(way, np.ones(3))
    )
    bonds = [one for one in found(pose, receptor, "halogen_bond") if one.names == ("OD1",)]
    assert len(bonds) == yes


@pytest.mark.parametrize("metal", ["Zn", "Na"])
@pytest.mark.parametrize(("apart", "yes"), [(2.1, 1), (2.9, 0)])
def test_metals_are_bound_and_form_no_salt_bridge(metal: str, apart: float, yes: int) -> None:
    mol = embedded("CC(=O)[O-]")
    x = mol.GetConformer().GetPositions()
    pose = move(mol, x[3], frame(x[1] - x[3], np.ones(3)), apart * np.eye(3)[0], np.eye(3))
    assert len(found(pose, amino_acid(metal), "metal")) == yes
    assert not found(pose, amino_acid(metal), "salt_bridge")
    assert not found(pose, amino_acid(metal), "clash")


@pytest.mark.parametrize(("apart", "kinds"), [(4.4, ["hydrophobic"]), (4.6, []), (2.0, ["clash"])])
def test_hydrophobic_pairs_and_clashes(apart: float, kinds: list[str]) -> None:
    receptor = amino_acid("L")
    mol = embedded("BrC")
    x = mol.GetConformer().GetPositions()
    way = unit(at(receptor, "CG") - at(receptor, "CA", "CB", "CD1", "CD2"))
    new = frame(way, np.ones(3))
    pose = move(mol, x[0], frame(x[1] - x[0], np.ones(3)), at(receptor, "CG") + apart * way, new)
    assert [k for k in by_kind(find_interactions(pose, receptor)) if k in kinds] == kinds
    if kinds != ["clash"]:
        assert list(by_kind(find_interactions(pose, receptor))) == kinds


def test_a_free_thiol_donates_and_a_disulfide_does_not() -> None:
    thiol = receptor_features(amino_acid("C"))
    names = [amino_acid("C").structure.names[k] for k in thiol.hydrogens.donor]
    assert "SG" in names
    one, two = amino_acid("C").structure, amino_acid("C").structure
    shift = at(amino_acid("C"), "SG") + np.array([2.3, 0, 0]) - at(amino_acid("C"), "SG")
    both = Structure(
        np.concatenate([one.positions, two.positions + shift.astype(np.float32) * 1.0]),
        np.concatenate([one.numbers, two.numbers]),
        one.names + two.names,
        np.repeat(np.arange(2, dtype=np.int32), len(one)),
        (one.residues[0], Residue("B", 9, "", "CYS", "protein")),
    )
    features = receptor_features(prepare_receptor(both))
    assert "SG" not in [both.names[k] for k in features.hydrogens.donor]
    assert [both.names[k] for k in features.hydrophobic].count("SG") == 2


# --- a crystal structure ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def glucocorticoid() -> tuple[Chem.Mol, Receptor]:
    mol = Chem.MolFromMolFile(str(GLUCOCORTICOID / "ligand.sdf"))
    return mol, receptor_around(mol, GLUCOCORTICOID / "receptor.pdb")


def receptor_around(mol: Chem.Mol, path: Path) -> Receptor:
    """The receptor without what lies where the ligand does."""
    contents = read_contents(path)
    overlap = on(contents.structure, mol.GetConformer().GetPositions())
    return prepare_receptor(contents.receptor(leave=dict.fromkeys(overlap, "it is the ligand")))


def test_what_is_known_of_dexamethasone(glucocorticoid: tuple[Chem.Mol, Receptor]) -> None:
    """The residues that hold it (Bledsoe et al., Cell 110 (2002) 93), but Thr739: 3.9 Å here."""
    residues = by_kind(find_interactions(*glucocorticoid))
    known = {"A:ASN564", "A:GLN570", "A:ARG611", "A:GLN642"}
    assert known <= set(residues["hbond"].split())
    assert "clash" not in residues and set(residues) <= set(KINDS)


def test_a_pocket_says_what_the_whole_receptor_says(
    glucocorticoid: tuple[Chem.Mol, Receptor],
) -> None:
    mol, receptor = glucocorticoid
    apart = np.linalg.norm(
        receptor.structure.positions[:, None] - mol.GetConformer().GetPositions(), axis=-1
    ).min(1)
    near = np.unique(receptor.structure.residue[apart < 8.0])
    pocket = receptor.subset(np.isin(receptor.structure.residue, near))
    told = [[one.to_dict() for one in find_interactions(mol, r)] for r in (receptor, pocket)]
    assert told[0] == told[1] and len(told[0]) > 5


def test_hydrogens_of_the_ligand_may_be_implicit(
    glucocorticoid: tuple[Chem.Mol, Receptor],
) -> None:
    mol, receptor = glucocorticoid
    whole = Chem.AddHs(mol, addCoords=True)
    assert find_interactions(mol, receptor) == find_interactions(whole, receptor)
    assert find_interactions(Chem.Mol(), receptor) == []


# --- ProLIF ----------------------------------------------------------------------------------


def compare(mol: Chem.Mol, receptor: Receptor) -> dict[str, int]:
    """Assert that ours are ProLIF's, but for what is known to differ; return counts by kind.

    Ours have more hydrogen bonds, of hydrogens that turn: ProLIF takes them where they are.  And
    more halogen bonds: of two acceptors bonded to each other, ProLIF tries one.
    """
    ours = [
        one
        for one in find_interactions(mol, receptor)
        if one.residue.name in prolif_reference.AMINO_ACIDS or one.residue.kind == "metal"
    ]
    pairs = {(one.kind, label(one.residue)) for one in ours if one.kind != "clash"}
    theirs = prolif_reference.prolif_interactions(mol, receptor)
    assert theirs <= pairs
    turning = turning_pairs(ours, mol, receptor)
    assert {pair for pair in pairs - theirs if pair[0] != "halogen_bond"} <= turning
    return {kind: sum(k == kind for k, _ in theirs) for kind in KINDS}


def turning_pairs(
    ours: list[Interaction], mol: Chem.Mol, receptor: Receptor
) -> set[tuple[str, str]]:
    """Hydrogen bonds whose hydrogen turns."""
    sides = {
        "donor": ligand_features(Chem.AddHs(mol, addCoords=True)),
        "acceptor": receptor_features(receptor),
    }
    turns = {
        role: set(side.hydrogens.donor[np.isnan(side.hydrogens.position[:, 0])].tolist())
        for role, side in sides.items()
    }
    return {
        (one.kind, label(one.residue))
        for one in ours
        if one.kind == "hbond"
        and (one.ligand if one.role == "donor" else one.receptor)[0] in turns[one.role]
    }


def test_prolif_finds_the_same(glucocorticoid: tuple[Chem.Mol, Receptor]) -> None:
    pytest.importorskip("prolif", reason="ProLIF is not installed (extra 'prolif')")
    counts = compare(*glucocorticoid)
    assert counts["hbond"] >= 3 and counts["hydrophobic"] >= 3


@pytest.mark.slow
def test_prolif_finds_the_same_in_many_complexes(tmp_path: Path) -> None:
    pytest.importorskip("prolif", reason="ProLIF is not installed (extra 'prolif')")
    archive = COMPLEXES / "astex.tar.xz"
    if not archive.is_file():
        pytest.skip(f"there is no {archive}")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    folders = sorted(path for path in (tmp_path / "astex").iterdir() if path.is_dir())
    total = dict.fromkeys(KINDS, 0)
    for folder in itertools.islice(folders, 24):
        mol = Chem.MolFromMolFile(str(folder / "ligand.sdf"))
        mol = Chem.AddHs(protonate(mol), addCoords=True)
        counts = compare(mol, receptor_around(mol, folder / "protein.pdb"))
        total = {kind: total[kind] + counts[kind] for kind in KINDS}
    assert all(total[kind] for kind in ("hbond", "salt_bridge", "pi_stacking", "hydrophobic"))
