r"""Poses of a flexible ligand and the kinematics between poses and atoms.

A pose is a conformer, the centroid of the heavy atoms, a rotation and one increment per
rotor.  Torsions act on the conformer root-first; the shape is then centred, rotated and
translated: ``x = R (f(torsions) - mean f) + centre``.  As ``centre`` is always
the centroid, a torsion displaces the atoms with zero mean, so translations are orthogonal to
the rest of the tangent space.

The derivative of atom i by rotor k with axis w_k through atom a_k is
``m_ki w_k x (x_i - a_k) - mean_j m_kj w_k x (x_j - a_k)`` (Abe, Braun, Noguti & Go, Computers
& Chemistry 8 (1984) 239, equation 7, with a fixed centroid), where m_ki tells whether the
rotor moves the atom.  Torsion gradients are therefore the moments of the forces on the
moving side about the axis, and one matrix product with m gives all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from moldiff.domain.rotor_tree import levels_of, parents_of
from moldiff.geometry.tensors import (
    exponential,
    kabsch,
    skew,
    uniform_angles,
    uniform_rotations,
    wrap,
)
from moldiff.seeds import uniform

if TYPE_CHECKING:
    from moldiff.chem.conformers import Ensemble
    from moldiff.chem.rotors import Rotors
    from moldiff.protein.pocket import Box

__all__ = ["Kinematics", "Pose", "random_poses"]


@dataclass(frozen=True, eq=False)
class Pose:
    """p poses of one ligand with n heavy atoms and r rotors.

    Attributes
    ----------
    conformer:
        (p,) int64, index of the conformer the pose starts from.
    centre:
        (p, 3), centroid of the heavy atoms in Å.
    rotation:
        (p, 3, 3), applied to the centred shape as ``R x``.
    torsions:
        (p, r), increments in radians on the conformer's own torsions.
    """

    conformer: Int[Tensor, " p"]
    centre: Float[Tensor, "p 3"]
    rotation: Float[Tensor, "p 3 3"]
    torsions: Float[Tensor, "p r"]

    def __len__(self) -> int:
        return len(self.conformer)

    def __getitem__(self, index: Tensor | slice | int | Sequence[int]) -> Pose:
        """Select poses by mask, indices or slice; one integer gives a batch of one."""
        if isinstance(index, int):
            index = [index]
        return self._map(lambda value: value[index])

    def to(self, device: torch.device | str) -> Pose:
        """Return the poses on a device."""
        return self._map(lambda value: value.to(device))

    def replace(self, **fields: Tensor) -> Pose:
        """Return the poses with some fields replaced."""
        return dataclasses.replace(self, **fields)

    @staticmethod
    def cat(poses: Sequence[Pose]) -> Pose:
        """Join batches of poses of the same ligand."""
        names = [f.name for f in dataclasses.fields(Pose)]
        return Pose(*(torch.cat([getattr(pose, name) for pose in poses]) for name in names))

    def _map(self, function: Any) -> Pose:
        return Pose(*(function(getattr(self, f.name)) for f in dataclasses.fields(self)))


@dataclass(frozen=True, eq=False)
class Kinematics:
    """Maps between poses and the positions of n heavy atoms, for a batch of poses at once.

    A rotor turns about its axis in the *conformer*, and the motions of the rotors nearer to
    the root are applied afterwards.  This equals turning root-first about the axes already
    moved, and composes all rotors of one depth in a single product.

    Parameters
    ----------
    positions:
        (c, n, 3) atoms of the conformers in Å.
    axis:
        (r, 2) int64, atoms a (fixed side) and b (moving side) of each rotor's bond.
    moves:
        (r, n) bool, the atoms on b's side, b included; rotors in root-first order.

    Raises
    ------
    ValueError
        If the rotors are not a root-first tree.
    """

    positions: Float[Tensor, "c n 3"]
    axis: Int[Tensor, "r 2"]
    moves: Bool[Tensor, "r n"]
    _turn: Tensor = field(init=False, repr=False)  # (2, c, r, 3, 4), of sin and of 1 - cos
    _mask: Tensor = field(init=False, repr=False)  # (1 + r, n): ones, then moves
    _levels: tuple[tuple[Tensor, Tensor], ...] = field(init=False, repr=False)
    _slot: Tensor = field(init=False, repr=False)  # (n,), each atom's place in level order

    def __post_init__(self) -> None:
        parent = parents_of(self.axis, self.moves)
        x, (a, b) = self.positions, self.axis.T
        unit = torch.nn.functional.normalize(x[:, b] - x[:, a], dim=-1)
        k = skew(unit)
        matrices = torch.stack((k, k @ k))
        turn = torch.cat((matrices, -matrices @ x[:, a, :, None]), dim=-1)
        mask = torch.cat((self.moves.new_ones(1, x.shape[1]), self.moves))
        levels, slot = levels_of(parent, x.device)
        fragment = (mask * torch.arange(len(mask), device=x.device)[:, None]).amax(0)
        object.__setattr__(self, "_turn", turn)
        object.__setattr__(self, "_mask", mask.to(x.dtype))
        object.__setattr__(self, "_levels", levels)
        object.__setattr__(self, "_slot", slot[fragment])

    @staticmethod
    def from_ensemble(ensemble: Ensemble, rotors: Rotors) -> Kinematics:
        """Build the kinematics of a ligand's conformers and rotors."""
        return Kinematics(
            torch.as_tensor(ensemble.positions, dtype=torch.float32),
            torch.as_tensor(rotors.axis, dtype=torch.int64),
            torch.as_tensor(rotors.moves, dtype=torch.bool),
        )

    @property
    def atoms(self) -> int:
        """Number of heavy atoms n."""
        return self.positions.shape[1]

    @property
    def rotors(self) -> int:
        """Number of rotors r."""
        return len(self.axis)

    def to(self, device: torch.device | str) -> Kinematics:
        """Return the kinematics on a device."""
        return Kinematics(self.positions.to(device), self.axis.to(device), self.moves.to(device))

    def place(self, pose: Pose) -> Float[Tensor, "p n 3"]:
        """Return the atoms of the poses, Å; differentiable in centre, rotation and torsions."""
        x = self.positions[pose.conformer]
        if self.rotors:
            motion = self._fragments(pose)[:, self._slot]
            x = (motion[..., :3] @ x[..., None])[..., 0] + motion[..., 3]
        x = x - x.mean(1, keepdim=True)
        return torch.baddbmm(pose.centre[:, None], x, pose.rotation.mT)

    def pull_back(
        self, gradient: Float[Tensor, "p n 3"], x: Float[Tensor, "p n 3"]
    ) -> Float[Tensor, "p d"]:
        """Return an energy's gradient in the tangent space from that over the atoms.

        The tangent is [translation, rotation vector about the centre in the lab frame,
        torsions]; this is ``jacobian(x)`` transposed times the gradient, without the matrix.
        """
        y = x - x.mean(1, keepdim=True)
        force = gradient.sum(1)
        g = gradient - force[:, None] / self.atoms
        moments = self._mask @ torch.cat((torch.linalg.cross(y, g), g), dim=-1)
        if not self.rotors:
            return torch.cat((force, moments[:, 0, :3]), dim=1)
        tail, unit = self._axes(y)
        torques = moments[:, 1:, :3] - torch.linalg.cross(tail, moments[:, 1:, 3:])
        return torch.cat((force, moments[:, 0, :3], (unit * torques).sum(-1)), dim=1)

    def jacobian(self, x: Float[Tensor, "p n 3"]) -> Float[Tensor, "p 3*n d"]:
        """Return the derivative of the atoms, flattened to (p, 3n), with respect to the tangent."""
        p, n, _ = x.shape
        y = x - x.mean(1, keepdim=True)
        shift = torch.eye(3, dtype=x.dtype, device=x.device).expand(p, n, 3, 3)
        columns = [shift, -skew(y)]
        if self.rotors:
            tail, unit = self._axes(y)
            lever = torch.linalg.cross(unit[:, :, None], y[:, None] - tail[:, :, None], dim=-1)
            lever = lever * self._mask[1:, :, None]
            columns.append((lever - lever.mean(2, keepdim=True)).permute(0, 2, 3, 1))
        return torch.cat(columns, dim=-1).flatten(1, 2)

    def retract(self, pose: Pose, tangent: Float[Tensor, "p d"]) -> Pose:
        """Move poses along tangents: add, rotate by the exponential map, wrap torsions."""
        rotation = exponential(tangent[:, 3:6]) @ pose.rotation
        # One Newton step back to the orthogonal matrices, so that thousands of steps do not drift.
        rotation = 1.5 * rotation - 0.5 * rotation @ (rotation.mT @ rotation)
        return Pose(
            pose.conformer,
            pose.centre + tangent[:, :3],
            rotation,
            wrap(pose.torsions + tangent[:, 6:]),
        )

    def project(
        self,
        displacement: Float[Tensor, "p n 3"],
        x: Float[Tensor, "p n 3"],
        *,
        ridge: float | Float[Tensor, "p"] = 1e-2,
    ) -> Float[Tensor, "p d"]:
        """Return the tangents t that minimise |J t - displacement|^2 + ridge |t|^2.

        ``ridge`` > 0 is in Å^2 (per rad^2 for angles); it fixes what the atoms do not
        determine, such as the rotation of a linear molecule about its axis.
        """
        j = self.jacobian(x)
        normal = j.mT @ j
        ridge = torch.as_tensor(ridge, dtype=x.dtype, device=x.device).expand(len(x))
        normal = normal + torch.diag_embed(ridge[:, None].expand(normal.shape[:2]))
        right = j.mT @ displacement.flatten(1).unsqueeze(-1)
        return torch.cholesky_solve(right, torch.linalg.cholesky_ex(normal).L)[..., 0]

    def fit(
        self,
        target: Float[Tensor, "p n 3"],
        start: Pose,
        *,
        ridge: float = 1e-2,
        iterations: int = 10,
    ) -> Pose:
        """Return the poses nearest to target atoms in the least-squares sense.

        Superposes the start's shape (Kabsch), then takes Levenberg-Marquardt steps (Moré, 1978)
        with a damping per pose that starts at ``ridge`` (Å^2).  Steps that make a pose worse are
        rejected, so the result is never worse than the superposition.
        """
        pose = self.superpose(target, start)
        x = self.place(pose)
        error = (target - x).square().sum((1, 2))
        damping = torch.full_like(error, ridge)
        for _ in range(iterations):
            trial = self.retract(pose, self.project(target - x, x, ridge=damping))
            trial_x = self.place(trial)
            change = (target - trial_x).square().sum((1, 2))
            better = change < error
            error = torch.where(better, change, error)
            x = torch.where(better[:, None, None], trial_x, x)
            pose = Pose(
                pose.conformer,
                torch.where(better[:, None], trial.centre, pose.centre),
                torch.where(better[:, None, None], trial.rotation, pose.rotation),
                torch.where(better[:, None], trial.torsions, pose.torsions),
            )
            damping = (damping * torch.where(better, 0.2, 10.0)).clamp(1e-5, 1e6)
        return pose

    def superpose(self, target: Float[Tensor, "p n 3"], pose: Pose) -> Pose:
        """Move poses rigidly onto target atoms (Kabsch, Acta Cryst. A32 (1976) 922)."""
        centre = target.mean(1)
        y = self.place(pose) - pose.centre[:, None]
        turn = kabsch(y, target - centre[:, None])
        return pose.replace(centre=centre, rotation=turn @ pose.rotation)

    def _axes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Origins and unit directions (p, r, 3) of the rotors' axes at atoms x."""
        tail = x[:, self.axis[:, 0]]
        return tail, torch.nn.functional.normalize(x[:, self.axis[:, 1]] - tail, dim=-1)

    def _fragments(self, pose: Pose) -> Tensor:
        """Motions (p, 1 + r, 3, 4) of the rigid fragments, root first, in order of depth."""
        angle = pose.torsions[..., None, None]
        turn = self._turn[:, pose.conformer]
        motion = angle.sin() * turn[0] + (1 - angle.cos()) * turn[1]
        identity = torch.eye(3, 4, dtype=motion.dtype, device=motion.device)
        local = motion + identity
        level = identity.expand(len(motion), 1, 3, 4)
        motions = [level]
        for members, parents in self._levels:
            parent_motions = level[:, parents]
            level = parent_motions[..., :3] @ local[:, members]
            level = torch.cat((level[..., :3], level[..., 3:] + parent_motions[..., 3:]), dim=-1)
            motions.append(level)
        return torch.cat(motions, dim=1)


def random_poses(kinematics: Kinematics, box: Box, p: int, *, rng: torch.Generator) -> Pose:
    """Draw p poses: any conformer, centre in the box, rotation and torsions uniformly."""
    positions = kinematics.positions
    to: Any = {"rng": rng, "device": positions.device, "dtype": positions.dtype}
    rotation = uniform_rotations((p,), **to)
    conformer = torch.randint(len(positions), (p,), generator=rng, device=rng.device).to(
        positions.device
    )
    size = torch.tensor(box.size.tolist()).to(positions)
    return Pose(
        conformer,
        torch.tensor(box.centre.tolist()).to(positions) + (uniform((p, 3), **to) - 0.5) * size,
        rotation,
        uniform_angles((p, kinematics.rotors), **to),
    )
