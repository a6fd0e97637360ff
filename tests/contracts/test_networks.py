"""What every interaction promises; a new one is tested the minute it is registered."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from e3nn.util.test import assert_equivariant
from rdkit import Chem
from torch import Tensor

from moldiff.chem import QM9, Encoded, encode
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.denoiser import NetworkDenoiser
from moldiff.diffusion.denoiser.precondition import Karras
from moldiff.diffusion.objective import Denoising
from moldiff.diffusion.process import Gaussian, Jump, Product
from moldiff.diffusion.schedule import Cosine, Rectified
from moldiff.diffusion.space import Categorical, ZeroCoM
from moldiff.nn import GraphNetwork
from moldiff.registry import build, describe, names, registered
from tests.batches import permuted

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
SMALL = {
    "width": 16,
    "pair_width": 8,
    "message_width": 12,
    "layers": 2,
    "heads": 2,
    "channels": 3,
    "tensors": 2,
    "context_width": 8,
}
PROCESS = Product(
    {
        "positions": Gaussian(Cosine(), ZeroCoM(), 1.4),
        "types": Jump(Rectified(), Categorical((0.5, 0.35, 0.06, 0.08, 0.01))),
        "charges": Jump(Rectified(), Categorical((0.01, 0.98, 0.01))),
        "bonds": Jump(Rectified(), Categorical((0.85, 0.13, 0.01, 0.01))),
    }
)
CLASSES = PROCESS.categorical()

pytestmark = [
    pytest.mark.parametrize("name", names("interaction")),
    pytest.mark.usefixtures("fixed_weights"),
]


def small_config(name: str) -> dict[str, object]:
    known = inspect.signature(registered("interaction", name)).parameters
    return {"name": name, **{key: value for key, value in SMALL.items() if key in known}}


def equivariant(name: str) -> bool:
    """What the class says of itself."""
    label: bool = registered("interaction", name).symmetry.equivariant  # type: ignore[attr-defined]
    return label


def scrambled(name: str) -> GraphNetwork:
    """A small network in which no parameter is at a special value such as zero."""
    network = GraphNetwork(build("interaction", small_config(name)), CLASSES)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network


def denoiser_of(network: GraphNetwork, precision: torch.dtype = torch.float32) -> NetworkDenoiser:
    return NetworkDenoiser(network, Karras(), PROCESS, precision=precision)


def noisy(b: int = 3, n: int = 7) -> tuple[Batch, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return PROCESS.prior(b, n, rng=rng), torch.linspace(0.1, 0.9, b)


def guess(b: int = 3, n: int = 7) -> Batch:
    """Something like the prediction of an earlier step."""
    rng = torch.Generator().manual_seed(2)
    fields = {"positions": PROCESS["positions"].prior((b, n, 3), rng=rng)}
    for field, k in CLASSES.items():
        fields[field] = torch.randn((*PROCESS.shape(field, b, n), k), generator=rng)
    return Batch(fields)


def outputs(batch: Batch) -> list[Tensor]:
    """Every field as (b, components), positions first."""
    return [batch[field].flatten(1) for field in ("positions", *CLASSES)]


def close(a: Batch, b: Batch, atol: float = 2e-5) -> None:
    for field in a:
        torch.testing.assert_close(a[field], b[field], atol=atol, rtol=1e-4, msg=field)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_shapes(name: str, n: int) -> None:
    x_t, t = noisy(n=n)
    network = scrambled(name)
    for previous in (None, guess(n=n)):
        result = network(x_t, t, previous)
        assert set(result) == set(PROCESS.processes)
        assert result["positions"].shape == (3, n, 3)
        for field, k in CLASSES.items():
            assert result[field].shape == (*PROCESS.shape(field, 3, n), k)
        assert all(value.isfinite().all() for value in result.values())


@pytest.mark.parametrize("wrapped", [False, True], ids=["network", "denoiser"])
def test_rotations_and_reflections(name: str, wrapped: bool) -> None:
    x_t, t = noisy()
    before, network = guess(), scrambled(name)
    predict: Callable[..., Batch] = denoiser_of(network) if wrapped else network

    def function(now: Tensor, then: Tensor) -> list[Tensor]:
        current = x_t.replace(positions=now.view_as(x_t["positions"]))
        return outputs(predict(current, t, before.replace(positions=then.view(3, 7, 3))))

    arguments = [x_t["positions"].flatten(1), before["positions"].flatten(1)]
    results = function(*arguments)
    assert all(value.abs().mean() > 0.01 for value in results)
    scalars = [f"{value.shape[1]}x0e" for value in results[1:]]
    # A network labelled as not equivariant must fail: the label is a fact, no excuse.
    with contextlib.nullcontext() if equivariant(name) else pytest.raises(AssertionError):
        assert_equivariant(
            function,
            args_in=arguments,
            irreps_in=["7x1o", "7x1o"],
            irreps_out=["7x1o", *scalars],
            tolerance=5e-5,
            ntrials=2,
        )


def test_the_label(name: str) -> None:
    network = scrambled(name)
    assert network.symmetry.equivariant is equivariant(name)
    told = (network.symmetry.label, str(registered("interaction", name).__doc__).splitlines()[0])
    assert all(("not equivariant" in text) != equivariant(name) for text in told)


def test_translations_vanish_in_zero_com(name: str) -> None:
    x_t, t = noisy()
    denoiser = denoiser_of(scrambled(name))

    def function(positions: Tensor) -> Batch:
        return denoiser(x_t.replace(positions=ZeroCoM().project(positions)), t)

    shifts = 10 * torch.randn(3, 1, 3)
    close(function(x_t["positions"] + shifts), function(x_t["positions"]), atol=5e-4)


def test_points_keep_zero_mean(name: str) -> None:
    x_t, t = noisy()
    network = scrambled(name)
    features = network.interaction(network.embedding(x_t, t, guess()))
    assert features.points.shape == (3, 7, SMALL["channels"], 3)
    assert features.points.abs().max() > 0.1
    assert features.points.mean(1).abs().max() < 1e-5


def test_permutations(name: str) -> None:
    x_t, t = noisy()
    network, before = scrambled(name), guess()
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    expected = permuted(network(x_t, t, before), order)
    close(network(permuted(x_t, order), t, permuted(before, order)), expected)


def test_graphs_of_a_batch_do_not_mix(name: str) -> None:
    x_t, t = noisy()
    network, before = scrambled(name), guess()
    together = network(x_t, t, before)
    for k in range(3):
        alone = [batch.map(lambda v, k=k: v[k : k + 1]) for batch in (x_t, before, together)]  # type: ignore[misc]
        close(network(alone[0], t[k : k + 1], alone[1]), alone[2])


def test_inputs_are_not_changed(name: str) -> None:
    x_t, t = noisy()
    copy = x_t.map(Tensor.clone)
    scrambled(name)(x_t, t)
    assert all(torch.equal(x_t[field], copy[field]) for field in x_t)


def test_gradient_reaches_every_parameter(name: str) -> None:
    x_t, t = noisy()
    network = scrambled(name)
    values = torch.cat([v.flatten() for v in network(x_t, t, guess()).values()])
    (values * torch.randn_like(values)).sum().backward()
    without = [
        key
        for key, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().max() > 0
    ]
    assert not without


def test_description_rebuilds(name: str) -> None:
    interaction = build("interaction", small_config(name))
    config = describe(interaction)
    again = build("interaction", config)
    assert config.items() >= small_config(name).items()
    assert describe(again) == config
    again.load_state_dict(interaction.state_dict())
    default = inspect.signature(type(interaction)).parameters
    assert all(p.default is not inspect.Parameter.empty for p in default.values())


@pytest.mark.parametrize("apart", [0.0, 1e-6])
def test_coincident_atoms_are_finite(name: str, apart: float) -> None:
    x_t, t = noisy()
    network = scrambled(name)
    positions = (x_t["positions"] * apart).requires_grad_()
    before = guess()
    before = before.replace(positions=before["positions"] * apart)
    result = network(x_t.replace(positions=positions), t, before)
    torch.stack([value.square().sum() for value in result.values()]).sum().backward()
    assert all(value.isfinite().all() for value in result.values())
    assert positions.grad is not None and positions.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_previous_prediction_matters(name: str) -> None:
    x_t, t = noisy()
    network = scrambled(name)
    without, with_guess = network(x_t, t), network(x_t, t, guess())
    assert all((without[field] - with_guess[field]).abs().max() > 1e-3 for field in without)


def test_time_matters(name: str) -> None:
    x_t, t = noisy()
    network = scrambled(name)
    now, later = network(x_t, t), network(x_t, t + 0.05)
    assert all((now[field] - later[field]).abs().max() > 1e-3 for field in now)


def test_half_precision_is_close(name: str) -> None:
    x_t, t = noisy()
    network, before = scrambled(name), guess()
    full = denoiser_of(network)(x_t, t, before)
    half = denoiser_of(network, torch.bfloat16)(x_t, t, before)
    for field in full:
        assert half[field].dtype is torch.float32
        error = (half[field] - full[field]).norm() / full[field].norm()
        assert error < 0.05, f"{field}: {error:.3f}"


def molecules(count: int, n: int) -> Batch:
    """The first molecules with n atoms in the sample of QM9."""
    found: list[Encoded] = []
    for mol in Chem.SDMolSupplier(str(SAMPLE), removeHs=False):
        encoded = encode(mol, QM9) if mol is not None and mol.GetNumAtoms() == n else None
        if isinstance(encoded, Encoded):
            found.append(encoded)
    found = found[:count]
    assert len(found) == count
    fields = {
        field: torch.stack([torch.as_tensor(getattr(one, field)) for one in found])
        for field in PROCESS.processes
    }
    batch = Batch({k: v if k == "positions" else v.long() for k, v in fields.items()})
    return batch.replace(positions=ZeroCoM().project(batch["positions"]))


def test_learns_eight_molecules(name: str) -> None:
    x_0 = molecules(8, 14)
    network = GraphNetwork(build("interaction", small_config(name)), CLASSES)
    denoiser, objective = denoiser_of(network), Denoising(self_condition=0.0)

    @torch.no_grad()
    def loss() -> float:
        return sum(
            float(objective(denoiser, x_0, rng=torch.Generator().manual_seed(seed))[0])
            for seed in range(100, 104)
        )

    before = loss()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    rng = torch.Generator().manual_seed(0)
    for _ in range(40):
        optimizer.zero_grad()
        objective(denoiser, x_0, rng=rng)[0].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    assert loss() < 0.6 * before
