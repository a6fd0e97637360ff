"""Decoys: right and wrong poses of complexes, and the rank network that is trained on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from moldiff.bundled import find_model
from moldiff.data.complexes import FIELDS, ComplexStore
from moldiff.data.decoys import Decoys, DecoyStore
from moldiff.diffusion.batch import Batch
from moldiff.docking import decoys as making
from moldiff.docking.decoys import parts_folder, prepare_decoys
from moldiff.errors import ConfigError, DataError, InputError, ModelFileError
from moldiff.geometry.tensors import symmetric_rmsd, uniform_rotations
from moldiff.model import Model
from moldiff.nn.inputs import PocketInput
from moldiff.nn.rank import RankNetwork
from moldiff.seeds import generator
from moldiff.train import TrainConfig, Trainer
from moldiff.train.workload import task
from moldiff.train.workloads.ranks import trials
from moldiff.train.workloads.rightness import Rightness, inputs

SMALL = {
    "name": "rank",
    "width": 32,
    "channels": 8,
    "layers": 2,
    "heads": 2,
    "pair_width": 16,
    "neighbours": 8,
    "pocket_channels": 4,
    "pocket_layers": 1,
    "pocket_neighbours": 8,
}


@pytest.fixture(scope="module")
def decoys(
    complexes: ComplexStore, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> DecoyStore:
    """Decoys of the made-up complexes."""
    return prepare_decoys(complexes, [folder], tmp_path_factory.mktemp("decoys") / "decoys")


@pytest.mark.thorough
def test_every_complex_has_right_and_wrong_poses(
    complexes: ComplexStore, decoys: DecoyStore
) -> None:
    assert sorted(decoys.names) == sorted(complexes.names)
    for index, name in enumerate(decoys.names):
        one, known = decoys[index], complexes[complexes.names.index(name)]
        assert all(np.array_equal(getattr(one.complex, f), getattr(known, f)) for f in FIELDS)
        assert (one.deviation < 2).any() and (one.deviation > 2).any()
        symmetry = torch.from_numpy(known.symmetry.astype(np.int64))
        again = symmetric_rmsd(
            torch.from_numpy(one.pose), torch.from_numpy(known.crystal), symmetry
        )
        assert torch.allclose(again, torch.from_numpy(one.deviation), atol=1e-4)
        assert np.isfinite(one.energy).all()
        first = np.sqrt(np.square(one.pose[0] - known.crystal).sum(-1).mean())
        assert first < 2.5, "the first pose began as the crystal's"


def test_held_out_complexes_stay_held_out_and_come_first(
    complexes: ComplexStore, decoys: DecoyStore
) -> None:
    held = {complexes.names[i] for i in complexes.indices("validation")}
    assert {decoys.names[i] for i in decoys.indices("validation")} == held
    assert set(decoys.names[: len(held)]) == held


@pytest.mark.thorough
def test_a_larger_limit_goes_on_from_a_smaller_and_damage_is_made_good(
    complexes: ComplexStore,
    folder: Path,
    decoys: DecoyStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []

    def counted(*arguments: Any, **options: Any) -> Decoys | str:
        made.append(arguments)
        return original(*arguments, **options)

    original = making.decoys
    monkeypatch.setattr(making, "decoys", counted)
    few = prepare_decoys(complexes, [folder], tmp_path / "d", limit=2)
    assert few.names == decoys.names[:2] and len(made) == len(complexes), "parts are whole"
    assert np.array_equal(few[0].pose, decoys[0].pose), "poses depend on the complex alone"
    store = prepare_decoys(complexes, [folder], tmp_path / "d", limit=3)
    assert store.names == decoys.names[:3] and len(made) == len(complexes), "none is made again"
    (part,) = parts_folder(tmp_path / "d").glob("*.npz")
    part.write_bytes(part.read_bytes()[:100])
    assert prepare_decoys(complexes, [folder], tmp_path / "d").names == decoys.names
    assert len(made) == 2 * len(complexes)
    other = prepare_decoys(complexes, [folder], tmp_path / "d", seed=1, limit=1)
    assert not np.array_equal(other[0].pose, decoys[0].pose), "nor those of another seed"


def test_sets_that_are_not_given_are_named(complexes: ComplexStore, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(InputError, match="small/"):
        prepare_decoys(complexes, [other], tmp_path / "d")
    with pytest.raises(InputError, match="no folder"):
        prepare_decoys(complexes, [tmp_path / "gone" / "small"], tmp_path / "d")
    (tmp_path / "small").mkdir()  # the right name, and nothing in it
    with pytest.raises(DataError, match=r"No decoys were made. small/.*: no ligand.sdf"):
        prepare_decoys(complexes, [tmp_path / "small"], tmp_path / "d", limit=1)
    with pytest.raises(InputError, match="holds the complexes"):
        prepare_decoys(complexes, [other], complexes.path)


def test_damage_is_noticed(decoys: DecoyStore, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There are no decoys"):
        DecoyStore.open(tmp_path)
    with pytest.raises(DataError, match="holds no complexes, but moldiff-decoys-1") as caught:
        ComplexStore.open(decoys.path)
    assert "Delete" not in str(caught.value.fix)


def _network() -> RankNetwork:
    model = Model.from_config({"domain": {"name": "ranks"}, "network": SMALL}, seed=4)
    network = model.network
    assert isinstance(network, RankNetwork)
    torch.manual_seed(0)
    for head in (network.pose_head, network.atom_head):
        torch.nn.init.normal_(head.weight, std=20.0)
    return network.eval()


def test_neither_turning_nor_moving_nor_far_atoms_matter(decoys: DecoyStore) -> None:
    network, one = _network(), decoys[0]
    ligand, pocket = inputs(one.complex)
    x = torch.from_numpy(one.pose) - pocket.centre
    turn, shift = uniform_rotations((), rng=generator(1)), torch.tensor([3.0, -40.0, 7.0])
    moved = Batch(
        {"positions": x @ turn.T + shift},
        {
            "ligand": ligand,
            "pocket": type(pocket)(pocket.positions @ turn.T + shift, pocket.tokens, pocket.centre),
        },
    )
    far = pocket.positions[:5] + 100
    more = type(pocket)(
        torch.cat([pocket.positions, far]),
        torch.cat([pocket.tokens, pocket.tokens[:5]]),
        pocket.centre,
    )
    assert not any(layer.wide for layer in network.stack), "no layer reads the whole pocket"
    with torch.no_grad():
        expected = network(Batch({"positions": x}, {"ligand": ligand, "pocket": pocket}))
        assert expected.std() > 0.03
        assert torch.allclose(network(moved), expected, atol=5e-3)
        widened = network(Batch({"positions": x}, {"ligand": ligand, "pocket": more}))
        assert torch.allclose(widened, expected, atol=5e-3)


def test_poses_of_a_step_are_right_by_chance_and_wrong_of_low_energy() -> None:
    deviation = torch.tensor([0.5, 1.0, 1.5, 3.0, 4.0, 5.0, 6.0, 7.0])
    energy = torch.tensor([-9.0, -8.0, -7.0, -6.0, -10.0, -5.0, -4.0, -3.0])
    chosen = [
        Rightness(poses=6, right=2).choose(deviation, energy, rng=generator(k)) for k in range(20)
    ]
    assert all(len(set(rows.tolist())) == 6 for rows in chosen)
    assert all((deviation[rows] <= 2).sum() == 2 for rows in chosen)
    assert all({3, 4} <= set(rows.tolist()) for rows in chosen), "the two of the lowest energies"
    assert {int(k) for rows in chosen for k in rows} == set(range(8))


def test_the_loss_is_least_where_right_poses_have_the_higher_logits(decoys: DecoyStore) -> None:
    class Known(RankNetwork):
        sign = 1.0

        def logits(self, x: Batch) -> tuple[torch.Tensor, torch.Tensor]:
            deviation = x.context["deviation"]
            return self.sign * 4 * (2 - deviation), x["positions"].new_zeros(
                x["positions"].shape[:2]
            )

    known = _network()
    known.__class__ = Known
    assert isinstance(known, Known)
    objective = Rightness(wobble=0.0)
    x_0 = objective.draw(decoys[0], device="cpu", rng=generator(0))
    right, parts = objective(known, x_0, rng=generator(1))
    known.sign = -1.0
    wrong, others = objective(known, x_0, rng=generator(1))
    assert right < wrong
    for loss, terms in ((right, parts), (wrong, others)):
        total = terms["pose"] + 0.5 * terms["among"] + 0.2 * terms["atom"]
        assert float(loss) == pytest.approx(float(total), abs=1e-5)
    deviation = x_0.context["deviation"]
    logits = -4 * (2 - deviation)
    among = logits.logsumexp(0) - logits[deviation <= 2].logsumexp(0)
    assert float(others["among"]) == pytest.approx(float(among), abs=1e-4)
    # Labels are soft: they fall over a quarter of an ångström, and the logits here are theirs.
    target = (4 * (2 - x_0.context["deviation"])).sigmoid()
    entropy = torch.distributions.Bernoulli(target).entropy().mean()
    assert parts["pose"] == pytest.approx(float(entropy), abs=1e-4)


def test_a_ranker_learns_by_heart(
    config: Callable[..., TrainConfig], decoys: DecoyStore, tmp_path: Path
) -> None:
    run = config(
        task="ranks",
        data=str(decoys.path),
        network=SMALL,
        process={},
        objective={"name": "rightness", "poses": 12},
        sampling={},
        steps=60,
        batch=2,
        optimizer={"name": "muon", "lr": 5e-3, "warmup": 2, "decay": 20, "ema": 0.5},
    )
    work = task(run)(run, decoys)
    before = trials(work.model, decoys, complexes=2)
    assert before["auc"] == 0.5, "an untrained network tells nothing"
    for _ in Trainer(run, decoys).fit():
        pass
    model = Model.load(tmp_path / "run" / "model.safetensors", domain="ranks")
    network, seen = model.network.eval(), decoys.indices("train").tolist()
    correct = []
    for index in seen:
        one = decoys[index]
        ligand, pocket = inputs(one.complex)
        x = torch.from_numpy(one.pose) - pocket.centre
        with torch.no_grad():
            logits = network(Batch({"positions": x}, {"ligand": ligand, "pocket": pocket}))
        correct.append(one.deviation[int(logits.argmax())] < 2)
    assert np.mean(correct) > 0.8


def test_figures_are_of_the_poses_that_did_not_begin_at_the_crystals(
    decoys: DecoyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model.from_config({"domain": {"name": "ranks"}, "network": SMALL}, seed=4)
    chosen = decoys.indices("validation").tolist()
    energies = [decoys[k].energy[1:] for k in chosen]
    right = [decoys[k].deviation[1:] <= 2 for k in chosen]
    found = trials(model, decoys, complexes=9)
    lowest = np.mean([one[values.argmin()] for one, values in zip(right, energies, strict=True)])
    assert found["top1_energy"] == pytest.approx(lowest, abs=1e-4)
    ordered = [
        np.mean(values[good][:, None] < values[~good])
        for good, values in zip(right, energies, strict=True)
        if good.any() and not good.all()
    ]
    assert found["auc_energy"] == pytest.approx(np.mean(ordered), abs=1e-3)
    nearby = []
    for one in (decoys[k] for k in chosen):
        apart = np.linalg.norm(one.pose[1:, :, None] - one.complex.crystal, axis=-1)
        near = (apart.min(2) <= 4).all(1)
        good, energy = one.deviation[1:] <= 2, one.energy[1:]
        if good.any() and (near & ~good).any():
            nearby.append(np.mean(energy[good][:, None] < energy[near & ~good]))
    assert found["auc_near_energy"] == pytest.approx(np.mean(nearby), abs=1e-3)
    assert found["auc_near_energy"] != found["auc_energy"]


def test_at_least_one_pose_of_a_step_is_wrong() -> None:
    with pytest.raises(ConfigError, match="at most 3"):
        Rightness(poses=4, right=4)


def test_a_ranker_of_another_size_is_no_beginning(
    config: Callable[..., TrainConfig], decoys: DecoyStore, tmp_path: Path
) -> None:
    large = Model.from_config({"domain": {"name": "ranks"}, "network": "rank"}, seed=4)
    large.save(tmp_path / "large.safetensors")
    settings = {"task": "ranks", "data": str(decoys.path), "network": SMALL, "process": {}}
    settings |= {"objective": "rightness", "sampling": {}}
    with pytest.raises(ModelFileError, match="do not fit"):
        Trainer(config(**settings, init=str(tmp_path / "large.safetensors")), decoys)
    settings["network"] = {"name": "rank"}
    begun = Trainer(config(**settings, init="proposals"), decoys).model.network.state_dict()
    known = Model.load(find_model("proposals")).network.state_dict()
    shared = [name for name in known if name.startswith(("encoder.", "atoms.", "stack.1."))]
    assert shared and all(torch.equal(begun[name], known[name]) for name in shared)


def test_the_pocket_shakes_anew_in_each_step(decoys: DecoyStore) -> None:
    def pocket(wobble: float, seed: int) -> torch.Tensor:
        drawn = Rightness(wobble=wobble, cut=0.0).draw(decoys[0], device="cpu", rng=generator(seed))
        positions: torch.Tensor = drawn.context["pocket"].positions
        return positions

    still = pocket(0.0, 0)
    assert torch.equal(still, pocket(0.0, 1))
    shaken = [pocket(0.1, seed) - still for seed in range(20)]
    assert float(torch.stack(shaken).std()) == pytest.approx(0.1, rel=0.1)


def test_a_pocket_is_cut_about_any_of_the_poses(decoys: DecoyStore) -> None:
    one = decoys[0]
    places = 20 * torch.randn(2000, 3, generator=generator(0))
    whole = PocketInput(places, torch.arange(2000) % 50, torch.from_numpy(one.complex.centre[0]))
    x = torch.from_numpy(one.pose) - whole.centre
    objective, seen = Rightness(cut=0.5), set()
    cuts = [objective.cut_out(whole, x, rng=generator(seed)) for seed in range(60)]
    for pocket in cuts:
        if len(pocket.tokens) == len(whole.tokens):
            continue
        reach = torch.cdist(whole.positions, x.flatten(0, 1)).view(-1, *x.shape[:2]).amin(2)
        kept = (whole.positions[:, None] == pocket.positions).all(2).any(1)[:, None]
        inside = torch.where(kept, reach, -torch.inf).amax(0)
        outside = torch.where(kept, torch.inf, reach).amin(0)
        about = (inside < outside).nonzero()[:, 0].tolist()
        assert about, "the atoms within some distance of a pose"
        assert any(float(outside[k]) >= 8 - 1e-3 and float(inside[k]) <= 16 + 1e-3 for k in about)
        seen |= set(about)
        assert torch.equal(pocket.tokens, whole.tokens[kept[:, 0]])
    untouched = sum(len(pocket.tokens) == len(whole.tokens) for pocket in cuts)
    assert 15 <= untouched <= 45
    assert any(one.deviation[k] <= 2 for k in seen) and any(one.deviation[k] > 2 for k in seen)

    class Halved(Rightness):
        def cut_out(self, pocket: PocketInput, x: torch.Tensor, **rng: Any) -> PocketInput:
            return PocketInput(pocket.positions[::2], pocket.tokens[::2], pocket.centre)

    drawn = Halved(wobble=0.0).draw(one, device="cpu", rng=generator(0)).context["pocket"]
    assert torch.equal(drawn.tokens, inputs(one.complex)[1].tokens[::2]), "that of each step"
    few = PocketInput(places[:70], torch.arange(70), whole.centre)
    kept = {len(objective.cut_out(few, x, rng=generator(seed)).tokens) for seed in range(40)}
    assert min(kept) >= 64, "a pocket stays one"
    never = Rightness(cut=0.0)
    assert never.cut_out(whole, x, rng=generator(3)) is whole
