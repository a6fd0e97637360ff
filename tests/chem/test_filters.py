"""Filters and choice: every reason is told, and what is picked is spread out."""

from __future__ import annotations

import pytest
from rdkit import Chem

from moldiff.chem.alerts import CATALOGUES, alerts, parse_catalogues
from moldiff.chem.filters import Filters, Measured, measure
from moldiff.chem.picking import BUTINA, MAXMIN, Pick, fingerprint, restored
from moldiff.chem.where import parse_where
from moldiff.errors import InputError

QUINONE = "O=C1C=CC(=O)C=C1Cl"


def measured(smiles: str, filters: Filters) -> Measured:
    return measure(Chem.AddHs(Chem.MolFromSmiles(smiles)), filters.plan())


def told(smiles: str, filters: Filters, **fields: str) -> list[str]:
    return [str(reason) for reason in filters.reasons(measured(smiles, filters), fields)]


def test_all_reasons_are_told() -> None:
    filters = Filters(
        (parse_where("mw > 250 & n_Cl = 1"), parse_where("<gap> > 5")),
        ("pains_a", "brenk"),
        rings={"c1ccccc1"},
        known={"mine.smi": {Chem.CanonSmiles(QUINONE)}},
        strict=True,
    )
    assert filters.fields == ("gap",)
    reasons = told(QUINONE, filters, gap="4")
    assert reasons[:2] == ["not mw > 250: weight = 142.541", "not <gap> > 5: <gap> = 4"]
    assert "alert PAINS_A: quinone_A(370)" in reasons
    assert reasons[-2:] == [
        "unseen ring system: *=C1C=CC(=*)C=C1",
        "known molecule: in mine.smi",
    ]
    assert told(QUINONE, filters)[1] == "not <gap> > 5: <gap> is missing"
    assert told(QUINONE, filters, gap="wide")[1] == "not <gap> > 5: <gap> is no number but 'wide'"
    heavy = "Clc1ccc(CCCCCCc2ccc(C)cc2)cc1"
    kept = Filters(filters.where, rings=filters.rings, strict=True)
    assert told(heavy, kept, gap="6") == []


def test_what_is_no_molecule_has_that_reason() -> None:
    filters = Filters((parse_where("mw > 1"),))
    broken = Chem.MolFromSmiles("C(C)(C)(C)(C)C", sanitize=False)
    (reason,) = filters.reasons(measure(broken, filters.plan()), {})
    assert reason.filter == "no molecule" and "C1 has 5" in reason.detail
    assert filters.reasons(measure(None, filters.plan()), {})[0].filter == "no molecule"
    radical = Chem.MolFromSmiles("[CH2]C")
    assert filters.reasons(measure(radical, filters.plan()), {}) == []
    strict = Filters(strict=True)
    assert strict.reasons(measure(radical, strict.plan()), {})[0].filter == "not strictly valid"


def test_hydrogens_and_stereochemistry_do_not_matter() -> None:
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("C[C@H](O)c1ccc[nH]1"))  # hydrogens implied
    mol = Chem.MolFromMolBlock(block, sanitize=False, removeHs=False)
    filters = Filters((parse_where("n_H = 9 & atoms = 17"),), ("zinc",), known={"it": set()})
    found = measure(mol, filters.plan())
    assert found.identity == "CC(O)c1ccc[nH]1" and "@" in found.smiles
    assert filters.reasons(found, {}) == []


def test_catalogues() -> None:
    assert parse_catalogues(["PAINS, brenk", "pains"]) == ("pains", "brenk")
    with pytest.raises(InputError, match="Did you mean 'pains'"):
        parse_catalogues(["pain"])
    mol = Chem.MolFromSmiles("O=C1C=CC(=O)C=C1N=Nc1ccccc1[N+](=O)[O-]")
    for name in CATALOGUES:
        assert isinstance(alerts(mol, (name,)), tuple)
    assert {"pains", "brenk", "nih", "chembl"} <= set(CATALOGUES)
    assert alerts(Chem.MolFromSmiles("CCO"), ("pains",)) == ()


SERIES = ["CCO", "CCCO", "CCCCO", "CCCCCO", "c1ccccc1", "Cc1ccccc1", "NCC(=O)O"]


def test_a_choice_is_spread_out_and_reproducible() -> None:
    prints = [restored(fingerprint(Chem.MolFromSmiles(s))) for s in [*SERIES, "CCCCCO"]]
    for method in (MAXMIN, BUTINA):
        chosen = Pick(3, method, seed=5)(prints)
        assert chosen == Pick(3, method, seed=5)(prints) and len(chosen) == 3
        assert len({index for index, _ in Pick(99, method)(prints)}) == len(prints)
        assert Pick(3, method)([]) == []
    chains = {index < 4 for index, _ in Pick(3, MAXMIN)(prints)}
    assert chains == {True, False}  # not three of the alcohols, of which there are most
    clusters = [cluster for _, cluster in Pick(99, BUTINA)(prints)]
    groups = max(c for c in clusters if c is not None)
    assert clusters[:groups] == list(range(1, groups + 1))  # one of each cluster, then the next
    same = dict(Pick(99, BUTINA)(prints))
    assert same[3] == same[7]


def test_what_cannot_be_picked() -> None:
    with pytest.raises(InputError, match="Did you mean 'butina'"):
        Pick(3, "butin")
    with pytest.raises(InputError, match="at least 1"):
        Pick(0)
    prints = [restored(fingerprint(Chem.MolFromSmiles("C")))] * 10_001
    with pytest.raises(InputError, match="maxmin"):
        Pick(3, BUTINA)(prints)
