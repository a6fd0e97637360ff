"""YAML 1.2 numbers: ``1e-3`` is a number, although PyYAML reads it as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

__all__ = ["from_yaml", "to_yaml"]

_FLOAT = ("tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+|\d*\.\d+|\d+\.)[eE][-+]?\d+"))
_BEGINNINGS = list("-+.0123456789")


class _Loader(yaml.SafeLoader):
    """Read numbers in exponent notation as numbers."""


class _Dumper(yaml.SafeDumper):
    """Quote text that looks like a number in exponent notation."""


for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(*_FLOAT, _BEGINNINGS)


def from_yaml(text: str) -> Any:
    """Return the plain values of a YAML text; raise ``yaml.YAMLError`` if it is not YAML."""
    return yaml.load(text, _Loader)  # a SafeLoader: it creates plain values only


def to_yaml(values: Mapping[str, Any]) -> str:
    """Return values as YAML text; :func:`from_yaml` reverses it."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False)
