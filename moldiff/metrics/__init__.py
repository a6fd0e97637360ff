"""Metrics for 3D molecules; every number belongs to a named protocol.

`METRICS` lists them, `Study` measures a set of molecules, `Reference` holds what to compare
with.  `moldiff.metrics.evaluation.evaluate` puts them together.
"""

from __future__ import annotations

from moldiff.metrics.reference_data import Reference
from moldiff.metrics.sample import Sample, samples
from moldiff.metrics.study import PROTOCOLS, Settings, Study
from moldiff.metrics.table import METRICS, Metric
from moldiff.metrics.value import Value

__all__ = [
    "METRICS",
    "PROTOCOLS",
    "Metric",
    "Reference",
    "Sample",
    "Settings",
    "Study",
    "Value",
    "samples",
]
