"""What came of a drawing of backbones: structures, their figures, sequences, and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from Bio.Data.PDBData import protein_letters_1to3

from moldiff.backbones.motif import Motif
from moldiff.backbones.natives import figures_of, unlike
from moldiff.backbones.quality import Quality
from moldiff.errors import unknown_suffix
from moldiff.protein.convert import converted
from moldiff.protein.write import backbone_pdb
from moldiff.tabular import Row, Tabular
from moldiff.text import replace_text

__all__ = ["Backbones", "Fold"]

_SAVED = (".csv", ".html")


@dataclass(frozen=True, eq=False)
class Fold:
    """A backbone of n residues, drawn by a model.

    Attributes
    ----------
    number:
        From 1.
    atoms:
        (n, 4, 3) N, CA, C and O in Å, centred unless there is a motif; bonds between residues are
        within 0.02 Å of ideal.
    wanted, structure:
        The secondary structure asked for and found, a letter of ``HEC?`` for each residue; nothing
        is asked of a motif.
    quality:
        Its figures.
    hesitation:
        The entropy of the sequence model's amino acids per residue when none is known, in nats.
    moved:
        Å, root mean square shift of its atoms when residues were joined.
    sequences:
        Amino acids designed for it, a letter for each residue.
    log_p:
        The mean log-probability of a designed residue of each sequence, in nats.
    motif, layout:
        What it was drawn around, if anything, whose residues stay in their place; and which of
        them each is, (n,), or -1.
    """

    number: int
    atoms: npt.NDArray[np.float64]
    wanted: str
    structure: str
    quality: Quality
    hesitation: float
    moved: float
    sequences: tuple[str, ...] = ()
    log_p: tuple[float, ...] = ()
    motif: Motif | None = None
    layout: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.atoms)

    @property
    def obeyed(self) -> float | None:
        """The share of residues with the secondary structure that was asked for; None if none."""
        pairs = [(a, b) for a, b in zip(self.wanted, self.structure, strict=True) if a != "?"]
        return float(np.mean([a == b for a, b in pairs])) if pairs else None

    @property
    def unlike(self) -> tuple[str, ...] | None:
        """Its figures that natives have not, () if it is native-like, None if it is too long."""
        return unlike(figures_of(self.quality, self.hesitation), len(self))

    @property
    def kept(self) -> str:
        """Where the pieces of the motif are: ``11-29=A:12-30``; empty without one."""
        return "" if self.motif is None else self.motif.described(self.layout)

    def to_pdb(self, remark: str = "") -> str:
        """Return it in the PDB format; residues are named by the first sequence, or GLY.

        Those of a motif keep their name and side chain.
        """
        letters = self.sequences[0] if self.sequences else "G" * len(self)
        names = [protein_letters_1to3[one].upper() for one in letters]
        sides, about = {}, [*([remark] if remark else []), *self._origin]
        if self.motif is not None:
            for k in np.flatnonzero(self.layout >= 0).tolist():
                own = int(self.layout[k])
                names[k], sides[k] = self.motif.residues[own].name, self.motif.sides[own]
        return backbone_pdb(self.atoms, names, sides=sides, about=about)

    def to_cif(self, remark: str = "") -> str:
        """Return it in the mmCIF format; see `to_pdb`."""
        content = converted(self.to_pdb().encode(), "pdb", Path(f"backbone-{self.number}.pdb"))
        remarks = [*([remark] if remark else []), *self._origin]
        return "".join(f"# {one}\n" for one in remarks) + content.decode()

    @property
    def _origin(self) -> list[str]:
        """Where the pieces of the motif are from."""
        if self.motif is None:
            return []
        return [f"motif {piece} of {self.motif.path.name}" for piece in self.kept.split()]


@dataclass(frozen=True, eq=False)
class Backbones(Sequence[Fold], Tabular):
    """Backbones drawn by a model: a list, with a table, a page and files.

    Attributes
    ----------
    folds:
        In the order in which they were drawn.
    provenance:
        What they were made with: version, model, seed, steps.
    notes:
        Sentences for the user.
    """

    folds: tuple[Fold, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Fold: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Fold, ...]: ...
    def __getitem__(self, index: int | slice) -> Fold | tuple[Fold, ...]:
        return self.folds[index]

    def __len__(self) -> int:
        return len(self.folds)

    def rows(self) -> list[Row]:
        """Return a row for each backbone: what was asked for, what came, and its figures."""
        return [
            {
                "name": self.name(fold),
                "residues": len(fold),
                "wanted": fold.wanted,
                "structure": fold.structure,
                "obeyed": None if fold.obeyed is None else round(fold.obeyed, 4),
                **({"motif": fold.kept} if fold.motif is not None else {}),
                **fold.quality.row(),
                "hesitation": round(fold.hesitation, 4),
                "unlike": None if fold.unlike is None else " ".join(fold.unlike),
                "moved": round(fold.moved, 3),
                "log_p": round(fold.log_p[0], 4) if fold.log_p else None,
                "sequence": fold.sequences[0] if fold.sequences else None,
            }
            for fold in self.folds
        ]

    @staticmethod
    def name(fold: Fold) -> str:
        """Return the name of a backbone, and of its file without the suffix."""
        return f"backbone-{fold.number}"

    def to_fasta(self) -> str:
        """Return the sequences as FASTA, named by backbone and number: ``>backbone-1-2``."""
        provenance = self._provenance()
        return "".join(
            f">{self.name(fold)}-{k} log_p={log_p:.3f} {provenance}\n{sequence}\n"
            for fold in self.folds
            for k, (sequence, log_p) in enumerate(zip(fold.sequences, fold.log_p, strict=True), 1)
        )

    def to_html(self) -> str:
        """Return the page: a list with figures, and each backbone in three dimensions."""
        from moldiff.view.backbones import render_backbones

        pdbs = [fold.to_pdb() for fold in self.folds]
        return render_backbones(self.rows(), pdbs, title="Backbones", about=self._provenance())

    def files(self, folder: str | Path, kind: str = "pdb") -> dict[Path, str]:
        """Return the files that `save` writes to a folder, and their text."""
        folder = Path(folder)
        remark = f"drawn by moldiff {self._provenance()}"
        texts = {
            folder / f"{self.name(fold)}.{kind}": (
                fold.to_pdb(remark) if kind == "pdb" else fold.to_cif(remark)
            )
            for fold in self.folds
        }
        texts[folder / "backbones.csv"] = self.to_csv()
        if any(fold.sequences for fold in self.folds):
            texts[folder / "sequences.fasta"] = self.to_fasta()
        texts[folder / "backbones.html"] = self.to_html()
        return texts

    def save(self, path: str | Path, kind: str = "pdb") -> Path:
        """Write the table (.csv), the page (.html), or everything into a folder (no suffix).

        Structures are of the ``kind`` "pdb" or "cif".  Files that are there are replaced, once the
        new ones are complete.  Returns the path.

        Raises
        ------
        InputError
            If it cannot be written, or has another suffix.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in ("", *_SAVED) and not path.is_dir():
            raise unknown_suffix("Backbones", path, (*_SAVED, "a folder"))
        if suffix in _SAVED:
            replace_text(path, self.to_csv() if suffix == ".csv" else self.to_html())
            return path
        texts = self.files(path, kind)
        path.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            replace_text(file, text)
        return path

    def _provenance(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.provenance.items())

    def __repr__(self) -> str:
        """What it holds, in a line."""
        sizes = [len(fold) for fold in self.folds]
        return f"<{len(self)} backbones of {min(sizes)} to {max(sizes)} residues>"

    def _repr_html_(self) -> str:
        """The page in a frame, for notebooks."""
        from moldiff.view.verb import Page

        return Page(self.to_html(), "Backbones")._repr_html_()
