"""The list of metrics: a new metric is one more row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moldiff.metrics.composition import COLUMNS
from moldiff.metrics.corrected import Corrected
from moldiff.metrics.distributions import Distances
from moldiff.metrics.graph import Graph
from moldiff.metrics.lookup import Lookup
from moldiff.metrics.poses import Poses
from moldiff.metrics.relaxation import Relaxation
from moldiff.metrics.value import Value

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True)
class Metric:
    """A number and what it means.

    Attributes
    ----------
    name:
        Protocol and label, unique: "graph.strict_validity".
    protocol:
        Key of `moldiff.metrics.study.PROTOCOLS`.
    label:
        For tables.
    function:
        From the protocol's measurement to the result.
    unit:
        "rate" (a fraction from 0 to 1), "points" (a difference of two), "Å", "degrees",
        "kcal/mol" or "count".
    direction:
        Which is better: "higher", "lower" or "neither" (compare with the data's own value).
    description:
        One sentence.
    """

    name: str
    protocol: str
    label: str
    function: Callable[[Any], Value]
    unit: str
    direction: str
    description: str


# method, label, unit, direction
_ROWS: tuple[tuple[str, Callable[[Any], Value], str, str, str], ...] = (
    ("lookup", Lookup.atom_stability, "atom stability", "rate", "higher"),
    ("lookup", Lookup.molecule_stability, "molecule stability", "rate", "higher"),
    ("lookup", Lookup.validity, "valid", "rate", "higher"),
    ("lookup", Lookup.uniqueness, "unique among valid", "rate", "higher"),
    ("lookup", Lookup.valid_unique, "valid × unique", "rate", "higher"),
    ("lookup", Lookup.novelty, "novel among unique", "rate", "neither"),
    ("graph", Graph.atom_stability, "atom stability", "rate", "higher"),
    ("graph", Graph.molecule_stability, "molecule stability", "rate", "higher"),
    ("graph", Graph.validity, "valid (sanitises)", "rate", "higher"),
    ("graph", Graph.strict_validity, "strictly valid", "rate", "higher"),
    ("graph", Graph.connectedness, "connected", "rate", "higher"),
    ("graph", Graph.uniqueness, "unique among valid", "rate", "higher"),
    ("graph", Graph.valid_unique, "valid × unique", "rate", "higher"),
    ("graph", Graph.strict_unique, "strictly valid × unique", "rate", "higher"),
    ("graph", Graph.novelty, "novel among unique", "rate", "neither"),
    ("graph", Graph.valid_unique_novel, "valid × unique × novel", "rate", "neither"),
    ("corrected", Corrected.atom_stability, "atom stability", "rate", "higher"),
    ("corrected", Corrected.molecule_stability, "molecule stability", "rate", "higher"),
    ("corrected", Corrected.validity, "valid, one fragment", "rate", "higher"),
    ("corrected", Corrected.valid_stable, "valid and stable", "rate", "higher"),
    ("posebusters", Poses.pass_rate, "pass", "rate", "higher"),
    ("posebusters", Poses.pass_of_valid, "pass among strictly valid", "rate", "higher"),
    ("posebusters", Poses.pass_complete, "pass, every check computed", "rate", "higher"),
    ("relaxation", Relaxation.drop_median, "energy drop, median", "kcal/mol", "lower"),
    ("relaxation", Relaxation.drop_mean, "energy drop, mean", "kcal/mol", "lower"),
    ("relaxation", Relaxation.drop_p90, "energy drop, 90th percentile", "kcal/mol", "lower"),
    (
        "relaxation",
        Relaxation.drop_per_atom,
        "energy drop per heavy atom, median",
        "kcal/mol",
        "lower",
    ),
    ("relaxation", Relaxation.rmsd_median, "heavy-atom RMSD, median", "Å", "lower"),
    ("relaxation", Relaxation.rmsd_mean, "heavy-atom RMSD, mean", "Å", "lower"),
    ("relaxation", Relaxation.bond_change, "change of bond lengths, mean", "Å", "lower"),
    ("relaxation", Relaxation.angle_change, "change of angles, mean", "degrees", "lower"),
    ("relaxation", Relaxation.torsion_change, "change of torsions, mean", "degrees", "lower"),
    ("xtb", Relaxation.drop_median, "energy drop, median", "kcal/mol", "lower"),
    ("xtb", Relaxation.drop_mean, "energy drop, mean", "kcal/mol", "lower"),
    ("xtb", Relaxation.drop_p90, "energy drop, 90th percentile", "kcal/mol", "lower"),
    ("xtb", Relaxation.drop_per_atom, "energy drop per heavy atom, median", "kcal/mol", "lower"),
    ("xtb", Relaxation.rmsd_median, "heavy-atom RMSD, median", "Å", "lower"),
    ("xtb", Relaxation.rmsd_mean, "heavy-atom RMSD, mean", "Å", "lower"),
    ("xtb", Relaxation.bond_change, "change of bond lengths, mean", "Å", "lower"),
    ("xtb", Relaxation.angle_change, "change of angles, mean", "degrees", "lower"),
    ("xtb", Relaxation.torsion_change, "change of torsions, mean", "degrees", "lower"),
    ("distributions", Distances.bond_length, "bond lengths", "Å", "lower"),
    ("distributions", Distances.bond_length_by_type, "bond lengths by type", "Å", "lower"),
    ("distributions", Distances.angle, "angles", "degrees", "lower"),
    ("distributions", Distances.angle_by_centre, "angles by centre", "degrees", "lower"),
    ("distributions", Distances.torsion, "torsions", "degrees", "lower"),
    ("distributions", Distances.atom_count, "atoms", "count", "lower"),
    ("distributions", Distances.element_count, "atoms by element", "count", "lower"),
    ("distributions", Distances.ring_count, "rings", "count", "lower"),
    ("distributions", Distances.ring_size, "ring sizes", "count", "lower"),
)


def _metric(
    protocol: str, function: Callable[[Any], Value], label: str, unit: str, direction: str
) -> Metric:
    description = (function.__doc__ or "").strip()
    name = f"{protocol}.{function.__name__}"
    return Metric(name, protocol, label, function, unit, direction, description)


#: Metric name -> metric, in the order of the report.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *(_metric(*row) for row in _ROWS),
        *(
            Metric(
                f"composition.{c.name}", "composition", c.label, c.function, c.unit, c.direction,
                c.description,
            )
            for c in COLUMNS
        ),
    )
}  # fmt: skip
