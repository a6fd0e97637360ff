"""Networks are held to the symmetry they declare.

E(3): rotations and reflections of the input give the output rotated and reflected.  SE(3):
rotations do, and mirror images are told apart: a reflection must not.  None: rotations must not.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from moldiff import registry
from moldiff.chem.graph import ATOM_CLASSES, PAIR_CLASSES
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.network import Network, Symmetry
from moldiff.diffusion.time import Time
from moldiff.domain import backbones, distances, poses
from moldiff.geometry.tensors import uniform_rotations
from moldiff.nn import GraphNetwork
from moldiff.nn.inputs import LigandInput, PocketInput
from moldiff.nn.residues import Residues, Surroundings
from moldiff.protein.tokens import TOKENS

CLASSES = {"types": 3, "bonds": 4}
SMALL = {"width": 16, "pair_width": 8, "message_width": 8, "layers": 2, "heads": 2, "channels": 4}
FRAMES = {"width": 16, "pair_width": 8, "blocks": 2, "layers": 1, "heads": 2}
N, M = 6, 40
TOLERANCE = 2e-3  # single precision, through several layers with large weights


class Handed(Network):
    """Moves atoms by a triple product of differences, which changes sign in a mirror."""

    def __init__(self, symmetry: Symmetry = Symmetry.SE3) -> None:
        super().__init__()
        self.label, self.gain = symmetry, nn.Parameter(torch.ones(()))

    @property
    def symmetry(self) -> Symmetry:
        return self.label

    def forward(self, x: Batch, t: Time, previous: Batch | None = None) -> Batch:
        a, b, c = (x["positions"].roll(k, 1) - x["positions"] for k in (1, 2, 3))
        volume = (torch.linalg.cross(a, b) * c).sum(-1, keepdim=True)
        return Batch({"positions": self.gain * volume.tanh() * a})


Case = tuple[Network, Callable[[Tensor], Batch], Callable[[object, Tensor], Tensor]]
"""A network, its input turned by a matrix, and its output turned back, as one tensor."""


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def scrambled(network: Network) -> Network:
    with torch.no_grad():
        for k, parameter in enumerate(network.parameters()):
            generator = torch.Generator().manual_seed(k)
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network


def points(output: object, matrix: Tensor) -> Tensor:
    """Positions turned back (x -> R^T x) beside everything that does not turn."""
    assert isinstance(output, Batch)
    rest = [v.flatten(1) for f, v in output.items() if f != "positions"]
    return torch.cat([(output["positions"] @ matrix).flatten(1), *rest], 1)


def molecule(matrix: Tensor) -> Batch:
    x = torch.randn(2, N, 3, generator=rng())
    return Batch(
        {
            "positions": (x - x.mean(1, keepdim=True)) @ matrix.T,
            "types": torch.randint(3, (2, N), generator=rng()),
            "bonds": torch.randint(4, (2, N * (N - 1) // 2), generator=rng()),
        }
    )


def complexes(matrix: Tensor) -> tuple[Tensor, LigandInput, Tensor, Tensor]:
    """Poses, a ligand, pocket atoms and their tokens; points turned by the matrix."""
    x = 2 * torch.randn(3, N, 3, generator=rng()) @ matrix.T
    atoms = torch.stack([torch.randint(k, (N,), generator=rng()) for k in ATOM_CLASSES], 1)
    pairs = torch.randint(PAIR_CLASSES, (N, N), generator=rng())
    pocket = 5 * torch.randn(M, 3, generator=rng()) @ matrix.T
    return x, LigandInput(atoms, pairs), pocket, torch.randint(TOKENS, (M,), generator=rng())


def posed(matrix: Tensor) -> Batch:
    x, ligand, pocket, tokens = complexes(matrix)
    centre = torch.zeros(3)
    return Batch(
        {"positions": x}, {"ligand": ligand, "pocket": PocketInput(pocket, tokens, centre)}
    )


def judged(matrix: Tensor) -> Batch:
    x, ligand, pocket, tokens = complexes(matrix)
    residue = torch.arange(M) // 5
    sites = distances.sites(pocket, tokens, residue)
    double = {
        f.name: getattr(sites, f.name)
        for f in dataclasses.fields(sites)
        if getattr(sites, f.name).is_floating_point()
    }
    return Batch(
        {"positions": x}, {"ligand": ligand, "pocket": dataclasses.replace(sites, **double)}
    )


def gaps(matrix: Tensor) -> Batch:
    """Residues that move in surroundings that do not; a mirror turns the axes of frames too.

    A frame is a rotation, so in a mirror its last axis points the other way.
    """
    x, around = (3 * torch.randn(k, m, 3, generator=rng()) @ matrix.T for k, m in ((3, N), (1, M)))
    flip = torch.diag(torch.tensor([1.0, 1.0, float(torch.linalg.det(matrix).sign())]))
    frames, fixed = (
        matrix @ uniform_rotations((k, m), rng=rng()) @ flip for k, m in ((3, N), (1, M))
    )
    types = torch.randint(backbones.CLASSES["type_classes"], (1, M), generator=rng())
    return Batch(
        {"positions": x, "frames": frames},
        {
            "residues": Residues(types[:, :N], torch.arange(N).unsqueeze(0)),
            "surroundings": Surroundings(
                Residues(types, torch.arange(M).unsqueeze(0) - 20), around, fixed
            ),
        },
    )


def placed(output: object, matrix: Tensor) -> Tensor:
    """Positions and frames turned back, as one tensor."""
    assert isinstance(output, Batch)
    flip = torch.diag(torch.tensor([1.0, 1.0, float(torch.linalg.det(matrix).sign())]))
    frames = matrix.T @ output["frames"] @ flip
    return torch.cat([(output["positions"] @ matrix).flatten(1), frames.flatten(1)], 1)


def graph(name: str) -> Network:
    parameters = inspect.signature(registry.registered("interaction", name)).parameters
    settings = {k: v for k, v in SMALL.items() if k in parameters}
    interaction = registry.build("interaction", {"name": name, **settings})
    return GraphNetwork(interaction, CLASSES)


def case(name: str) -> Case:
    if name in registry.names("interaction"):
        return scrambled(graph(name)), molecule, points
    if name == "contacts":
        network = registry.build("network", {"name": name, "layers": 2}, **poses.CLASSES)
        return scrambled(network), posed, points
    if name == "rank":
        network = registry.build("network", {"name": name, "layers": 2}, **poses.CLASSES)
        return scrambled(network.eval()), posed, lambda output, matrix: output  # type: ignore[return-value]
    if name == "mixture":
        network = registry.build("network", name, **distances.CLASSES)
        return scrambled(network.eval()), judged, lambda output, matrix: output  # type: ignore[return-value]
    if name == "frames":
        network = registry.build("network", {"name": name, **FRAMES}, **backbones.CLASSES)
        return scrambled(network), gaps, placed
    if name == "autoencoder":
        small = {"name": "transformer", **SMALL}
        settings = {"classes": CLASSES, "encoder": small, "decoder": small}
        return scrambled(registry.build("codec", {"name": name, **settings})), molecule, points
    return scrambled(Handed()), molecule, points


NAMES = [
    *registry.names("interaction"),
    *registry.names("network"),
    *registry.names("codec"),
    "handed",
]


def change(case: Case, matrix: Tensor) -> float:
    """How far the output of a turned input is from the turned output, relative to its size."""
    network, turned, back = case
    t = torch.tensor([0.3, 0.7, 0.5])
    with torch.no_grad():
        one, other = (
            back(network(x, t[: x.graphs]), m)
            for x, m in ((turned(m), m) for m in (torch.eye(3), matrix))
        )
    assert one.std() > 1e-6
    return float((other - one).abs().max() / one.abs().max())


def rotation() -> Tensor:
    q, _ = torch.linalg.qr(torch.randn(3, 3, generator=rng()))
    return q * torch.linalg.det(q).sign()


def hold(case: Case) -> None:
    """Hold a network to the symmetry it declares."""
    symmetry = case[0].symmetry
    turned, mirrored = change(case, rotation()), change(case, -rotation())
    assert (turned < TOLERANCE) is symmetry.equivariant, f"rotated: {turned:.2g}"
    assert (mirrored < TOLERANCE) is (symmetry is Symmetry.E3), f"mirrored: {mirrored:.2g}"


@pytest.mark.parametrize("name", NAMES)
def test_a_network_has_the_symmetry_it_declares(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        hold(case(name))


@pytest.mark.parametrize("label", [Symmetry.E3, Symmetry.NONE])
def test_another_label_is_found_out(label: Symmetry) -> None:
    with pytest.raises(AssertionError, match=r"mirrored|rotated"):
        hold((Handed(label), molecule, points))


@pytest.mark.parametrize("label", [Symmetry.SE3, Symmetry.NONE])
def test_a_network_that_cannot_tell_mirror_images_is_not_handed(label: Symmetry) -> None:
    network, turned, back = case("egnn")
    with pytest.raises(AssertionError, match=r"mirrored|rotated"):
        relabelled = type("Relabelled", (GraphNetwork,), {"symmetry": label})
        network.__class__ = relabelled
        hold((network, turned, back))
