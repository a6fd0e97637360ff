"""What was measured of each molecule: a row for every record, in the order of the records.

Nothing is measured here: the rows take what the protocols of a `Study` already have, and say
where one has nothing for a molecule.  ``digest`` tells the molecule by its graph and coordinates
(`moldiff.io.seal.molecule_digest`), so that a row finds its molecule in another file, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from moldiff.chem.quiet import quiet
from moldiff.chem.validity import canonical_smiles
from moldiff.io import Record
from moldiff.io.seal import molecule_digest
from moldiff.metrics.poses import Checks
from moldiff.metrics.relaxation import Relaxed
from moldiff.metrics.study import Study

__all__ = ["MoleculeRow", "molecule_rows"]

#: Column -> text or number; None where it does not apply or was not measured.
MoleculeRow: TypeAlias = dict[str, str | int | float | None]

_WORDS = {True: "yes", False: "no"}
_NOT_CHOSEN = "not among the molecules measured"


def molecule_rows(study: Study, records: Sequence[Record]) -> tuple[MoleculeRow, ...]:
    """Return a row for each of the study's molecules; ``records`` are those it was made from.

    Its keys: ``number`` (from 1), ``name``, ``source``, ``digest``, ``smiles`` (canonical, with
    stereo), ``strictly_valid`` (yes, no) and ``reason``, ``copies`` (molecules that are equal but
    for stereo), ``novel`` (yes, no; but for stereo) to ``reference``, ``posebusters`` (pass, fail)
    and ``posebusters_failed`` (checks), ``mmff94_drop`` and ``xtb_drop`` (kcal/mol),
    ``mmff94_rmsd`` and ``xtb_rmsd`` (Å), and ``notes``: why something is missing.
    """
    parts = [
        _graph(study),
        _posebusters(study),
        _relaxed(study, "relaxation", "mmff94", "MMFF94"),
        _relaxed(study, "xtb", "xtb", "GFN2-xTB"),
    ]
    rows = []
    with quiet():
        digests = [None if r.mol is None else molecule_digest(r.mol) for r in records]
    for number, record in enumerate(records, 1):
        row: MoleculeRow = {"number": number, "name": record.name, "source": record.source}
        row["digest"] = digests[number - 1]
        notes = []
        for part in parts:
            columns, note = part[number - 1]
            row |= columns
            notes += [note] if note else []
        rows.append(row | {"notes": "; ".join(notes)})
    return tuple(rows)


#: For each molecule its columns, and why some are empty ("" if none needs a reason).
_Part: TypeAlias = list[tuple[MoleculeRow, str]]


def _graph(study: Study) -> _Part:
    judged = study.measurement("graph")
    copies = Counter(row.smiles for row in judged.rows)
    known, name = judged.training, study.reference.name if study.reference else None
    part: _Part = []
    for sample, row in zip(study.samples, judged.rows, strict=True):
        compared = row.smiles is not None and known is not None
        columns: MoleculeRow = {
            "smiles": None if row.smiles is None else canonical_smiles(sample.mol, stereo=True),
            "strictly_valid": _WORDS[row.failure is None],
            "reason": row.failure,
            "copies": None if row.smiles is None else copies[row.smiles],
            "novel": _WORDS[row.smiles not in known] if compared else None,
            "reference": name,
        }
        part.append((columns, ""))
    return part


def _posebusters(study: Study) -> _Part:
    def columns(row: Checks | None) -> tuple[MoleculeRow, str]:
        if row is None:
            return {"posebusters": "fail", "posebusters_failed": "not strictly valid"}, ""
        failed = [name for name, passed in row.items() if passed is False]
        unknown = [name for name, passed in row.items() if passed is None]
        verdict = "fail" if failed else "pass"
        note = f"PoseBusters could not compute {', '.join(unknown)}" if unknown else ""
        return {"posebusters": verdict, "posebusters_failed": ", ".join(failed)}, note

    empty: MoleculeRow = {"posebusters": None, "posebusters_failed": None}
    return _placed(study, "posebusters", "PoseBusters", empty, columns)


def _relaxed(study: Study, protocol: str, key: str, title: str) -> _Part:
    def columns(row: Relaxed | None) -> tuple[MoleculeRow, str]:
        reason = "not strictly valid" if row is None else row.reason
        if row is None or reason is not None:
            return empty, f"{title}: {reason}"
        return {f"{key}_drop": round(row.drop, 3), f"{key}_rmsd": round(row.rmsd, 4)}, ""

    empty: MoleculeRow = {f"{key}_drop": None, f"{key}_rmsd": None}
    return _placed(study, protocol, title, empty, columns)


def _placed(
    study: Study,
    protocol: str,
    title: str,
    empty: MoleculeRow,
    columns: Callable[[Any], tuple[MoleculeRow, str]],
) -> _Part:
    """The columns of a protocol that may have been asked of some molecules only."""
    measured = study.measurement(protocol)
    if isinstance(measured, str):
        return [(empty, f"{title}: {measured}")] * len(study.samples)
    part: _Part = [(empty, f"{title}: {_NOT_CHOSEN}")] * len(study.samples)
    for place, row in zip(study.places(protocol), measured.rows, strict=True):
        part[place] = columns(row)
    return part
