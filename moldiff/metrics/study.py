"""One set of molecules under all protocols; every protocol is measured once, when asked for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moldiff.chem.validity import reason_kind
from moldiff.metrics import composition, corrected, distributions, graph, lookup, poses, relaxation
from moldiff.metrics.parallel import Progress
from moldiff.metrics.reference_data import Reference
from moldiff.metrics.sample import Sample, draw
from moldiff.metrics.table import METRICS, Metric
from moldiff.metrics.value import Value, missing

__all__ = ["DETAILS", "PROTOCOLS", "Protocol", "Settings", "Study"]


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes
    ----------
    posebusters, relax, xtb:
        At most so many molecules for the three slow protocols, evenly spaced; None for all,
        0 for none.
    net_charge:
        Total charge a strictly valid molecule must have; None allows any.
    jobs:
        Number of processes.
    """

    posebusters: int | None = 1000
    relax: int | None = 1000
    xtb: int | None = 100
    net_charge: int | None = 0
    jobs: int = 1


class Study:
    """The measurements of ``samples`` against ``reference``."""

    def __init__(
        self,
        samples: Sequence[Sample],
        reference: Reference | None,
        settings: Settings,
        progress: Progress | None = None,
    ) -> None:
        self.samples = samples
        self.reference = reference
        self.settings = settings
        self.options: dict[str, Any] = {"jobs": settings.jobs, "progress": progress}
        self.seconds: dict[str, float] = {}
        self._done: dict[str, Any] = {}

    def measurement(self, protocol: str) -> Any:
        """Return the measurement of one protocol, or a string that says why there is none."""
        if protocol not in self._done:
            start = time.perf_counter()
            self._done[protocol] = PROTOCOLS[protocol].run(self)
            self.seconds[protocol] = round(time.perf_counter() - start, 3)
        return self._done[protocol]

    def value(self, metric: Metric) -> Value:
        """Return one result; NaN with a reason if its protocol does not apply."""
        measured = self.measurement(metric.protocol)
        return missing(measured) if isinstance(measured, str) else metric.function(measured)

    def values(self) -> dict[str, Value]:
        """All results, by metric name."""
        return {name: self.value(metric) for name, metric in METRICS.items()}

    def failures(self) -> dict[str, dict[str, int]]:
        """For each protocol, how many molecules (or checks) failed for which kind of reason."""
        return {name: self._failures(name) for name in PROTOCOLS}

    def details(self) -> dict[str, Mapping[str, Value]]:
        """Finer results: PoseBusters per check, relaxation over subsets, distances per class."""
        return {protocol: self.detail(protocol) for protocol in DETAILS}

    def detail(self, protocol: str) -> Mapping[str, Value]:
        """Return the finer results of one of `DETAILS`."""
        measured = self.measurement(protocol)
        return {} if isinstance(measured, str) else DETAILS[protocol](measured)

    def subset(self, size: int | None) -> list[tuple[Sample, bool]]:
        """At most ``size`` samples, each with whether it is strictly valid."""
        rows = self.measurement("graph").rows
        pairs = zip(self.samples, (row.failure is None for row in rows), strict=True)
        return draw(list(pairs), size)

    def places(self, protocol: str) -> list[int]:
        """Index of the sample of each row of a protocol's measurement."""
        return draw(range(len(self.samples)), getattr(self.settings, SLOW.get(protocol, ""), None))

    def _failures(self, protocol: str) -> dict[str, int]:
        measured = self.measurement(protocol)
        if isinstance(measured, str):
            return {}
        kinds = Counter(_kind(reason) for reason in measured.failures())
        return dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0])))


def _kind(reason: str) -> str:
    """Drop the atom from a reason, keep the element or check it names."""
    keep = reason.startswith("element outside") or reason.endswith(("failed", "not computed"))
    return reason if keep else reason_kind(reason)


@dataclass(frozen=True)
class Protocol:
    """A way of looking at molecules, shared by several metrics."""

    title: str
    description: str
    run: Callable[[Study], Any]


def _lookup(study: Study) -> Any:
    training = study.reference.lookup if study.reference else None
    return lookup.measure(study.samples, training, **study.options)


def _graph(study: Study) -> Any:
    training = study.reference.graph if study.reference else None
    charge = study.settings.net_charge
    return graph.measure(study.samples, training, net_charge=charge, **study.options)


def _corrected(study: Study) -> Any:
    training = study.reference.graph if study.reference else None
    return corrected.measure(study.samples, training, **study.options)


def _posebusters(study: Study) -> Any:
    return poses.measure(study.subset(study.settings.posebusters), **study.options)


def _relaxation(study: Study) -> Any:
    return relaxation.measure(study.subset(study.settings.relax), **study.options)


def _xtb(study: Study) -> Any:
    return relaxation.measure(study.subset(study.settings.xtb), relaxation.GFN2, **study.options)


def _distributions(study: Study) -> Any:
    reference = study.reference.distributions if study.reference else None
    return distributions.measure(study.samples, reference, **study.options)


def _composition(study: Study) -> Any:
    known = study.reference
    if known is None:
        return composition.measure(study.samples, **study.options)
    data = known.distributions.counts
    return composition.measure(study.samples, data, known.rings, **study.options)


#: Protocol name -> title, one sentence, how it is run.
PROTOCOLS: dict[str, Protocol] = {
    "lookup": Protocol(
        "A. EDM look-up",
        "Bonds inferred from distances with EDM's table; the file's bonds are ignored.",
        _lookup,
    ),
    "graph": Protocol(
        "B. Predicted graph",
        "The file's bonds and charges, kekulised, against a table of real valences.",
        _graph,
    ),
    "corrected": Protocol(
        "C. GEOM-Drugs, corrected",
        "Valences as aromatic bonds and sum of other orders, against those of drug-like molecules.",
        _corrected,
    ),
    "posebusters": Protocol(
        "D. PoseBusters",
        "Configuration 'mol'; a molecule that is not strictly valid fails.",
        _posebusters,
    ),
    "relaxation": Protocol(
        "E. Relaxation with MMFF94",
        "What relaxing with MMFF94 changes in the strictly valid molecules.",
        _relaxation,
    ),
    "xtb": Protocol(
        "F. Relaxation with GFN2-xTB",
        "What relaxing with GFN2-xTB changes in the strictly valid molecules, by xtb.",
        _xtb,
    ),
    "distributions": Protocol(
        "G. Distributions (Wasserstein-1)",
        "Wasserstein-1 distances to the reference's test split; no filter.",
        _distributions,
    ),
    "composition": Protocol(
        "H. Composition",
        "Shares, means and total variation distances of the molecules RDKit sanitises.",
        _composition,
    ),
}

#: Protocols that are measured of some molecules only -> the setting that says of how many.
SLOW = {"posebusters": "posebusters", "relaxation": "relax", "xtb": "xtb"}

#: Protocols with finer results -> how to get them from the measurement.
DETAILS: dict[str, Callable[[Any], Mapping[str, Value]]] = {
    "posebusters": poses.Poses.per_check,
    "relaxation": relaxation.Relaxation.subsets,
    "xtb": relaxation.Relaxation.subsets,
    "distributions": distributions.Distances.per_class,
}
