"""What came of a design of sequences: letters of each chain, how sure they are, and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from moldiff.protein.backbone import LETTERS, UNKNOWN
from moldiff.sequences.backbones import Template
from moldiff.tabular import Tabular, save_as

__all__ = ["SUFFIXES", "Design", "Designs"]

SUFFIXES = (".fasta", ".fa", ".faa")
"""Suffixes of files of sequences."""

_WIDTH = 80  # letters of a line
_ALPHABET = np.array([*LETTERS, "X"])


@dataclass(frozen=True, eq=False)
class Design:
    """A sequence for all residues of a template.

    Attributes
    ----------
    number:
        From 1.
    template:
        What it is for.
    types:
        (n,) amino acids, those that were fixed too.
    log_probabilities:
        (n,) mean of log p of each given the backbone and a part of the others, in nats
        (`moldiff.sequences.decoding`); NaN for those that were fixed.
    """

    number: int
    template: Template
    types: npt.NDArray[np.int64]
    log_probabilities: npt.NDArray[np.float64]

    @property
    def sequences(self) -> dict[str, str]:
        """The sequence of each designed chain, a letter for each residue of the structure."""
        letters, template = _ALPHABET[self.types], self.template
        return {c: "".join(letters[template.of_chain(c)].tolist()) for c in template.chains}

    def recovery(self, chain: str | None = None) -> float:
        """Return the share of designed residues with the file's amino acid; NaN without any."""
        some = self._designed(chain)
        some = some[self.template.types[some] != UNKNOWN]
        return (
            float((self.types[some] == self.template.types[some]).mean()) if len(some) else np.nan
        )

    def log_p(self, chain: str | None = None) -> float:
        """Return the mean log-probability of designed residues, in nats."""
        some = self._designed(chain)
        return float(self.log_probabilities[some].mean()) if len(some) else np.nan

    def _designed(self, chain: str | None) -> npt.NDArray[np.int64]:
        some = np.flatnonzero(self.template.designed)
        return some if chain is None else np.intersect1d(some, self.template.of_chain(chain))


@dataclass(frozen=True, eq=False)
class Designs(Sequence[Design], Tabular):
    """Sequences for a backbone: a list of designs, with a table and files.

    Attributes
    ----------
    template:
        The residues that they are for.
    designs:
        In the order in which they were drawn.
    provenance:
        What they were made with: version, model, seed, temperature, steps.
    """

    template: Template
    designs: tuple[Design, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""
        return self.template.notes

    @overload
    def __getitem__(self, index: int) -> Design: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Design, ...]: ...
    def __getitem__(self, index: int | slice) -> Design | tuple[Design, ...]:
        return self.designs[index]

    def __len__(self) -> int:
        return len(self.designs)

    def rows(self) -> list[dict[str, str | int | float | None]]:
        """Return a row for each chain of each design."""
        return [
            {
                "design": one.number,
                "chain": chain,
                "residues": len(sequence),
                "designed": len(one._designed(chain)),
                "recovery": _number(one.recovery(chain)),
                "log_p": _number(one.log_p(chain)),
                "sequence": sequence,
            }
            for one in self.designs
            for chain, sequence in one.sequences.items()
        ]

    def to_fasta(self) -> str:
        """Return the sequences as FASTA, a record for each chain of each design.

        Records are named by file, design and chain, ``>1abc-1_A``.
        """
        return "".join(f">{name} {about}\n{_wrapped(text)}" for name, about, text in self._records)

    @cached_property
    def _records(self) -> list[tuple[str, str, str]]:
        stem = "_".join(self.template.path.name.removesuffix(".gz").rsplit(".", 1)[0].split())
        provenance = " ".join(f"{key}={value}" for key, value in self.provenance.items())
        records = []
        for row in self.rows():
            chain = f"_{row['chain']}" if row["chain"] else ""
            about = f"recovery={_shown(row['recovery'])} log_p={_shown(row['log_p'])} {provenance}"
            records.append((f"{stem}-{row['design']}{chain}", about, str(row["sequence"])))
        return records

    def to_json(self) -> str:
        """Return everything as JSON, with the probability of every residue."""
        data = {
            "schema": "moldiff.sequence 1",
            "structure": str(self.template.path),
            "about": "confidence: exp of the mean log-probability of a residue given the backbone "
            "and a part of the other residues, over all orders; null where it was fixed",
            "residues": [
                {
                    "chain": residue.chain,
                    "number": residue.number,
                    "insertion": residue.insertion,
                    "name": residue.name,
                    "designed": bool(new),
                }
                for residue, new in zip(self.template.residues, self.template.designed, strict=True)
            ],
            "designs": [
                {
                    "design": one.number,
                    "recovery": _number(one.recovery()),
                    "log_p": _number(one.log_p()),
                    "sequences": one.sequences,
                    "letters": "".join(_ALPHABET[one.types].tolist()),
                    "confidence": [_number(p) for p in np.exp(one.log_probabilities).tolist()],
                }
                for one in self.designs
            ],
            "notes": list(self.notes),
            **self.provenance,
        }
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the sequences (.fasta), their table (.csv) or everything (.json).

        A file that is there is replaced, once the new one is complete.  Returns the path.

        Raises
        ------
        InputError
            If it cannot be written, or has another suffix.
        """
        texts = {**dict.fromkeys(SUFFIXES, self.to_fasta), ".csv": self.to_csv}
        return save_as(path, {**texts, ".json": self.to_json}, "Sequences")

    def __repr__(self) -> str:
        """What it holds, in a line."""
        chains = ", ".join(chain or "(blank)" for chain in self.template.chains)
        return f"<{len(self)} designs of {self.template.path.name}, chains {chains}>"


def _number(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-"


def _wrapped(text: str) -> str:
    return "".join(f"{text[k : k + _WIDTH]}\n" for k in range(0, len(text), _WIDTH))
