"""The result of a docking: ranked poses on the input's own graph, and their provenance."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.docking.cavities import SearchedCavity, best_of, outcome
from moldiff.geometry.arrays import rmsd
from moldiff.io import Record, Writer, record_of
from moldiff.io.seal import sealed
from moldiff.protein.interactions import FIELDS, Interaction, by_kind
from moldiff.results import Presentable
from moldiff.text import counted

if TYPE_CHECKING:
    from moldiff.protein.pocket import Box

__all__ = ["DockedPose", "DockingResult", "check_words", "merged"]

_SCHEMA = "moldiff.docking"


@dataclass(frozen=True, eq=False)
class DockedPose:
    """One pose.

    Attributes
    ----------
    rank:
        1 is the best.
    mol:
        The input's graph (atom order, bond orders, stereo) with explicit hydrogens and one
        conformer in the frame of the receptor.
    energy:
        Estimated free energy of binding by the Vina function, in kcal/mol.
    score:
        Score of the ranking; higher is better.  Poses that pass all checks rank before the
        others.
    confidence:
        Estimated probability that the pose is within 2 Å of the crystal pose; None without a
        ranking model.
    checks:
        Name of a check -> passed (True), failed (False), or None if it could not be computed.
    terms:
        Parts of the energy and of the score, by name.
    interactions:
        With the receptor, by kind; see `moldiff.protein.interactions`.
    lacks:
        The required interactions that it lacks; None if nothing was required.
    smiles:
        The isomer that this pose is, where the ligand left some open; else empty.
    cavity:
        The number of its cavity, from 1, where several were searched.
    """

    rank: int
    mol: Chem.Mol
    energy: float
    score: float
    confidence: float | None = None
    checks: Mapping[str, bool | None] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)
    interactions: tuple[Interaction, ...] = ()
    lacks: tuple[str, ...] | None = None
    smiles: str = ""
    cavity: int = 1

    @property
    def required(self) -> str:
        """``met``, or which required interactions are lacking; empty if none was required."""
        if not self.lacks:
            return "" if self.lacks is None else "met"
        return f"lacks {', '.join(self.lacks)}"

    @property
    def cnn_score(self) -> float | None:
        """The CNN's estimate of that probability, which the confidence weighs; None without it."""
        logit = self.terms.get("cnn")
        return None if logit is None else 1 / (1 + math.exp(-logit))

    @property
    def passes(self) -> bool:
        """Whether no check failed."""
        return False not in self.checks.values()


@dataclass(frozen=True, eq=False)
class DockingResult(Presentable):
    """The poses of one ligand in one pocket, best first.

    Attributes
    ----------
    name, smiles:
        The ligand: its title, and its canonical SMILES as it was docked.
    poses:
        At least one.
    box:
        The searched region; of several cavities that of the first pose.
    proposals:
        The source of the first poses: "diffusion ..." with the model's hash, or "random".
    provenance:
        Seed, settings, versions, digest of the receptor: all that determines a result.
    seconds:
        CPU-seconds by stage.
    notes:
        Remarks about receptor, pocket and ligand for the user, a sentence each.
    cavities:
        What each cavity got, where several were searched; else empty.
    """

    name: str
    smiles: str
    poses: tuple[DockedPose, ...]
    box: Box
    proposals: str
    provenance: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    cavities: tuple[SearchedCavity, ...] = ()

    def __repr__(self) -> str:
        """What it holds, in a line."""
        best = f"{self.best.energy:.2f} kcal/mol"
        if self.best.confidence is not None:
            best += f", confidence {self.best.confidence:.2f}"
        return f"<{counted(len(self.poses), 'pose')} of {self.name}, the first {best}>"

    @property
    def best(self) -> DockedPose:
        """The pose of rank 1."""
        return self.poses[0]

    @property
    def outcome(self) -> str:
        """A sentence on the cavity of the first pose, and on the others; empty if there was one."""
        return outcome(self.cavities, self.best.cavity)

    def tags(self, pose: DockedPose) -> dict[str, str]:
        """Return the data fields of a pose's SDF record; unknown values are omitted."""
        box = self.cavities[pose.cavity - 1].box if self.cavities else self.box
        fields = {
            "rank": f"{pose.rank}",
            "energy_kcal_mol": f"{pose.energy:.3f}",
            "confidence": "" if pose.confidence is None else f"{pose.confidence:.3f}",
            "cnn_score": "" if pose.cnn_score is None else f"{pose.cnn_score:.3f}",
            "checks": check_words(pose.checks),
            "required": pose.required,
            **by_kind(pose.interactions),
            "score": f"{pose.score:.4f}",
            "SMILES": pose.smiles or self.smiles,
            "cavity": f"{pose.cavity}" if self.cavities else "",
            "box_center": _triple(box.centre),
            "box_size": _triple(box.size),
            "proposals": self.proposals,
            **self.provenance,
        }
        return {key: value for key, value in fields.items() if value}

    def records(self) -> Iterator[tuple[Chem.Mol, dict[str, str]]]:
        """Yield each pose with its tags and their digest (`moldiff.io.seal`), best first."""
        for pose in self.poses:
            yield pose.mol, sealed(pose.mol, self.tags(pose))

    def as_records(self) -> Iterator[Record]:
        """Yield each pose as a record with its tags, best first."""
        for mol, tags in self.records():
            yield record_of(mol, name=self.name, tags=tags)

    def write(self, path: str | Path) -> None:
        """Write the poses to an SDF file (or .xyz, .json of molecules), atomically.

        Raises
        ------
        InputError
            If ``path`` cannot be written or has an unknown suffix.
        """
        with Writer(path) as writer:
            for mol, tags in self.records():
                writer.write(mol, tags, self.name)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but coordinates, JSON-ready."""
        return {
            "schema": _SCHEMA,
            "ligand": {"name": self.name, "smiles": self.smiles},
            "box": {"center": _rounded(self.box.centre), "size": _rounded(self.box.size)},
            "proposals": self.proposals,
            "provenance": dict(self.provenance),
            "seconds": {key: round(value, 3) for key, value in self.seconds.items()},
            "notes": list(self.notes),
            **({"cavities": [one.to_dict() for one in self.cavities]} if self.cavities else {}),
            "poses": [
                {
                    "rank": pose.rank,
                    "smiles": pose.smiles or self.smiles,
                    "energy": round(pose.energy, 4),
                    "score": round(pose.score, 5),
                    "confidence": None if pose.confidence is None else round(pose.confidence, 4),
                    **({} if pose.cnn_score is None else {"cnn_score": round(pose.cnn_score, 4)}),
                    "passes": pose.passes,
                    "checks": dict(pose.checks),
                    "terms": {k: round(v, 4) for k, v in pose.terms.items() if math.isfinite(v)},
                    **({} if pose.lacks is None else {"lacks": list(pose.lacks)}),
                    **({"cavity": pose.cavity} if self.cavities else {}),
                    "interactions": [one.to_dict() for one in pose.interactions],
                }
                for pose in self.poses
            ],
        }

    def to_json(self) -> str:
        """Return `to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    def interactions_table(self) -> str:
        """Return the interactions of all poses as CSV, a row each with the rank of its pose."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["rank", *FIELDS])
        for pose in self.poses:
            for one in pose.interactions:
                values = one.to_dict().values()
                words = (" ".join(map(str, v)) if isinstance(v, list) else v for v in values)
                writer.writerow([pose.rank, *words])
        return text.getvalue()

    def table(self) -> list[tuple[str, str, str, str, str]]:
        """Return rows for a terminal: rank, energy, confidence, RMSD to the first, checks."""
        rows = []
        for pose, distance in zip(self.poses, self.distances(), strict=True):
            confidence = "–" if pose.confidence is None else f"{pose.confidence:.2f}"
            words = check_words(pose.checks) or "not run"
            rows.append(
                (f"{pose.rank}", f"{pose.energy:.2f}", confidence, f"{distance:.1f}", words)
            )
        return rows

    def distances(self) -> list[float]:
        """Return the RMSD in Å of each pose to the first: a guide, not corrected for symmetry."""
        with quiet():
            first = _heavy(self.best.mol)
            return [float(rmsd(_heavy(pose.mol), first)) for pose in self.poses]


def merged(results: Sequence[DockingResult], smiles: str, poses: int) -> DockingResult:
    """Return the poses of several isomers of a ligand in one ranking.

    Parameters
    ----------
    results:
        Of each isomer, at least one.
    smiles:
        The ligand with its stereochemistry open.
    poses:
        How many to keep; the best of every isomer stays.
    """
    pairs = [(pose, result) for result in results for pose in result.poses]
    pairs.sort(key=lambda item: _order(item[0]))
    first = {id(result.best) for result in results}
    kept = [item for k, item in enumerate(pairs) if k < poses or id(item[0]) in first]
    ranked = [
        replace(pose, rank=rank, smiles=pose.smiles or result.smiles)
        for rank, (pose, result) in enumerate(kept, start=1)
    ]
    seconds: dict[str, float] = {}
    for result in results:
        for stage, value in result.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value
    notes = dict.fromkeys(note for result in results for note in result.notes)
    return replace(
        kept[0][1],
        smiles=smiles,
        poses=tuple(ranked),
        seconds=seconds,
        notes=tuple(notes),
        cavities=best_of([result.cavities for result in results]),
    )


def _order(pose: DockedPose) -> tuple[int, bool, float]:
    """What sorts poses, best first: what was required, then the checks, then the score."""
    return len(pose.lacks or ()), not pose.passes, -pose.score


def check_words(checks: Mapping[str, bool | None]) -> str:
    """``passed``, or the failed and the uncomputed checks by name; empty without checks."""
    if not checks:
        return ""
    failed = [name for name, passed in checks.items() if passed is False]
    skipped = [name for name, passed in checks.items() if passed is None]
    words = [f"failed: {', '.join(failed)}"] if failed else ["passed"]
    if skipped:
        words.append(f"not computed: {', '.join(skipped)}")
    return "; ".join(words)


def _heavy(mol: Chem.Mol) -> npt.NDArray[np.float64]:
    """Positions (n, 3) without hydrogens, Å."""
    return np.asarray(Chem.RemoveHs(mol, sanitize=False).GetConformer().GetPositions())


def _triple(values: Any) -> str:
    return " ".join(f"{float(v):.3f}" for v in values)


def _rounded(values: Any) -> list[float]:
    return [round(float(v), 3) for v in values]
