"""What came of designs: one record for each molecule, ranked, some picked, all in a table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from rdkit import Chem

from moldiff.chem.picking import Pick, fingerprint, restored
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.design.pockets.run import Design
from moldiff.design.pockets.settle import Settled
from moldiff.docking.result import check_words
from moldiff.io import Writer
from moldiff.io.seal import sealed
from moldiff.protein.interactions import by_kind
from moldiff.text import replace_text

__all__ = ["Outcome"]

_ADDED = "relaxed with MMFF94 (or UFF), turned to the least docking energy"
_AMONG = 3  # times as many of the best as are picked, among which they are chosen


@dataclass(frozen=True, eq=False)
class Outcome:
    """All designs, and what they are compared with.

    Attributes
    ----------
    designs:
        In the order in which they were made.
    reference:
        The pocket's ligand, minimised from its pose; None where it has no bond orders.
    origin:
        The receptor and the pocket, for the records.
    seconds:
        Wall time.
    """

    designs: tuple[Design, ...]
    reference: Settled | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @cached_property
    def all(self) -> tuple[Design, ...]:
        """The designs; of equal molecules that pass all but the best are rejected as repeated."""
        best: dict[str, Design] = {}
        for design in self.designs:
            if design.reason is None:
                known = best.setdefault(design.smiles, design)
                best[design.smiles] = max(known, design, key=lambda d: d.score)
        return tuple(
            design
            if design.reason is not None or best[design.smiles] is design
            else replace(design, reason="repeated, in a worse pose")
            for design in self.designs
        )

    @cached_property
    def kept(self) -> tuple[Design, ...]:
        """Those that are not rejected, the best score first."""
        return tuple(sorted((d for d in self.all if d.reason is None), key=lambda d: -d.score))

    def picked(self, number: int | None, seed: int = 0) -> tuple[Design, ...]:
        """Return different ones among the best (three times as many), the best score first."""
        if number is None or number >= len(self.kept):
            return self.kept
        among = self.kept[: _AMONG * number]
        prints = [restored(fingerprint(_clean(design))) for design in among]
        chosen = sorted(k for k, _ in Pick(number, seed=seed)(prints))
        # The very best is never left out for the sake of variety.
        rest = chosen if 0 in chosen else [0, *chosen[:-1]]
        return tuple(among[k] for k in rest)

    @property
    def reasons(self) -> Counter[str]:
        """Kinds of reasons, and how many designs were rejected for each."""
        from moldiff.chem import reason_kind

        return Counter(reason_kind(d.reason) for d in self.all if d.reason is not None)

    @property
    def better(self) -> int | None:
        """How many kept designs have a lower energy than the pocket's ligand."""
        known = self.reference
        if known is None:
            return None
        return sum(d.settled is not None and d.settled.energy < known.energy for d in self.kept)

    def records(self, designs: Sequence[Design]) -> Iterator[tuple[Chem.Mol, dict[str, str]]]:
        """Yield ranked designs as molecules with their tags, and the digest of both."""
        for rank, design in enumerate(designs, start=1):
            assert design.settled is not None
            yield design.settled.mol, sealed(design.settled.mol, self.tags(design, rank))

    def tags(self, design: Design, rank: int) -> dict[str, str]:
        """Return the data fields of a design's record."""
        settled = design.settled
        if settled is None:
            return dict(design.sample.tags)
        distance_score, known = settled.terms.get("distance_score"), self.reference
        values = {
            "rank": f"{rank}",
            "energy_kcal_mol": f"{settled.energy:.3f}",
            "energy_of_pocket_ligand": "" if known is None else f"{known.energy:.3f}",
            "score": f"{settled.score:.4f}",
            "distance_score": "" if distance_score is None else f"{distance_score:.3f}",
            "checks": check_words(settled.checks),
            **by_kind(settled.interactions),
            "start": design.start,
            "added": _ADDED if "part_kept" in design.tags else "",
            **self.origin,
        }
        return {**design.sample.tags, **design.tags, **{k: v for k, v in values.items() if v}}

    def write(self, path: Path, designs: Sequence[Design]) -> list[Path]:
        """Write designs, ranked, and beside them the table of all; return both files."""
        with Writer(path) as writer:
            for mol, tags in self.records(designs):
                writer.write(mol, tags, f"moldiff-{tags['rank']}")
        table = path.with_suffix(".csv")
        replace_text(table, self.table(designs))
        return [path, table]

    def table(self, designs: Sequence[Design]) -> str:
        """Return all designs as CSV: those that are written by rank, then the others as made."""
        ranks = {id(design): k for k, design in enumerate(designs, start=1)}
        text = io.StringIO()
        writer = csv.DictWriter(text, list(_cells(None, None)), lineterminator="\n")
        writer.writeheader()
        for design in sorted(self.all, key=lambda d: ranks.get(id(d), len(ranks) + 1)):
            writer.writerow(_cells(design, ranks.get(id(design))))
        return text.getvalue()


def _clean(design: Design) -> Chem.Mol:
    with quiet():
        mol = None if design.settled is None else sanitised(design.settled.mol)
        assert mol is not None  # what is kept is strictly valid
        return Chem.RemoveHs(mol)


def _cells(design: Design | None, rank: int | None) -> dict[str, str]:
    """The cells of a row by column; of None, the columns alone."""
    settled = None if design is None else design.settled
    status = "kept" if rank else "rejected" if design and design.reason else "not picked"
    distance_score = None if settled is None else settled.terms.get("distance_score")
    return {
        "rank": f"{rank or ''}",
        "smiles": "" if design is None else design.smiles,
        "status": status,
        "reason": (design.reason or "") if design else "",
        "energy_kcal_mol": "" if settled is None else f"{settled.energy:.3f}",
        "score": "" if settled is None or settled.failed else f"{settled.score:.4f}",
        "distance_score": "" if distance_score is None else f"{distance_score:.3f}",
        "heavy_atoms": "" if design is None else f"{design.sample.mol.GetNumHeavyAtoms()}",
        "kept": "" if design is None else design.tags.get("kept", ""),
        "start": "" if design is None else design.start,
    }
