"""The pose network: displacements of ligand atoms, from noisy poses in an encoded pocket."""

from __future__ import annotations

from torch import nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.time import Time, graph_times
from moldiff.nn.contacts import ContactNetwork
from moldiff.precision import exact
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

    Its parameters are those of `ContactNetwork`.
    """

    def add_outputs(self) -> None:
        self.gate = nn.Linear(self.width, self.channels)

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
