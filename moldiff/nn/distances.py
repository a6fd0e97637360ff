r"""The distance network: scores how well a pose matches crystal structures.

It reads the ligand's graph and the pocket's sites (`moldiff.nn.sites`), but no pose: ligand and
pocket are encoded once, and each pair of a ligand atom and a site gets a mixture over its distance
(`moldiff.nn.mixture`; the idea of DeepDock and RTMScore).  A pose is scored by

    L(x) = sum over pairs with d < R = 8 Å of  log [p(d) / q(d) + P(beyond R)],  q(d) = 3 d^2 / R^3,

in nats: a log-likelihood ratio against a randomly placed ligand, whose distances are those of an
ideal gas, q (the reference state of H. Zhou & Y. Zhou, Protein Sci. 11, 2714 (2002)).  A pair that
is not expected to be near counts as random, so it costs at most log P(beyond).
The plain sum of log p(d) - log P(beyond) ranks far worse: pairs are not independent, and the sum
over all pairs of whether they are near drowns how well they fit.  Training needs only crystal
poses.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.network import Network, Symmetry
from moldiff.diffusion.time import Time
from moldiff.nn.inputs import LigandInput
from moldiff.nn.mixture import REACH, Mixture
from moldiff.nn.sites import EDGE_FEATURES, SITE_FEATURES, Sites, bag, nearest
from moldiff.registry import register

__all__ = ["DistanceNetwork", "reference"]


class _LigandLayer(nn.Module):
    """Attention among all atoms, biased by bond and graph distance; then a perceptron."""

    def __init__(self, width: int, heads: int, dropout: float, pair_classes: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.split, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Embedding(pair_classes, heads)
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


@dataclass(frozen=True, eq=False)
class SiteState:
    """A pocket's sites, and their features for the pair head, (s, 2 h)."""

    sites: Sites
    features: Tensor


@register(
    "network",
    "mixture",
    context=("atom_classes", "pair_classes", "token_classes"),
    cites={
        "mendezlucio2021": "a mixture density network over ligand-pocket distances",
        "shen2022": "distances to the residues' atoms, and the score of a pose",
        "zhou2002": "the ideal-gas reference state",
        "schutt2017": "continuous-filter convolutions, for the pocket",
    },
)
class DistanceNetwork(Network):
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
        Fraction of channels switched off in training.
    atom_classes, pair_classes, token_classes:
        Classes of the columns of atoms, of pairs, and of pocket atoms.
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
        atom_classes: tuple[int, ...],
        pair_classes: int,
        token_classes: int,
    ) -> None:
        super().__init__()
        self.width, self.heads, self.hidden = width, heads, hidden
        self.ligand_layers, self.pocket_layers = ligand_layers, pocket_layers
        self.components, self.dropout = components, dropout
        self.atom_classes, self.pair_classes = atom_classes, pair_classes
        self.token_classes = token_classes
        self.atoms = nn.ModuleList(nn.Embedding(count, width) for count in atom_classes)
        self.ligand = nn.ModuleList(
            _LigandLayer(width, heads, dropout, pair_classes) for _ in range(ligand_layers)
        )
        self.tokens = nn.Embedding(token_classes, width)
        self.geometry = nn.Linear(SITE_FEATURES, width)
        self.pocket = nn.ModuleList(_SiteLayer(width, dropout) for _ in range(pocket_layers))
        self.atom_head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * hidden))
        self.site_head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * hidden))
        self.pair = nn.Linear(hidden, 3 * components)
        nn.init.zeros_(self.pair.weight)
        nn.init.zeros_(self.pair.bias)

    @property
    def symmetry(self) -> Symmetry:
        return Symmetry.E3

    def matrices(self) -> Iterator[nn.Parameter]:
        return itertools.chain(self.ligand.parameters(), self.pocket.parameters())

    def encode(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the context with the inputs ``ligand`` and ``pocket`` encoded as features."""
        ligand, pocket = context["ligand"], context["pocket"]
        if isinstance(ligand, LigandInput):
            real = torch.ones(1, len(ligand.atoms), dtype=torch.bool, device=ligand.atoms.device)
            ligand = self.encode_ligand(ligand.atoms[None], ligand.pairs[None], real)[0]
        if isinstance(pocket, Sites):
            pocket = SiteState(pocket, self.encode_pocket(pocket))
        return {**context, "ligand": ligand, "pocket": pocket}

    def forward(self, x: Batch, t: Time | None = None, previous: Batch | None = None) -> Tensor:
        """Return the score L of poses, (p,) nats: higher is better, 0 is far away.

        Atoms are at ``positions`` (p, n, 3) in Å; the context holds ``ligand`` and ``pocket``.
        A pose with a non-finite coordinate scores minus infinity.
        """
        context, positions = self.encode(x.context), x["positions"]
        atoms, pocket = context["ligand"], context["pocket"]
        sites, count = pocket.sites, len(pocket.sites)
        finite = positions.isfinite().flatten(1).all(1)
        points = torch.where(finite[:, None, None], positions.float(), 1e4)
        distance = nearest(points, sites, REACH)
        pose, atom, site = (distance < REACH).nonzero(as_tuple=True)
        # Many poses share a pair; compute its mixture once.
        pairs, inverse = (atom * count + site).unique(return_inverse=True)
        mixtures = self.mixtures(atoms[pairs // count], pocket.features[pairs % count])
        d = distance[pose, atom, site]
        gain = torch.logaddexp(
            mixtures[inverse].log_density(d) - reference(d), mixtures.log_far()[inverse]
        )
        total = torch.zeros(len(positions), device=d.device).index_add_(0, pose, gain)
        return torch.where(finite, total, -torch.inf)

    def encode_ligand(self, atoms: Tensor, pairs: Tensor, real: Tensor) -> Tensor:
        """Return features for the pair head, (b, n, 2 h), from atoms (b, n, a), pairs (b, n, n).

        ``real`` (b, n) marks the atoms that are not padding.
        """
        h = torch.stack([embed(atoms[..., k]) for k, embed in enumerate(self.atoms)]).sum(0)
        empty = torch.zeros(real.shape, device=real.device).masked_fill(~real, -1e4)
        for layer in self.ligand:
            h = layer(h, pairs, empty)
        return self.atom_head(h)

    def encode_pocket(self, sites: Sites) -> Tensor:
        """Return the features of the sites for the pair head, (s, 2 h)."""
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
    """Return the log density in 1/Å of distances below the reach between random points."""
    return (3 * distance.clamp(min=0.1).square() / REACH**3).log()
