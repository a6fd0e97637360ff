"""Measurements of the package against its peers on one machine: ``scripts/benchmark``.

`peers` names the published models (networks in `edm` and `semla`, on layers of `pairs`),
`workloads` is what is timed, `timing` how, `bench` how much, `speed` the sections, with
`allocator` in processes of its own; `report` and `picture` show the result.  `training` measures
training, `family` the methods against each other, `docking` the docking, `startup` the commands.
"""

from __future__ import annotations

__all__: list[str] = []
