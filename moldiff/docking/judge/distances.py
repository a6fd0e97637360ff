"""How well a pose fits what crystal structures look like: a learned likelihood of distances.

A network reads the ligand's graph and the pocket's sites (`moldiff.nn.sites`), but no pose,
and gives for each pair of ligand atom and site a mixture over their distance
(`moldiff.nn.mixture`; the idea of DeepDock and RTMScore).  A pose is scored by

    L(x) = sum over pairs with d < R = 8 Å of  log [p(d) / q(d) + P(beyond R)],  q(d) = 3 d^2 / R^3,

in nats: a log-likelihood ratio against a ligand put at random, whose distances are those of an
ideal gas, q (the reference state of H. Zhou & Y. Zhou, Protein Sci. 11, 2714 (2002)).  A pair that
is not expected to be near is taken as one at random, so it can cost no more than log P(beyond).
The plain sum of log p(d) - log P(beyond) ranks far worse: pairs are not independent, and whether
they are near, summed over all of them, drowns how well they fit.  Ligand and
pocket are encoded once; all poses are scored together.  Only crystal poses are needed to train it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from moldiff.chem.graph import molecular_graph
from moldiff.domain import distances
from moldiff.nn.distances import DistanceNetwork, reference
from moldiff.nn.mixture import REACH
from moldiff.nn.sites import Sites, nearest
from moldiff.protein.tokens import atom_tokens
from moldiff.registry import build, describe
from moldiff.storage import load_network, save_network

if TYPE_CHECKING:
    from moldiff.docking.problem import Problem

__all__ = ["FORMAT", "LikelihoodModel", "PoseLikelihood"]

FORMAT = "moldiff-likelihood-1"


@dataclass(frozen=True, eq=False)
class PoseLikelihood:
    """The likelihood of the poses of one ligand in one pocket.

    Attributes
    ----------
    network:
        In evaluation mode.
    atoms, places:
        The encoded ligand (n, 2 h) and pocket (s, 2 h).
    sites:
        The pocket.
    """

    network: DistanceNetwork
    atoms: Tensor
    places: Tensor
    sites: Sites

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Return L of poses (p, n, 3) in Å, (p,) nats: higher is better, 0 is far away.

        A pose with a coordinate that is no number gets minus infinity.
        """
        finite = x.isfinite().flatten(1).all(1)
        distance = nearest(torch.where(finite[:, None, None], x.float(), 1e4), self.sites, REACH)
        pose, atom, site = (distance < REACH).nonzero(as_tuple=True)
        # Many poses share a pair: its mixture is computed once.
        pairs, which = (atom * len(self.sites) + site).unique(return_inverse=True)
        mixtures = self.network.mixtures(
            self.atoms[pairs // len(self.sites)], self.places[pairs % len(self.sites)]
        )
        d = distance[pose, atom, site]
        gain = torch.logaddexp(
            mixtures[which].log_density(d) - reference(d), mixtures.log_far()[which]
        )
        total = torch.zeros(len(x)).index_add_(0, pose, gain)
        return torch.where(finite, total, -torch.inf)


@dataclass(frozen=True, eq=False)
class LikelihoodModel:
    """A network with its card; one safetensors file, its configuration in the header.

    Attributes
    ----------
    network:
        The network.
    card:
        What it was trained on, how, and what was measured (plain mapping).
    digest:
        First 12 hexadecimal digits of the SHA-256 of the weights; "" if not yet saved.
    """

    network: DistanceNetwork
    card: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def config(self) -> dict[str, Any]:
        """Return the plain configuration from which :meth:`from_config` rebuilds this."""
        return {"network": describe(self.network, omit=tuple(distances.CLASSES))}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], card: Mapping[str, Any] | None = None, *, seed: int = 0
    ) -> LikelihoodModel:
        """Build an untrained model; ``seed`` decides its initial weights.

        Raises
        ------
        ConfigError
            If a setting is unknown or misspelt.
        """
        with torch.random.fork_rng(devices=[]):  # layers draw from torch's global generator
            torch.default_generator.manual_seed(seed)
            network = build("distance_network", config["network"], **distances.CLASSES)
        return cls(network, card or {})

    def save(
        self,
        path: Path,
        *,
        card: Mapping[str, Any] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Write the model to one file, atomically; ``dtype`` float16 halves its size."""
        save_network(path, self, FORMAT, card=card, dtype=dtype)

    @classmethod
    def load(cls, path: Path) -> LikelihoodModel:
        """Read a model file.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, corrupt or of another format.
        """
        model, digest = load_network(path, FORMAT, cls.from_config)
        return cls(model.network, model.card, digest)

    def prepare(self, problem: Problem) -> PoseLikelihood | None:
        """Encode ligand and pocket of a docking; None if the pocket is no pocket (< 2 atoms)."""
        structure = problem.receptor.structure
        if len(structure.positions) < 2:
            return None
        graph = molecular_graph(problem.ligand.mol, problem.ligand.heavy)
        names = [structure.residues[int(i)].name for i in structure.residue]
        tokens = atom_tokens(names, structure.names, structure.numbers)
        return self.encode(
            torch.as_tensor(graph.atoms).long(),
            torch.as_tensor(graph.pairs).long(),
            distances.sites(
                torch.tensor(structure.positions).float(),
                torch.as_tensor(tokens).long(),
                torch.tensor(structure.residue).long(),
            ),
        )

    @torch.no_grad()
    def encode(self, atoms: Tensor, pairs: Tensor, sites: Sites) -> PoseLikelihood:
        """Encode a ligand's graph, (n, a) and (n, n) classes, and a pocket's sites."""
        self.network.eval()
        ligand = self.network.encode_ligand(
            atoms[None], pairs[None], torch.ones(1, len(atoms), dtype=torch.bool)
        )[0]
        return PoseLikelihood(self.network, ligand, self.network.encode_pocket(sites), sites)
