"""Parts grow in their pose in a pocket: what stays, what turns, what is said and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff import design
from moldiff.chem.rotors import find_rotors
from moldiff.design.pockets import Bench, Budget, Outcome, prepare
from moldiff.design.pockets.room import Room
from moldiff.design.pockets.run import Design
from moldiff.design.pockets.settle import Anchored, Settler, free_rotors
from moldiff.design.pockets.starts import generated, pieces
from moldiff.design.scaffold import scaffold_of
from moldiff.docking.problem import posed_problem
from moldiff.docking.site import Site, Where, site
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.errors import InputError
from moldiff.generation.request import Generated

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
RECEPTOR, LIGAND = EXAMPLE / "receptor.pdb", EXAMPLE / "ligand.sdf"


@pytest.fixture(scope="module")
def place() -> Site:
    return site(RECEPTOR, Where(LIGAND))


@pytest.fixture(scope="module")
def dex() -> Chem.Mol:
    return Chem.MolFromMolFile(str(LIGAND))


def still_pose(n: int, centre: torch.Tensor, torsions: torch.Tensor) -> Pose:
    return Pose(torch.zeros(n).long(), centre.expand(n, 3), torch.eye(3).expand(n, 3, 3), torsions)


def test_only_rotors_beside_the_part_turn_and_the_part_stays(
    posed: Callable[..., Chem.Mol], place: Site
) -> None:
    mol = posed("c1ccccc1CCc1ccc(CCO)cc1", shift=0.0)
    part = range(6)  # the first ring, which the root of all rotors need not be
    rotors, problem = find_rotors(mol), posed_problem(mol, place.pocket)
    assert not isinstance(problem, str)
    free = free_rotors(rotors, part)
    assert len(free) == len(rotors) and not free.moves[:, list(part)].any()
    assert len(free_rotors(rotors, [0, 14])) < len(rotors)  # a linker cannot turn

    x = torch.as_tensor(mol.GetConformer().GetPositions()[:16]).float()
    inner = Kinematics.from_ensemble(problem.ligand, free)
    still = torch.zeros(17, dtype=torch.bool)
    still[list(part)] = True
    anchored = Anchored(inner, free, still, x[:6].mean(0))
    rng = torch.Generator().manual_seed(0)
    pose = still_pose(3, x.mean(0), torch.rand(3, len(free), generator=rng))
    assert torch.allclose(anchored.place(pose)[:, :6], x[:6].expand(3, 6, 3), atol=1e-4)
    # The derivative by the first torsion, against a small turn of it.
    step = torch.zeros(3, len(free))
    step[:, 0] = 1e-2
    after, before = (anchored.place(anchored.retract(pose, s * step)) for s in (1, -1))
    slope = (after - before).flatten(1) / 2e-2
    assert torch.allclose(anchored.jacobian(anchored.place(pose))[..., 0], slope, atol=2e-3)


def test_a_settled_molecule_keeps_its_part_and_gains(place: Site, dex: Chem.Mol) -> None:
    settler, kept = Settler.of(place.pocket), range(12)
    whole = Chem.AddHs(dex, addCoords=True)
    settled = settler(whole, kept, seed=1)
    assert not isinstance(settled, str)
    x, before = (m.GetConformer().GetPositions()[:12] for m in (settled.mol, whole))
    assert (x == before).all()
    assert settled.energy < -8 and not settled.failed and settled.interactions
    moved = settler(whole)
    assert not isinstance(moved, str) and moved.energy <= settled.energy + 0.05
    flat = Chem.MolFromSmiles("CCO")
    assert settler(flat) == "no coordinates"


def test_room_is_where_atoms_do_not_clash(place: Site, dex: Chem.Mol) -> None:
    room = Room.of(place.pocket)
    scaffold = scaffold_of([dex])
    assert set(room.points(scaffold)) < set(scaffold.open)  # the pocket encloses it
    centre = scaffold.positions.mean(0)
    atoms = torch.as_tensor(place.pocket.receptor.structure.positions).float()
    near = atoms[(atoms - torch.as_tensor(centre).float()).norm(dim=1).argsort()[:8]]
    x = near + 1.0 - torch.as_tensor(centre).float()  # inside of walls, in the frame of the part
    gradient = room.around(centre).gradient(x[None])[0]
    energies = [
        room.around(centre).gradient((x - s * gradient / gradient.norm(dim=1, keepdim=True))[None])
        for s in (0.0, 0.6)
    ]
    assert energies[1].norm() < energies[0].norm()


def test_pieces_of_a_ligand_lie_where_it_lies(posed: Callable[..., Chem.Mol]) -> None:
    mol = posed("c1ccccc1C(=O)Nc1ccncc1", shift=0.0)
    found = list(pieces(mol))
    assert sorted(piece.size for piece in found) == [6, 6]
    known = mol.GetConformer().GetPositions()
    for piece in found:
        rows = [number - 1 for number in piece.numbers]
        assert (piece.positions[:6] == known[rows]).all() and not piece.named


@pytest.mark.thorough
def test_a_part_without_a_pose_is_docked_first(place: Site, dex: Chem.Mol) -> None:
    bench = prepare(RECEPTOR, LIGAND, Budget(None), scaffold="c1ccc([*:1])nc1")
    (start,) = bench.starts
    scaffold = start.task.part.scaffold
    assert "docked, -" in " ".join(bench.notes)
    assert place.pocket.box.contains(scaffold.positions).all() and set(scaffold.named) == {3}
    grown = list(bench.designs(2, Budget(None), add=6, steps=8, seed=1))
    # Aromatic bonds of the part are still those of its Kekulé structure.
    assert [one.tags.get("part_kept") for one in grown if one.settled] == ["yes"] * 2
    ((made, energy),) = generated(bench.model, place.pocket, tries=1, seed=1, steps=30)
    assert energy < 0 and 10 <= made.size <= 13 and made.measured(made.mol.GetNumAtoms() - 1)
    assert place.pocket.box.contains(made.positions).all()
    with pytest.raises(InputError, match="10 to 40 heavy atoms, not of 46"):
        bench.designs(1, Budget(None), add=40)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return prepare(RECEPTOR, LIGAND, Budget(None), steps=8)


def test_designs_keep_their_part_and_say_what_they_gain(bench: Bench) -> None:
    made = list(bench.designs(3, Budget(None), add=3, steps=8, seed=2))
    assert len(made) == 3 and len({one.start for one in made}) == 1
    settled = [one for one in made if one.settled is not None]
    assert settled and all(one.tags["part_kept"] == "yes" for one in settled)
    assert all("displacement 0.000 Å" in one.tags["kept"] for one in settled)
    again = list(bench.designs(3, Budget(None), add=3, steps=8, seed=2))
    assert [one.smiles for one in again] == [one.smiles for one in made]


def test_time_is_kept(bench: Bench) -> None:
    ticks = iter(range(1000))
    # Ten looks at the clock are fewer than the steps of a batch.
    assert not list(bench.designs(50, Budget(10, lambda: next(ticks)), add=3, steps=20))
    with pytest.raises(InputError, match="no time"):
        Budget(0)


def outcome(place: Site, *smiles: str) -> Outcome:
    """Designs of some molecules whose scores fall; None of them has been near a pocket."""
    settled = Settler.of(place.pocket)(Chem.MolFromMolFile(str(LIGAND)))
    assert not isinstance(settled, str)
    made = []
    for k, one in enumerate(smiles):
        mol = Chem.MolFromSmiles(one)
        item = Generated(mol, None, {"SMILES": one})
        made.append(Design(item, "start", replace(settled, mol=mol, score=-float(k))))
    lost = Design(Generated(Chem.Mol(), "fragments: 2", {}), "start", reason="fragments: 2")
    return Outcome((lost, *made), settled)


def test_the_best_of_equal_ones_and_different_ones_are_picked(place: Site) -> None:
    found = outcome(place, "CCCCO", "CCCCCO", "CCCCO", "c1ccncc1", "CCCCCCO", "OCCS")
    assert [one.smiles for one in found.kept] == [
        "CCCCO", "CCCCCO", "c1ccncc1", "CCCCCCO", "OCCS",
    ]  # fmt: skip
    picked = [one.smiles for one in found.picked(2)]
    assert picked[0] == "CCCCO" and picked[1] not in ("CCCCCO", "CCCCCCO")
    assert len(found.picked(None)) == 5
    assert sum(found.reasons.values()) == 2
    table = found.table(found.picked(2)).splitlines()
    assert len(table) == 1 + 7 and "repeated, in a worse pose" in "".join(table)
    assert table[1].startswith("1,CCCCO,kept") and sum(",not picked," in r for r in table) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scaffold": LIGAND, "start": "dock"}, "a start of its own"),
        ({"at": "3"}, "names atoms of a scaffold"),
        ({"pocket_ligand": "A:999"}, "A:999"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        design.pocket(RECEPTOR, 1, **{"pocket_ligand": LIGAND, **options})


def test_a_scaffold_in_another_frame_is_refused(posed: Callable[..., Chem.Mol]) -> None:
    far = posed("c1ccncc1", shift=500.0)
    with pytest.raises(InputError, match="outside of the pocket"):
        design.pocket(RECEPTOR, 1, pocket_ligand=LIGAND, scaffold=far)
    assert np.isfinite(far.GetConformer().GetPositions()).all()
