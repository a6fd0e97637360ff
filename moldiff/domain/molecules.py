"""Molecules: elements, charges, bonds and coordinates, generated together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from rdkit import Chem

from moldiff.chem.decode import decode
from moldiff.chem.encoded import Encoded
from moldiff.chem.valence import valence_table
from moldiff.chem.vocabulary import Vocabulary
from moldiff.diffusion.batch import Batch
from moldiff.diffusion.guidance.condition import Condition
from moldiff.diffusion.latent import Codec
from moldiff.diffusion.network import Network
from moldiff.diffusion.process import Product
from moldiff.diffusion.process.latent import check_latent
from moldiff.domain.base import Domain
from moldiff.errors import ConfigError
from moldiff.nn import GraphNetwork
from moldiff.registry import build, describe, register

__all__ = ["Molecules", "encoded"]


@register("domain", "molecules")
@dataclass(frozen=True, eq=False)
class Molecules(Domain):
    """Molecules of a vocabulary.

    Attributes
    ----------
    vocabulary:
        The elements and charges behind the class indices.
    sizes:
        Frequency of each number of atoms in the training data.
    conditions:
        Properties on which a model can be conditioned, in the order of the network's inputs.
    parts:
        Whether the network reads which parts of a molecule are clean, so that it can keep them.
    """

    noun: ClassVar[str] = "molecules"
    use: ClassVar[str] = "moldiff generate -n 32 --model {model} -o molecules.sdf"

    vocabulary: Vocabulary
    sizes: Mapping[int, float]
    conditions: tuple[Condition, ...] = ()
    parts: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Molecules:
        sizes = {int(n): float(weight) for n, weight in config["sizes"].items()}
        conditions = tuple(Condition.from_config(c) for c in config.get("conditions", ()))
        parts = bool(config.get("parts", False))
        return cls(Vocabulary.from_dict(config["vocabulary"]), sizes, conditions, parts)

    def config(self) -> dict[str, Any]:
        conditions = [condition.to_config() for condition in self.conditions]
        return {
            "name": "molecules",
            "vocabulary": self.vocabulary.to_dict(),
            "sizes": {str(n): weight for n, weight in self.sizes.items()},
            **({"conditions": conditions} if conditions else {}),
            **({"parts": True} if self.parts else {}),
        }

    def network(self, config: Mapping[str, Any] | str, process: Product | None) -> Network:
        if process is None:  # a codec: another model's process noises its latents
            codec: Codec = build("codec", config)
            return codec
        classes, vectors = process.categorical(), process.vectors()
        interaction = build("interaction", config)
        conditions = len(self.conditions)
        return GraphNetwork(interaction, classes, vectors, conditions, parts=self.parts)

    def network_config(self, network: Any) -> dict[str, Any]:
        return describe(network.interaction if isinstance(network, GraphNetwork) else network)

    def check(self, process: Product | None, *, coded: bool = False) -> None:
        if process is None:
            return
        check_latent(process, coded=coded)
        if "positions" not in process.processes:
            raise ConfigError(
                f"A model of molecules needs positions; the process has "
                f"{', '.join(process.processes)}.",
                fix="Add 'positions' to 'process', or name another domain.",
            )
        if not self.sizes:
            raise ConfigError("The model configuration has no sizes.")

    def knowledge(self) -> dict[str, Any]:
        # Aromatic bonds have no order, and so no sums that are valences.
        table = None if self.vocabulary.aromatic else valence_table(self.vocabulary)
        allowed = None if table is None else torch.as_tensor(table)
        return {"allowed": allowed, "conditions": len(self.conditions)}

    def encode(self, molecules: Sequence[Encoded], process: Product) -> Batch:
        """Return molecules of one size as a clean batch, projected onto the process's spaces."""
        fields = {f: np.stack([getattr(m, f) for m in molecules]) for f in process.processes}
        batch = Batch(
            {
                f: torch.as_tensor(v if f == "positions" else v.astype(np.int64))
                for f, v in fields.items()
            }
        )
        spaces = {f: p.space for f, p in process.gaussian().items()}
        return batch.replace(**{f: space.project(batch[f]) for f, space in spaces.items()})

    def decode(self, batch: Batch, i: int) -> Chem.Mol:
        """Return graph i of a clean batch as an unsanitised molecule with one conformer."""
        return decode(encoded(batch, i), self.vocabulary)


def encoded(batch: Batch, i: int) -> Encoded:
    """Return graph i of a batch as plain arrays."""
    return Encoded(
        batch["positions"][i].numpy().astype(np.float32),
        *(batch[f][i].numpy().astype(np.int8) for f in ("types", "charges", "bonds")),
    )
