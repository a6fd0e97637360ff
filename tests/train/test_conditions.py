"""Properties as conditions: computed as chemistry says, in units of the data, or refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors

from moldiff.chem.fragments import FRAGMENTS
from moldiff.chem.properties import PROPERTIES, properties, property_tags
from moldiff.data.store import Store
from moldiff.errors import ConfigError
from moldiff.train import TrainConfig
from moldiff.train.conditions import Labels
from moldiff.train.loader import SizeBuckets
from moldiff.train.workloads.check import check

TOLUENE = {
    "weight": 92.141, "heavy_atoms": 7, "heteroatoms": 0, "rings": 1, "aromatic_rings": 1,
    "rotatable": 0, "fsp3": 1 / 7, "donors": 0, "acceptors": 0, "tpsa": 0, "n_C": 7, "n_N": 0,
    "n_O": 0, "n_F": 0, "n_P": 0, "n_S": 0, "n_Cl": 0, "n_Br": 0, "n_I": 0, "qed": 0.459,
    "sa": 1.0,
}  # fmt: skip


def test_properties_of_a_molecule_one_knows() -> None:
    values = dict(zip(TOLUENE, properties("Cc1ccccc1", list(TOLUENE)), strict=True))
    assert values == pytest.approx(TOLUENE, abs=1e-3)
    assert set(PROPERTIES) == {*TOLUENE, "logp", *FRAGMENTS}
    ethanol = Chem.MolFromSmiles("CCO")
    assert properties("CCO", ["logp", "weight", "rotatable", "donors"]) == pytest.approx(
        [Crippen.MolLogP(ethanol), Descriptors.MolWt(ethanol), 0, 1]
    )


def test_without_a_molecule_nothing_is_known() -> None:
    assert all(math.isnan(x) for x in properties(None, ["logp", "rings"]))
    assert all(math.isnan(x) for x in properties("", ["logp"]))
    assert property_tags({"rings": 2.0}, None) == {"target_rings": "2"}
    tags = property_tags({"rings": 2.0, "gap": 0.3}, "C1CC1")
    assert tags == {"target_rings": "2", "target_gap": "0.3", "reached_rings": "1"}


def test_labels_have_no_mean_and_unit_spread(store: Store) -> None:
    train = store.indices("train")
    labels = Labels(store, ["logp", "heavy_atoms"], train)
    seen = labels(train)
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(seen.std(0), 1, atol=1e-4)
    logp, _ = labels.conditions
    mols = [Chem.MolFromSmiles(store.smiles(int(i))) for i in train]
    truth = np.array([Crippen.MolLogP(mol) for mol in mols])
    assert (logp.mean, logp.std) == pytest.approx((truth.mean(), truth.std()), rel=1e-4)
    np.testing.assert_allclose(seen[:, 0] * logp.std + logp.mean, truth, atol=1e-4)
    sizes = np.asarray(store.sizes)[train]
    assert set(logp.by_size) == set(sizes.tolist())
    n = int(np.bincount(sizes).argmax())
    own = truth[sizes == n]  # one more molecule, which is as all are, hardly changes these
    assert logp.by_size[n][0] == pytest.approx(
        (own.sum() + truth.mean()) / (len(own) + 1), rel=1e-3
    )


def test_a_batch_carries_the_labels_of_its_molecules(store: Store) -> None:
    train = store.indices("train")
    labels = Labels(store, ["n_O"], train)
    (condition,) = labels.conditions
    loader = SizeBuckets(store, train, batch=4, seed=0, labels=labels)
    oxygen = store.vocabulary.elements.index("O")
    for step in range(3):
        batch = loader[step]
        counted = (batch["types"] == oxygen).sum(1)
        found = batch.context["conditions"][:, 0] * condition.std + condition.mean
        assert found.tolist() == pytest.approx(counted.tolist(), abs=1e-4)
        plain = SizeBuckets(store, train, batch=4, seed=0)[step]
        assert all((plain[name] == batch[name]).all() for name in plain)
        assert list(batch) == list(plain) and not plain.context


def test_a_property_that_never_differs_is_no_condition(store: Store) -> None:
    with pytest.raises(ConfigError, match="n_Br"):
        Labels(store, ["n_Br"], store.indices("train"))


# What is wrong, words of the error, a word of the remedy.
GUIDED = {"sampling": {"guidance": 2.0}}
LOGP = {"conditions": {"properties": ["logp"]}}
MINIBATCH = {"name": "denoising", "coupling": "minibatch"}
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "guidance alone": (GUIDED, "no conditions", "conditions: {properties"),
    "guidance, never dropped": (
        {**GUIDED, "conditions": {"properties": ["logp"], "drop": 0}}, "drop: 0", "0.1"
    ),
    "guidance as text": ({**LOGP, "sampling": {"guidance": "much"}}, "number", "1"),
    "infinite guidance": ({**LOGP, "sampling": {"guidance": math.inf}}, "finite", "1"),
    "unknown property": ({"conditions": {"properties": ["lopg"]}}, "'lopg'", "'logp'"),
    "twice": ({"conditions": {"properties": ["logp", "logp"]}}, "twice", "once"),
    "pairs without labels": ({**LOGP, "objective": {"name": "reflow"}}, "reflow", "denoising"),
    "exchanged noise": ({**LOGP, "objective": MINIBATCH}, "'minibatch'", "aligned, independent"),
    "exchanged noise within": (
        {**LOGP, "objective": {"name": "endpoint", "objective": MINIBATCH}},
        "'minibatch'", "aligned, independent",
    ),
    "no time": ({"sampling": {"valence": 3.0}}, "from 0 to 1", "all of the trajectory"),
    "drop everything": ({"conditions": {"drop": 1.0}}, "below 1", "drop: 0.1"),
    "no names": ({"conditions": {"properties": [3]}}, "'properties' must be text, not 3", ""),
    "a word": ({"conditions": {"properties": "logp"}}, "'properties'", ""),
    "misspelt": ({"conditions": {"property": ["logp"]}}, "'property'", "'properties'"),
    "docking": ({**LOGP, "task": "poses"}, "not for 'poses'", "out"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_go_together_is_refused_with_what_does(
    case: str, config: Callable[..., TrainConfig]
) -> None:
    settings, words, remedy = BAD[case]
    with pytest.raises(ConfigError, match=words) as caught:
        check(config(**settings))
    assert remedy in caught.value.fix


def test_what_goes_together_is_taken(config: Callable[..., TrainConfig]) -> None:
    assert check(config(**LOGP, **GUIDED)) == []
    assert check(config(objective=MINIBATCH)) == []
    assert check(config(**LOGP, sampling={"guidance": 2.0, "temperature": 0.7})) == []
