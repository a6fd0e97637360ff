"""Measurements of the package against its peers on one machine: ``scripts/benchmark speed``.

`peers` are networks of published models at their published size, `workloads` what is
timed, `timing` how, `speed` which cases, `report` how the result is shown.
"""

from __future__ import annotations

__all__: list[str] = []
