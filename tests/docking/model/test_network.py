"""The pose network: symmetries, and what it may not depend on."""

from __future__ import annotations

import pytest
import roma
import torch

from moldiff.chem.graph import ATOM_CLASSES
from moldiff.diffusion.batch import Batch
from moldiff.domain.poses import CLASSES, PAIR_KINDS
from moldiff.nn.inputs import LigandInput, PocketInput
from moldiff.nn.poses import PoseNetwork
from moldiff.protein.tokens import TOKENS

POSES, ATOMS, POCKET = 3, 9, 60


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(2)


@pytest.fixture
def network(rng: torch.Generator) -> PoseNetwork:
    network = PoseNetwork(
        width=32,
        channels=8,
        layers=3,
        heads=2,
        neighbours=8,
        pocket_channels=4,
        pair_width=16,
        **CLASSES,
    )
    for parameter in network.parameters():  # time is read through weights that begin at zero
        torch.nn.init.normal_(parameter, std=0.2, generator=rng)
    return network.double()


@pytest.fixture
def ligand(rng: torch.Generator) -> LigandInput:
    atoms = [torch.randint(k, (ATOMS,), generator=rng) for k in ATOM_CLASSES]
    pairs = torch.randint(PAIR_KINDS, (ATOMS, ATOMS), generator=rng)
    return LigandInput(torch.stack(atoms, 1), torch.minimum(pairs, pairs.T))


@pytest.fixture
def pocket(rng: torch.Generator) -> PocketInput:
    x = 12 * torch.randn(POCKET, 3, generator=rng, dtype=torch.float64)
    tokens = torch.randint(TOKENS, (POCKET,), generator=rng)
    return PocketInput(x, tokens, torch.zeros(3, dtype=torch.float64))


@pytest.fixture
def x(rng: torch.Generator) -> torch.Tensor:
    return 3 * torch.randn(POSES, ATOMS, 3, generator=rng, dtype=torch.float64)


def displaced(
    network: PoseNetwork,
    x: torch.Tensor,
    t: torch.Tensor,
    ligand: LigandInput,
    pocket: PocketInput,
) -> torch.Tensor:
    """The displacements of atoms x at times t."""
    batch = Batch({"positions": x}, {"ligand": ligand, "pocket": pocket})
    moved: torch.Tensor = network(batch, t)["positions"]
    return moved


TIMES = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)


def test_displacements_turn_with_the_complex(
    network: PoseNetwork,
    ligand: LigandInput,
    pocket: PocketInput,
    x: torch.Tensor,
    rng: torch.Generator,
) -> None:
    moved = displaced(network, x, TIMES, ligand, pocket)
    assert moved.shape == x.shape and moved.std() > 1e-3
    quaternion = torch.randn(4, generator=rng, dtype=torch.float64)
    for sign in (1, -1):  # reflections too
        turn = sign * roma.unitquat_to_rotmat(quaternion / quaternion.norm())
        turned = PocketInput(pocket.positions @ turn.T, pocket.tokens, pocket.centre)
        again = displaced(network, x @ turn.T, TIMES, ligand, turned)
        assert torch.allclose(again, moved @ turn.T, atol=1e-6)


def test_order_of_poses_atoms_and_pocket(
    network: PoseNetwork,
    ligand: LigandInput,
    pocket: PocketInput,
    x: torch.Tensor,
    rng: torch.Generator,
) -> None:
    moved = displaced(network, x, TIMES, ligand, pocket)
    poses, atoms, around = (torch.randperm(k, generator=rng) for k in (POSES, ATOMS, POCKET))
    mixed = LigandInput(ligand.atoms[atoms], ligand.pairs[atoms][:, atoms])
    shuffled = PocketInput(pocket.positions[around], pocket.tokens[around], pocket.centre)
    again = displaced(network, x[poses][:, atoms], TIMES[poses], mixed, shuffled)
    assert torch.allclose(again, moved[poses][:, atoms], atol=1e-6)


def test_every_input_counts(
    network: PoseNetwork, ligand: LigandInput, pocket: PocketInput, x: torch.Tensor
) -> None:
    moved = displaced(network, x, TIMES, ligand, pocket)
    other = LigandInput(ligand.atoms, (ligand.pairs + 1) % PAIR_KINDS)
    element = ligand.atoms.clone()
    element[0, 0] = (element[0, 0] + 1) % ATOM_CLASSES[0]
    tokens = (pocket.tokens + 1) % TOKENS
    changed = [
        displaced(network, x, TIMES.flip(0), ligand, pocket),
        displaced(network, x, TIMES, other, pocket),
        displaced(network, x, TIMES, LigandInput(element, ligand.pairs), pocket),
        displaced(network, x, TIMES, ligand, PocketInput(pocket.positions, tokens, pocket.centre)),
        displaced(network, x + 0.5, TIMES, ligand, pocket),
    ]
    assert all((c - moved).abs().max() > 1e-4 for c in changed)


def test_gradients_reach_every_weight(
    network: PoseNetwork, ligand: LigandInput, pocket: PocketInput, x: torch.Tensor
) -> None:
    displaced(network, x, TIMES, ligand, pocket).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_pocket_smaller_than_the_neighbourhood(
    network: PoseNetwork, ligand: LigandInput, pocket: PocketInput, x: torch.Tensor
) -> None:
    few = PocketInput(pocket.positions[:5], pocket.tokens[:5], pocket.centre)
    assert displaced(network, x, TIMES, ligand, few).isfinite().all()


def test_ligand_and_pocket_are_encoded_once_and_no_more(
    network: PoseNetwork, ligand: LigandInput, pocket: PocketInput, x: torch.Tensor
) -> None:
    calls: list[int] = []
    hook = network.encoder.register_forward_hook(lambda *_: calls.append(1))
    given = {"ligand": ligand, "pocket": pocket, "other": 5}
    context = network.encode(given)
    again = network.encode(context)
    assert again["pocket"] is context["pocket"] and again["ligand"] is context["ligand"]
    assert context["other"] == 5 and given["pocket"] is pocket
    fresh = displaced(network, x, TIMES, ligand, pocket)
    assert len(calls) == 2
    moved = network(Batch({"positions": x}, context), TIMES)["positions"]
    hook.remove()
    assert len(calls) == 2 and torch.equal(moved, fresh)
