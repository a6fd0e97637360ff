"""Scores of poses that are there: anybody's, where they lie or minimised from there.

Each pose is a problem of its own (`moldiff.docking.problem.posed_problem`): its only conformer is
its own, so bond lengths and angles stay what they are, and minimising moves it as a whole and
turns its torsions.  Its box depends on its own place and size alone, so a score is the same
whatever else is scored; poses with the same box share a pocket.  Of the receptor's own file, what
stands where they lie is left out, as in docking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree

from moldiff.chem.hydrogens import relax_hydrogens
from moldiff.chem.quiet import quiet
from moldiff.chem.rmsd import pose_rmsd
from moldiff.docking import bundled
from moldiff.docking.clock import Progress
from moldiff.docking.energy.exact import affinity
from moldiff.docking.hydrogens import molecules, relax
from moldiff.docking.judge.checks import check_poses
from moldiff.docking.judge.cnn import cnn_scores
from moldiff.docking.known import known_pose
from moldiff.docking.minimise import minimise as minimised
from moldiff.docking.problem import Pocket, posed_problem
from moldiff.docking.result import check_words
from moldiff.docking.site import check_receptor
from moldiff.domain.kinematics import Pose
from moldiff.errors import InputError
from moldiff.io import Record, record_of
from moldiff.io.seal import resealed
from moldiff.protein.interactions import KINDS, by_kind, find_interactions
from moldiff.protein.occupants import lasting_under, under
from moldiff.protein.pocket import Box
from moldiff.protein.read import read_contents
from moldiff.protein.receptor import prepare_receptor
from moldiff.protein.selection import place
from moldiff.text import digest_of
from moldiff.version import __version__

if TYPE_CHECKING:
    from rdkit import Chem
    from torch import Tensor

    from moldiff.docking.problem import Problem
    from moldiff.protein.receptor import Receptor
    from moldiff.protein.structure import Structure

__all__ = ["PoseScorer"]

# Fields of an earlier score, which need not be among those of this one.
_REPLACED = frozenset(
    (
        "cnn_affinity",
        "cnn_score",
        "energy_given",
        "distance_score",
        "moved",
        "notes",
        "rightness",
        "rmsd_to_reference",
        *KINDS,
    )
)
_CELL = 6.0  # Å: boxes are centred on the points of a lattice
_MARGIN = 6.0  # Å of the box beyond the pose
_STEP, _LARGEST = 6.0, 60.0  # Å, of the edge of a box
_ITERATIONS = 100  # of a minimisation, at most
_THERE = 1e-4  # Å from an atom that was given: it is that atom, and was not placed


@dataclass(frozen=True, eq=False)
class PoseScorer:
    """Scores poses in one receptor, each by itself; see `PoseScorer.open`.

    Attributes
    ----------
    receptor:
        The whole receptor, without what the poses lie on.
    origin:
        Its file, digest and notes, for the records.
    notes:
        Remarks about it for the user, a sentence each.
    reference:
        A known pose to compare with.
    minimise, cnn:
        Minimise each pose in the docking energy first; add the score of gnina's network.
    """

    receptor: Receptor
    origin: Mapping[str, str]
    notes: tuple[str, ...]
    reference: Chem.Mol | None = None
    minimise: bool = False
    cnn: bool = False

    @classmethod
    def open(
        cls,
        path: str | Path,
        records: Sequence[Record],
        *,
        reference: str | Path | Chem.Mol | None = None,
        minimise: bool = False,
        cnn: bool = False,
        model: int = 1,
        assembly: str | None = None,
        **choice: Any,
    ) -> PoseScorer:
        """Prepare a receptor for the poses in some records.

        ``reference`` may be a molecule, a file, or a group of the receptor (``A:401``); ``choice``
        are keywords of `moldiff.protein.read.Contents.receptor`.

        Raises
        ------
        InputError
            If the receptor or the reference cannot be read.
        """
        check_receptor(Path(path))
        contents = read_contents(Path(path), model=model, assembly=assembly)
        points = [x for x in map(_positions, records) if not isinstance(x, str)]
        together = np.concatenate(points) if points else np.zeros((0, 3))
        under_them = under(contents.structure, together)
        leave = {i: "the poses lie in its place" for members in under_them for i in members}
        notes: tuple[str, ...] = ()
        if isinstance(reference, str | Path):
            mols = [record.mol for record in records if record.mol is not None]
            reference, members, notes = known_pose(contents.structure, str(reference), mols)
            leave |= dict.fromkeys(members, "it is the reference")
        structure = contents.receptor(leave=leave, **choice)
        whole = prepare_receptor(structure)
        remarks = (*whole.structure.notes, *notes, *_staying(structure, together))
        origin = {"receptor": Path(path).name, "receptor_sha256": digest_of(Path(path))}
        origin["receptor_notes"] = "; ".join(remarks)
        return cls(whole, origin, remarks, reference, minimise, cnn)

    def __call__(
        self, records: Sequence[Record], progress: Progress | None = None
    ) -> Iterator[Record]:
        """Yield each record with its score, in their order.

        The fields: ``energy_kcal_mol`` (Vina's estimate: ``inter`` over the term for torsions),
        ``inter`` and ``intra`` (the energy with the receptor and within the ligand), ``efficiency``
        (``energy_kcal_mol`` for each heavy atom), ``distance_score`` (nats), ``rightness``
        (logit of the probability of being right), ``cnn_score`` and ``cnn_affinity`` (pK),
        ``checks``, residues by kind of interaction,
        ``rmsd_to_reference`` and, where it was minimised, ``energy_given`` and how far it
        ``moved``, in Å.  A record that cannot be scored has a reason and no molecule.
        """
        pockets: dict[bytes, Pocket | str] = {}
        for k, record in enumerate(records):
            if progress is not None:
                progress("scoring", k / len(records))
            box = _box(record)
            if isinstance(box, str):
                yield _failed(record, box)
                continue
            key = box.centre.tobytes() + box.size.tobytes()
            if key not in pockets:
                pockets[key] = self._pocket(box)
            pocket = pockets[key]
            if isinstance(pocket, str):
                yield _failed(record, pocket)
            else:
                yield self._one(record, pocket)

    def _pocket(self, box: Box) -> Pocket | str:
        """The pocket of a box, or why there is none."""
        try:
            return Pocket.of(self.receptor, box, origin=self.origin)
        except InputError:  # no atom of the receptor is in the box
            return "it is far from the receptor, as if in the frame of another one"

    def _one(self, record: Record, pocket: Pocket) -> Record:
        assert record.mol is not None
        with quiet(), torch.no_grad():
            try:
                problem = posed_problem(record.mol, pocket, name=record.name)
                if isinstance(problem, str):
                    return _failed(record, problem)
                return self._scored(record, problem)
            except (ValueError, RuntimeError, OverflowError) as error:  # of RDKit
                return _failed(record, f"RDKit fails: {str(error).strip()[:100]}")

    def _scored(self, record: Record, problem: Problem) -> Record:
        given = _pose(problem)
        terms = problem.exact_energy().terms(problem.kinematics.place(given))
        before = float(affinity(terms["inter"], problem.torsions)[0])
        mol, pose = _as_given(record, problem), given
        if self.minimise:
            energy = problem.exact_energy()
            pose, _ = minimised(problem.kinematics, energy, given, iterations=_ITERATIONS)
            terms = energy.terms(problem.kinematics.place(pose))
            mol = relax(molecules(problem.ligand, problem.rotors, pose)[0])
        fields = self._fields(problem, problem.kinematics.place(pose), terms)
        if self.minimise:
            moved = problem.kinematics.place(pose) - problem.kinematics.place(given)
            fields["energy_given"] = f"{before:.3f}"
            fields["moved"] = f"{float(moved.square().sum(-1).mean().sqrt()):.3f}"
        if self.reference is not None:
            distance = pose_rmsd(mol, self.reference)
            fields |= {} if distance is None else {"rmsd_to_reference": f"{distance:.3f}"}
        if problem.notes:
            fields["notes"] = "; ".join(problem.notes)
        fields |= by_kind(tuple(find_interactions(mol, problem.receptor)))
        origin = {**problem.pocket.origin, "scored_by": f"moldiff {__version__}"}
        stale = _REPLACED if "scored_by" in record.tags else _REPLACED - {"notes"}
        own = {k: v for k, v in record.tags.items() if k not in stale}
        tags = own | {k: v for k, v in {**fields, **origin}.items() if v}
        tags = resealed(record, mol, tags)
        return replace(record_of(mol, name=record.name, tags=tags), index=record.index)

    def _fields(self, problem: Problem, x: Tensor, terms: Mapping[str, Tensor]) -> dict[str, str]:
        energy = float(affinity(terms["inter"], problem.torsions)[0])
        fields = {
            "energy_kcal_mol": f"{energy:.3f}",
            "inter": f"{float(terms['inter'][0]):.3f}",
            "intra": f"{float(terms['intra'][0]):.3f}",
            "efficiency": f"{energy / problem.kinematics.atoms:.3f}",
        }
        judged = bundled.judges().judged(problem, x)
        fields |= {name: f"{float(values[0]):.2f}" for name, values in judged.items()}
        scores = cnn_scores(problem, x) if self.cnn else "not asked for"
        if not isinstance(scores, str):
            fields["cnn_score"], fields["cnn_affinity"] = (f"{float(one[0]):.3f}" for one in scores)
        checks = check_poses(problem, x)
        fields["checks"] = check_words(checks.row(0))
        return fields


def _staying(structure: Structure, points: npt.NDArray[np.floating[Any]]) -> list[str]:
    """Notes on cofactors that poses (n, 3) lie on, which a user may want to leave out."""
    return [
        f"{structure.residues[i]} stays, though poses lie on it; to score them in its place: "
        f"--exclude {place(structure.residues[i])}"
        for i in lasting_under(structure, points)
    ]


def _box(record: Record) -> Box | str:
    """The box of a record's pose, or why it has none."""
    x = _positions(record)
    if isinstance(x, str):
        return x
    centre = _CELL * np.round(x.mean(0) / _CELL)
    edge = 2 * (float(np.abs(x - centre).max()) + _MARGIN)
    if edge > _LARGEST:
        return "it is wider than the largest box"
    size = np.full(3, _STEP * math.ceil(edge / _STEP), np.float32)
    return Box(centre.astype(np.float32), size)


def _positions(record: Record) -> npt.NDArray[np.float64] | str:
    """The heavy atoms of a record in Å, (n, 3), or why it has none that can be used."""
    mol = record.mol
    if mol is None:
        return record.reason or "no molecule"
    if not mol.GetNumConformers() or not mol.GetNumAtoms():
        return "no coordinates"
    if not mol.GetConformer().Is3D():
        return "no coordinates in three dimensions"
    x = np.asarray(mol.GetConformer().GetPositions())
    if not np.isfinite(x).all():
        return "coordinates that are no numbers"
    heavy = np.array([atom.GetAtomicNum() > 1 for atom in mol.GetAtoms()])
    return x[heavy] if heavy.any() else "no heavy atoms"


def _pose(problem: Problem) -> Pose:
    """The pose of a posed problem, whose molecule has it."""
    ligand = problem.ligand
    x = np.asarray(ligand.mol.GetConformer().GetPositions())[ligand.heavy]
    return Pose(
        torch.zeros(1, dtype=torch.int64),
        torch.from_numpy(x.mean(0, keepdims=True)).float(),
        torch.eye(3)[None],
        torch.zeros(1, problem.kinematics.rotors),
    )


def _as_given(record: Record, problem: Problem) -> Chem.Mol:
    """The molecule as it was given; hydrogens that had to be placed come last and are relaxed."""
    assert record.mol is not None
    full = problem.ligand.mol
    given, x = (mol.GetConformer().GetPositions() for mol in (record.mol, full))
    there = cKDTree(given).query(x)[0] < _THERE  # a salt's other fragments are not in ``full``
    return full if there.all() else relax_hydrogens(full, fixed=np.flatnonzero(there).tolist())


def _failed(record: Record, reason: str) -> Record:
    return record_of(None, name=record.name, reason=reason, tags=record.tags)
