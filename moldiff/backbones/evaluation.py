"""Figures of backbones in anybody's files, beside those of known proteins."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moldiff import models
from moldiff.backbones.natives import FIGURES, figures_of, natives, unlike
from moldiff.backbones.quality import quality
from moldiff.backbones.sampling import hesitation
from moldiff.backbones.start import SHORTEST
from moldiff.errors import InputError
from moldiff.metrics.value import Value, rate
from moldiff.protein.read import read_contents
from moldiff.protein.secondary import letters, secondary
from moldiff.protein.trace import trace
from moldiff.tabular import Findings, Row
from moldiff.text import plural
from moldiff.version import __version__

__all__ = ["BackboneReport", "evaluate_backbones"]


_MOST = 1000  # residues: the time grows with the square


@dataclass(frozen=True, eq=False)
class BackboneReport(Findings):
    """The figures of chains, and what was left out.

    Attributes
    ----------
    chains:
        A row for each chain: its name, residues, secondary structure, the figures, and which of
        them are ``unlike`` those of natives.
    left_out:
        Sentences about chains without figures.
    """

    chains: tuple[Row, ...]
    left_out: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.chains)

    @property
    def native_like(self) -> Value:
        """The share of chains with all figures inside the bands of natives."""
        judged = [row["unlike"] for row in self.chains if row["unlike"] is not None]
        return rate(sum(not one for one in judged), len(judged))

    def means(self) -> dict[str, float]:
        """Return the mean of each figure."""
        names = (*FIGURES, "helix", "strand")
        return {
            name: float(np.mean([float(row[name] or 0.0) for row in self.chains])) for name in names
        }

    def rows(self) -> list[Row]:
        """Return a row for each chain."""
        return list(self.chains)

    def to_json(self) -> str:
        """Return the means beside the natives', and the chains, as JSON."""
        document = {
            "schema": "moldiff.evaluation/backbones",
            "version": __version__,
            "native_like": self.native_like.to_dict(),
            "means": {name: round(value, 4) for name, value in self.means().items()},
            "natives": {name: band._asdict() for name, band in natives().items()},
            "chains": list(self.chains),
            "left_out": list(self.left_out),
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def evaluate_backbones(
    files: Sequence[Path], progress: Callable[[str, int, int], None] | None = None
) -> BackboneReport:
    """Measure the protein chains of structure files.

    Raises
    ------
    InputError
        If no chain can be measured; the error says why the first cannot.
    """
    designer = models.load("sequence", domain="sequences")
    rows: list[Row] = []
    left_out: list[str] = []
    for done, path in enumerate(files, 1):
        chains, reasons = _chains(path)
        left_out += reasons
        for name, own in chains.items():
            rows.append(_row(name, own, float(hesitation(designer, own[None])[0])))
        if progress is not None:
            progress("judging backbones", done, len(files))
    if not rows:
        raise InputError(
            f"Of {len(files)} {'file' if len(files) == 1 else plural('file')} no chain can be "
            f"measured: {left_out[0]}.",
            fix=f"Give whole chains of {SHORTEST} to {_MOST} residues with N, CA and C.",
        )
    return BackboneReport(tuple(rows), tuple(left_out))


def _chains(path: Path) -> tuple[dict[str, npt.NDArray[np.float64]], list[str]]:
    """The chains of a file, (n, 4, 3) in Å, and why others are left out."""
    try:
        read = trace(read_contents(path).structure)
    except InputError as error:
        return {}, [error.what.rstrip(".")]
    if not read.fragments:
        return {}, [f"{path} holds no protein"]
    atoms, chains, reasons = read.completed(), {}, []
    for chain, runs in read.fragments.items():
        own = atoms[[i for run in runs for i in run]].astype(np.float64)
        name = f"{path}" if len(read.fragments) == 1 else f"{path}:{chain}"
        if reason := _unfit(own, len(runs)):
            reasons.append(f"{name} {reason}")
        else:
            chains[name] = own
    return chains, reasons


def _row(name: str, atoms: npt.NDArray[np.float64], nats: float) -> Row:
    """The figures of one chain."""
    states = secondary(atoms)
    measured = quality(atoms, states)
    figures = figures_of(measured, nats)
    strange = unlike(figures, len(atoms))
    return {
        "name": name,
        "residues": len(atoms),
        "structure": letters(states),
        **measured.row(),
        **{key: round(value, 4) for key, value in figures.items()},
        "unlike": None if strange is None else " ".join(strange),
    }


def _unfit(atoms: npt.NDArray[np.float64], runs: int) -> str:
    """Why a chain cannot be measured; empty if it can."""
    if not np.isfinite(atoms).all():
        return "has residues without N, CA or C"
    if runs > 1:
        return "is broken"
    if len(atoms) < SHORTEST:
        return f"has {len(atoms)} residues, fewer than {SHORTEST}"
    if len(atoms) > _MOST:
        return f"has {len(atoms)} residues, more than {_MOST}"
    return ""
