r"""Joining residues: drawn ones become a chain of planar trans peptides.

Inside a residue all is exact, since it is a rigid frame; between residues a draw is a little off.
Residues are moved and turned until the distances across each peptide, which fix its bond and its
two angles, are those of `moldiff.protein.backbone`, the next C-alpha is in the plane of the
peptide, and no C-alpha are too near, while atoms stay as near as they can to where they were drawn:

.. math::

    \sum_{peptides} \sum_k \frac{(d_k - \bar d_k)^2}{s^2} + \frac{h^2}{u^2}
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

from moldiff.backbones.quality import whole
from moldiff.domain.backbones import backbone_atoms
from moldiff.geometry.tensors import exponential
from moldiff.protein.backbone import ANGLES, BONDS, frames_of

__all__ = ["joined", "settled"]

_CN, _N_CA, _CA_C = BONDS.tolist()
_AT_C, _AT_N, _ = ANGLES.tolist()
_CA_N = math.sqrt(_CA_C**2 + _CN**2 - 2 * _CA_C * _CN * math.cos(_AT_C))
_C_CA = math.sqrt(_N_CA**2 + _CN**2 - 2 * _N_CA * _CN * math.cos(_AT_N))
_CA_CA = math.hypot(  # C-alpha on either side of the bond: trans
    _CN - _CA_C * math.cos(_AT_C) - _N_CA * math.cos(_AT_N),
    _CA_C * math.sin(_AT_C) + _N_CA * math.sin(_AT_N),
)
_TIGHT, _PLANE = 0.005, 0.1  # Å, standard deviations of these distances, and off the plane
_LOOSE = (0.1, 0.3, 1.0)  # Å, that of atoms; the next where peptides are not exact yet
_JOINED = 0.02  # Å that distances may be off
_NEAREST, _BESIDE = 3.8, 3  # Å between C-alpha so many residues apart or more
_ROUNDS = 100  # of each minimisation


def joined(
    atoms: npt.NDArray[np.floating], fixed: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float64]:
    """Return chains (b, n, 3, 3) of N, CA and C in Å with such peptides, near those drawn.

    Residues that are ``fixed`` (b, n) stay exactly where they are, as do the bonds among them.
    """
    chains = np.asarray(atoms, np.float64)
    if fixed is None:
        fixed = np.zeros(chains.shape[:2], bool)
    return np.stack([_joined(*one) for one in zip(chains, fixed, strict=True)])


def settled(
    drawn: npt.NDArray[np.floating],
    motif: npt.NDArray[np.float64] | None = None,
    kept: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.float64], float]:
    """Return a drawn chain with its residues joined, N, CA, C and O (n, 4, 3) in Å.

    And the root mean square shift of the atoms that were drawn, in Å; 0 if none was.

    Parameters
    ----------
    drawn:
        (n, 3, 3) N, CA and C.
    motif, kept:
        Residues (n, 4, 3) that stay exactly where they are, and which (n,).  Their O stays as well,
        but of the last residue of a piece, whose O is in the plane of a peptide that is new.
    """
    placed = np.asarray(drawn, np.float64).copy()
    if motif is None or kept is None:
        kept = np.zeros(len(placed), bool)
    else:
        placed[kept] = motif[kept, :3]
    three = placed if kept.all() else joined(placed[None], kept[None])[0]
    atoms = whole(three)
    inner = kept & np.append(kept[1:], True)
    if motif is not None:
        atoms[inner, 3] = motif[inner, 3]
    shift = np.square(three - placed).sum(-1)[~kept]
    return atoms, float(np.sqrt(shift.mean())) if shift.size else 0.0


def _joined(
    atoms: npt.NDArray[np.float64], fixed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """One chain by itself, so that it does not depend on others."""
    drawn = torch.from_numpy(atoms)
    start, frames = drawn[:, 1], torch.from_numpy(frames_of(atoms))  # type: ignore[arg-type]
    stays = torch.from_numpy(fixed)
    i, j = torch.triu_indices(len(atoms), len(atoms), _BESIDE)
    loosely = ~(stays[i] & stays[j])
    i, j = i[loosely], j[loosely]
    free = ~(stays[1:] & stays[:-1])  # peptides

    def chain() -> Tensor:
        x = backbone_atoms(start + change[:, :3], frames @ exponential(change[:, 3:]))
        return torch.where(stays.view(-1, 1, 1), drawn, x)

    def strain(loose: float) -> Tensor:
        x = chain()
        ca = x[:, 1]
        near = (_NEAREST - _length(ca[i] - ca[j])).clamp_min(0)
        off = torch.cat([_off(x)[:, free].flatten(), near]) / _TIGHT
        return off.square().sum() + ((x - drawn) / loose).square().sum()

    change = torch.zeros(len(atoms), 6, dtype=torch.float64, requires_grad=True)
    for loose in _LOOSE:
        _minimise(change, lambda loose=loose: strain(loose))  # type: ignore[misc]
        with torch.no_grad():
            result: npt.NDArray[np.float64] = chain().numpy()
            if float(_off(chain())[:, free].abs().max()) < _JOINED:
                break
    return result


def _minimise(change: Tensor, strain: Callable[[], Tensor]) -> None:
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


def _off(x: Float[Tensor, "n 3 3"]) -> Float[Tensor, "5 m"]:
    """How far distances across the m peptides are from what they should be, and C-alpha off, Å."""
    n, ca, c = x.unbind(1)
    bond, before, after = n[1:] - c[:-1], ca[:-1] - c[:-1], ca[1:] - n[1:]
    normal = torch.linalg.cross(before, bond)
    height = (normal * after).sum(-1) / _length(normal)
    return torch.stack(
        [
            _length(bond) - _CN,
            _length(n[1:] - ca[:-1]) - _CA_N,
            _length(ca[1:] - c[:-1]) - _C_CA,
            _length(ca[1:] - ca[:-1]) - _CA_CA,
            height * (_TIGHT / _PLANE),
        ]
    )


def _length(v: Float[Tensor, "*s 3"]) -> Float[Tensor, "*s"]:
    return (v.square().sum(-1) + 1e-12).sqrt()
