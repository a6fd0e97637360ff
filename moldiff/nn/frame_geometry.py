"""What residues with frames see of one another, and how they turn."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from moldiff.nn.pocket import radial
from moldiff.precision import exact

__all__ = ["atom_distances", "gathered", "gaussians", "nearest_residues", "pair_features", "turned"]

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


def nearest_residues(x: Float[Tensor, "b n 3"], count: int) -> Int[Tensor, "b n k"]:
    """Return the ``count`` residues that are nearest to each, itself among them; fewer if n is."""
    with torch.no_grad(), exact(x):
        square = (x.unsqueeze(2) - x.unsqueeze(1)).square().sum(-1)
        return square.topk(min(count, x.shape[1]), largest=False).indices


def gathered(values: Shaped[Tensor, "b n *s"], near: Int[Tensor, "b n k"]) -> Tensor:
    """Return the values of the ``near`` residues of each, (b, n, k, ...)."""
    first = values.shape[1] * torch.arange(len(values), device=values.device).view(-1, 1, 1)
    return values.flatten(0, 1)[near + first]


def atom_distances(
    atoms: Float[Tensor, "b n a 3"], near: Int[Tensor, "b n k"]
) -> Float[Tensor, "b n k d"]:
    """Return the distances of the atoms of each residue to those of its ``near`` ones, a^2, Å."""
    with exact(atoms):
        apart = atoms.unsqueeze(2).unsqueeze(4) - gathered(atoms, near).unsqueeze(3)
        return (apart.square().sum(-1) + 1e-4).sqrt().flatten(3)


@torch.no_grad()
def gaussians(distance: Float[Tensor, "*s d"], basis: int) -> Float[Tensor, "*s e"]:
    """Return distances that have no gradient as `radial` does, in a third of its time."""
    centres = torch.linspace(0, _FARTHEST, basis, device=distance.device, dtype=distance.dtype)
    scale = 0.5**0.5 * basis / _FARTHEST
    values = (scale * distance).unsqueeze(-1) - scale * centres
    return values.mul_(values).neg_().exp_().flatten(-2)


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
