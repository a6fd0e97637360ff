"""Fast checks: what they catch, and that PoseBusters says the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import AllChem
from rdkit.Chem.rdShapeHelpers import ShapeTverskyIndex

from moldiff.docking.judge.checks import Checker, posebust
from moldiff.docking.judge.volume import overlap
from moldiff.protein.pocket import Box
from moldiff.protein.structure import Residue, Structure

KINDS = {
    "protein": ("LEU", "CA", 6, "protein"),
    "organic_cofactors": ("HEM", "C1", 6, "cofactor"),
    "inorganic_cofactors": ("ZN", "ZN", 30, "metal"),
    "waters": ("HOH", "O", 8, "water"),
}


@pytest.fixture(scope="module")
def ligand() -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    AllChem.EmbedMolecule(mol, randomSeed=7)
    AllChem.MMFFOptimizeMolecule(mol)
    return Chem.RemoveHs(mol)


def positions(mol: Chem.Mol) -> torch.Tensor:
    return torch.tensor(mol.GetConformer().GetPositions(), dtype=torch.float32)


def structure(atoms: list[tuple[str, np.ndarray]]) -> Structure:
    """One residue per atom, of the kind named."""
    rows = [KINDS[group] for group, _ in atoms]
    residues = tuple(Residue("A", k + 1, "", row[0], row[3]) for k, row in enumerate(rows))
    return Structure(
        np.array([x for _, x in atoms], dtype=np.float32),
        np.array([row[2] for row in rows], dtype=np.int16),
        tuple(row[1] for row in rows),
        np.arange(len(rows), dtype=np.int32),
        residues,
    )


def cage(x: np.ndarray, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    """Protein atoms around the points x, none nearer than 3.8 Å."""
    rng = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    while len(found) < 40:
        point = x[rng.integers(len(x))] + rng.normal(size=3) * 4
        if np.linalg.norm(x - point, axis=1).min() > 3.8 and all(
            np.linalg.norm(point - other) > 1.5 for other in found
        ):
            found.append(point)
    return [("protein", point) for point in found]


def pdb(target: Structure) -> str:
    lines = []
    for k, (x, residue) in enumerate(zip(target.positions, target.residues, strict=True)):
        record = "ATOM  " if residue.kind == "protein" else "HETATM"
        symbol = Chem.GetPeriodicTable().GetElementSymbol(int(target.numbers[k]))
        name = target.names[k]
        padded = f"{name:<4s}" if len(symbol) == 2 else f" {name:<3s}"
        lines.append(
            f"{record}{k + 1:5d} {padded} {residue.name:>3s} A{residue.number:4d}    "
            f"{x[0]:8.3f}{x[1]:8.3f}{x[2]:8.3f}  1.00  0.00          {symbol.upper():>2s}"
        )
    return "\n".join([*lines, "END", ""])


def failed(checker: Checker, x: torch.Tensor) -> set[str]:
    return {name for name, passed in checker(x[None]).row(0).items() if not passed}


def test_a_good_pose_passes_everything(ligand):
    x = positions(ligand)
    checker = Checker.of(ligand, np.arange(13), structure(cage(x.numpy())))
    checks = checker(x[None])
    assert checks.row(0) == dict.fromkeys(checks.names, True)
    assert float(checks.fraction()) == 1.0


@pytest.mark.parametrize("group", list(KINDS))
def test_an_atom_in_the_ligand_fails_the_checks_of_its_group_alone(ligand, group):
    x = positions(ligand)
    ring = x[4:10].mean(0).numpy()
    target = structure([*cage(x.numpy()), (group, ring)])
    checker = Checker.of(ligand, np.arange(13), target)
    expected = {f"minimum_distance_to_{group}", f"volume_overlap_with_{group}"}
    assert failed(checker, x) <= expected
    assert f"minimum_distance_to_{group}" in failed(checker, x)


def test_far_away_out_of_the_box_folded_and_broken(ligand):
    x = positions(ligand)
    box = Box(x.mean(0).numpy(), np.array([20.0, 20.0, 20.0]))
    checker = Checker.of(ligand, np.arange(13), structure(cage(x.numpy())), box)
    assert failed(checker, x + 40) == {"protein-ligand_maximum_distance", "inside_box"}
    folded = x.clone()
    folded[0] = x[9] + 0.8  # the methyl carbon onto the ring: bonds and angles break as well
    assert "internal_steric_clash" in failed(checker, folded)
    assert "bond_lengths" in failed(checker, folded)
    assert failed(checker, x * torch.nan) == set(checker(x[None]).names)


def test_poses_do_not_influence_one_another_and_are_not_changed(ligand):
    x = positions(ligand)
    rng = torch.Generator().manual_seed(0)
    checker = Checker.of(ligand, np.arange(13), structure(cage(x.numpy())))
    poses = x + 2 * torch.randn(40, 1, 3, generator=rng)
    poses[7] += 1e5
    before = poses.clone()
    together = checker(poses).passed
    assert torch.equal(poses, before)
    alone = torch.cat([checker(pose[None]).passed for pose in poses])
    # The grid of the volumes begins elsewhere: one pose in 40 may be a borderline case.
    assert (together != alone).any(1).sum() <= 1
    assert 0.05 < together.all(1).float().mean() < 0.95


def test_volume_overlap_is_rdkits():
    rng = np.random.default_rng(1)
    radius = {6: 1.7, 8: 1.55}
    for _ in range(5):
        parts = []
        for size in (20, 60):
            mol = Chem.RWMol()
            conformer = Chem.Conformer(size)
            for k in range(size):
                mol.AddAtom(Chem.Atom([6, 8][int(rng.integers(2))]))
                conformer.SetAtomPosition(k, (rng.normal(size=3) * 3 + size / 15).tolist())
            mol.AddConformer(conformer)
            parts.append(mol.GetMol())
        expected = ShapeTverskyIndex(*parts, alpha=1, beta=0, vdwScale=0.8)
        x, others = map(positions, parts)
        r, others_r = (
            torch.tensor([radius[a.GetAtomicNum()] for a in part.GetAtoms()]) for part in parts
        )
        share = overlap(x[None], r, others, others_r, 0.8)
        assert 0.05 < expected < 0.95
        assert float(share) == pytest.approx(expected, abs=0.02)


@pytest.mark.slow
def test_posebusters_agrees(ligand, tmp_path):
    pytest.importorskip("posebusters")
    x = positions(ligand)
    extra = [
        (group, x.mean(0).numpy() + 4.5 * np.eye(3)[k % 3] * (-1) ** k)
        for k, group in enumerate(KINDS)
    ]
    target = structure([*cage(x.numpy()), *extra])
    path = tmp_path / "receptor.pdb"
    path.write_text(pdb(target))
    checker = Checker.of(ligand, np.arange(13), target)
    rng = torch.Generator().manual_seed(3)
    seen = set()
    for scale in (0.0, 0.7, 1.5, 2.5, 4.0):
        moved = x + scale * torch.randn(3, generator=rng)
        pose = Chem.Mol(ligand)
        for k, point in enumerate(moved.tolist()):
            pose.GetConformer().SetAtomPosition(k, point)
        theirs = posebust(pose, path)
        assert isinstance(theirs, dict)
        ours = checker(moved[None]).row(0)
        shared = set(ours) & set(theirs)
        assert shared == set(ours) - {"inside_box"}
        assert {n: ours[n] for n in shared} == {n: theirs[n] for n in shared}
        seen |= {(n, theirs[n]) for n in shared}
    assert any(not passed for _, passed in seen)


def test_posebust_gives_a_reason_for_a_file_it_cannot_read(ligand, tmp_path):
    pytest.importorskip("posebusters")
    (tmp_path / "empty.pdb").write_text("END\n")
    assert "empty.pdb" in posebust(ligand, tmp_path / "empty.pdb")
