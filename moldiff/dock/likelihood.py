"""How well a pose fits what crystal structures look like: a learned likelihood of distances.

A network reads the ligand's graph and the pocket's sites (`moldiff.dock.sites`), but no pose,
and gives for each pair of ligand atom and site a mixture over their distance
(`moldiff.dock.mixture`; the idea of DeepDock and RTMScore).  A pose is scored by

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
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.chem.graph import ATOM_CLASSES, PAIR_CLASSES, molecular_graph
from moldiff.dock.mixture import REACH, Mixture
from moldiff.dock.sites import EDGE_FEATURES, SITE_FEATURES, Sites, bag, nearest, pocket_sites
from moldiff.protein.tokens import TOKENS, atom_tokens
from moldiff.registry import build, describe, register
from moldiff.storage import load_network, save_network

if TYPE_CHECKING:
    from moldiff.dock.problem import Problem

__all__ = ["FORMAT", "DistanceNetwork", "LikelihoodModel", "PoseLikelihood"]

FORMAT = "moldiff-likelihood-1"


class _LigandLayer(nn.Module):
    """Attention among all atoms, biased by bond and graph distance; then a perceptron."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.split, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Embedding(PAIR_CLASSES, heads)
        self.update = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )

    def forward(self, h: Tensor, pairs: Tensor, empty: Tensor) -> Tensor:
        q, k, v = self.split(self.norm(h)).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        bias = self.bias(pairs).movedim(-1, 1) + empty[:, None, None]
        mixed = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=bias
        )
        h = h + self.join(mixed.transpose(1, 2).flatten(-2))
        return h + self.update(self.after(h))


class _SiteLayer(nn.Module):
    """Continuous-filter convolution over the nearest sites (Schütt et al., SchNet, 2017)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.value = nn.Linear(width, width, bias=False)
        self.filter = nn.Linear(EDGE_FEATURES, width)
        self.update = nn.Sequential(
            nn.Linear(2 * width, 2 * width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, h: Tensor, sites: Sites) -> Tensor:
        hn = self.norm(h)
        values = F.embedding(sites.neighbours, self.value(hn))
        message = (values * self.filter(sites.edges)).sum(1) / sites.neighbours.shape[1] ** 0.5
        return h + self.update(torch.cat([hn, message], -1))


@register(
    "distance_network",
    "mixture",
    cites={
        "mendezlucio2021": "a mixture density network over ligand-pocket distances",
        "shen2022": "distances to the residues' atoms, and the score of a pose",
        "zhou2002": "the ideal-gas reference state",
        "schutt2017": "continuous-filter convolutions, for the pocket",
    },
)
class DistanceNetwork(nn.Module):
    """Mixtures over the distances of ligand atoms and pocket sites.

    Parameters
    ----------
    width, heads:
        Channels of atoms and sites, and attention heads of the ligand's encoder.
    ligand_layers, pocket_layers:
        Layers of the two encoders.
    hidden:
        Channels of a pair.
    components:
        Gaussians of a mixture.
    dropout:
        Share of channels switched off while training.
    """

    def __init__(
        self,
        *,
        width: int = 96,
        heads: int = 8,
        ligand_layers: int = 4,
        pocket_layers: int = 3,
        hidden: int = 64,
        components: int = 10,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width, self.heads, self.hidden = width, heads, hidden
        self.ligand_layers, self.pocket_layers = ligand_layers, pocket_layers
        self.components, self.dropout = components, dropout
        self.atoms = nn.ModuleList(nn.Embedding(count, width) for count in ATOM_CLASSES)
        self.ligand = nn.ModuleList(
            _LigandLayer(width, heads, dropout) for _ in range(ligand_layers)
        )
        self.tokens = nn.Embedding(TOKENS, width)
        self.geometry = nn.Linear(SITE_FEATURES, width)
        self.pocket = nn.ModuleList(_SiteLayer(width, dropout) for _ in range(pocket_layers))
        self.atom_head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * hidden))
        self.site_head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * hidden))
        self.pair = nn.Linear(hidden, 3 * components)
        nn.init.zeros_(self.pair.weight)
        nn.init.zeros_(self.pair.bias)

    def encode_ligand(self, atoms: Tensor, pairs: Tensor, real: Tensor) -> Tensor:
        """Return what the pair head reads of atoms (b, n, a), pairs (b, n, n), (b, n, 2 h).

        ``real`` (b, n) marks the atoms that are no padding.
        """
        h = torch.stack([embed(atoms[..., k]) for k, embed in enumerate(self.atoms)]).sum(0)
        empty = torch.zeros(real.shape).masked_fill(~real, -1e4)
        for layer in self.ligand:
            h = layer(h, pairs, empty)
        return self.atom_head(h)

    def encode_pocket(self, sites: Sites) -> Tensor:
        """Return what the pair head reads of the sites, (s, 2 h)."""
        h = bag(self.tokens(sites.tokens), sites) + self.geometry(sites.features)
        for layer in self.pocket:
            h = layer(h, sites)
        return self.site_head(h)

    def mixtures(self, atoms: Tensor, sites: Tensor) -> Mixture:
        """Return the mixtures of encoded atoms and sites, broadcast over (*e, 2 h)."""
        a, gate_a = atoms.chunk(2, -1)
        b, gate_b = sites.chunk(2, -1)
        return Mixture.of(self.pair(F.silu(a + b + gate_a * gate_b)))


def reference(distance: Tensor) -> Tensor:
    """Return the log density in 1/Å of distances below the reach between points put at random."""
    return (3 * distance.clamp(min=0.1).square() / REACH**3).log()


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
        return {"network": describe(self.network)}

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
            network = build("distance_network", config["network"])
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
            pocket_sites(
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
