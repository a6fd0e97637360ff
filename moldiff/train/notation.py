"""YAML 1.2, as far as PyYAML differs: ``1e-3`` is a number, and no key may be repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from moldiff.errors import ConfigError

__all__ = ["from_yaml", "to_yaml"]

_FLOAT = ("tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+|\d*\.\d+|\d+\.)[eE][-+]?\d+"))
_BEGINNINGS = list("-+.0123456789")


class _Loader(yaml.SafeLoader):
    """Read numbers in exponent notation as numbers; refuse repeated keys."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Before anything is merged into the mapping (<<), which may repeat keys.
        node = super().compose_mapping_node(anchor)
        lines: dict[Any, int] = {}
        for name, _ in node.value:
            key, line = (name.tag, str(name.value)), name.start_mark.line + 1
            if key in lines:
                raise ConfigError(
                    f"the key '{name.value}' is in line {lines[key]} and again in line {line}.",
                    fix="Keep one of them.",
                )
            lines[key] = line
        return node


class _Dumper(yaml.SafeDumper):
    """Quote text that looks like a number in exponent notation."""


for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(*_FLOAT, _BEGINNINGS)


def from_yaml(text: str) -> Any:
    """Return the plain values of a YAML text.

    Raises
    ------
    yaml.YAMLError
        If it is not YAML.
    ConfigError
        If a mapping has a key twice, of which PyYAML would silently take the last.
    """
    return yaml.load(text, _Loader)  # a SafeLoader: it creates plain values only


def to_yaml(values: Mapping[str, Any]) -> str:
    """Return values as YAML text; :func:`from_yaml` reverses it."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False)
