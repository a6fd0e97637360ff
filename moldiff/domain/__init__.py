"""What a model is about: molecules, the poses of a ligand, distances in complexes.

A domain is the one class that knows a kind of object on one side and the engine on the other:
which network its fields need, what the network is shown, how objects become batches.
"""

from __future__ import annotations

from moldiff.domain.base import Domain, domain_from_config

__all__ = ["Domain", "domain_from_config"]
