"""Ranks of finished poses in a pocket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from moldiff.domain.base import Domain
from moldiff.domain.poses import CLASSES
from moldiff.registry import register

__all__ = ["Ranks"]


@register("domain", "ranks")
@dataclass(frozen=True)
class Ranks(Domain):
    """Finished poses of flexible ligands, for models that tell right ones from wrong ones."""

    noun: ClassVar[str] = "ranks"
    use: ClassVar[str] = "moldiff dock --ranker {model} --receptor protein.pdb --ligand ligand.sdf"
    inputs: ClassVar[Mapping[str, Any]] = CLASSES
