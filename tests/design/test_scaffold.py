"""Scaffolds: what is kept, where new bonds may begin, and what cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff.design.api import read_parts
from moldiff.design.scaffold import kept_of, scaffold_of
from moldiff.design.tasks import decorating, growing, linking, replacing
from moldiff.errors import InputError

Posed = Callable[..., Chem.Mol]


def orders(mol: Chem.Mol) -> list[float]:
    return sorted(bond.GetBondTypeAsDouble() for bond in mol.GetBonds())


def test_a_dummy_atom_is_a_point_with_exactly_its_bond() -> None:
    scaffold = scaffold_of(read_parts("c1cc([*:1])ccc1C(=[*:2])C"))
    assert scaffold.size == 8 and scaffold.numbers == (1, 2, 3, 5, 6, 7, 8, 10)
    # The phenyl's carbon is left with no hydrogen, and so is that of the double bond.
    assert scaffold.named == {2: (0,), 6: (0,)}
    assert len(scaffold.hydrogens(2)) == 1 and len(scaffold.hydrogens(6)) == 2
    assert np.isfinite(scaffold.positions).all()


def test_numbers_and_smarts_name_points_that_may_give_any_of_their_hydrogens() -> None:
    scaffold = scaffold_of(read_parts("CNc1ccccc1O"))
    assert scaffold.at("1,9").named == {0: (0, 1, 2), 8: (0,)}
    assert scaffold.at("[OX2H]").named == {8: (0,)}
    assert set(scaffold.at("[cH]").named) == {3, 4, 5, 6}
    assert set(scaffold.open) == {0, 1, 3, 4, 5, 6, 8}
    for same in ([1, 9], (9, 1), np.array([1, 9])):
        assert scaffold.at(same).named == scaffold.at("1,9").named
    assert scaffold.at(9).named == scaffold.at("9").named
    for wrong in ([1.5], 2.0, ["1"], None):
        with pytest.raises(InputError, match=r"names no atoms"):
            scaffold.at(wrong)  # type: ignore[arg-type]


def test_the_kekule_structure_of_the_input_stays(posed: Posed) -> None:
    mol = posed("Cc1ccccc1C")
    for clear in (True, False):
        kekulised = Chem.Mol(mol)
        Chem.Kekulize(kekulised, clearAromaticFlags=True)
        if not clear:  # the other one
            swap = {1.0: Chem.BondType.DOUBLE, 2.0: Chem.BondType.SINGLE}
            for bond in kekulised.GetBonds():
                if bond.IsInRing():
                    bond.SetBondType(swap[bond.GetBondTypeAsDouble()])
        kept = scaffold_of([kekulised]).mol
        for bond in kekulised.GetBonds():
            ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            assert kept.GetBondBetweenAtoms(*ends).GetBondType() == bond.GetBondType()


def test_what_is_cut_off_leaves_points_with_the_bonds_it_had(posed: Posed) -> None:
    mol = posed("CC(=O)Nc1ccncc1")
    scaffold = kept_of(mol, "c1ccncc1")
    assert scaffold.size == 6 and list(scaffold.named.values()) == [(0,)]
    (point,) = scaffold.named
    assert scaffold.numbers[point] == 5
    for i, number in enumerate(scaffold.numbers):
        place = mol.GetConformer().GetPositions()[number - 1]
        assert (scaffold.positions[i] == place).all()
    assert kept_of(mol, "5-10").numbers == scaffold.numbers


def test_hydrogens_that_the_input_has_are_told_from_those_that_were_added(posed: Posed) -> None:
    whole = posed("c1ccncc1")
    bare = scaffold_of([Chem.RemoveHs(whole)])
    full = scaffold_of([whole])
    assert all(full.measured(h) for i in range(6) for h in full.hydrogens(i))
    assert not any(bare.measured(h) for i in range(6) for h in bare.hydrogens(i))
    assert bare.mol.GetNumAtoms() == full.mol.GetNumAtoms() == 11


def test_fragments_keep_their_poses_and_numbers_run_on(posed: Posed) -> None:
    first, second = posed("c1ccncc1"), posed("C1CC1", shift=26.0)
    task = linking([first, second])
    scaffold = task.part.scaffold
    assert scaffold.size == 9 and scaffold.numbers[6:] == (12, 13, 14)
    assert sorted(set(scaffold.fragments.tolist())) == [0, 1]
    assert (scaffold.positions[6:9] == second.GetConformer().GetPositions()[:3]).all()
    for seed in range(5):
        points = task.part.choose(np.random.default_rng(seed), 5)
        assert sorted(scaffold.fragments[list(points)].tolist()) == [0, 1]


def test_a_linker_spans_the_gap() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("C"))
    conformer = Chem.Conformer(5)
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1.0]])
    conformer.SetPositions(corners)
    conformer.Set3D(True)
    mol.AddConformer(conformer)
    away = Chem.Mol(mol)
    away.GetConformer().SetPositions(corners + np.array([6.0, 0, 0]))
    assert linking([mol, away]).added.low == 3  # four bonds of 1.5 Å


def test_points_are_drawn_where_none_is_named() -> None:
    molecules = read_parts("c1ccncc1")
    grown = growing(molecules).part
    drawn = [tuple(grown.choose(np.random.default_rng(k), 5)) for k in range(30)]
    assert {len(points) for points in drawn} == {1} and len(set(drawn)) == 5
    decorated = decorating(molecules, points=3).part
    counts = {len(decorated.choose(np.random.default_rng(k), 5)) for k in range(40)}
    assert counts == {1, 2, 3}
    assert {len(decorated.choose(np.random.default_rng(k), 1)) for k in range(9)} == {1}


def test_a_replacement_is_about_as_large_as_what_it_replaces(posed: Posed) -> None:
    added = replacing([posed("CCCCC(=O)Nc1ccncc1")], "c1ccncc1").added
    assert (added.low, added.high) == (4, 10)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_what_cannot_be_used_is_refused_with_a_reason(posed: Posed) -> None:
    pyridine = read_parts("c1ccncc1")
    assert "no free valence" in refused(lambda: growing(pyridine, "4"))
    assert "Atom 40 is no heavy atom" in refused(lambda: growing(pyridine, "40"))
    assert "not in the molecule" in refused(lambda: growing(pyridine, "[Br]"))
    assert "neither atom numbers nor a SMARTS" in refused(lambda: growing(pyridine, "(("))
    assert "No atom of the scaffold" in refused(lambda: growing(read_parts("FC(F)(F)F")))
    assert "neither a file nor" in refused(lambda: read_parts("c1ccc"))
    assert "no heavy atoms" in refused(lambda: growing(read_parts("[H][H]")))
    ligand = [posed("CCc1ccncc1")]
    assert "not in the molecule" in refused(lambda: replacing(ligand, "c1ccccc1"))
    assert "nothing is left" in refused(lambda: replacing(ligand, "1-8"))
    assert "one is changed at a time" in refused(lambda: replacing([*ligand, *ligand], "1"))
    assert "fragments overlap" in refused(lambda: linking([*ligand, *ligand]))
    assert "one fragment only" in refused(lambda: linking(ligand))
    assert "without coordinates" in refused(lambda: linking(read_parts("C.C")))
    assert "without coordinates" in refused(lambda: growing(read_parts("C.[Cl-]")))
    assert "no heavy atoms" in refused(lambda: growing(read_parts("[*:1]")))


def test_attachment_points_and_aromatic_bonds_of_files(tmp_path: Path, posed: Posed) -> None:
    """R# of an SDF is a point, in its pose; "ar" of a MOL2 becomes a Kekulé structure."""
    mol = Chem.RWMol(posed("c1ccncc1"))
    mol.GetAtomWithIdx(mol.GetNumAtoms() - 1).SetAtomicNum(0)
    sdf, mol2 = tmp_path / "core.sdf", tmp_path / "core.mol2"
    sdf.write_text(Chem.MolToMolBlock(mol) + "$$$$\n")
    scaffold = scaffold_of(read_parts(sdf))
    assert scaffold.size == 6 and list(scaffold.named) == [5]
    atoms = [f"{i} C{i} {1.39 * np.cos(a):.4f} {1.39 * np.sin(a):.4f} 0.0 C.ar" for i, a in
             enumerate(np.arange(6) * np.pi / 3, start=1)]  # fmt: skip
    bonds = [f"{i} {i} {i % 6 + 1} ar" for i in range(1, 7)]
    counts = ["@<TRIPOS>MOLECULE", "benzene", "6 6", "SMALL", "NO_CHARGES"]
    lines = [*counts, "@<TRIPOS>ATOM", *atoms, "@<TRIPOS>BOND", *bonds]
    mol2.write_text("\n".join(lines) + "\n")
    benzene = scaffold_of(read_parts(mol2))
    assert benzene.size == 6 and orders(benzene.mol) == [1.0] * 9 + [2.0] * 3
