"""Completed molecules keep the part exactly, whatever the weights, and say what they keep."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff import design
from moldiff.design.proof import prove
from moldiff.design.scaffold import scaffold_of
from moldiff.errors import InputError
from moldiff.generation.request import Generated
from moldiff.io import Writer
from moldiff.model import Model
from tests.design.independent import faults, parse, records

Posed = Callable[..., Chem.Mol]
CORES = {
    "aromatic": ("Nc1ccc2[nH]ccc2c1", "6,8"),
    "charged and chiral": ("C[C@H](F)[C@@H](O)C[NH3+]", "1,7"),
    "double bond": ("C/C=C/c1ccccc1", "1,6"),
    "multivalent sulfur": ("CS(=O)(=O)c1ccsc1", "6"),
}


def text(molecules: list[Chem.Mol], path: Path) -> list[str]:
    with Writer(path) as writer:
        for mol in molecules:
            writer.write(mol)
    return records(path.read_text())


def judged(
    part: list[Chem.Mol], made: list[Generated], points: Collection[int] | None, folder: Path
) -> list[list[str]]:
    together = part[0] if len(part) == 1 else Chem.CombineMols(*part)
    (old,) = text([together], folder / "part.sdf")
    heavy = parse(old).heavy()
    found = []
    for item, new in zip(made, text([m.mol for m in made], folder / "made.sdf"), strict=True):
        rows = [int(row) for row in item.tags["attachments"].replace("-", ",").split(",")]
        found.append(faults(old, new, points or [heavy[row - 1] for row in rows]))
    return found


@pytest.mark.parametrize("core", CORES)
def test_a_grown_part_is_kept_to_the_last_digit(
    core: str, model: Model, posed: Posed, tmp_path: Path
) -> None:
    smiles, at = CORES[core]
    mol = posed(smiles)
    made = design.grow(mol, 6, at=at, add=5, model=model, seed=3)
    points = [int(number) for number in at.split(",")]
    found = judged([mol], made, points, tmp_path)
    # Random weights may end a point with hydrogens lost and no bond; nothing else can go wrong,
    # and where it does the molecule's own proof has to say so.
    for item, some in zip(made, found, strict=True):
        assert all(fault.endswith("is not used") for fault in some)
        assert (item.tags["part_kept"] == "yes") == (not some)
    assert {len(parse(new).heavy()) for new in text([m.mol for m in made], tmp_path / "a.sdf")} == {
        mol.GetNumHeavyAtoms() + 5
    }


def test_a_trained_model_uses_the_points(posed: Posed, tmp_path: Path) -> None:
    mol = posed("Nc1ccc2[nH]ccc2c1")
    made = design.grow(mol, 3, at="6,8", add=5, steps=10)
    assert judged([mol], made, [6, 8], tmp_path) == [[], [], []]
    assert all(item.tags["part_kept"] == "yes" for item in made)
    assert all(item.tags["kept"].startswith("10 of 10 atoms, 11 of 11 bonds") for item in made)


def test_linked_fragments_stay_where_they_are(model: Model, posed: Posed, tmp_path: Path) -> None:
    parts = [posed("c1ccncc1"), posed("OC1CC1", shift=25.0)]
    made = design.link(parts, 4, model=model, add=4, seed=1)
    for some in judged(parts, made, None, tmp_path):
        assert all(fault.endswith("is not used") for fault in some)
    for item in made:
        ends = [b.GetBeginAtomIdx() // 6 == b.GetEndAtomIdx() // 6 for b in item.mol.GetBonds()]
        assert ends and item.tags["design"] == "link"
        kept = item.mol.GetConformer().GetPositions()[:10]
        assert np.linalg.norm(kept[:6].mean(0) - kept[6:].mean(0)) > 4


def test_a_replacement_has_the_bonds_the_kept_atoms_had(model: Model, posed: Posed) -> None:
    lead = posed("CC(=O)Nc1ccncc1")
    for item in design.replace(lead, 4, keep="c1ccncc1", model=model, add=3):
        assert item.tags["kept_atoms"] == "1-6"
        point = item.mol.GetAtomWithIdx(int(item.tags["attachments"]) - 1)
        assert all(a.GetAtomicNum() > 1 for a in point.GetNeighbors())


def test_elements_are_those_of_the_new_atoms(model: Model) -> None:
    options = {"model": model, "without": ["N", "S", "F", "Cl"], "add": 6}
    for item in design.decorate("c1ccncc1", 4, **options):
        symbols = [atom.GetSymbol() for atom in item.mol.GetAtoms()]
        assert symbols[:6].count("N") == 1
        assert not {"N", "S", "F", "Cl"} & set(symbols[6:])


def test_what_a_part_and_a_model_cannot_do_is_refused(model: Model, posed: Posed) -> None:
    def refused(**options: object) -> str:
        with pytest.raises(InputError) as caught:
            design.grow(**{"scaffold": "c1ccncc1", "n": 1, "model": model, **options})
        return str(caught.value)

    assert "At least one atom" in refused(add=0)
    assert "to 24 heavy atoms" in refused(add=40)
    assert "24 at most" in refused(scaffold="C" * 24)
    assert "Br" in refused(scaffold="Brc1ccncc1")
    assert "not trained to complete" in refused(model="qm9-skeleton")
    assert "cannot have the scaffold's 6" in refused(add=3, size=20)


def damaged(mol: Chem.Mol, how: str) -> Chem.Mol:
    copy = Chem.RWMol(mol)
    conformer = copy.GetConformer()
    if how == "element":
        copy.GetAtomWithIdx(0).SetAtomicNum(7)
    elif how == "charge":
        copy.GetAtomWithIdx(3).SetFormalCharge(-1)
    elif how == "order":
        copy.GetBondBetweenAtoms(0, 1).SetBondType(Chem.BondType.DOUBLE)
    elif how == "bond":
        copy.RemoveBond(0, 1)
    elif how == "place":
        conformer.SetAtomPosition(2, list(np.array(conformer.GetAtomPosition(2)) + 0.01))
    elif how == "hydrogen":
        last = copy.GetNumAtoms() - 1
        conformer.SetAtomPosition(last, list(np.array(conformer.GetAtomPosition(last)) + 1.0))
    elif how == "mirror":
        x = conformer.GetPositions() * [1, 1, -1]
        conformer.SetPositions(np.ascontiguousarray(x))
    return copy.GetMol()


@pytest.mark.parametrize(
    "how", ["element", "charge", "order", "bond", "place", "hydrogen", "mirror"]
)
def test_the_proof_finds_every_damage(how: str, posed: Posed) -> None:
    mol = posed("C[C@H](F)CO")
    scaffold = scaffold_of([mol])
    proof = prove(mol, scaffold, [])
    assert proof.failure is None
    assert proof.line == "5 of 5 atoms, 4 of 4 bonds, stereo same, largest displacement 0.000 Å"
    failure = prove(damaged(mol, how), scaffold, []).failure
    assert failure is not None and failure.startswith("part not kept: ")
    if how == "mirror":
        assert "stereo changed" in failure


def test_a_point_without_a_bond_and_a_bond_without_a_point_are_damage(posed: Posed) -> None:
    scaffold = scaffold_of([posed("CCO")])
    grown = Chem.RWMol(posed("CCO"))
    grown.RemoveAtom(grown.GetNumAtoms() - 1)  # the hydroxyl's hydrogen
    assert prove(grown.GetMol(), scaffold, [2]).atoms == (2, 3)
    assert prove(posed("CCO"), scaffold, [0]).atoms == (2, 3)


def test_same_seed_same_designs(model: Model) -> None:
    first, again, other = (
        [m.mol.GetConformer().GetPositions().tolist() for m in design.decorate("c1ccncc1", 3, **o)]
        for o in ({"model": model, "add": 4, "seed": s} for s in (1, 1, 2))
    )
    assert first == again != other
