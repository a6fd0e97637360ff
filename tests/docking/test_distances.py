"""The model of distances: its mathematics, its symmetries, and that it learns."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.chem.graph import molecular_graph, symmetries
from moldiff.chem.rotors import find_rotors
from moldiff.data.complexes import FIELDS, Complex, shape_of
from moldiff.diffusion.batch import Batch
from moldiff.domain.distances import sites as pocket_sites
from moldiff.errors import ConfigError, ModelFileError
from moldiff.model import Model
from moldiff.nn.inputs import LigandInput
from moldiff.nn.mixture import REACH, Mixture
from moldiff.nn.sites import nearest
from moldiff.protein.tokens import NAMED, TOKENS
from moldiff.train import TrainConfig, Trainer
from moldiff.train.workloads.distances import DistanceLoss, decoys, make_batch, pair_loss, trials
from tests.molecules import embedded
from tests.one_device import META, on_meta, watched

SMALL = {
    "name": "mixture",
    "width": 32,
    "heads": 4,
    "ligand_layers": 2,
    "pocket_layers": 2,
    "hidden": 32,
}


def complex_of(smiles: str, seed: int) -> Complex:
    """A ligand in a pocket of residues put at random outside it, all atoms of each together."""
    rng = np.random.default_rng(seed)
    mol = embedded(smiles, seed=seed)
    mol = Chem.RemoveHs(mol)
    crystal = mol.GetConformer().GetPositions().astype(np.float32)
    pocket, tokens, residue = [], [], []
    names = sorted({name for name, _ in NAMED})
    while len(set(residue)) < 14:
        name = names[rng.integers(len(names))]
        own = [k for k, (n, _) in enumerate(NAMED) if n == name]
        centre = crystal[rng.integers(len(crystal))] + rng.normal(size=3) * 5
        x = centre + rng.normal(size=(len(own), 3)) * 1.2
        if np.linalg.norm(x[:, None] - crystal, axis=-1).min() > 2.5:
            number = len(set(residue))
            pocket.append(x)
            tokens += own
            residue += [number] * len(own)
    pocket.append(crystal.mean(0)[None] + np.array([[9.0, 0, 0]]))  # a metal
    tokens, residue = [*tokens, TOKENS - 2], [*residue, 14]
    graph = molecular_graph(mol)
    sizes = (len(tokens), len(crystal), 0, 1, 1, 0)
    empty = {name: np.zeros(shape_of(name, sizes), FIELDS[name][0]) for name in FIELDS}
    rotors = find_rotors(mol)
    known = {
        "pocket": np.concatenate(pocket).astype(np.float32),
        "tokens": np.array(tokens, np.int16),
        "residue": np.array(residue, np.int16),
        "atoms": graph.atoms,
        "pairs": graph.pairs,
        "crystal": crystal,
        "axis": rotors.axis.astype(np.int16),
        "moves": rotors.moves,
        "symmetry": symmetries(mol),
    }
    return Complex(**(empty | known))


class Shelf(list):
    """Complexes that are all for training, the last one for validation as well."""

    path = "shelf"
    meta: ClassVar = {"sha256": {}, "source": "tests"}

    def indices(self, split: str) -> np.ndarray:
        return np.arange(len(self)) if split == "train" else np.array([len(self) - 1])


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    smiles = ("CC(=O)Oc1ccccc1C(=O)O", "NCCc1c[nH]c2ccccc12", "CC(C)CO")
    return Shelf(complex_of(text, k) for k, text in enumerate(smiles))


def arrays(c: Complex):
    sites = pocket_sites(
        torch.from_numpy(c.pocket),
        torch.from_numpy(c.tokens).long(),
        torch.from_numpy(c.residue).long(),
    )
    return torch.from_numpy(c.atoms).long(), torch.from_numpy(c.pairs).long(), sites


def scorer(model: Model, atoms: torch.Tensor, pairs: torch.Tensor, sites: Any) -> Any:
    """What scores poses of a ligand's graph in a pocket."""
    given = {"ligand": LigandInput(atoms, pairs), "pocket": sites}
    with torch.no_grad():
        context = model.network.eval().encode(given)
    return torch.no_grad()(lambda x: model.network(Batch({"positions": x}, context)))


def untrained() -> Model:
    """With a pair head that is not zero, so that every input matters."""
    model = Model.from_config({"domain": "distances", "network": SMALL}, seed=1)
    torch.nn.init.normal_(
        model.network.pair.weight, std=0.3, generator=torch.Generator().manual_seed(2)
    )
    return model


def test_mixture_and_what_is_beyond_the_reach_sum_to_one():
    raw = torch.randn(5, 30, generator=torch.Generator().manual_seed(0)).double()
    mixture = Mixture.of(raw)
    grid = torch.linspace(-30, REACH, 20_001).double()
    density = torch.stack([mixture.log_density(d.expand(5)).exp() for d in grid[::10]])
    total = torch.trapezoid(density, grid[::10], dim=0) + mixture.log_far().exp()
    torch.testing.assert_close(total, torch.ones(5).double(), atol=1e-3, rtol=0)


def test_sites_divide_all_atoms_and_nearest_is_the_minimum(shelf):
    c = shelf[0]
    _, _, sites = arrays(c)
    assert len(sites) == int(sites.member.max()) + 1 == len(sites.size)
    assert int(sites.size.sum()) == len(c.tokens)
    key = {}  # atoms of one site are of one residue and part
    for token, site in zip(sites.tokens.tolist(), sites.member.tolist(), strict=True):
        key.setdefault(site, set()).add(token)
    assert {len(tokens) for tokens in key.values()} > {1, 2}
    x = torch.from_numpy(c.crystal)
    full = (x[:, None] - sites.positions).norm(dim=-1)
    expected = torch.stack(
        [full[:, sites.member == s].min(1).values for s in range(len(sites))], 1
    ).clamp(max=REACH)
    torch.testing.assert_close(nearest(x, sites, REACH), expected, atol=1e-3, rtol=0)


def test_a_rigid_motion_of_everything_changes_nothing_and_far_away_is_zero(shelf):
    c = shelf[0]
    atoms, pairs, sites = arrays(c)
    model = untrained()
    x = torch.from_numpy(c.crystal)
    poses = x + torch.randn(6, 1, 3, generator=torch.Generator().manual_seed(3))
    score = scorer(model, atoms, pairs, sites)(poses)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(4)))[0]
    turn = turn * turn.det().sign()
    shift = torch.tensor([10.0, -20.0, 5.0])
    moved = pocket_sites(
        torch.from_numpy(c.pocket) @ turn.T + shift,
        torch.from_numpy(c.tokens).long(),
        torch.from_numpy(c.residue).long(),
    )
    again = scorer(model, atoms, pairs, moved)(poses @ turn.T + shift)
    assert score.std() > 1
    torch.testing.assert_close(again, score, atol=2e-2, rtol=1e-3)
    assert float(scorer(model, atoms, pairs, sites)(poses[:1] + 500)) == 0.0


def test_renumbering_the_ligand_changes_nothing(shelf):
    c = shelf[1]
    atoms, pairs, sites = arrays(c)
    model = untrained()
    x = torch.from_numpy(c.crystal)[None]
    order = torch.randperm(len(atoms), generator=torch.Generator().manual_seed(0))
    one = scorer(model, atoms, pairs, sites)(x)
    other = scorer(model, atoms[order], pairs[order][:, order], sites)(x[:, order])
    torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-4)


def test_a_pose_is_scored_as_the_sum_over_pairs(shelf):
    c = shelf[0]
    atoms, pairs, sites = arrays(c)
    network = untrained().network.eval()
    context = network.encode({"ligand": LigandInput(atoms, pairs), "pocket": sites})
    x = torch.from_numpy(c.crystal)
    distance = nearest(x, sites, REACH)
    expected = torch.zeros(())
    for i, s in itertools.product(range(len(x)), range(len(sites))):
        if distance[i, s] < REACH:
            mixture = network.mixtures(context["ligand"][i], context["pocket"].features[s])
            d = distance[i, s]
            ratio = mixture.log_density(d).exp() / (3 * d**2 / REACH**3)
            expected += (ratio + mixture.log_far().exp()).log().detach()
    poses = torch.stack([x, x * torch.nan, x])
    scores = network(Batch({"positions": poses}, context)).detach()
    assert float(scores[0]) == pytest.approx(float(expected), rel=1e-3)
    assert scores[0] == scores[2]
    assert float(scores[1]) == -torch.inf


def test_a_batch_is_its_complexes(shelf):
    network = untrained().network.eval()
    rng = torch.Generator().manual_seed(0)
    counts = torch.tensor([len(c.atoms) for c in shelf])
    parts = [pair_loss(network, make_batch([c], rng=rng))[1]["near"] for c in shelf]
    whole = pair_loss(network, make_batch(shelf, rng=rng))[1]["near"]
    torch.testing.assert_close(
        whole, (torch.stack(parts) * counts).sum() / counts.sum(), atol=1e-3, rtol=1e-4
    )


def trainer(shelf: Shelf, path: Path, **changes: Any) -> Trainer:
    settings = {
        "steps": 150,
        "batch": 3,
        "network": SMALL | {"dropout": 0.0},
        "objective": "pairs",
        "optimizer": {"lr": 3e-3, "warmup": 5, "decay": 60, "clip": 5.0, "ema": 0.9},
        "evaluation": {"every": 0},
        "sampling": {},
    }
    own = {"data": "none", "output": str(path), "task": "distances"}
    return Trainer(TrainConfig.from_dict(own | settings | changes), shelf)


def test_it_learns_to_put_the_crystal_pose_first(shelf, tmp_path):
    losses = [progress.losses for progress in trainer(shelf, tmp_path).fit()]
    assert sum(losses[-1].values()) < 0.5 * sum(losses[0].values())
    model = Model.load(tmp_path / "model.safetensors")
    assert model.card["training"]["steps"] == 150 and len(model.digest) == 12
    rng = torch.Generator().manual_seed(5)
    for c in shelf:
        x = torch.from_numpy(c.crystal)
        away = torch.nn.functional.normalize(torch.randn(40, 3, generator=rng), dim=1)
        poses = x + (away * torch.linspace(0, 6, 40)[:, None])[:, None]
        scores = scorer(model, *arrays(c))(poses)
        assert int(scores.argmax()) < 10  # within 1.5 Å
        assert scores[0] > scores[20:].max() + 10
    figures = trials(model, shelf, complexes=5)
    assert figures["samples"] == 1 and figures["top1"] == figures["oracle"] == 1.0


def test_a_killed_run_goes_on_as_if_it_had_not_been(shelf, tmp_path):
    settings = {"steps": 6, "batch": 2, "network": SMALL}
    list(trainer(shelf, tmp_path / "whole", **settings).fit())
    first = trainer(shelf, tmp_path / "parts", **settings).fit()
    for _ in range(3):
        next(first)
    first.close()
    second = trainer(shelf, tmp_path / "parts", **settings)
    assert second.step == 3
    list(second.fit())
    one, two = (Model.load(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert one.digest == two.digest


def test_crops_keep_whole_residues_and_the_ligand(shelf):
    c = shelf[0]
    objective = DistanceLoss(beyond=(2.0, 4.0))
    sizes = set()
    for k in range(10):
        cut = objective.crop(c, rng=torch.Generator().manual_seed(k))
        sizes.add(len(cut.tokens))
        for number in np.unique(cut.residue):
            assert (cut.residue == number).sum() == (c.residue == number).sum()
        assert np.array_equal(cut.crystal, c.crystal)
    assert len(sizes) > 1 and min(sizes) < len(c.tokens)


def test_decoys_keep_the_geometry_and_know_their_rmsd(shelf):
    c = shelf[2]
    x, rmsd = decoys(c, 20, rng=torch.Generator().manual_seed(0))
    crystal = torch.from_numpy(c.crystal)
    bonds = torch.from_numpy(c.pairs == 1)
    kept = torch.cdist(x, x)[:, bonds]
    torch.testing.assert_close(
        kept, torch.cdist(crystal, crystal)[bonds].expand_as(kept), atol=1e-3, rtol=0
    )
    assert rmsd[0] < 1 < rmsd.max()
    direct = (x - crystal).square().sum(-1).mean(-1).sqrt()
    assert (rmsd <= direct + 1e-4).all()


def test_file_round_trip_and_what_is_refused(shelf, tmp_path):
    c = shelf[0]
    model = untrained()
    model.save(tmp_path / "m.safetensors", card={"data": "none"})
    again = Model.load(tmp_path / "m.safetensors")
    x = torch.from_numpy(c.crystal)[None]
    assert torch.equal(scorer(model, *arrays(c))(x), scorer(again, *arrays(c))(x))
    assert again.card == {"data": "none"}
    with pytest.raises(ConfigError, match="no setting 'widht'"):
        Model.from_config({"domain": "distances", "network": {"name": "mixture", "widht": 3}})
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelFileError):
        Model.load(tmp_path / "bad.safetensors")


def test_the_loss_stays_on_the_device_of_the_network(shelf, tmp_path):
    work = trainer(shelf, tmp_path, device=META).work
    with watched():
        for loss, parts, _ in work.losses(work.loader[0], rng=torch.Generator()):
            assert on_meta(loss, parts)
            loss.backward()
