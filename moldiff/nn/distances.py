"""The distance network: mixtures over the distances of ligand atoms and pocket sites.

It reads the ligand's graph and the pocket's sites (`moldiff.nn.sites`), but no pose: ligand and
pocket are encoded once, and a pair of an atom and a site gives a mixture over their distance
(`moldiff.nn.mixture`; the idea of DeepDock and RTMScore).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.nn.mixture import REACH, Mixture
from moldiff.nn.sites import EDGE_FEATURES, SITE_FEATURES, Sites, bag
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
