"""What came of a completion: the residues built and refused, and the files about them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from moldiff.completion.building import Built
from moldiff.errors import InputError
from moldiff.protein.absent import Refused
from moldiff.protein.conformation import listed
from moldiff.protein.convert import converted
from moldiff.protein.read import contents_of
from moldiff.protein.sequence import ChainSequence
from moldiff.protein.splice import Insertion, NewResidue, spliced
from moldiff.protein.structure import Structure
from moldiff.protein.trace import Trace
from moldiff.protein.write import seqres
from moldiff.tabular import Findings, Row, save_as
from moldiff.text import counted, replace_text
from moldiff.version import __version__

__all__ = ["FORMATS", "Completion"]

FORMATS = {".pdb": "pdb", ".ent": "pdb", ".cif": "cif", ".mmcif": "cif"}
"""Suffixes of files that can be written, and their formats."""

_MARK = {"pdb": "REMARK 999", "cif": "#"}  # begins a line that is no data
_B = 8 * math.pi**2 / 3


@dataclass(frozen=True, eq=False)
class Completion(Findings):
    """A structure with missing residues built; a notebook shows its page.

    Attributes
    ----------
    path, content, kind:
        The file of the structure, what it holds, and its format ("pdb" or "cif").
    structure, trace:
        What was read of it: all heavy atoms in one conformation.
    built, refused:
        The gaps, in the order of the file.
    notes:
        Sentences for the user.
    sequences:
        Of the chains, as far as known.
    provenance:
        What it was made with.
    doubts:
        Those of the notes that tell whether the sequences are of this structure.
    """

    path: Path
    content: bytes
    kind: str
    structure: Structure
    trace: Trace
    built: tuple[Built, ...]
    refused: tuple[Refused, ...]
    notes: tuple[str, ...]
    sequences: Mapping[str, ChainSequence] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """What was built, in a line."""
        gaps = len(self.built) + len(self.refused)
        return f"<{len(self.built)} of {counted(gaps, 'gap')} of {self.path.name} built>"

    def rows(self) -> list[Row]:
        """Return a row for each gap, those that were built first.

        ``conformations`` are those of the ensemble, of so many ``drawn``, ``spread_angstrom`` is
        the root mean square of the spreads of the residues, and ``reason`` is why a gap was not
        built.  None where there is no value.
        """
        built: list[Row] = [
            {
                "gap": str(one.absent),
                "built": "yes",
                "residues": len(one.absent),
                "sequence": one.absent.letters,
                "spread_angstrom": _number(one.overall_spread),
                "conformations": len(one.ensemble),
                "drawn": one.drawn,
                "cpu_seconds": round(one.seconds, 2),
                "reason": None,
            }
            for one in self.built
        ]
        nothing = dict.fromkeys(("sequence", "spread_angstrom", "conformations", "drawn"))
        refused: list[Row] = [
            {"gap": one.where, "built": "no", "residues": one.residues, **nothing}
            | {"cpu_seconds": None, "reason": one.reason}
            for one in self.refused
        ]
        return built + refused

    def text(self, kind: str | None = None) -> str:
        """Return the completed structure as a "pdb" or "cif" file; by default as it was read.

        In the format that was read everything present stays as it is written.

        Raises
        ------
        InputError
            If the structure has no place in the format.
        """
        kind = kind or self.kind
        content = self.content
        if kind != self.kind:
            content = converted(content, self.kind, self.path)
            self._check(content, kind)
            if kind == "pdb":
                content = _seqres(self.sequences) + content
        names = ", ".join(str(one.absent) for one in self.built)
        remark = f"moldiff {__version__} built {names}" if names else f"moldiff {__version__}"
        if not self.built:
            return content.decode("utf-8" if kind == "cif" else "latin-1", "replace")
        return spliced(content, kind, [self._insertion(one) for one in self.built], remark)

    def write(self, path: str | Path) -> None:
        """Write the completed structure, as PDB or mmCIF by the suffix; whole or not at all.

        Raises
        ------
        InputError
            If the suffix is unknown, the structure has no place in the format, or the file cannot
            be written.
        """
        path = Path(path)
        if path.suffix.lower() not in FORMATS:
            raise InputError(
                f"The output '{path}' has the unknown suffix '{path.suffix}'.",
                fix=f"Use one of {', '.join(FORMATS)}.",
            )
        replace_text(path, self._marked(FORMATS[path.suffix.lower()]))

    def save(self, path: str | Path) -> Path:
        """Write the structure (.pdb, .cif), the rows (.csv), `to_json` (.json) or the page (.html).

        A file that is there is replaced, once the new one is complete.  Returns the path.

        Raises
        ------
        InputError
            If it cannot be written, has another suffix, or the structure has no place in it.
        """
        structures = {suffix: partial(self._marked, kind) for suffix, kind in FORMATS.items()}
        texts = {".csv": self.to_csv, ".json": self.to_json, ".html": self.to_html}
        return save_as(path, {**structures, **texts}, "Completed structures")

    def write_page(self, path: str | Path) -> None:
        """Write the page (`to_html`); whole or not at all."""
        replace_text(Path(path), self.to_html())

    def to_html(self) -> str:
        """Return an HTML page of the structure with the ensembles, which needs no network."""
        from moldiff.view.completion import GapView, render_completion

        gaps = [
            GapView(
                str(one.absent),
                [
                    (one.absent.chain, number, insertion, name)
                    for (number, insertion), name in zip(one.absent.labels, one.names, strict=True)
                ],
                one.absent.letters,
                one.spread,
                one.ensemble,
            )
            for one in self.built
        ]
        return render_completion(
            self.text(),
            gaps,
            title=self._title,
            kind=self.kind,
            refused=[(one.where, one.reason) for one in self.refused],
            notes=self.notes,
        )

    def _repr_html_(self) -> str:
        """The page in a frame, for notebooks."""
        from moldiff.view.verb import Page

        return Page(self.to_html(), self._title)._repr_html_()

    @property
    def _title(self) -> str:
        return f"Missing residues of {self.path.name}"

    def _marked(self, kind: str) -> str:
        """The structure as a file of ours, so that the command replaces its own files alone."""
        mark = "" if self.built else f"{_MARK[kind]} moldiff {__version__} built nothing\n"
        return mark + self.text(kind)

    def to_json(self) -> str:
        """Return everything but atoms as JSON: gaps, spread of each residue, reasons, notes."""
        built = [
            {
                "residues": str(one.absent),
                "sequence": one.absent.letters,
                "conformations": len(one.ensemble),
                "drawn": one.drawn,
                "spread": _number(one.overall_spread),
                "seconds": round(one.seconds, 2),
                "each": [
                    {
                        "chain": one.absent.chain,
                        "number": number,
                        "insertion": insertion,
                        "name": name,
                        "spread": _number(float(spread)),
                        "fits": k not in one.tight,
                    }
                    for k, ((number, insertion), name, spread) in enumerate(
                        zip(one.absent.labels, one.names, one.spread, strict=True)
                    )
                ],
            }
            for one in self.built
        ]
        refused = [
            {"where": one.where, "residues": one.residues, "reason": one.reason}
            for one in self.refused
        ]
        data = {
            "schema": "moldiff.completion 1",
            "structure": str(self.path),
            "about": "spread: root mean square fluctuation in Å of a residue's backbone atoms in "
            "the ensemble, about its mean; it says how sure the model is, not how right",
            "built": built,
            "refused": refused,
            "notes": list(self.notes),
            **self.provenance,
        }
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"

    def _check(self, content: bytes, kind: str) -> None:
        """Raise ``InputError`` unless the other format has the same residues."""
        there = set(self.structure.residues)
        changed = there ^ set(contents_of(content, self.path).structure.residues)
        if changed:
            names = listed(sorted(map(str, changed)), 3)
            raise InputError(
                f"The format {kind} has no place for some residues of {self.path}: {names}.",
                fix=f"Give the output the suffix .{self.kind}, as the structure has.",
            )

    def _insertion(self, one: Built) -> Insertion:
        absent, x = one.absent, self.trace.atoms.astype(np.float64)
        new = [
            NewResidue(name, number, insertion, atoms, b_factor(float(spread)))
            for name, (number, insertion), atoms, spread in zip(
                one.names, absent.labels, one.residues, one.spread, strict=True
            )
        ]
        return Insertion(
            absent.chain,
            x[absent.before, 2],
            x[absent.after, 0],
            new,
            absent.place + 1,
            [x[i, 1] for i in absent.replaced],
        )


def b_factor(spread: float) -> float:
    """Return the B-factor in Å² of atoms that fluctuate by so many Å; 0 if that is not known."""
    return 0.0 if math.isnan(spread) else _B * spread**2


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)


def _seqres(sequences: Mapping[str, ChainSequence]) -> bytes:
    return "".join(seqres(chain, one.names) for chain, one in sequences.items()).encode()
