"""No network jumps: its output is continuous in the coordinates, at its cut-offs too.

An atom is drawn along a path, and every piece of the path is halved again and again.  The change
of a continuous function shrinks with the pieces; a jump stays as it is, wherever it is and
whatever it comes from.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from moldiff import registry
from moldiff.diffusion.batch import Batch, pair_count
from moldiff.diffusion.network import Network
from moldiff.domain import backbones, distances, poses
from moldiff.geometry.tensors import exponential, uniform_rotations
from moldiff.nn import GraphNetwork
from moldiff.nn.distances import DistanceNetwork, reference
from moldiff.nn.inputs import LigandInput, PocketInput
from moldiff.nn.mixture import REACH
from moldiff.nn.residues import Residues, Surroundings
from moldiff.nn.sites import nearest

pytestmark = pytest.mark.usefixtures("fixed_weights")

Path = Callable[[Tensor], Tensor]


@torch.no_grad()
def largest_jump(function: Path, pieces: int, halvings: int) -> float:
    """The largest change of ``function`` (s,) -> (s, d) on [0, 1] over pieces halved so often.

    Of two halves the one that is less straight is kept: its middle is farther from the mean of
    its ends, by half the jump if there is one.
    """
    edges = torch.linspace(0, 1, 2 * pieces + 1, dtype=torch.float64)
    values = function(edges)
    s, f = ([v[:-1:2], v[1::2], v[2::2]] for v in (edges, values))  # low, middle, high
    for _ in range(halvings):
        between = [(s[0] + s[1]) / 2, (s[1] + s[2]) / 2]
        at = function(torch.cat(between)).chunk(2)
        bent = [(at[k] - (f[k] + f[k + 1]) / 2).norm(dim=1) for k in (0, 1)]
        left = bent[0] > bent[1]
        halves = (s[0], between[0], s[1]), (s[1], between[1], s[2])
        s = [torch.where(left, a, b) for a, b in zip(*halves, strict=True)]
        halves = (f[0], at[0], f[1]), (f[1], at[1], f[2])
        f = [torch.where(left.unsqueeze(1), a, b) for a, b in zip(*halves, strict=True)]
    return float((f[2] - f[0]).norm(dim=1).max())


@pytest.mark.parametrize(("where", "size"), [(0.3, 1e-3), (0.7777, -0.05), (1e-4, 1.0)])
def test_a_jump_is_found_and_its_size(where: float, size: float) -> None:
    def steps(s: Tensor) -> Tensor:
        return (torch.sin(7 * s) + size * (s > where)).unsqueeze(1)

    assert largest_jump(steps, 200, 30) == pytest.approx(abs(size), rel=1e-3)
    assert largest_jump(lambda s: torch.sin(7 * s).unsqueeze(1), 200, 30) < 1e-8


def scramble(network: Network, size: float = 0.2) -> Any:
    """No parameter stays at a special value such as zero."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return network.eval()


def flight(x: Tensor, s: Tensor, far: float) -> Tensor:
    """Atoms x (n, 3), the first of them on its way past all others out to ``far``, (s, n, 3)."""
    direction = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, 3.0]), dim=0).to(x)
    moved = x.expand(len(s), -1, -1).clone()
    moved[:, 0] = x[1] + 0.05 + (2 * s.to(x).unsqueeze(1) - 1) * far * direction
    return moved


SIZES = {"width": 16, "pair_width": 8, "channels": 3, "tensors": 2, "context_width": 8, "heads": 2}
CLASSES = {"types": 4, "bonds": 3}


@pytest.mark.parametrize("previous", [False, True])
@pytest.mark.parametrize("name", registry.names("interaction"))
def test_interactions_do_not_jump(name: str, previous: bool) -> None:
    """Nor when an atom of the prediction before moves, for networks that see that."""
    known = inspect.signature(registry.registered("interaction", name)).parameters
    settings = {"layers": 2} | {k: v for k, v in SIZES.items() if k in known}
    network = scramble(
        GraphNetwork(registry.build("interaction", {"name": name, **settings}), CLASSES)
    )
    n, rng = 6, torch.Generator().manual_seed(4)
    x = torch.randn(n, 3, generator=rng)
    types, bonds = (
        torch.randint(k, (1, c), generator=rng)
        for k, c in ((CLASSES["types"], n), (CLASSES["bonds"], pair_count(n)))
    )

    def function(s: Tensor) -> Tensor:
        moving, b = flight(x, s, 15.0), len(s)
        still = x.expand(b, n, 3)
        classes = {"types": types.expand(b, -1), "bonds": bonds.expand(b, -1)}
        now = Batch({"positions": still if previous else moving, **classes})
        one_hot = {
            field: torch.nn.functional.one_hot(v, CLASSES[field]).float()
            for field, v in classes.items()
        }
        before = Batch({"positions": moving, **one_hot}) if previous else None
        result = network(now, torch.full((b,), 0.4), before)
        return torch.cat([result[f].flatten(1) for f in ("positions", *CLASSES)], 1)

    spread = float(function(torch.linspace(0, 1, 50)).detach().std(0).norm())
    # Pieces of 30 / 300 / 2^12 = 2e-5 and the rounding of float32 leave some 1e-4 of the spread.
    assert spread > 0.1
    assert largest_jump(function, 300, 12) < 2e-3 * spread


# --- networks of complexes ----------------------------------------------------------------------

CONTACTS = {"width": 16, "channels": 4, "layers": 2, "heads": 2, "pair_width": 8, "neighbours": 6}
CONTACTS |= {"pocket_channels": 3, "pocket_layers": 1, "pocket_neighbours": 6}
MIXTURE = {"width": 16, "heads": 2, "ligand_layers": 1, "pocket_layers": 1, "hidden": 8}
FRAMES = {"width": 16, "pair_width": 8, "blocks": 2, "layers": 1, "heads": 2, "points": 2}
BUILT = {
    "contacts": (CONTACTS, poses.CLASSES),
    "frames": (FRAMES, backbones.CLASSES),
    "mixture": (MIXTURE, distances.CLASSES),
    "rank": (CONTACTS, poses.CLASSES),
}


def test_every_network_of_complexes_is_here() -> None:
    assert set(registry.names("network")) == set(BUILT), "say where a new network is continuous"


def network_of(name: str) -> Any:
    settings, classes = BUILT[name]
    return scramble(registry.build("network", {"name": name, **settings}, **classes))


def ligand_of(classes: Any, n: int) -> LigandInput:
    rng = torch.Generator().manual_seed(1)
    atoms = [torch.randint(k, (n,), generator=rng) for k in classes["atom_classes"]]
    pairs = torch.randint(classes["pair_classes"], (n, n), generator=rng)
    return LigandInput(torch.stack(atoms, 1), torch.minimum(pairs, pairs.T))


def lattice(spacing: float, side: int = 5) -> Tensor:
    """A pocket as a shaken lattice about the origin, (side^3, 3) Å."""
    steps = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    grid = torch.cartesian_prod(steps, steps, steps) * spacing
    return grid + 0.3 * torch.randn(grid.shape, generator=torch.Generator().manual_seed(3)).double()


def pose_path(name: str, spacing: float) -> tuple[Path, Tensor, Tensor]:
    """A network of poses on an atom's flight through a pocket; the pocket's atoms, the flight."""
    network = network_of(name).double()
    ligand = ligand_of(poses.CLASSES, 5)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    pocket = lattice(spacing)
    tokens = torch.arange(len(pocket)) % poses.CLASSES["token_classes"]
    given = PocketInput(pocket, tokens, torch.zeros(3, dtype=torch.float64))
    with torch.no_grad():
        context = network.encode({"ligand": ligand, "pocket": given})

    def function(s: Tensor) -> Tensor:
        batch = Batch({"positions": flight(x, s, 20.0)}, context)
        output = network(batch, torch.full((len(s),), 0.4, dtype=torch.float64))
        values: Tensor = output["positions"] if isinstance(output, Batch) else output.unsqueeze(1)
        return values.flatten(1)

    way = flight(x, torch.linspace(0, 1, 2000, dtype=torch.float64), 20.0)
    return function, pocket, way


def test_residues_do_not_jump() -> None:
    """A residue flies through others that stay, one of which it meets, and turns on its way."""
    network, rng = network_of("frames").double(), torch.Generator().manual_seed(2)
    around = lattice(6.0, side=3)
    n, m = 4, len(around)
    x = 3 * torch.randn(n, 3, generator=rng, dtype=torch.float64)
    fixed, frames = (uniform_rotations((1, k), rng=rng, dtype=torch.float64) for k in (m, n))
    types = torch.randint(backbones.CLASSES["type_classes"], (1, m), generator=rng)
    places = Residues(types, torch.arange(m).unsqueeze(0))
    context = {
        "residues": Residues(types[:, :n], torch.arange(n).unsqueeze(0)),
        "surroundings": Surroundings(places, around.unsqueeze(0), fixed),
    }

    def function(s: Tensor) -> Tensor:
        turns = torch.zeros(len(s), n, 3, dtype=torch.float64)
        turns[:, 0] = 6 * s.unsqueeze(1) * torch.tensor([0.3, 0.5, 0.8]).double()
        now = {"positions": flight(x, s, 20.0), "frames": frames @ exponential(turns)}
        moved = network(Batch(now, context), torch.full((len(s),), 0.4, dtype=torch.float64))
        return torch.cat([moved[f].flatten(1) for f in now], 1)

    assert largest_jump(function, 300, 24) < 1e-5


@pytest.mark.parametrize("name", ["contacts", "rank"])
def test_contacts_fade_before_neighbours_change(name: str) -> None:
    """Where fewer atoms are within the 8 Å than there are neighbours, all that enters is faded."""
    function, pocket, way = pose_path(name, spacing=9.0)
    apart = torch.cdist(way[:, 0], pocket)
    count, order = CONTACTS["neighbours"], apart.argsort(1)[:, : CONTACTS["neighbours"]]
    within = (apart < REACH).sum(1)
    assert within.max() < count  # type: ignore[operator]
    assert (within.diff() != 0).sum() > 10, "atoms enter and leave the reach of contacts"
    assert (order.sort(1).values.diff(dim=0) != 0).any(1).sum() > 10, "the neighbours change"
    # 1e-6: pieces of 40 Å / 300 / 2^24, and what is beyond the reach by rounding of distances.
    assert largest_jump(function, 300, 24) < 1e-6


@pytest.mark.parametrize("name", ["contacts", "rank"])
def test_contacts_in_a_dense_pocket_do_not_jump(name: str) -> None:
    """With more atoms within 8 Å than neighbours, contacts fade before the first that is none."""
    function, pocket, way = pose_path(name, spacing=4.0)
    assert ((torch.cdist(way[:, 0], pocket) < REACH).sum(1) > 2 * CONTACTS["neighbours"]).any()  # type: ignore[operator]
    assert largest_jump(function, 300, 24) < 1e-6


@torch.no_grad()
def test_distance_scores_jump_at_the_reach_alone_and_by_what_the_formula_says() -> None:
    """A pair at R = 8 Å counts log [p(R) / q(R) + P(beyond)], and one beyond it nothing."""
    network: DistanceNetwork = network_of("mixture")
    ligand = ligand_of(distances.CLASSES, 5)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    pocket = lattice(6.0).float()
    tokens = torch.arange(len(pocket)) % distances.CLASSES["token_classes"]  # type: ignore[operator]
    sites = distances.sites(pocket, tokens, torch.arange(len(pocket)) // 4)
    context = network.encode({"ligand": ligand, "pocket": sites})
    mixtures = network.mixtures(context["ligand"].unsqueeze(1), context["pocket"].features)
    reach = torch.full(mixtures.means.shape[:2], REACH)
    edge = torch.logaddexp(mixtures.log_density(reach) - reference(reach), mixtures.log_far())

    def score(s: Tensor) -> Tensor:
        result: Tensor = network(Batch({"positions": flight(x, s, 20.0)}, context))
        return result.double().unsqueeze(1)

    def without_jumps(s: Tensor) -> Tensor:
        near = nearest(flight(x, s, 20.0), sites, REACH) < REACH
        return score(s) - (near * edge).sum((1, 2)).double().unsqueeze(1)

    # Scores are some hundreds of nats in float32, distances good to 1e-5 Å where 8 Å is tested.
    assert largest_jump(without_jumps, 300, 14) < 0.02
    assert largest_jump(score, 300, 14) == pytest.approx(float(edge.abs().amax()), rel=0.5)
