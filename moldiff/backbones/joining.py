r"""Joining residues: drawn ones become a chain of exact, planar trans peptides.

Inside a residue all is exact, since it is a rigid frame; between residues a draw is a little off.
Residues are moved and turned until the distances across each peptide, which fix its bond, its two
angles and its plane, are those of Engh & Huber (Acta Cryst. A47 (1991) 392), and no C-alpha are too
near, while the residues stay as near as they can to where they were drawn:

.. math::

    \sum_{peptides} \sum_k \frac{(d_k - \bar d_k)^2}{s^2}
    + \sum_{pairs} \frac{\max(0, d_{min} - d)^2}{s^2}
    + \sum_{atoms} \frac{|x - x_{drawn}|^2}{r^2}
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.domain.backbones import backbone_atoms
from moldiff.geometry.tensors import exponential
from moldiff.protein.backbone import frames_of

__all__ = ["joined"]

_CA_C, _CN, _N_CA = 1.525, 1.329, 1.458  # Å
_AT_C, _AT_N = math.radians(117.2), math.radians(121.7)
_CA_N = math.sqrt(_CA_C**2 + _CN**2 - 2 * _CA_C * _CN * math.cos(_AT_C))
_C_CA = math.sqrt(_N_CA**2 + _CN**2 - 2 * _N_CA * _CN * math.cos(_AT_N))
_CA_CA = math.hypot(  # C-alpha on either side of the bond: trans and planar
    _CN - _CA_C * math.cos(_AT_C) - _N_CA * math.cos(_AT_N),
    _CA_C * math.sin(_AT_C) + _N_CA * math.sin(_AT_N),
)
_TIGHT = 0.01  # Å, standard deviation of these distances
_LOOSE = (0.2, 2.0)  # Å, that of atoms: at first near what was drawn, then exact peptides
_NEAREST, _BESIDE = 3.8, 3  # Å between C-alpha so many residues apart or more
_ROUNDS = 100  # of each minimisation


def joined(atoms: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return chains (b, n, 3, 3) of N, CA and C in Å with exact peptides, near those drawn."""
    drawn = torch.from_numpy(np.asarray(atoms, np.float64))
    start = drawn[:, :, 1]
    frames = torch.from_numpy(frames_of(drawn.numpy()))
    n = start.shape[1]
    i, j = torch.triu_indices(n, n, _BESIDE)

    def chain(change: Float[Tensor, "b n 6"]) -> Tensor:
        return backbone_atoms(start + change[..., :3], frames @ exponential(change[..., 3:]))

    def strain(x: Tensor, loose: float) -> Tensor:
        ca = x[:, :, 1]
        near = (_NEAREST - _length(ca[:, i] - ca[:, j])).clamp_min(0)
        off = torch.cat([_off(x), near], 1) / _TIGHT
        return off.square().sum() + ((x - drawn) / loose).square().sum()

    change = torch.zeros(*start.shape[:2], 6, dtype=torch.float64, requires_grad=True)
    for loose in _LOOSE:
        _minimised(change, lambda loose=loose: strain(chain(change), loose))  # type: ignore[misc]
    with torch.no_grad():
        result: npt.NDArray[np.float64] = chain(change).numpy()
    return result


def _minimised(change: Tensor, strain: Callable[[], Tensor]) -> None:
    search = torch.optim.LBFGS(
        [change], max_iter=_ROUNDS, history_size=20, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        search.zero_grad()
        with torch.enable_grad():
            value = strain()
        value.backward()
        return value

    search.step(closure)


def _off(x: Float[Tensor, "b n 3 3"]) -> Float[Tensor, "b m"]:
    """How far the distances across peptides are from what they should be, Å."""
    n, ca, c = x.unbind(2)
    return torch.cat(
        [
            _length(n[:, 1:] - c[:, :-1]) - _CN,
            _length(n[:, 1:] - ca[:, :-1]) - _CA_N,
            _length(ca[:, 1:] - c[:, :-1]) - _C_CA,
            _length(ca[:, 1:] - ca[:, :-1]) - _CA_CA,
        ],
        1,
    )


def _length(v: Float[Tensor, "*s 3"]) -> Float[Tensor, "*s"]:
    return (v.square().sum(-1) + 1e-12).sqrt()
