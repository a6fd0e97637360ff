r"""The rank network: whether a finished pose is right, from its contacts with the pocket.

It reads a pose without noise by the layers of the pose network, of which only the contacts know the
pocket: atoms within 8 Å, with what the pocket's encoder says of them, which reaches some 12 Å
further.  So how the pocket is cut out has a small part in it.  The features h of the atoms
are pooled by attention with a few learned queries q,

    z_k = sum over atoms of softmax(q_k . K h) V h,    logit = MLP(z_1, ..., z_4),

and the logit is that of the probability that the pose is within 2 Å of the bound one.  Attention
pooling for this purpose: FlowFrag's confidence (2025); the idea of a confidence model of poses is
DiffDock's (Corso et al., 2023).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.time import Time
from moldiff.nn.contacts import ContactNetwork
from moldiff.registry import register

__all__ = ["RankNetwork"]

_QUERIES = 4  # of the pooling
_DROPOUT = 0.1  # share of the pooled features left out in training


@register(
    "network",
    "rank",
    context=("atom_classes", "pair_classes", "token_classes"),
    cites={
        "corso2023": "a confidence model that ranks the poses of a diffusion model",
        "satorras2021": "eq. 4: coordinates move by weighted differences",
        "schutt2021": "vector features beside the invariant ones",
    },
)
class RankNetwork(ContactNetwork):
    """Network from poses in a pocket to the logits of being right.

    Its parameters are those of `ContactNetwork`.  Most of a pose network's weights fit its layers,
    but those that read the whole pocket.
    """

    wide = False

    def add_outputs(self) -> None:
        width = self.width
        self.pool = nn.Linear(width, _QUERIES)
        self.value = nn.Linear(width, width)
        self.hidden = nn.Sequential(
            nn.Dropout(_DROPOUT), nn.Linear(_QUERIES * width, width), nn.SiLU()
        )
        self.pose_head, self.atom_head = nn.Linear(width, 1), nn.Linear(width, 1)
        for head in (self.pose_head, self.atom_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, x: Batch, t: Time | None = None, previous: Batch | None = None) -> Tensor:
        """Return the logits that poses are within 2 Å of the bound one, (p,).

        Atoms are at ``positions`` (p, n, 3) in Å in the frame of the pocket; the context holds
        ``pocket`` and ``ligand``.
        """
        return self.logits(x)[0]

    def logits(self, x: Batch) -> tuple[Float[Tensor, " p"], Float[Tensor, "p n"]]:
        """Return the logits of poses, and those that each atom is within 1 Å of its place."""
        atoms = x["positions"]
        own = atoms - atoms.mean(1, keepdim=True)
        h, _ = self.features(atoms, own, atoms.new_zeros(len(atoms)), self.encode(x.context))
        h = self.norm(h)
        weights = torch.softmax(self.pool(h), 1)
        pooled = weights.mT @ self.value(h)
        return self.pose_head(self.hidden(pooled.flatten(1)))[:, 0], self.atom_head(h)[..., 0]
