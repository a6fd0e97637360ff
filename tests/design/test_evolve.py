"""Whole molecules evolve in a pocket: who becomes a parent, what stays of it, what is docked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.chem.brics import joined
from moldiff.chem.demands import Interval
from moldiff.chem.validity import canonical_smiles
from moldiff.design.pockets import Bench, Budget, Outcome, prepare
from moldiff.design.pockets.crossing import children, pairs
from moldiff.design.pockets.evolve import NEW, STEPS, Evolving, sides
from moldiff.design.pockets.run import Design
from moldiff.design.pockets.settle import Settled
from moldiff.docking.site import Where, site
from moldiff.errors import InputError
from moldiff.generation.api import Options
from moldiff.generation.request import Generated
from moldiff.generation.verify import verify
from moldiff.io import record_of
from moldiff.models import load

EXAMPLE = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
RECEPTOR, LIGAND = EXAMPLE / "receptor.pdb", EXAMPLE / "ligand.sdf"
AMIDE = "CC(C)Oc1ccccc1C(=O)NCCc1cccs1"


def embedded(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=7) == 0
    return mol


def parent(smiles: str, energy: float) -> Design:
    settled = Settled(embedded(smiles), energy, -energy, {}, {"clash": True}, ())
    return Design(Generated(settled.mol, None, {"SMILES": smiles}), NEW, settled)


@pytest.fixture(scope="module")
def evolving() -> Evolving:
    return Evolving(site(RECEPTOR, Where(LIGAND)).pocket, load("druglike"), Interval(18, 22))


def test_both_sides_of_a_bond_stay_with_one_point() -> None:
    mol = embedded(AMIDE)
    heavy, parts = mol.GetNumHeavyAtoms(), sides(mol)
    assert parts and all(5 <= part.size <= heavy - 2 for part in parts)
    known = mol.GetConformer().GetPositions()
    for part in parts:
        rows = [number - 1 for number in part.numbers]
        assert (part.positions[: part.size] == known[rows]).all() and len(part.named) == 1
    atoms = [frozenset(part.numbers) for part in parts]
    assert len(set(atoms)) == len(atoms)
    both = [(a, b) for a in atoms for b in atoms if not a & b and len(a | b) == heavy]
    assert both  # a bond whose sides are large enough gives two parts
    assert sides(embedded("c1ccc2ccccc2c1")) == []


@pytest.mark.parametrize(
    ("smiles", "kept"),
    [
        ("COc1ccccc1", [6]),  # the other side has two atoms, too few to stay
        ("CC(C)COc1ccccc1", [5, 6, 7]),  # without the isobutyl, which has four
    ],
)
def test_a_side_has_five_atoms_and_leaves_out_two(smiles: str, kept: list[int]) -> None:
    sizes = sorted(part.size for part in sides(embedded(smiles)))
    assert sizes == kept


def test_only_what_passes_becomes_a_parent_and_nothing_is_docked_twice(
    evolving: Evolving, monkeypatch: pytest.MonkeyPatch
) -> None:
    energies = iter([-3.0, -9.0, -20.0, -5.0])
    passes = iter([True, True, False, True])

    def docked(mol: Chem.Mol, pocket: object, seed: int) -> Settled:
        energy = next(energies)
        return Settled(mol, energy, -energy, {}, {"clash": next(passes)}, ())

    monkeypatch.setattr("moldiff.design.pockets.evolve._docked", docked)
    monkeypatch.setattr("moldiff.design.pockets.evolve.PARENTS", 2)
    young = replace(evolving, parents=[], known=set())
    smiles = ["CCO", "CCN", "CCC", "CCO", "CCF"]
    items = [Generated(embedded(s), None, {"SMILES": s, "seed": "0"}) for s in smiles]
    designs = [young._design(item, NEW) for item in items]
    assert [one.reason for one in designs] == [None, None, "fails clash", "repeated", None]
    assert young.parents == [designs[1], designs[4]], "the best first, and no more"
    assert young.known == set(smiles)


def test_children_go_on_mostly_from_the_bond_that_was_cut(evolving: Evolving) -> None:
    old = replace(evolving, parents=[parent(AMIDE, -9.0)], known=set("abcdefghijklmnop"))
    tasks = [task for k in range(60) if (task := old._task(np.random.default_rng(k))) is not None]
    same = 0
    for task in tasks:
        chosen = [task.part.choose(np.random.default_rng(k), 5) for k in range(8)]
        same += all(one.items() == task.part.scaffold.named.items() for one in chosen)
    assert 0.5 * len(tasks) < same < 0.9 * len(tasks)


def test_whole_molecules_come_first_then_children_of_both_kinds(evolving: Evolving) -> None:
    young = replace(evolving, parents=[parent(AMIDE, -9.0)], known={AMIDE})
    assert {young._way(np.random.default_rng(k)) for k in range(20)} == {"new"}
    childless = replace(evolving, known=set("abcdefghijklmnop"))
    assert {childless._way(np.random.default_rng(k)) for k in range(20)} == {"new"}
    old = replace(young, known=set("abcdefghijklmnop"))
    ways = Counter(old._way(np.random.default_rng(k)) for k in range(200))
    assert 8 <= ways["new"] <= 35 and ways["joined"] > 60 and ways["completed"] > 60


def test_parents_are_among_the_best(evolving: Evolving) -> None:
    poor = [parent("CC(C)Oc1ccccc1", -5.0 + 0.1 * k) for k in range(7)]
    old = replace(evolving, parents=[parent(AMIDE, -9.0), *poor], known=set("abcdefghijklmnop"))
    of_best = 0
    for k in range(60):
        task = old._task(np.random.default_rng(k))
        assert task is not None
        scaffold = task.part.scaffold
        chosen = task.part.choose(np.random.default_rng(0), 5)
        assert len(chosen) == 1 and chosen.items() <= scaffold.open.items()
        of_best += any(a.GetSymbol() in "NS" for a in scaffold.mol.GetAtoms())
    assert of_best > 10  # of eight parents the best of three is the first in 3 of 8
    both = [old._best(2, np.random.default_rng(k)) for k in range(60)]
    assert all(one is not other and one.score >= other.score for one, other in both)
    assert 20 < sum(one is old.parents[0] for one, _ in both) < 60  # of four, the two best
    assert len(replace(old, parents=old.parents[:1])._best(2, np.random.default_rng(0))) == 1


def test_two_parents_have_children_of_both(
    evolving: Evolving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Evolving, "_way", lambda self, random: "joined")
    monkeypatch.setattr("moldiff.design.pockets.evolve._docked", lambda mol, *_: "no room")
    parents = [parent(AMIDE, -9.0), parent("O=S(=O)(c1ccc(F)cc1)N1CCC(c2ccccn2)CC1", -8.0)]
    old = replace(evolving, parents=parents, known=set("abcdefghijklmnop"))
    ticks: list[float] = []
    molecules, judge = old(0, 4, np.random.default_rng(0), {"progress": ticks.append})
    designs = [judge(item) for item in molecules]
    assert len({one.smiles for one in designs}) == 4 and ticks == [1.0] * 4
    for one in designs:
        assert one.reason == "no room" and one.sample.tags["design"] == "evolve"
        assert one.sample.mol.GetNumHeavyAtoms() in old.size
        halves = one.start.split(".")
        assert len(halves) == 2 and all("[*:1]" in half for half in halves)
        queries = [Chem.MolFromSmarts(half.replace("[*:1]", "*")) for half in halves]
        mols = [design.settled.mol for design in parents if design.settled is not None]
        assert any(
            all(mol.HasSubstructMatch(query) for mol, query in zip(order, queries, strict=True))
            for order in (mols, mols[::-1])
        ), "one half is of each parent"
    assert replace(old, parents=parents[:1])._pairs(4, np.random.default_rng(0)) == []
    assert replace(old, size=Interval(60))._pairs(4, np.random.default_rng(0)) == []


def test_nothing_is_joined_twice_and_nothing_that_has_a_charge(evolving: Evolving) -> None:
    chiral = "C[C@H](NC(=O)c1ccccc1OC)C(=O)N1CCC(c2ccccn2)CC1"
    zwitterion = "C[N+](C)(CCOC(=O)c1ccccc1)Cc1ccc(C(=O)[O-])cc1"
    old = replace(evolving, parents=[parent(chiral, -9.0), parent(zwitterion, -8.0)])
    old = replace(old, known=set("abcdefghijklmnop"), joined=set())
    batches = [old._pairs(6, np.random.default_rng(k)) for k in range(12)]
    made = [joined(*pair) for batch in batches for pair in batch]
    smiles = [canonical_smiles(mol) for mol in made]
    assert len(made) > 6 and len(set(smiles)) == len(made) and batches[-1] == []
    assert not any(Chem.GetFormalCharge(mol) for mol in made)


def test_a_child_that_cannot_be_embedded_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moldiff.design.pockets.crossing.conformers", lambda *_, **__: "no room")
    mols = [Chem.MolFromSmiles(text) for text in (AMIDE, "O=S(=O)(c1ccc(F)cc1)N1CCCCC1")]
    crossed, ticks = pairs(*mols, Interval(10, 30))[:3], []
    made = list(children(crossed, 0, ticks.append))
    assert [one.failure for one in made] == ["no room"] * 3 and ticks == [1.0] * 3
    assert all(one.tags["strictly_valid"] == "no" and one.tags["start"] for one in made)


@pytest.mark.parametrize(
    ("options", "steps"), [({}, STEPS), ({"steps": None}, STEPS), ({"steps": 3}, 3)]
)
def test_what_is_to_be_docked_is_drawn_in_few_steps(
    evolving: Evolving, options: Options, steps: int
) -> None:
    molecules, _ = evolving(0, 1, np.random.default_rng(0), options)
    assert next(molecules).tags["steps"] == str(steps)


@pytest.mark.thorough
def test_children_have_a_part_of_their_parent_and_are_docked(
    evolving: Evolving, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = replace(evolving, parents=[parent(AMIDE, -1.0)], known=set("abcdefghijklmnop"))
    monkeypatch.setattr(Evolving, "_way", lambda self, random: "completed")
    molecules, judge = old(0, 3, np.random.default_rng(0), {"steps": 25})
    designs = [judge(item) for item in molecules]
    docked = [one for one in designs if one.settled is not None]
    assert docked and all(one.start != NEW for one in docked)
    for one in docked:
        assert one.settled is not None
        mol = Chem.MolFromSmiles(one.smiles)
        assert mol.HasSubstructMatch(Chem.MolFromSmiles(one.start, sanitize=True)) or (
            mol.GetNumHeavyAtoms() in Interval(18, 22)
        )
        assert not {"kept", "part_kept", "attachments"} & set(one.sample.tags)
        assert one.sample.tags["design"] == "evolve" and one.score == -one.settled.energy
        assert old.pocket.box.contains(one.settled.mol.GetConformer().GetPositions()).any()
    best = max((one for one in docked if one.reason is None), key=lambda one: one.score)
    assert old.parents[0] is best and len(old.parents) <= 8
    records = [record_of(mol, tags=tags) for mol, tags in Outcome((best,)).records([best])]
    (verdict,) = verify(records)
    assert verdict.status == "unknown" and "docked since it was made" in verdict.why
    assert verify(records).asked == ()  # nothing of a request is missing
    again = judge(best.sample)
    assert again.reason == "repeated" and again.settled is None
    assert judge(replace(best.sample, failure="fragments: 2")).reason == "fragments: 2"


@pytest.fixture(scope="module")
def bench() -> Bench:
    return prepare(RECEPTOR, LIGAND, Budget(None), start="evolve")


def test_sizes_are_the_ligands_or_those_asked_for(bench: Bench) -> None:
    heavy = Chem.MolFromMolFile(str(LIGAND)).GetNumHeavyAtoms()
    assert not bench.starts and not bench.elements
    assert bench._size(None) == Interval(heavy - 3, heavy + 4)
    assert bench._size(12) == Interval(12, 12)
    assert 10_000 in replace(bench, ligand=None)._size(None)
    with pytest.raises(InputError, match="60"):
        list(bench.designs(1, Budget(None), size=60))
    with pytest.raises(InputError, match="Nothing is added"):
        bench.designs(1, Budget(None), add=3)


def test_a_scaffold_does_not_evolve() -> None:
    with pytest.raises(InputError, match="a start of its own"):
        prepare(RECEPTOR, LIGAND, Budget(None), scaffold=LIGAND, start="evolve")


def test_time_is_kept_while_a_molecule_forms(bench: Bench) -> None:
    ticks = iter(range(1000))
    assert not list(bench.designs(50, Budget(10, lambda: next(ticks)), steps=20))
