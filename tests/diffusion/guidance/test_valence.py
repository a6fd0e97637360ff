"""Bonds are made to agree about valences: the marginals of the joint distribution."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from moldiff import Request, load
from moldiff.chem.valence import valence_table
from moldiff.chem.vocabulary import QM9
from moldiff.diffusion.batch import Batch, pair_count, pair_indices
from moldiff.diffusion.denoiser import Denoiser, GaussianDenoiser
from moldiff.diffusion.guidance import Valence, with_settings
from moldiff.diffusion.process import Product
from moldiff.errors import ConfigError
from moldiff.generation.run import generate
from tests.shapes import unchecked

TABLE = torch.as_tensor(valence_table(QM9))
H, C, N, O = range(4)  # noqa: E741
PROCESS = Product.from_config(
    {
        field: {
            "name": "jump",
            "schedule": "rectified",
            "space": {"name": "categorical", "probabilities": [1 / k] * k},
        }
        for field, k in (("types", 5), ("charges", 3), ("bonds", 4))
    }
)


@dataclass(frozen=True, eq=False)
class Said(Denoiser):
    """A denoiser that always says the same."""

    prediction: Batch

    @property
    def process(self) -> Product:  # type: ignore[override]
        return PROCESS

    def __call__(self, x_t: Batch, t: Tensor, previous: Batch | None = None) -> Batch:
        return self.prediction


def sure(classes: list[int], k: int) -> Tensor:
    return 20.0 * torch.nn.functional.one_hot(torch.tensor([classes], dtype=torch.int64), k).float()


def said(types: list[int], bonds: dict[tuple[int, int], list[float]]) -> Said:
    """Atoms of sure elements, neutral; bonds of given probabilities, all others surely none."""
    n = len(types)
    orders = sure([0] * pair_count(n), 4)
    i, j = pair_indices(n, orders.device)
    for e, pair in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
        if pair in bonds:
            orders[0, e] = torch.tensor(bonds[pair]).log()
    return Said(Batch({"types": sure(types, 5), "charges": sure([1] * n, 3), "bonds": orders}))


def guided(denoiser: Said, *, rounds: int = 2, t: float = 0.1, below: float = 1.0) -> Batch:
    x_t = Batch({f: v.argmax(-1) for f, v in denoiser.prediction.items()})
    return Valence(denoiser, TABLE, below, rounds)(x_t, torch.full((1,), t))


def test_the_marginals_are_exact_where_there_is_no_ring() -> None:
    """Against the sum over all orders of a chain of four atoms of uncertain elements."""
    rng = torch.Generator().manual_seed(0)
    chain = [(0, 1), (1, 2), (2, 3)]
    denoiser = said([C] * 4, {p: torch.rand(4, generator=rng).tolist() for p in chain})
    types, charges = (torch.randn(1, 4, k, generator=rng) for k in (5, 3))
    denoiser = Said(denoiser.prediction.replace(types=types, charges=charges))
    p = {f: v[0].double().softmax(-1) for f, v in denoiser.prediction.items()}
    prior = torch.einsum("na,nc,acv->nv", p["types"], p["charges"], TABLE.double())
    i, j = pair_indices(4, torch.device("cpu"))
    edges = [e for e, pair in enumerate(zip(i.tolist(), j.tolist(), strict=True)) if pair in chain]
    bonds, elements = torch.zeros(3, 4).double(), torch.zeros(4, 5).double()
    for orders in itertools.product(range(4), repeat=3):
        a, b, c = orders
        sums = [a, a + b, b + c, c]
        if max(sums) > 4:
            continue
        weight = torch.stack([p["bonds"][e, o] for e, o in zip(edges, orders, strict=True)]).prod()
        factors = torch.stack([prior[atom, s] for atom, s in enumerate(sums)])
        for at, order in enumerate(orders):
            bonds[at, order] += weight * factors.prod()
        for atom, s in enumerate(sums):
            others = weight * factors.prod() / factors[atom]
            elements[atom] += others * (
                p["types"][atom] * (TABLE[..., s].double() @ p["charges"][atom])
            )
    found = guided(denoiser, rounds=4)
    for exact, got in ((bonds, found["bonds"][0, edges]), (elements, found["types"][0])):
        exact = exact / exact.sum(-1, keepdim=True)
        torch.testing.assert_close(got.softmax(-1).double(), exact, rtol=1e-3, atol=1e-4)


def test_a_fifth_bond_of_a_carbon_goes() -> None:
    """Methane and water, and a bond between them that is more probable than not."""
    likely, doubtful = [0.1, 0.9, 1e-6, 1e-6], [0.4, 0.6, 1e-6, 1e-6]
    bonds = {(0, h): likely for h in range(1, 5)} | {(5, h): likely for h in (6, 7)}
    denoiser = said([C, H, H, H, H, O, H, H], {**bonds, (0, 5): doubtful})
    assert denoiser.prediction["bonds"].argmax(-1).sum() == 7
    found = guided(denoiser)["bonds"].argmax(-1)
    assert found.sum() == 6
    assert found[0, 4] == 0


def test_an_element_that_does_not_fit_its_bonds_gives_way() -> None:
    denoiser = said([N, H, H, H, H], {(0, h): [1e-6, 1.0, 1e-6, 1e-6] for h in range(1, 5)})
    types = denoiser.prediction["types"].clone()
    types[0, 0, C] = types[0, 0, N] - 1.0
    found = guided(Said(denoiser.prediction.replace(types=types)))
    assert types[0, 0].argmax() == N
    assert found["types"][0, 0].argmax() == C


def test_what_agrees_already_stays() -> None:
    water = said([O, H, H], {(0, 1): [0.01, 0.97, 0.01, 0.01], (0, 2): [0.01, 0.97, 0.01, 0.01]})
    before, after = water.prediction["bonds"].softmax(-1), guided(water)["bonds"].softmax(-1)
    assert (after.argmax(-1) == before.argmax(-1)).all()
    assert after.amax(-1).min() > 0.97


def test_the_impossible_stays_finite() -> None:
    lonely = said([C, H], {(0, 1): [1.0, 1e-9, 1e-9, 1e-9]})
    for value in guided(lonely).values():
        assert torch.isfinite(value).all()


def test_nearer_to_noise_nothing_happens() -> None:
    denoiser = said([C, H, H], {(0, 1): [0.5, 0.5, 1e-3, 1e-3]})
    early, late = (guided(denoiser, t=t, below=0.4) for t in (0.6, 0.3))
    assert all(torch.equal(early[f], v) for f, v in denoiser.prediction.items())
    assert not torch.equal(late["bonds"], denoiser.prediction["bonds"])


def test_classes_behind_a_mask_are_guided_as_without() -> None:
    """One class more in each field, of which no prediction is."""
    doubtful = [0.4, 0.6, 1e-3, 1e-3]
    plain = said([O, H, H], {(0, 1): doubtful, (0, 2): doubtful})
    hidden = {
        f: torch.nn.functional.pad(v, (0, 1), value=-1e4) for f, v in plain.prediction.items()
    }
    found, masked = guided(plain), guided(Said(Batch(hidden)))
    for field, value in masked.items():
        kept = value.softmax(-1)[..., :-1]
        torch.testing.assert_close(kept, found[field].softmax(-1), atol=1e-3, rtol=0.0)


def test_the_fields_may_be_others() -> None:
    crowded = said([C, C, H, H], {(0, 1): [0.1, 0.2, 0.3, 0.4], (0, 2): [0.5, 0.5, 0.0, 0.0]})
    x_t = Batch({f: v.argmax(-1) for f, v in crowded.prediction.items()})
    t = torch.full((1,), 0.1)
    found = Valence(crowded, TABLE)(x_t, t)
    swapped = Valence(crowded, TABLE.transpose(0, 1), atoms=("charges", "types"))(x_t, t)
    for field, value in found.items():
        torch.testing.assert_close(swapped[field], value)


def test_one_atom_and_elements_without_any_valence() -> None:
    lone = said([C], {})
    for table in (TABLE, torch.zeros(5, 3, 1, dtype=torch.bool)):
        x_t = Batch({f: v.argmax(-1) for f, v in lone.prediction.items()})
        found = Valence(lone, table)(x_t, torch.full((1,), 0.1))
        assert all(value.isfinite().all() for value in found.values())
        assert found["bonds"].shape == (1, 0, 4)


@pytest.mark.thorough
def test_in_few_steps_more_molecules_are_valid() -> None:
    """What the guidance is for, on the bundled model."""
    model = load("qm9")
    few = {"steps": 6, "stepper": {"name": "multistep", "churn": 1.0}, "temperature": 0.5}

    def valid(valence: float) -> int:
        made = generate(model, Request(48, 0), sampling={**few, "valence": valence})
        return sum(g.failure is None for g in made)

    assert valid(1.0) > valid(0.0) + 8


@pytest.mark.parametrize("below", [-0.1, 1.5, float("nan")])
def test_a_time_outside_the_trajectory_is_refused(below: float) -> None:
    with pytest.raises(ConfigError, match="from 0 to 1"):
        Valence(said([C, H], {}), TABLE, below)


def test_no_rounds_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 round"):
        Valence(said([C, H], {}), TABLE, rounds=0)


def test_a_process_without_bonds_is_refused() -> None:
    process = Product.from_config({"positions": {"name": "gaussian", "schedule": "cosine"}})
    with pytest.raises(ConfigError, match="bonds, charges, types"):
        Valence(GaussianDenoiser(process, 1.0, {}), TABLE)


@pytest.mark.parametrize("value", ["high", True])
def test_a_setting_that_is_no_number_is_refused(value: object) -> None:
    with unchecked(), pytest.raises(ConfigError, match="valence is a number"):
        with_settings(said([C, H], {}), {"valence": value}, TABLE)
