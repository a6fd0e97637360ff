"""A docking from problem to files: graph, stereo and hydrogens kept, records true."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

import moldiff
from moldiff.docking.hydrogens import molecules, place_all, relax
from moldiff.docking.pipeline import dock
from moldiff.docking.problem import Pocket, Problem, make_problem
from moldiff.docking.result import DockingResult, check_words
from moldiff.docking.settings import Settings
from moldiff.domain.kinematics import random_poses
from moldiff.errors import ConfigError, InputError
from moldiff.io import read_molecules
from moldiff.protein.pocket import Box
from moldiff.protein.read import read_structure
from moldiff.protein.receptor import Receptor, prepare_receptor

CAGE = Path(__file__).parents[1] / "data" / "dock" / "cage.pdb"
# two stereocentres, a double bond, a charge, a ring, rotors
SMILES = "C[C@H](O)/C=C/[C@@H](N)CC(=O)[O-]"
QUICK = Settings(draws=6, starts=20, chains=8, conformers=2, rounds=2, proposals="random")


@pytest.fixture(scope="module")
def receptor() -> Receptor:
    return prepare_receptor(read_structure(CAGE))


@pytest.fixture(scope="module")
def pocket(receptor: Receptor) -> Pocket:
    box = Box(np.array([10.0, 20.0, 30.0]), np.array([12.0]))
    return Pocket.of(receptor, box, origin={"receptor": "cage.pdb"})


@pytest.fixture(scope="module")
def problem(pocket: Pocket) -> Problem:
    found = make_problem(Chem.MolFromSmiles(SMILES), pocket, conformers=2, name="one")
    assert isinstance(found, Problem)
    return found


@pytest.fixture(scope="module")
def result(problem: Problem) -> DockingResult:
    return dock(problem, QUICK)


def test_hydrogens_move_with_the_atoms_that_carry_them(problem: Problem) -> None:
    pose = random_poses(problem.kinematics, problem.box, 5, rng=torch.Generator().manual_seed(3))
    everything = place_all(problem.ligand, problem.rotors, pose)
    heavy = problem.kinematics.place(pose).numpy()
    np.testing.assert_allclose(everything[:, problem.ligand.heavy], heavy, atol=1e-4)
    mol = problem.ligand.mol
    for k, x in enumerate(everything):
        given = mol.GetConformer(int(pose.conformer[k])).GetPositions()
        for bond in mol.GetBonds():
            i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            length = np.linalg.norm(x[i] - x[j])
            assert length == pytest.approx(np.linalg.norm(given[i] - given[j]), abs=1e-4)
        for i, _, j in mol.GetSubstructMatches(Chem.MolFromSmarts("[*]~[*]~[#1]")):
            apart = np.linalg.norm(x[i] - x[j])  # angles at the carrying atom
            assert apart == pytest.approx(np.linalg.norm(given[i] - given[j]), abs=1e-4)
    for mol in molecules(problem.ligand, problem.rotors, pose):
        copy = Chem.Mol(mol)
        Chem.AssignStereochemistryFrom3D(copy)
        assert Chem.MolToSmiles(Chem.RemoveHs(copy)) == Chem.CanonSmiles(SMILES)


def test_reported_poses_differ_and_closer_ones_were_ranked(problem: Problem) -> None:
    """How far apart reported poses are changes no ranking: the closest list begins the same."""

    def reported(separation: float) -> list[np.ndarray]:
        settings = dataclasses.replace(QUICK, poses=40, separation=separation)
        poses = dock(problem, settings).poses
        return [Chem.RemoveHs(pose.mol).GetConformer().GetPositions() for pose in poses]

    def closest(poses: list[np.ndarray]) -> float:
        x = torch.tensor(np.stack(poses))
        apart = (x[:, None] - x).square().sum(-1).mean(-1).sqrt()
        return float((apart + 99 * torch.eye(len(x))).min())

    default = QUICK.separation
    wide, close = reported(default), reported(0.0)
    assert closest(wide) >= default == 1.5 and 1.0 <= closest(close) < 1.5
    assert len(wide) < len(close) and np.allclose(wide[0], close[0])


def test_hydrogens_give_way_and_heavy_atoms_do_not(problem: Problem) -> None:
    mol = Chem.Mol(problem.ligand.mol, confId=0)
    carbon = mol.GetSubstructMatch(Chem.MolFromSmarts("[CX4H3]"))[0]
    conformer = mol.GetConformer(0)
    hydrogens = [a.GetIdx() for a in mol.GetAtomWithIdx(carbon).GetNeighbors()]
    hydrogens = [k for k in hydrogens if mol.GetAtomWithIdx(k).GetAtomicNum() == 1]
    x = conformer.GetPositions()
    x[hydrogens[0]] = 0.5 * (x[hydrogens[0]] + x[hydrogens[1]])  # on its way into its neighbour
    conformer.SetPositions(x)
    y = relax(mol).GetConformer().GetPositions()
    heavy = problem.ligand.heavy
    np.testing.assert_array_equal(y[heavy], x[heavy])
    apart = np.linalg.norm(y[hydrogens[0]] - y[hydrogens[1]])
    assert np.linalg.norm(x[hydrogens[0]] - x[hydrogens[1]]) < 1.0 and apart > 1.6
    np.testing.assert_array_equal(conformer.GetPositions(), x)
    unknown = Chem.AddHs(Chem.MolFromSmiles("[CH3][Xe]"))
    unknown.AddConformer(Chem.Conformer(unknown.GetNumAtoms()))
    assert relax(unknown).GetNumConformers() == 1


def test_the_sdf_is_the_input_graph(result: DockingResult, tmp_path: Path) -> None:
    path = tmp_path / "poses.sdf"
    result.write(path)
    records = list(read_molecules(path))
    assert len(records) == len(result.poses) > 0
    given = Chem.MolFromSmiles(SMILES)
    for record, pose in zip(records, result.poses, strict=True):
        mol = Chem.MolFromMolBlock(Chem.MolToMolBlock(record.mol), removeHs=False)
        assert mol.GetNumAtoms() == Chem.AddHs(given).GetNumAtoms()
        heavy = [a.GetSymbol() for a in mol.GetAtoms() if a.GetAtomicNum() > 1]
        assert heavy == [a.GetSymbol() for a in given.GetAtoms()], "the input's order"
        assert Chem.MolToSmiles(Chem.RemoveHs(mol)) == Chem.CanonSmiles(SMILES)
        assert record.tags["rank"] == str(pose.rank)
        assert float(record.tags["energy_kcal_mol"]) == pytest.approx(pose.energy, abs=1e-3)
        assert record.tags["SMILES"] == Chem.CanonSmiles(SMILES)
        assert record.tags["seed"] == "0" and record.tags["receptor"] == "cage.pdb"
        assert record.tags["moldiff_version"] == moldiff.__version__
        assert record.tags["checks"] == check_words(pose.checks)
        assert record.tags["settings"] == QUICK.digest()


def test_ranked_separate_and_true(problem: Problem, result: DockingResult) -> None:
    order = [(not pose.passes, -pose.score) for pose in result.poses]
    assert order == sorted(order)
    assert [pose.rank for pose in result.poses] == list(range(1, len(order) + 1))
    heavy = problem.ligand.heavy
    x = [pose.mol.GetConformer().GetPositions()[heavy] for pose in result.poses]
    terms = problem.exact_energy().terms(torch.tensor(np.stack(x)).float())
    energy = terms["inter"] / (1 + 0.05846 * problem.torsions)
    for k, pose in enumerate(result.poses):
        assert pose.energy == pytest.approx(float(energy[k]), abs=1e-3)
        for other in x[:k]:
            assert ((x[k] - other) ** 2).sum(1).mean() ** 0.5 >= 0.99


def test_the_record_is_json(result: DockingResult) -> None:
    record = json.loads(result.to_json())
    assert record["schema"] == "moldiff.docking"
    assert record["ligand"] == {"name": "one", "smiles": Chem.CanonSmiles(SMILES)}
    assert record["box"] == {"center": [10, 20, 30], "size": [12, 12, 12]}
    assert set(record["seconds"]) >= {"conformers", "grids", "searching", "ranking"}
    assert len(record["poses"]) == len(result.poses) == len(result.table())


def test_the_same_seed_the_same_poses_another_seed_others(
    problem: Problem, result: DockingResult
) -> None:
    again = dock(problem, QUICK)
    assert [p.energy for p in again.poses] == [p.energy for p in result.poses]
    other = dock(problem, dataclasses.replace(QUICK, seed=1))
    assert [p.energy for p in other.poses] != [p.energy for p in result.poses]


def test_what_is_reported_is_what_was_asked_for(problem: Problem) -> None:
    assert len(dock(problem, dataclasses.replace(QUICK, poses=1)).poses) == 1
    seen: list[tuple[str, float]] = []
    dock(problem, QUICK, progress=lambda stage, done: seen.append((stage, done)))
    assert [done for _, done in seen] == sorted(done for _, done in seen)


def test_posebusters_is_shown_as_many_poses_as_asked(problem: Problem) -> None:
    pytest.importorskip("posebusters")
    first, second, *_ = dock(problem, dataclasses.replace(QUICK, posebusters=1)).poses
    assert "internal_energy" in first.checks.keys() - second.checks.keys()


def test_a_pocket_keeps_its_potentials(receptor: Receptor) -> None:
    pocket = Pocket.of(receptor, Box(np.array([10.0, 20.0, 30.0]), np.array([8.0])))
    first = make_problem(Chem.MolFromSmiles("CCC"), pocket, conformers=1)
    second = make_problem(Chem.MolFromSmiles("CCO"), pocket, conformers=1)
    assert isinstance(first, Problem) and isinstance(second, Problem)
    grid = pocket.grid(first.types)
    assert pocket.grid(first.types) is grid
    pocket.grid(second.types)
    x = first.kinematics.place(
        random_poses(first.kinematics, pocket.box, 3, rng=torch.Generator().manual_seed(0))
    )
    alone = Pocket.of(receptor, pocket.box)
    for item in (first, second):
        fresh = make_problem(item.ligand.mol, alone, conformers=1)
        assert isinstance(fresh, Problem)
        torch.testing.assert_close(item.grid_energy()(x), fresh.grid_energy()(x))


def test_settings_refuse_nonsense() -> None:
    for wrong in (
        {"draws": 0},
        {"draws": "many"},
        {"draws": True},
        {"poses": -1},
        {"conformers": 301},
        {"rounds": 2.5},
        {"window": "wide"},
        {"ph": 3.0},
        {"proposals": "magic"},
        {"posebusters": True},
        {"model": 5},
        {"precision": "float16"},
    ):
        with pytest.raises(ConfigError, match=f"(?i){next(iter(wrong))}") as caught:
            Settings(**wrong)  # type: ignore[arg-type]
        assert caught.value.fix
    with pytest.raises(ConfigError) as caught:
        Settings(draws=0)
    assert str(caught.value) == (
        "In the settings of a docking, 'draws' must be from 1 to 10000, not 0. The default is 40."
    )
    assert Settings().digest() == Settings().digest() != Settings(seed=1).digest()


def test_the_usual_type_of_products_leaves_the_digest() -> None:
    usual, lower = Settings(), Settings(precision="bfloat16")
    assert "precision" not in usual.as_dict() and usual.resolved() == usual
    assert lower.resolved() == lower and lower.digest() != usual.digest()
    assert Settings(precision="auto").resolved() in (usual, lower)


def test_the_python_function_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.pdb"):
        moldiff.dock(tmp_path / "no.pdb", "CCO", center=(0, 0, 0))
    with pytest.raises(InputError, match="pocket is not given"):
        moldiff.dock(CAGE, "CCO")
    with pytest.raises(TypeError, match="poes"):
        moldiff.dock(CAGE, "CCO", center=(10, 20, 30), poes=3)


def test_the_python_function_docks() -> None:
    given = {"draws": 4, "starts": 0, "conformers": 1, "rounds": 1, "proposals": "random"}
    result = moldiff.dock(CAGE, "CCO", center=(10, 20, 30), size=12, **given)
    assert result.best.rank == 1 and result.best.mol.GetNumAtoms() == 9


def test_threads_are_those_asked_for_while_a_ligand_is_docked() -> None:
    before, seen = torch.get_num_threads(), set[int]()

    def progress(stage: str, done: float) -> None:
        seen.add(torch.get_num_threads())

    given = {"draws": 2, "starts": 0, "conformers": 1, "rounds": 0, "proposals": "random"}
    given |= {"center": (10, 20, 30), "size": 12, "progress": progress}
    moldiff.dock(CAGE, "CCO", threads=before + 1, **given)
    assert seen == {before + 1} and torch.get_num_threads() == before
    with pytest.raises(InputError, match="cannot be 0 threads"):
        moldiff.dock(CAGE, "CCO", threads=0, **given)
