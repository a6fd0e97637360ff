"""What came of a completion: the residues built and refused, and the files about them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
from moldiff.text import counted, replace_text
from moldiff.version import __version__

__all__ = ["FORMATS", "Completion"]

FORMATS = {".pdb": "pdb", ".ent": "pdb", ".cif": "cif", ".mmcif": "cif"}
"""Suffixes of files that can be written, and their formats."""

_MARK = {"pdb": "REMARK 999", "cif": "#"}  # begins a line that is no data
_B = 8 * math.pi**2 / 3


@dataclass(frozen=True, eq=False)
class Completion:
    """A structure with missing residues built.

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

    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield a row for each gap: where, residues, spread in Å, conformations or why not."""
        for one in self.built:
            count = f"{len(one.ensemble)} of {one.drawn}"
            yield str(one.absent), one.absent.letters, one.typical_spread, count
        for refused in self.refused:
            count = "–" if refused.residues is None else str(refused.residues)
            yield refused.where, count, "–", f"not built: {refused.reason}"

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
        kind = FORMATS[path.suffix.lower()]
        # A copy says whose it is, too: the command replaces its own files alone.
        mark = "" if self.built else f"{_MARK[kind]} moldiff {__version__} built nothing\n"
        replace_text(path, mark + self.text(kind))

    def write_page(self, path: str | Path) -> None:
        """Write an HTML page of the structure with the ensembles; whole or not at all."""
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
        page = render_completion(
            self.text(),
            gaps,
            title=f"Missing residues of {self.path.name}",
            kind=self.kind,
            refused=[(one.where, one.reason) for one in self.refused],
            notes=self.notes,
        )
        replace_text(Path(path), page)

    def to_json(self) -> str:
        """Return everything but atoms as JSON: gaps, spread of each residue, reasons, notes."""
        built = [
            {
                "residues": str(one.absent),
                "sequence": one.absent.letters,
                "conformations": len(one.ensemble),
                "drawn": one.drawn,
                "spread": _number(float(np.sqrt(np.square(one.spread).mean()))),
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
