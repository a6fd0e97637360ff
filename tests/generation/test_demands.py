"""What is demanded is what the model is asked for, what cannot come does not, and all is told."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

import moldiff
from moldiff import registry
from moldiff.chem.demands import Interval
from moldiff.chem.vocabulary import Vocabulary
from moldiff.diffusion.guidance.condition import Condition, draw_targets, weighed_sizes
from moldiff.errors import InputError
from moldiff.generation.demands import Demands, accepted, check_conditions, choices, demanded
from moldiff.generation.request import Generated, Request
from moldiff.generation.run import generate
from moldiff.model import Model

LOGP = Condition("logp", 2.0, 1.0, 0.0, 4.0, "", {4: (1.0, 1.0), 6: (3.0, 1.0)})
RINGS = Condition("rings", 2.0, 1.0, 0.0, 5.0)
BROMINE = Condition("n_Br", 0.5, 0.5, 0.0, 2.0)
GAP = Condition("gap", 0.2, 0.1, 0.0, 0.5, "eV")
FOLDED = Vocabulary(("C", "C", "N", "Br", "O"), (0,), (2, 3, 1, 0, 1))
EXPLICIT = Vocabulary(("H", "C", "N", "O", "Br"), (0,))


def small(
    vocabulary: Vocabulary = FOLDED, conditions: tuple[Condition, ...] = (LOGP, RINGS, BROMINE, GAP)
) -> Model:
    """An untrained model that has a liking for bromine."""
    jump = {"name": "jump", "schedule": "rectified"}
    counts = vocabulary.classes
    jumps = {
        field: {**jump, "space": {"name": "categorical", "probabilities": [1 / k] * k}}
        for field, k in counts.items()
    }
    network = {"name": "transformer", "width": 16, "layers": 1, "heads": 2, "channels": 2}
    positions = {"name": "gaussian", "schedule": "cosine", "space": "zero_com", "scale": 1.4}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Model.from_config(
            {
                "process": {"positions": positions, **jumps},
                "precondition": "karras",
                "network": network,
                "domain": {
                    "name": "molecules",
                    "vocabulary": vocabulary.to_dict(),
                    "sizes": {"4": 0.5, "6": 0.5},
                    **({"conditions": [c.to_config() for c in conditions]} if conditions else {}),
                },
                "sampling": {"steps": 3},
            }
        )
        for name, parameter in model.network.named_parameters():
            if not parameter.any():  # much begins at zero
                torch.nn.init.normal_(parameter)
            if name.endswith("types.bias"):
                parameter.data[vocabulary.elements.index("Br")] = 10.0
    model.network.eval().requires_grad_(False)
    return model


def counted(made: list[Generated]) -> Counter[str]:
    return Counter(atom.GetSymbol() for item in made for atom in item.mol.GetAtoms())


@pytest.mark.parametrize("vocabulary", [FOLDED, EXPLICIT], ids=["folded", "explicit"])
def test_no_molecule_has_an_element_that_is_to_be_absent(vocabulary: Vocabulary) -> None:
    model = small(vocabulary)
    assert counted(moldiff.generate(20, model=model))["Br"] > 20
    for wish in ({"without": ("Br",)}, {"prompt": "no bromine"}, {"only": ["C", "N", "O"]}):
        made = moldiff.generate(200, model=model, **wish)
        found = counted(made)
        assert len(made) == 200 and found and "Br" not in found
        assert json.loads(made[0].tags["request"])["without"] == ["Br"]
        assert made[0].tags["target_n_Br"] == "0"  # the network knows


def test_a_trained_model_builds_with_what_is_left() -> None:
    settings: Any = {"model": "qm9-skeleton", "seed": 1, "steps": 6, "size": 7, "valence": 1.0}
    assert counted(moldiff.generate(20, **settings))["O"] > 10
    made = moldiff.generate(60, prompt="no oxygen", **settings)
    assert len(made) == 60 and counted(made)["O"] == 0
    # The valence guidance judges bonds by the elements that can come: molecules stay valid.
    assert sum(item.failure is None for item in made) >= 55


@pytest.mark.parametrize("stepper", registry.names("stepper"))
@pytest.mark.parametrize("steps", [1, 3])
def test_no_sampler_brings_it_back(stepper: str, steps: int) -> None:
    if stepper == "annealed":  # not for this schedule, see tests/diffusion/guidance
        return
    guides = [{"name": "classifier_free", "weight": 3.0}, {"name": "temperature", "early": 200.0}]
    made = moldiff.generate(
        60, model=small(), without=("Br", "N"), sampler=stepper, steps=steps, guidance=guides
    )
    assert not counted(made).keys() & {"Br", "N"}


def test_what_a_prompt_demands() -> None:
    model = small()
    prompt = "two rings, logP below 3, no bromine, at least 5 heavy atoms, gap over 0.1"
    demands = demanded(model, prompt=prompt)
    assert demands == Demands(
        {
            "rings": Interval(2, 2),
            "logp": Interval(high=3),
            "n_Br": Interval(0, 0),
            "gap": Interval(low=0.1),
        },
        Interval(low=5),
        ("Br",),
        "heavy_atoms",
    )
    told = "rings = 2, logp <= 3, gap >= 0.1, without Br, heavy_atoms >= 5"
    assert ", ".join(demands.lines()) == told
    assert demanded(model, prompt=told) == demands  # what is told can be asked for
    again = demanded(
        model, conditions=demands.conditions, without=demands.without, size=demands.size
    )
    assert again == demands


def test_demands_are_laid_together() -> None:
    model = small()
    demands = demanded(
        model,
        prompt="logP below 3, 4-5 heavy atoms",
        conditions={"logp": Interval(low=1), "rings": 2.0},
        size=4,
        without="Br",
    )
    assert demands.conditions == {
        "logp": Interval(1, 3), "rings": Interval(2, 2), "n_Br": Interval(0, 0),
    }  # fmt: skip
    assert demands.size == 4 and demands.without == ("Br",)
    # A condition alone is a wish, not a prohibition, and an element needs no condition.
    assert demanded(model, conditions={"n_Br": 0.0}).without == ()
    assert demanded(model, without=("N",)) == Demands({}, None, ("N",), "heavy_atoms")
    assert demanded(model, prompt="at most 1 N, fewer than 1 N").without == ("N",)


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"prompt": "logP below 3, logP above 4"}, "'logP below 3' and 'logP above 4' cannot"),
        ({"prompt": "two rings, 3+ rings"}, "'two rings' and '3\\+ rings' cannot both be"),
        ({"prompt": "no halogens, one bromine"}, "'no halogens' and 'one bromine'"),
        ({"prompt": "2 aromatic rings, 1 ring"}, "'2 aromatic rings' and '1 ring' cannot"),
        ({"without": ["Br"], "conditions": {"n_Br": 2.0}}, "'n_Br = 2' and 'without Br' cannot"),
        ({"only": ["C"], "prompt": "one bromine"}, "'without Br' and 'one bromine' cannot"),
        ({"size": 4, "prompt": "5-6 heavy atoms"}, "'size = 4' and '5-6 heavy atoms' cannot"),
        ({"prompt": "QED over 0.5"}, "'QED over 0.5': it has no condition 'qed'. It can be asked "),
        ({"prompt": "two nitrogens"}, "no condition 'n_N'.*logp, rings, n_Br, gap, heavy_atoms"),
        ({"prompt": "12 atoms"}, "no condition 'atoms'.*heavy_atoms from 4 to 6"),
        ({"prompt": "no fluorine"}, "no element 'F'. Its elements are C, N, Br, O"),
        ({"prompt": "no hydrogen"}, "belong to the classes of other atoms"),
        ({"without": ["Cl"]}, "no element 'Cl'"),
        ({"only": ["Br", "Q"]}, "no element 'Q'"),
        ({"without": ["C", "N", "O", "Br"]}, "no element left"),
        ({"conditions": {"lopg": 1.0}}, "Did you mean 'logp'"),
        ({"conditions": {"rings": Interval(1.2, 1.8)}}, "no whole number in 1.2..1.8"),
        ({"size": 9}, "4 to 6 heavy atoms, not of 9"),
        ({"prompt": "more than 6 heavy atoms"}, "4 to 6 heavy atoms, not of >= 7"),
        ({"prompt": "5 rings, soluble"}, "'soluble' is not understood"),
    ],
)
def test_what_cannot_be_is_refused(wish: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        moldiff.generate(1, model=small(FOLDED, (LOGP, RINGS, BROMINE, GAP)), **wish)


def test_a_model_without_conditions_does_without_elements() -> None:
    model = small(conditions=())
    assert demanded(model, prompt="no Br, 4 heavy atoms") == Demands({}, 4, ("Br",), "heavy_atoms")
    with pytest.raises(InputError, match=r"no condition 'logp'.*heavy_atoms from 4 to 6.*C, N, Br"):
        demanded(model, prompt="logP below 3")
    with pytest.raises(InputError, match="was trained without conditions"):
        demanded(model, conditions={"logp": 1.0})


def test_a_column_of_the_data_is_no_element() -> None:
    column = Condition("n_turns", 1.0, 1.0, 0.0, 3.0)
    assert demanded(small(conditions=(column,)), prompt="n_turns = 0").without == ()


def test_atoms_are_counted_with_hydrogens_where_these_are_atoms() -> None:
    model = small(EXPLICIT)
    assert demanded(model, prompt="6 atoms, no H") == Demands({}, 6, ("H",), "atoms")
    with pytest.raises(InputError, match=r"no condition 'heavy_atoms'.*atoms from 4 to 6"):
        demanded(model, prompt="6 heavy atoms")
    with pytest.raises(InputError, match="CH3Br has an element"):
        moldiff.generate(1, model=model, formula="CH3Br", without=["Br"])
    with pytest.raises(InputError, match="C2H4 has 6 atoms, not <= 5"):
        moldiff.generate(1, model=model, formula="C2H4", prompt="up to 5 atoms")
    (made,) = moldiff.generate(1, model=model, formula="C2H4", prompt="4-6 atoms", without=["Br"])
    assert made.mol.GetNumAtoms() == 6


def test_the_values_that_will_do() -> None:
    found = choices(
        (LOGP, RINGS, BROMINE),
        {"logp": Interval(high=3), "rings": Interval(low=4), "n_Br": Interval(0.5, 2.5)},
    )
    assert found["rings"] == (4.0, 5.0) and found["n_Br"] == (1.0, 2.0)
    steps = np.diff(found["logp"])
    assert found["logp"][0] == 0 and found["logp"][-1] == 3 and np.allclose(steps, steps[0])
    # Beyond the training data, the nearest end; and a remark.
    assert choices((LOGP, RINGS), {"logp": Interval(low=7), "rings": Interval(8, 9)}) == {
        "logp": (7.0,), "rings": (8.0,),
    }  # fmt: skip
    assert choices((LOGP,), {"logp": Interval(high=-7)}) == {"logp": (-7.0,)}
    narrow = Condition("rings", 2.4, 0.1, 2.3, 2.6)
    assert choices((narrow,), {"rings": Interval(0, 3)}) == {"rings": (2.0, 3.0)}
    assert choices((LOGP,), {"logp": 2.5}) == {"logp": (2.5,)}
    model = small()
    (told,) = check_conditions(model, {"logp": Interval(low=7), "rings": Interval(low=4)})
    assert "logp = 7 is outside" in told


def test_targets_have_the_distribution_of_the_data_inside_of_what_is_wanted() -> None:
    """Truncated normals by size, and sizes as frequent as what is wanted is among them."""
    wanted = choices((LOGP, RINGS), {"logp": Interval(high=1), "rings": Interval(1, 3)})
    rng = torch.Generator().manual_seed(0)
    rows = draw_targets((LOGP, RINGS), wanted, 4, [rng] * 4000)
    logp = np.array([row["logp"] for row in rows])
    assert logp.min() >= 0 and logp.max() <= 1
    # The mean of N(1, 1) between 0 and 1 is 1 - (phi(0) - phi(1)) / (Phi(1) - Phi(0)).
    phi = [math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi) for x in (0, 1)]
    inside = 0.5 * math.erf(1 / math.sqrt(2))
    assert logp.mean() == pytest.approx(1 - (phi[0] - phi[1]) / inside, abs=0.02)
    counts = Counter(row["rings"] for row in rows)
    assert set(counts) == {1.0, 2.0, 3.0}
    assert counts[1.0] / counts[2.0] == pytest.approx(math.exp(-0.5), rel=0.12)
    sizes = weighed_sizes({4: 0.5, 6: 0.5}, (LOGP,), {"logp": wanted["logp"]})
    beyond = 0.5 * (math.erf(3 / math.sqrt(2)) - math.erf(2 / math.sqrt(2)))  # N(3, 1) in 0..1
    assert sizes[6] / sizes[4] == pytest.approx(beyond / inside, rel=0.03)
    assert draw_targets((LOGP, RINGS), {"logp": [2.0]}, 4, [rng] * 9) == [{"logp": 2.0}]


def test_every_molecule_has_its_target_and_the_seed_decides() -> None:
    model = small()
    request = Request(12, conditions={"logp": Interval(1, 3), "rings": 2.0}, size=Interval(4, 5))
    first, again = (list(generate(model, request)) for _ in range(2))
    assert [item.tags for item in first] == [item.tags for item in again]
    targets = [float(item.tags["target_logp"]) for item in first]
    assert len(set(targets)) > 6 and all(1 <= target <= 3 for target in targets)
    assert {item.tags["target_rings"] for item in first} == {"2"}
    assert {sum(a.GetAtomicNum() > 1 for a in item.mol.GetAtoms()) for item in first} == {4}
    told = json.loads(first[0].tags["request"])
    assert told["conditions"] == {"logp": "1..3", "rings": 2.0} and told["size"] == "4..5"
    other = list(generate(model, Request(12, 1, conditions=request.conditions)))
    assert [float(item.tags["target_logp"]) for item in other] != targets


def test_a_target_reaches_the_network() -> None:
    model = small()
    made = {}
    for high in (0.5, 4.0):
        conditions = {"logp": Interval(high - 0.5, high)}
        made[high] = moldiff.generate(3, model=model, conditions=conditions, size=6, steps=2)
    positions = [
        [item.mol.GetConformer().GetPositions() for item in items] for items in made.values()
    ]
    assert all(a.shape != b.shape or (a != b).any() for a, b in zip(*positions, strict=True))


def test_what_meets_a_demand() -> None:
    demands = demanded(small(), prompt="logP 2, gap below 0.3, two rings")
    assert accepted(small(), demands) == {
        "logp": Interval(1.75, 2.25), "gap": Interval(high=0.3), "rings": Interval(2, 2),
    }  # fmt: skip


def test_a_part_with_an_element_is_not_told_to_be_without_it() -> None:
    demands = demanded(small(), without=["Br"], conditions={"rings": 2.0})
    assert demands.conditions["n_Br"] == Interval(0, 0)
    around = demands.around({"C", "Br"})
    assert set(around.conditions) == {"rings"} and around.without == ("Br",)
    assert demands.around({"C"}) == demands


def test_the_druglike_model_is_guided_to_conditions_by_itself() -> None:
    def positions(guidance: float | None = None) -> list[list[float]]:
        wanted = {"logp": 4.0}
        made = moldiff.generate(1, size=12, steps=4, seed=5, conditions=wanted, guidance=guidance)
        places: list[list[float]] = made[0].mol.GetConformer().GetPositions().round(3).tolist()
        return places

    assert positions() == positions(1.5) != positions(1.0)
