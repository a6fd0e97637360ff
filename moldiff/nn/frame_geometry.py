"""What residues with frames see of one another, and how they turn."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from moldiff.nn.pocket import exact, radial

__all__ = ["pair_features", "turned"]

_FARTHEST = 20.0  # Å, largest distance that the basis resolves


def pair_features(
    x: Float[Tensor, "b n 3"],
    frames: Float[Tensor, "b n 3 3"],
    to: Float[Tensor, "b m 3"],
    to_frames: Float[Tensor, "b m 3 3"],
    basis: int,
) -> Float[Tensor, "b n m d"]:
    """Return what n residues see of m others: where, how far, and how turned.

    The direction to the other in one's own frame and the direction back in the other's, both 0 at
    distance 0; the nine numbers of the relative rotation; and the distance in Gaussians.
    """
    with exact(x):
        difference = to.unsqueeze(1) - x.unsqueeze(2)
        distance = (difference.square().sum(-1, keepdim=True) + 1e-4).sqrt()
        unit = difference / (1 + distance)
        own = unit @ frames
        back = -(unit.transpose(1, 2) @ to_frames).transpose(1, 2)
        relative = frames.mT.flatten(1, 2) @ to_frames.permute(0, 2, 1, 3).flatten(2)
        b, n, m = distance.shape[:3]
        relative = relative.view(b, n, 3, m, 3).transpose(2, 3).flatten(3)
        return torch.cat([own, back, relative, radial(distance.squeeze(-1), _FARTHEST, basis)], -1)


def turned(frames: Float[Tensor, "*s 3 3"], change: Float[Tensor, "*s 6"]) -> Tensor:
    """Return frames turned in themselves, by a change whose zero is no turn.

    Two vectors near the first axes, made orthonormal, are continuous for all rotations (Zhou et
    al., "On the Continuity of Rotation Representations in Neural Networks", 2019, section 4).
    """
    identity = change.new_tensor([1.0, 0, 0, 0, 1.0, 0])
    a, b = (identity + change).unflatten(-1, (2, 3)).unbind(-2)
    x = F.normalize(a, dim=-1, eps=1e-4)
    y = F.normalize(b - (b * x).sum(-1, keepdim=True) * x, dim=-1, eps=1e-4)
    return frames @ torch.stack([x, y, torch.linalg.cross(x, y)], -1)
