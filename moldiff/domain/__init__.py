"""Domains, the subjects of models: molecules, poses of a ligand, distances in complexes.

A domain connects one kind of object to the engine: it builds the network for the object's fields,
chooses the network's input, and converts objects to batches.
"""

from __future__ import annotations

from moldiff.domain.base import Domain, domain_from_config

__all__ = ["Domain", "domain_from_config"]
