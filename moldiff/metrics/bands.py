"""Bands of sizes: some of the metrics, of the molecules with so many heavy atoms.

A model that has seen few large molecules fails with these first, and a rate over all sizes hides
it.  Nothing is measured again: the rows of the protocols are parted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from moldiff.errors import InputError
from moldiff.metrics.study import PROTOCOLS, Study
from moldiff.metrics.table import METRICS
from moldiff.metrics.value import Value, missing
from moldiff.text import ends

__all__ = ["BANDED", "DEFAULT", "Band", "band_name", "by_band", "parse_bands"]

#: Smallest and largest number of heavy atoms.
Band: TypeAlias = tuple[int, int]

#: Those of drug-like molecules.
DEFAULT: tuple[Band, ...] = ((10, 18), (19, 26), (27, 40))

_WHOLE = {"graph.molecule_stability", "graph.validity", "graph.strict_validity",
          "graph.connectedness", "corrected.molecule_stability", "corrected.validity",
          "posebusters.pass_rate", "posebusters.pass_of_valid", "relaxation.drop_median",
          "xtb.drop_median", "xtb.drop_per_atom"}  # fmt: skip

#: The metrics that are parted; distances to the reference's molecules of all sizes are none.
BANDED: tuple[str, ...] = tuple(
    name
    for name, metric in METRICS.items()
    if name in _WHOLE or (metric.protocol == "composition" and metric.direction != "lower"
                          and metric.unit != "points")
)  # fmt: skip


def band_name(band: Band) -> str:
    """``10-18``."""
    return f"{band[0]}-{band[1]}"


def parse_bands(text: str) -> tuple[Band, ...]:
    """Read ``10..18,19..26``, or ``10-18,19-26``.

    Raises
    ------
    InputError
        If a part is not two numbers, or the first is the larger one.
    """
    bands = []
    for part in text.split(","):
        low, high = (*ends(part.strip()), "")[:2]
        if not (low.isdecimal() and high.isdecimal() and int(low) <= int(high)):
            raise InputError(
                f"'{part.strip()}' is no band of sizes.",
                fix="Give smallest and largest numbers of heavy atoms: --bands 10..18,19..26.",
            )
        bands.append((int(low), int(high)))
    return tuple(bands)


def by_band(
    study: Study, bands: Sequence[Band], protocols: Collection[str] = tuple(PROTOCOLS)
) -> dict[str, Mapping[str, Value]]:
    """The metrics `BANDED` of some protocols for each band, by its name; all bands are there."""
    heavy = [sum(symbol != "H" for symbol in sample.symbols) for sample in study.samples]
    names = [name for name in BANDED if METRICS[name].protocol in protocols]
    return {
        band_name((low, high)): _values(
            study, names, {k for k, n in enumerate(heavy) if low <= n <= high}
        )
        for low, high in bands
    }


def _values(study: Study, names: Sequence[str], inside: set[int]) -> dict[str, Value]:
    parts = {
        protocol: _part(study, protocol, inside)
        for protocol in {METRICS[name].protocol for name in names}
    }
    values = {}
    for name in names:
        part = parts[METRICS[name].protocol]
        values[name] = missing(part) if isinstance(part, str) else METRICS[name].function(part)
    return values


def _part(study: Study, protocol: str, inside: set[int]) -> Any:
    """A protocol's measurement without the molecules outside."""
    measured = study.measurement(protocol)
    if isinstance(measured, str):
        return measured
    places = zip(study.places(protocol), measured.rows, strict=True)
    return replace(measured, rows=tuple(row for k, row in places if k in inside))
