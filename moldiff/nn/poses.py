"""The pose network: displacements of ligand atoms, from noisy poses in an encoded pocket."""

from __future__ import annotations

from torch import nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.time import Time, graph_times
from moldiff.nn.contacts import ContactNetwork
from moldiff.nn.pocket import exact
from moldiff.registry import register

__all__ = ["PoseNetwork"]


@register(
    "network",
    "contacts",
    context=("atom_classes", "pair_classes", "token_classes"),
    cites={
        # Of the space alone: rotations here follow geodesics to uniform noise, not heat kernels.
        "corso2023": "diffusion over translation, rotation and torsions of a ligand in a pocket",
        "satorras2021": "eq. 4: coordinates move by weighted differences",
        "schutt2021": "vector features beside the invariant ones",
        "jumper2021": "supplement, algorithm 22: invariant point attention",
        "peebles2023": "adaptive layer norm for the time",
    },
)
class PoseNetwork(ContactNetwork):
    """Equivariant network from noisy poses in a pocket to displacements of the ligand's atoms.

    Parameters
    ----------
    width, channels:
        Invariant features and vectors per ligand atom.
    pocket_channels, pocket_layers, pocket_neighbours:
        Vectors per pocket atom, and depth and neighbours of the pocket encoder.
    layers, heads, pair_width:
        Depth, attention heads and features per pair of ligand atoms.
    neighbours:
        Pocket atoms from which each ligand atom receives messages.
    atom_classes, pair_classes, token_classes:
        Classes of the columns of `LigandInput.atoms`, of `LigandInput.pairs` and of
        `PocketInput.tokens`.
    """

    def __init__(
        self,
        width: int = 64,
        channels: int = 16,
        layers: int = 4,
        heads: int = 4,
        pair_width: int = 32,
        neighbours: int = 16,
        pocket_channels: int = 8,
        pocket_layers: int = 2,
        pocket_neighbours: int = 12,
        basis: int = 16,
        *,
        atom_classes: tuple[int, ...],
        pair_classes: int,
        token_classes: int,
    ) -> None:
        super().__init__(
            width,
            channels,
            layers,
            heads,
            pair_width,
            neighbours,
            pocket_channels,
            pocket_layers,
            pocket_neighbours,
            basis,
            atom_classes=atom_classes,
            pair_classes=pair_classes,
            token_classes=token_classes,
        )
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, channels)

    def forward(self, x: Batch, t: Time, previous: Batch | None = None) -> Batch:
        """Return the displacements in Å of the atoms of p poses at times t.

        Atoms are at ``positions`` (p, n, 3) in Å relative to the box's centre; the context holds
        ``pocket`` and ``ligand``.
        """
        atoms = x["positions"]
        h, v = self.features(atoms, atoms, graph_times(t), self.encode(x.context))
        gate = self.gate(self.norm(h)).to(v.dtype)
        with exact(atoms):
            return x.replace(positions=2.0 * (gate.unsqueeze(2) @ v).squeeze(2))
