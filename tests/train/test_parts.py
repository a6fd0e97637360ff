"""Parts of molecules that are given in training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rdkit import Chem

from moldiff.data.store import Store
from moldiff.diffusion.batch import Batch, pair_indices
from moldiff.diffusion.process import Product
from moldiff.errors import ConfigError
from moldiff.model import Model
from moldiff.train import TrainConfig, Trainer
from moldiff.train.parts import Parts, _bridges, _cut, _grown, _ring_system
from tests.train.test_trainer import Config, fit

# A chain with a branch, two fused rings with a tail, two rings linked by two atoms, a cage.
SMILES = ["CCCC(C)CC", "c1ccc2ccccc2c1CCN", "c1ccccc1OCc1ccncc1", "C1CC2CCC1CC2"]


def bonded(smiles: str) -> np.ndarray:
    return Chem.GetAdjacencyMatrix(Chem.MolFromSmiles(smiles)).astype(bool)


def connected(atoms: np.ndarray, bonds: np.ndarray) -> bool:
    reached = np.zeros(len(bonds), bool)
    reached[np.flatnonzero(atoms)[0]] = True
    for _ in bonds:
        reached |= bonds[reached].any(0) & atoms
    return bool((reached == atoms).all())


@pytest.mark.parametrize("smiles", SMILES)
def test_bridges_are_the_bonds_outside_of_rings(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles)
    acyclic = {
        frozenset((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))
        for b in mol.GetBonds()
        if not b.IsInRing()
    }
    assert {frozenset(pair) for pair in _bridges(bonded(smiles)).tolist()} == acyclic


def test_a_ring_system_is_all_rings_that_share_atoms() -> None:
    bonds = bonded(SMILES[1])
    part = _ring_system(bonds, _bridges(bonds), np.random.default_rng(0))
    assert np.flatnonzero(part).tolist() == list(range(10))
    chain = bonded(SMILES[0])
    assert not _ring_system(chain, _bridges(chain), np.random.default_rng(0)).any()


def test_cuts_leave_connected_pieces_and_a_connected_linker() -> None:
    bonds, random = bonded(SMILES[2]), np.random.default_rng(0)
    linkers = set()
    for _ in range(40):
        one = _cut(bonds, _bridges(bonds), 1, random)
        assert connected(one > 0, bonds)
        two = _cut(bonds, _bridges(bonds), 2, random)
        if two.any():
            assert all(connected(two == k, bonds) for k in (1, 2))
            assert connected(two == 0, bonds)
            assert min((two == 1).sum(), (two == 2).sum()) >= 2
            linkers.add(tuple(np.flatnonzero(two == 0).tolist()))
    assert (6, 7) in linkers  # between the rings


@pytest.mark.parametrize("smiles", SMILES)
def test_parts_are_connected_and_of_the_sizes_asked_for(smiles: str) -> None:
    bonds, random = bonded(smiles), np.random.default_rng(1)
    counts = np.zeros(3, int)
    for _ in range(60):
        labels = Parts(share=1.0, two=0.5).draw(bonds, random)
        counts[labels.max()] += 1
        assert 0.2 * len(bonds) <= (labels > 0).sum() <= max(0.8 * len(bonds), 1)
        for part in range(1, labels.max() + 1):
            assert connected(labels == part, bonds)
    assert counts[0] == 0
    assert counts[1] > 5
    # Between no two bonds of the others lies a linker of a fifth of the atoms or more.
    assert (counts[2] > 5) == (smiles == SMILES[0])
    assert _grown(bonds, 3, random).sum() == 3


def batch(b: int = 6) -> Batch:
    mol = Chem.MolFromSmiles(SMILES[1])
    n = mol.GetNumAtoms()
    i, j = pair_indices(n, torch.device("cpu"))
    bonds = torch.tensor(Chem.GetAdjacencyMatrix(mol))[i, j].expand(b, -1)
    rng = torch.Generator().manual_seed(0)
    atoms = {f: torch.zeros(b, n, dtype=torch.long) for f in ("types", "charges")}
    return Batch({"positions": torch.randn(b, n, 3, generator=rng), **atoms, "bonds": bonds})


def test_attachments_keep_their_position_and_lose_their_class() -> None:
    x = Parts(share=1.0, two=0.4).given(batch(), rng=torch.Generator().manual_seed(2))
    clean, n = x.context["clean"], x.atoms
    i, j = pair_indices(n, x.device)
    for g in range(x.graphs):
        inside, known = clean.of("positions")[g], clean.of("types")[g]
        assert torch.equal(clean.of("charges")[g], inside)
        outward = torch.zeros(n, dtype=torch.bool)
        for a, b, bond, kept in zip(
            i.tolist(), j.tolist(), x["bonds"][g].tolist(), clean.of("bonds")[g], strict=True
        ):
            assert not kept or (inside[a] and inside[b])
            if bond and not kept:
                outward[a] = outward[b] = True
        assert torch.equal(known, inside & ~outward)
        assert outward[inside].any()
        centre = x["positions"][g][inside].mean(0)
        torch.testing.assert_close(centre, torch.zeros(3), atol=1e-5, rtol=0)


def test_the_element_of_an_attachment_is_known() -> None:
    """It is noised among the classes of its element alone; other atoms among all."""
    element = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
    alike = element.unsqueeze(1) == element
    x = batch()
    types = torch.arange(x["types"].numel()).view(x["types"].shape) % len(element)
    part = Parts(share=1.0).given(
        x.replace(types=types), alike=alike, rng=torch.Generator().manual_seed(2)
    )
    clean, allowed = part.context["clean"], part.context["allowed"].classes["types"]
    attached = clean["atom"] & ~clean["types"]
    assert attached.any()
    for b, i in attached.nonzero().tolist():
        assert torch.equal(allowed[b, i], alike[types[b, i]])
    assert allowed[~attached].all()
    jump = {"name": "jump", "schedule": "rectified"}
    space = {"name": "categorical", "probabilities": [1 / 8] * 8}
    process = Product.from_config({"types": {**jump, "space": space}})
    for seed in range(20):
        noise = process.noise_like(part, rng=torch.Generator().manual_seed(seed))
        assert torch.equal(element[noise["types"]][attached], element[types][attached])


def test_pairs_between_two_parts_are_not_clean() -> None:
    bonds = bonded("c1ccccc1CCCCCCc1ccccc1")  # two rings are two thirds of it
    n = len(bonds)
    i, j = pair_indices(n, torch.device("cpu"))
    x = Batch(
        {
            "positions": torch.randn(1, n, 3, generator=torch.Generator().manual_seed(0)),
            "types": torch.zeros(1, n, dtype=torch.int64),
            "bonds": torch.from_numpy(bonds)[i, j].long().unsqueeze(0),
        }
    )
    several = 0
    for seed in range(20):
        parts = Parts(share=1.0, two=1.0).given(x, rng=torch.Generator().manual_seed(seed))
        mask = parts.context["clean"].of("bonds")[0].numpy()
        within = np.zeros((n, n), bool)
        within[i[mask], j[mask]] = within[j[mask], i[mask]] = True
        inside = parts.context["clean"].of("positions")[0].numpy()
        pieces = {
            frozenset(np.flatnonzero(row | (np.arange(n) == k)))
            for k, row in enumerate(within)
            if inside[k]
        }
        assert all(connected(np.isin(np.arange(n), list(piece)), bonds) for piece in pieces)
        several += len(pieces) == 2
    assert several > 5


def test_the_share_of_batches_with_parts() -> None:
    rng = torch.Generator().manual_seed(0)
    found = sum("clean" in Parts(share=0.3).given(batch(1), rng=rng).context for _ in range(300))
    assert 60 < found < 120
    assert "clean" not in Parts().given(batch(1), rng=rng).context


def test_a_model_trained_with_parts_says_so_and_trains(config: Config, store: Store) -> None:
    settings = {"parts": {"share": 1.0}, "steps": 3}
    trainer = Trainer(config(**settings), store)
    assert trainer.model.network.embedding.parts
    done = fit(config(**settings), store)
    assert all(np.isfinite(list(p.losses.values())).all() for p in done)
    model = Model.load(trainer.output / "model.safetensors")
    assert model.domain.config()["parts"] is True
    assert "parts" in trainer.identity()


def test_latents_have_no_parts(config: Config) -> None:
    with pytest.raises(ConfigError, match="latents have no parts"):
        config(parts={"share": 0.5}, codec="codec.safetensors")
    with pytest.raises(ConfigError, match="not below"):
        config(parts={"share": 0.5, "smallest": 0.9})
    assert isinstance(config(parts={"share": 0.5}), TrainConfig)
