"""Every network stays on the device it is given: run once on the device ``meta``."""

from __future__ import annotations

import pytest
import torch

from moldiff import registry
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.denoiser.precondition import Karras
from moldiff.domain import distances, poses
from moldiff.nn import GraphNetwork
from moldiff.nn.distances import reference
from moldiff.nn.inputs import PocketInput
from moldiff.nn.mixture import REACH
from moldiff.nn.sites import nearest
from tests.contracts.conftest import EXAMPLES
from tests.contracts.test_networks import CLASSES, PROCESS, noisy, small_config
from tests.contracts.test_smoothness import lattice, ligand_of, network_of
from tests.one_device import META, on_meta, watched


def test_the_watch_sees_what_meta_lets_pass() -> None:
    here, there = torch.zeros(3, 3), torch.zeros(3, 3, device=META)
    with watched():
        assert (there @ (2 * torch.ones(()) * there)).device.type == META
        assert (here.to(META) + there).device.type == META
        for mixed in (lambda: there @ here, lambda: there + here, lambda: torch.cdist(here, there)):
            with pytest.raises((AssertionError, RuntimeError)):
                mixed()


@pytest.mark.parametrize("name", registry.names("interaction"))
def test_interactions(name: str) -> None:
    network = GraphNetwork(registry.build("interaction", small_config(name)), CLASSES).to(META)
    x_t, t = noisy()
    x_t, t = x_t.to(META), t.to(META)
    denoiser = NetworkDenoiser(network, Karras(), PROCESS)
    with watched():
        first = denoiser(x_t, t)
        second = denoiser(x_t, t, first)
    assert on_meta(dict(first), dict(second))


def test_codecs() -> None:
    codec = registry.build("codec", EXAMPLES["codec", "autoencoder"] | {"name": "autoencoder"})
    x, _ = noisy()
    x = Batch({f: x[f] for f in ("positions", "types", "bonds")})
    x = x.map(lambda v: v if v.is_floating_point() else v.clamp_max(1)).to(META)
    codec = codec.to(META)
    with watched():
        latents = codec.latents(x)
        drawn = codec.perturb(latents, rng=torch.Generator())
        assert on_meta(dict(drawn), dict(codec.reconstruct(drawn)), codec.divergence(latents))


def test_the_network_of_contacts() -> None:
    network = network_of("contacts").to(META)
    pocket = lattice(6.0).float()
    tokens = torch.zeros(len(pocket), dtype=torch.int64)
    given = {
        "ligand": ligand_of(poses.CLASSES, 5),
        "pocket": PocketInput(pocket, tokens, torch.zeros(3)),
    }
    x = Batch({"positions": torch.zeros(2, 5, 3)}, given).to(META)
    with watched():
        assert on_meta(dict(network(x, torch.zeros(2, device=META))))


def test_mixtures_of_distances() -> None:
    network = network_of("mixture").to(META)
    pocket = lattice(6.0).float()
    tokens = torch.arange(len(pocket)) % distances.CLASSES["token_classes"]  # type: ignore[operator]
    sites = distances.sites(pocket, tokens, torch.arange(len(pocket)) // 4)
    given = {"ligand": ligand_of(distances.CLASSES, 5), "pocket": sites}
    x = Batch({"positions": torch.zeros(2, 5, 3)}, given).to(META)
    with watched():
        context = network.encode(x.context)
        mixtures = network.mixtures(context["ligand"].unsqueeze(1), context["pocket"].features)
        apart = nearest(x["positions"], context["pocket"].sites, REACH)
        assert on_meta(network(x))
        assert on_meta(mixtures.log_density(apart[0]), mixtures.log_far(), reference(apart))
