"""The page of docked poses as text: harmless, complete, and true to the records."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

import moldiff
from moldiff.errors import InputError
from moldiff.io import Record
from moldiff.protein.interactions import KINDS, find_interactions
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import Receptor, prepare_receptor
from moldiff.view.docking import render_docking, write_docking
from tests.molecules import embedded

CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"
PAGE = Path(__file__).parents[2] / "moldiff" / "view" / "page"
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.S)


@pytest.fixture(scope="module")
def receptor() -> Receptor:
    return prepare_receptor(read_structure(CAGE))


def molecule(smiles: str, at: np.ndarray) -> Chem.Mol:
    mol = embedded(smiles, seed=1)
    conformer = mol.GetConformer()
    conformer.SetPositions(conformer.GetPositions() - conformer.GetPositions().mean(0) + at)
    return mol


def record(mol: Chem.Mol | None, **tags: str) -> Record:
    return Record(mol, "a <b>pose</b>", None if mol is not None else "unreadable", "x.sdf", 0, tags)


def data(page: str) -> dict[str, Any]:
    found = DATA.search(page)
    assert found is not None and "<" not in found[1]
    return dict(json.loads(found[1]))


@pytest.fixture(scope="module")
def page(receptor: Receptor) -> str:
    inside = molecule("OCC(=O)N", np.array([10.0, 20.0, 30.0]))
    clashing = molecule("OCC(=O)N", receptor.structure.positions[0])
    known = Chem.RemoveHs(inside)
    poses = [record(inside, rank="1", energy_kcal_mol="-3.2"), record(clashing), record(None)]
    return render_docking(poses, receptor, title="<b>T</b>", reference=known, notes=["a <note>"])


def test_nothing_is_loaded_and_nothing_becomes_markup(page: str) -> None:
    assert "<b>" not in page.replace("<b>", "", 0).split("</head>")[0]
    assert "&lt;b&gt;T&lt;/b&gt;" in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy and policy[1].startswith("default-src 'none'") and policy[1].count("sha256-") == 2
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=", page)


def test_poses_with_contacts_and_distance(page: str) -> None:
    inside, clashing, broken = data(page)["poses"]
    assert inside["rmsd"] == 0.0 and clashing["rmsd"] > 5
    assert inside["tags"]["energy_kcal_mol"] == "-3.2"
    kinds = {contact["kind"] for contact in clashing["contacts"]}
    assert "clash" in kinds and kinds <= set(KINDS)
    assert all(len(c["a"]) == len(c["b"]) == 3 and c["d"] < 5 for c in clashing["contacts"])
    assert broken["contacts"] == [] and broken["reason"] == "unreadable"
    assert data(page)["notes"] == ["a <note>"]


def test_the_receptor_is_pdb_with_a_whole_pocket(page: str, receptor: Receptor) -> None:
    mol = Chem.MolFromPDBBlock(data(page)["receptor"], sanitize=False)
    pocket = data(page)["pocket"]
    assert 0 < len(pocket) <= mol.GetNumAtoms() <= len(receptor.structure)
    serials = {atom.GetPDBResidueInfo().GetSerialNumber(): atom for atom in mol.GetAtoms()}
    residues = {
        (info.GetChainId(), info.GetResidueNumber())
        for info in (serials[serial].GetPDBResidueInfo() for serial in pocket)
    }
    whole = [
        atom
        for k, atom in enumerate(receptor.structure.names)
        if (
            receptor.structure.residues[receptor.structure.residue[k]].chain,
            receptor.structure.residues[receptor.structure.residue[k]].number,
        )
        in residues
    ]
    assert len(whole) == len(pocket)


@pytest.mark.parametrize("distance", [2.9, 2.2])
def test_a_hydrogen_bond_is_found_and_is_no_clash(receptor: Receptor, distance: float) -> None:
    """Water's place opposite to a carbonyl oxygen, along the bond's own direction.

    2.2 Å is less than three quarters of the radii's sum, which is a clash of other atoms.
    """
    found = find_interactions(water(receptor, distance), receptor)
    found = [one for one in found if one.names == ("O",) and one.residue.name == "GLY"]
    assert [one.kind for one in found] == ["hbond"]
    assert found[0].distance == pytest.approx(distance, abs=1e-3)


def water(receptor: Receptor, distance: float) -> Chem.Mol:
    """Water in line with the C=O bond of the first glycine."""
    structure = receptor.structure
    o = next(
        k
        for k, name in enumerate(structure.names)
        if name == "O" and structure.residues[structure.residue[k]].name == "GLY"
    )
    c = o - 1
    assert structure.names[c] == "C"
    way = structure.positions[o] - structure.positions[c]
    at = structure.positions[o] + distance * way / np.linalg.norm(way)
    mol = Chem.AddHs(Chem.MolFromSmiles("O"))
    conformer = Chem.Conformer(3)
    conformer.SetPositions(at + np.diag([0.9, 0.9, 0.0])[[2, 0, 1]].astype(np.float64))
    mol.AddConformer(conformer)
    return mol


def test_the_page_says_where_interactions_are(receptor: Receptor) -> None:
    """The serials of a contact are those of its residue's atoms in the page's own receptor."""
    shown = data(render_docking([record(water(receptor, 2.9))], receptor, title="t"))
    mol = Chem.MolFromPDBBlock(shown["receptor"], sanitize=False)
    serials = {atom.GetPDBResidueInfo().GetSerialNumber(): atom for atom in mol.GetAtoms()}
    contacts = shown["poses"][0]["contacts"]
    assert {contact["kind"] for contact in contacts} <= set(shown["kinds"]) == set(shown["colours"])
    for contact in contacts:
        info = serials[contact["serials"][0]].GetPDBResidueInfo()
        named = f"{info.GetResidueName()}{info.GetResidueNumber()}"
        assert contact["residue"].endswith(named) and info.GetName().strip() == contact["name"]
        assert contact["place"].endswith(str(info.GetResidueNumber()))
    svg = shown["poses"][0]["diagram"]
    assert all(contact["residue"] in svg for contact in contacts)


def test_what_is_left_out_is_said(tmp_path: Path, receptor: Receptor) -> None:
    poses = [record(molecule("CCO", np.array([10.0, 20.0, 30.0]))) for _ in range(4)]
    path = tmp_path / "a.html"
    write_docking(path, poses, receptor, title="t", limit=3)
    shown = moldiff.view(poses, receptor=CAGE, limit=3)
    for page in (path.read_text(), shown.html):
        assert len(data(page)["poses"]) == 3 and "leaves out 1" in data(page)["notes"][0]
    assert not data(moldiff.view(poses, receptor=CAGE).html)["notes"]


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("bad.sdf", "no pose: incomplete record"),
        ([], "holds no molecule"),
        ("C", "has no 3D coordinates"),
    ],
)
def test_a_reference_that_is_no_pose_is_refused(tmp_path: Path, reference: Any, told: str) -> None:
    pose = molecule("C", np.array([10.0, 20.0, 30.0]))
    if reference == "bad.sdf":
        reference = tmp_path / reference
        reference.write_text("bad\n\n\n  9  9  0     0  0            999 V2000\nrubbish\n$$$$\n")
    with pytest.raises(InputError, match=told) as caught:
        moldiff.view(pose, receptor=CAGE, reference=reference)
    assert "known pose" in str(caught.value.fix)
    shown = data(moldiff.view(pose, receptor=CAGE, reference=pose).html)
    assert len(shown["reference"]["xyz"]) > 0 and shown["poses"][0]["rmsd"] == 0


@pytest.mark.skipif(shutil.which("node") is None, reason="no node to parse the code")
@pytest.mark.parametrize("name", ["docking.js", "docking_scene.js", "interactions.js", "labels.js"])
def test_the_code_parses(name: str) -> None:
    done = subprocess.run(["node", "--check", str(PAGE / name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
