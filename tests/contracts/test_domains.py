"""Every registered domain is rebuilt from its configuration, and its networks from theirs.

A new domain needs a line in `tests.contracts.conftest.DOMAINS`; if the batches of its models hold
something in their context, a case in `noise`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from moldiff import registry
from moldiff.chem.encode import Encoded, encode
from moldiff.chem.validity import canonical_smiles
from moldiff.data.complex_files import read_complex
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.network import Network
from moldiff.diffusion.process import Product
from moldiff.domain import Domain, domain_from_config
from moldiff.domain.backbones import backbone_atoms, gap_batch, gap_context, placed
from moldiff.domain.chains import chain_batch, chain_context
from moldiff.domain.molecules import Molecules
from moldiff.domain.poses import to_batch, to_pose
from moldiff.domain.sequences import backbone_input, sequence_batch
from moldiff.errors import ConfigError
from moldiff.model import Model
from moldiff.protein.gap import cut
from moldiff.protein.secondary import HIDDEN
from moldiff.train.workloads.displacement import Example, example
from tests.backbones import backbone
from tests.complexes import write_complex
from tests.contracts.conftest import DOMAINS
from tests.molecules import embedded

pytestmark = pytest.mark.parametrize("name", registry.names("domain"))
DENOISING = {"precondition": "clean", "sampling": {"steps": 2}}


def domain_of(name: str) -> Domain:
    return domain_from_config({"name": name, **DOMAINS[name].get("domain", {})})


def process_of(name: str) -> Product | None:
    config = DOMAINS[name].get("process")
    return None if config is None else Product.from_config(config)


def model_of(name: str) -> Model:
    process = {k: DOMAINS[name][k] for k in ("process",) if k in DOMAINS[name]}
    config = {"domain": domain_of(name).config(), "network": DOMAINS[name]["network"], **process}
    return Model.from_config(config | (DENOISING if process else {}), seed=1)


def bound(folder: Path) -> Example:
    """A made-up complex, as the network of poses is shown it."""
    write_complex(folder / "complex", "CC(=O)NCCO")
    complex_ = read_complex(folder / "complex")
    assert not isinstance(complex_, str), complex_
    return example(complex_, jitter=0.0, margin=(5.0, 5.0), rng=torch.Generator().manual_seed(0))


def noise(name: str, process: Product, folder: Path, *, rng: torch.Generator) -> Batch:
    """A batch of noise with what its context must hold."""
    if name == "backbones":
        gap = cut(backbone(60), 20, 5, neighbours=16)
        return process.prior(3, 5, rng=rng, context=gap_context([gap], 3))
    if name == "chains":
        return process.prior(3, 12, rng=rng, context=chain_context(np.full((3, 12), HIDDEN)))
    if name == "sequences":
        shown = backbone_input(backbone(12).atoms[None])
        return process.prior(3, 12, rng=rng, context={"backbone": shown})
    if name != "poses":
        return process.prior(3, 5, rng=rng)
    pose = bound(folder)
    x = process.prior(3, 0, len(pose.kinematics.axis), rng=rng)
    return x.given(**pose.context(), conformer=torch.zeros(3, dtype=torch.int64))


def test_a_domain_is_rebuilt_from_its_configuration(name: str) -> None:
    domain = domain_of(name)
    assert domain.noun and "{model}" in domain.use
    plain = json.loads(json.dumps(domain.config()))
    assert plain["name"] == name
    again = domain_from_config(plain)
    assert type(again) is type(domain) and again.config() == domain.config()


def test_a_domain_refuses_what_is_misspelt(name: str) -> None:
    with pytest.raises(ConfigError):
        domain_of(name).network({"name": "no such network"}, process_of(name))
    with pytest.raises(ConfigError):
        domain_from_config(f"{name}s")


def test_a_domain_knows_its_processes(name: str) -> None:
    domain, process = domain_of(name), process_of(name)
    domain.check(process)
    others = [p for p in map(process_of, DOMAINS.keys() - {name}) if p is not None]
    latent = {f: {"name": "gaussian", "schedule": "cosine"} for f in ("positions", "features")}
    latent["features"] |= {"space": {"name": "vectors", "width": 2}}
    others.append(Product.from_config(latent))
    for other in others:
        with pytest.raises(ConfigError):
            domain.check(other)


def test_a_domain_builds_its_network(name: str) -> None:
    domain, process = domain_of(name), process_of(name)
    network = domain.network(DOMAINS[name]["network"], process)
    assert isinstance(network, Network)
    described = json.loads(json.dumps(domain.network_config(network)))
    assert DOMAINS[name]["network"].items() <= described.items()
    again = domain.network(described, process)
    shapes = [{k: v.shape for k, v in n.state_dict().items()} for n in (network, again)]
    assert shapes[0] == shapes[1] and domain.network_config(again) == described


def test_a_model_is_written_and_read(name: str, tmp_path: Path) -> None:
    model = model_of(name)
    model.save(tmp_path / "model.safetensors")
    read = Model.load(tmp_path / "model.safetensors", domain=name)
    assert read.config() == model.config() and read.subject == name
    if "process" not in DOMAINS[name]:
        with pytest.raises(ConfigError, match=model.domain.noun):
            _ = model.denoiser


def test_what_is_shown_to_the_network_is_read_back(name: str, tmp_path: Path) -> None:
    """A prediction has the fields of the process, whatever the network is shown."""
    if "process" not in DOMAINS[name]:
        pytest.skip("its models do not denoise")
    model, rng = model_of(name), torch.Generator().manual_seed(2)
    process = model.denoiser.process
    x_t = noise(name, process, tmp_path, rng=rng)
    x_t = model.denoiser.encoded(x_t)
    with torch.no_grad():
        prediction = model.denoiser(x_t, torch.full((3,), 0.4))
    assert list(prediction) == list(process.processes)
    for field, part in process.processes.items():
        assert prediction[field].isfinite().all()
        assert part.mode(prediction[field]).shape == x_t[field].shape


def test_objects_become_batches_and_objects_again(name: str, tmp_path: Path) -> None:
    domain, process = domain_of(name), process_of(name)
    if isinstance(domain, Molecules):
        assert process is not None
        mol = embedded("CO")
        arrays = encode(mol, domain.vocabulary)
        assert isinstance(arrays, Encoded)
        batch = domain.encode([arrays, arrays], process)
        assert list(batch) == list(process.processes) and batch.graphs == 2
        assert {canonical_smiles(domain.decode(batch, i)) for i in (0, 1)} == {"CO"}
    elif name == "poses":
        pose = bound(tmp_path)
        batch = to_batch(pose.bound, pose.pocket.centre)
        assert process is not None and list(batch) == list(process.processes)
        again = pose.kinematics.place(to_pose(batch, pose.pocket.centre))
        torch.testing.assert_close(again, pose.kinematics.place(pose.bound))
    elif name == "backbones":
        chain = backbone(60)
        gaps, atoms = [cut(chain, k, 5, neighbours=16) for k in (10, 20)], chain.atoms
        batch = gap_batch(gaps, [atoms[10:15], atoms[20:25]], 2)
        assert process is not None and list(batch) == list(process.processes)
        one = batch.map(lambda v: v[2:]).given(chord=batch.context["chord"][2:])
        np.testing.assert_allclose(placed(one, gaps[1])[1], atoms[20:25, :3], atol=0.01)
    elif name == "chains":
        atoms = backbone(12).atoms
        batch = chain_batch([atoms], np.full((1, 12), HIDDEN))
        assert process is not None and list(batch) == list(process.processes)
        again = backbone_atoms(batch["trace"], batch["frames"])[0].numpy() + atoms[:, 1].mean(0)
        np.testing.assert_allclose(again, atoms[:, :3], atol=0.01)
    elif name == "sequences":
        chain = backbone(12)
        batch = sequence_batch([chain.atoms], [chain.types], 2)
        assert process is not None and list(batch) == list(process.processes)
        assert (batch["types"].numpy() == chain.types).all() and batch.graphs == 2
    else:
        pytest.skip("its models judge, and are given arrays")


def test_guidances_are_given_what_the_domain_knows(name: str) -> None:
    supplied = [registry.supplied("guidance", part) for part in registry.names("guidance")]
    assert domain_of(name).knowledge().keys() <= set().union(*supplied) - {"denoiser"}
