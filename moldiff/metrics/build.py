"""Make a `Reference` from molecules: done once per data set, see scripts/build_reference.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from rdkit import Chem, rdBase

from moldiff.metrics import graph, lookup
from moldiff.metrics.distributions import Distributions, pool
from moldiff.metrics.geometry import features
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.reference_data import Reference
from moldiff.metrics.sample import Sample, samples
from moldiff.metrics.study import Settings, Study

__all__ = ["build_reference"]

_CHUNK = 1000


def build_reference(
    name: str,
    *,
    train: Iterable[Chem.Mol],
    test: Iterable[Chem.Mol],
    row: Iterable[Chem.Mol],
    settings: Settings,
    info: Mapping[str, Any],
) -> Reference:
    """Measure the data: identities of ``train``, distributions of ``test``, metrics of ``row``.

    ``row`` should not overlap ``test``: its distances are then the noise that a perfect
    model of equally many molecules would show.
    """
    reference = _identities(name, train)
    reference = replace(reference, distributions=_distribution(test))
    study = Study(samples(row), reference, settings)
    values, details = study.values(), study.details()
    facts = {**info, "rdkit": rdBase.rdkitVersion, "row_molecules": len(study.samples)}
    return replace(reference, row=values, details=details, info=facts)


def _identities(name: str, train: Iterable[Chem.Mol]) -> Reference:
    graphs, looks = set(), set()
    for sample in _samples(train):
        judged, looked = graph.judge((sample, None)), lookup.look_up(sample)
        graphs.update([judged.smiles] if judged.smiles else [])
        looks.update([looked.smiles] if looked.smiles else [])
    return Reference(name, SmilesSet.of(graphs), SmilesSet.of(looks), Distributions({}, {}))


def _distribution(test: Iterable[Chem.Mol]) -> Distributions:
    return pool([features(sample) for sample in _samples(test)]).distributions()


def _samples(mols: Iterable[Chem.Mol]) -> Iterator[Sample]:
    chunk: list[Chem.Mol] = []
    for mol in mols:
        chunk.append(mol)
        if len(chunk) == _CHUNK:
            yield from samples(chunk)
            chunk = []
    yield from samples(chunk)
