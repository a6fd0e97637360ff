"""Filters: what is measured of a molecule, and the reasons for which it is rejected.

::

    molecule --- measure(plan), in any process ---> Measured --- Filters.reasons ---> Reasons

Everything is of the graph without stereochemistry, like the properties.  All filters are asked, so
that a molecule has all its reasons; it is kept if it has none.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from rdkit import Chem

from moldiff.chem.alerts import alerts
from moldiff.chem.conditions import Condition, Values
from moldiff.chem.picking import fingerprint
from moldiff.chem.quiet import quiet
from moldiff.chem.ring_systems import ring_systems
from moldiff.chem.validity import canonical_smiles, sanitise_failure, strict_failure
from moldiff.chem.where import field_of, property_of

__all__ = ["Filters", "Measured", "Plan", "Reason", "measure"]


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes
    ----------
    properties:
        Their names.
    alerts:
        Catalogues, keys of `moldiff.chem.alerts.CATALOGUES`.
    rings, fingerprint, strict:
        Whether ring systems, a fingerprint and strict validity are asked for.
    """

    properties: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    rings: bool = False
    fingerprint: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Measured:
    """What a `Plan` asks for of one molecule.

    Attributes
    ----------
    smiles, identity:
        Canonical SMILES with and without stereochemistry; empty if it is no molecule.
    failure:
        Why it is none, or not strictly valid where that was asked for.
    values:
        Name of a property -> value.
    alerts:
        Catalogue and name of each.
    rings:
        Ring systems.
    fingerprint:
        See `moldiff.chem.picking.fingerprint`.
    """

    smiles: str = ""
    identity: str = ""
    failure: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    alerts: tuple[tuple[str, str], ...] = ()
    rings: frozenset[str] = frozenset()
    fingerprint: bytes | None = None


def measure(mol: Chem.Mol | None, plan: Plan) -> Measured:
    """Measure a molecule, sanitised or not, its hydrogens atoms or implied; it is not changed."""
    failure = "no molecule" if mol is None else sanitise_failure(mol)
    identity = None if failure else canonical_smiles(mol)
    with quiet():
        bare = Chem.MolFromSmiles(identity) if identity else None
    if bare is None:
        return Measured(failure=failure or "empty")
    return Measured(
        canonical_smiles(mol, stereo=True) or "",
        identity or "",
        strict_failure(mol) if plan.strict else None,
        {name: float(property_of(name).of(bare)) for name in plan.properties},
        alerts(bare, plan.alerts) if plan.alerts else (),
        ring_systems(bare) if plan.rings else frozenset(),
        fingerprint(bare) if plan.fingerprint else None,
    )


@dataclass(frozen=True)
class Reason:
    """Why a molecule is rejected: the filter, and what it met."""

    filter: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.filter}: {self.detail}" if self.detail else self.filter


@dataclass(frozen=True)
class Filters:
    """What molecules must be to be kept.

    Attributes
    ----------
    where:
        Conditions that must be true of each.
    alerts:
        Catalogues of which it must have no alert.
    rings:
        Ring systems of which it may consist; None for any.
    known:
        Name of a list -> SMILES without stereochemistry that it must not have.
    strict:
        Whether it must be strictly valid (`moldiff.chem.validity`).
    """

    where: tuple[Condition, ...] = ()
    alerts: tuple[str, ...] = ()
    rings: Container[str] | None = None
    known: Mapping[str, Container[str]] = field(default_factory=dict)
    strict: bool = False

    @property
    def names(self) -> list[str]:
        """Names of all that the conditions compare, in the order of the alphabet."""
        return sorted(frozenset().union(*(condition.names() for condition in self.where)))

    @property
    def fields(self) -> tuple[str, ...]:
        """The data fields among them."""
        return tuple(name for name in map(field_of, self.names) if name is not None)

    def plan(self, *, picking: bool = False) -> Plan:
        """Return what these filters, and a choice among what they keep, need to know."""
        properties = tuple(name for name in self.names if field_of(name) is None)
        return Plan(properties, self.alerts, self.rings is not None, picking, self.strict)

    def unseen(self, measured: Measured) -> list[str]:
        """Return the ring systems that a molecule may not have."""
        if self.rings is None:
            return []
        return sorted(system for system in measured.rings if system not in self.rings)

    def reasons(self, measured: Measured, fields: Mapping[str, str]) -> list[Reason]:
        """Return why a molecule with these data fields is rejected; nothing if it is kept."""
        if not measured.identity:
            return [Reason("no molecule", measured.failure or "")]
        reasons = [Reason("not strictly valid", measured.failure)] if measured.failure else []
        reasons += self._untrue(measured, fields)
        reasons += [Reason(f"alert {catalogue}", name) for catalogue, name in measured.alerts]
        if unseen := self.unseen(measured):
            reasons.append(Reason("unseen ring system", ", ".join(unseen)))
        for source, known in self.known.items():
            if measured.identity in known:
                reasons.append(Reason("known molecule", f"in {source}"))
        return reasons

    def _untrue(self, measured: Measured, fields: Mapping[str, str]) -> list[Reason]:
        """A reason for each condition that is not true."""
        numbers = {f"<{name}>": _number(fields.get(name)) for name in self.fields}
        values: Values = {**measured.values, **numbers}
        texts = {f"<{name}>": fields[name] for name in self.fields if name in fields}
        reasons = []
        for part in (part for condition in self.where for part in condition.parts()):
            if not part.holds(values, texts):
                worded = part.worded()
                details = ", ".join(
                    _written(name, fields) if name in worded else _value_text(name, values, fields)
                    for name in sorted(part.names())
                )
                wording = f"({part})" if str(part).startswith("not ") else str(part)
                reasons.append(Reason(f"not {wording}", details))
        return reasons


def _number(text: str | None) -> float | None:
    """Return the number that a data field holds; None if it holds none, or NaN."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if value == value else None


def _written(name: str, fields: Mapping[str, str]) -> str:
    text = fields.get(field_of(name) or "")
    return f"{name} is missing" if text is None else f"{name} is {text[:60]!r}"


def _value_text(name: str, values: Values, fields: Mapping[str, str]) -> str:
    value = values[name]
    if value is not None:
        return f"{name} = {value:.6g}"
    text = fields.get(field_of(name) or "")
    return f"{name} is missing" if text is None else f"{name} is no number but {text[:20]!a}"
