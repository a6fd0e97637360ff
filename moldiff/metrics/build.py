"""Make a `Reference` from molecules: done once per data set, see `moldiff data reference`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rdkit import Chem, rdBase

from moldiff.chem import xtb
from moldiff.chem.ring_systems import ring_systems
from moldiff.chem.validity import sanitised
from moldiff.errors import InputError
from moldiff.io.parsed import assemble
from moldiff.metrics import composition, graph, lookup
from moldiff.metrics.bands import DEFAULT, by_band
from moldiff.metrics.distributions import Distributions, pool
from moldiff.metrics.geometry import features
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.parallel import Progress
from moldiff.metrics.reference_data import Reference
from moldiff.metrics.sample import Sample, samples
from moldiff.metrics.study import DETAILS, PROTOCOLS, Settings, Study
from moldiff.metrics.table import METRICS
from moldiff.metrics.value import Value

__all__ = ["build_reference", "refresh_data", "refresh_row", "with_inferred"]

_CHUNK = 1000
_OF_GRAPHS = ("graph", "corrected")  # protocols that judge nothing but the graph


def build_reference(
    name: str,
    *,
    train: Iterable[Chem.Mol],
    test: Iterable[Chem.Mol],
    row: Iterable[Chem.Mol],
    settings: Settings,
    info: Mapping[str, Any],
    progress: Progress | None = None,
) -> Reference:
    """Measure the data: identities of ``train``, distributions of ``test``, metrics of ``row``.

    ``row`` should not overlap ``test``: its distances are then the noise that a perfect
    model of equally many molecules would show.
    """
    reference = _identities(name, train)
    reference = replace(reference, distributions=_distribution(test))
    judged = samples(row)
    facts = {**info, "rdkit": rdBase.rdkitVersion, "xtb": xtb.version()}
    reference = replace(reference, info={**facts, "row_molecules": len(judged)})
    reference = _measured(reference, judged, tuple(PROTOCOLS), settings, progress)
    return with_inferred(reference, judged, settings, progress)


def with_inferred(
    reference: Reference,
    row: Sequence[Sample],
    settings: Settings,
    progress: Progress | None = None,
) -> Reference:
    """Measure the graphs of ``row`` as if its file had no bonds, which are inferred instead.

    The data's row of a file without bonds is measured as the file is.
    """
    bare = [_atoms(sample) for sample in row if sample.positions is not None]
    study = Study(samples(bare, net_charge=settings.net_charge), reference, settings, progress)
    values = {m.name: study.value(m) for m in METRICS.values() if m.protocol in _OF_GRAPHS}
    return replace(reference, inferred=values)


def _atoms(sample: Sample) -> Chem.Mol:
    assert sample.positions is not None
    return assemble(sample.symbols, sample.positions.tolist())


def refresh_row(
    reference: Reference,
    *,
    row: Iterable[Chem.Mol],
    protocols: Collection[str],
    settings: Settings,
) -> Reference:
    """Measure ``row`` again under some protocols; all else stays as it is.

    ``row`` must be the molecules the reference was built with.  Its ``info`` tells under
    "refreshed" which protocols are newer than the rest, and with which versions.

    Raises
    ------
    InputError
        If ``row`` holds another number of molecules than the reference's own row.
    """
    judged, before = samples(row), reference.info["row_molecules"]
    if len(judged) != before:
        raise InputError(
            f"The row of '{reference.name}' is of {before} molecules, not {len(judged)}.",
            fix="Give the molecules it was built with, or build the whole reference again.",
        )
    versions = {"rdkit": rdBase.rdkitVersion, "xtb": xtb.version()}
    newer = {**reference.info.get("refreshed", {}), **dict.fromkeys(protocols, versions)}
    reference = replace(reference, info={**reference.info, "refreshed": newer})
    return _measured(reference, judged, protocols, settings)


def refresh_data(
    reference: Reference, *, train: Iterable[Chem.Mol], test: Iterable[Chem.Mol]
) -> Reference:
    """Find the ring systems of ``train`` and the distributions of ``test`` again.

    All else stays as it is, the training set's identities too.
    """
    rings = SmilesSet.of({system for sample in _samples(train) for system in _rings(sample)})
    return replace(reference, rings=rings, distributions=_distribution(test))


def _measured(
    reference: Reference,
    row: Sequence[Sample],
    protocols: Collection[str],
    settings: Settings,
    progress: Progress | None = None,
) -> Reference:
    study = Study(row, reference, settings, progress)
    chosen = [metric for metric in METRICS.values() if metric.protocol in protocols]
    values = {**reference.row, **{metric.name: study.value(metric) for metric in chosen}}
    details = {name: study.detail(name) for name in DETAILS if name in protocols}
    return replace(
        reference,
        bands=_bands(reference, study, protocols),
        row={name: values[name] for name in METRICS if name in values},
        details={**reference.details, **details},
    )


def _bands(
    reference: Reference, study: Study, protocols: Collection[str]
) -> dict[str, dict[str, Value]]:
    """The bands of sizes in which the data has molecules."""
    bands: dict[str, dict[str, Value]] = {}
    for band, values in by_band(study, DEFAULT, protocols).items():
        known = {**reference.bands.get(band, {}), **values}
        if any(value.n for value in known.values()):
            bands[band] = {name: known[name] for name in METRICS if name in known}
    return bands


def _identities(name: str, train: Iterable[Chem.Mol]) -> Reference:
    graphs: set[str] = set()
    looks: set[str] = set()
    rings: set[str] = set()
    for sample in _samples(train):
        judged, looked = graph.judge((sample, None)), lookup.look_up(sample)
        graphs.update([judged.smiles] if judged.smiles else [])
        looks.update([looked.smiles] if looked.smiles else [])
        rings.update(_rings(sample))
    return Reference(
        name,
        SmilesSet.of(graphs),
        SmilesSet.of(looks),
        Distributions({}, {}),
        SmilesSet.of(rings),
    )


def _rings(sample: Sample) -> frozenset[str]:
    mol = sanitised(sample.mol)
    return frozenset() if mol is None else ring_systems(mol)


def _distribution(test: Iterable[Chem.Mol]) -> Distributions:
    rows = [(features(sample), composition.count(sample)) for sample in _samples(test)]
    distributions = pool([row for row, _ in rows]).distributions()
    counts = {**distributions.counts, **composition.histograms([counted for _, counted in rows])}
    return replace(distributions, counts=counts)


def _samples(mols: Iterable[Chem.Mol]) -> Iterator[Sample]:
    chunk: list[Chem.Mol] = []
    for mol in mols:
        chunk.append(mol)
        if len(chunk) == _CHUNK:
            yield from samples(chunk)
            chunk = []
    yield from samples(chunk)
