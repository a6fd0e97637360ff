"""Whether a file that stands where a command wants to write was made by that command.

A file is known by what every file of its kind has near its beginning, in any version.  What is
not the command's is refused, and what an earlier run made is told before it is lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from moldiff.cli.output import remark
from moldiff.errors import InputError
from moldiff.text import counted, digest_of

__all__ = ["check_replaceable"]

_NEAR = 1 << 16  # bytes: a table of conditions or the first molecule may be long
_COUNTED = 1 << 26  # bytes: to count the records of a larger file would take seconds
_NAMED = 3  # files that are named before they are replaced; a folder of backbones has hundreds

# kind of file -> what it has
_MARKS: Mapping[str, str] = {
    "molecules": r"moldiff-\d+|moldiff_version|\A\[\s*\]\s*\Z",  # the last: none was kept
    "grown": r"part_kept|\A\[\s*\]\s*\Z",
    "trajectory": r"\A\s*\d+\s*\nmolecule=\d+",
    "denoising": r"moldiff denoising",
    "page": r'<meta name="generator" content="moldiff">',
    "evaluation": r'"schema": "moldiff\.evaluation',
    "figures": r"\Anumber,name,source,digest,",
    "figures of chains": r"\Aname,residues,structure,joined,",
    "likelihood": r'"unit": "nats per molecule"',
    "filtered": r'"schema": "moldiff\.filter"',
    "table of all": r"\Afile,record,name,smiles,status,reason",
    "poses": r"receptor_sha256|<box_center>",
    "scored": r"<scored_by>",
    "docking": r'"schema": "moldiff\.docking',
    "interactions": r"\Arank,kind,role,residue",
    "designs": r"\Arank,smiles,status,reason,energy_kcal_mol",
    "scores": r"\Aname,smiles,reason,[^\n]*\b(scored_by|receptor_sha256)\b",
    "library": r"\Arow,name,status,reason,place,energy_kcal_mol",
    "parquet": r"\APAR1",
    "completed": r"moldiff \S+ built ",
    "completion": r'"schema": "moldiff\.completion',
    "prepared": r"\AREMARK 999 moldiff \S+ prepared ",
    "preparation": r'"schema": "moldiff\.receptor',
    "schedule": r"<title>The schedule of ",
    "sequences": r"\A>\S+ recovery=\S+ log_p=",
    "sequence": r'"schema": "moldiff\.sequence',
    "backbone": r"\A(REMARK 999|#) drawn by moldiff ",
    "backbones": r"\Aname,residues,wanted,structure,obeyed",
    "folds table": r"\Akind,residues,joined,",
    "folds": r"\A>backbone-\d+-\d+ log_p=",
    "recovery": r"\Amethod,chain,residues,recovery,nats,seconds",
    "gaps": r"\A(method,)?chain,start,residues,(identity,)?closed,seconds",
}

# kind of file -> what it has not, but files of other commands that have its mark
_OTHERS: Mapping[str, str] = {
    "molecules": r"receptor_sha256|<box_center>|part_kept",  # docked, or designed
    "grown": r"receptor_sha256|<box_center>",
}

_RECORDS = ("molecules", "grown", "poses", "scored")  # kinds of files of molecules


def check_replaceable(
    files: Mapping[Path, str | Path], *, force: bool, goes_on: bool = False
) -> None:
    """Refuse to replace files that are not of their kind; say which of an earlier run will be.

    Parameters
    ----------
    files:
        File that will be written -> its kind, a key of the table above; or, for a file with
        nothing of its own to know it by, a JSON file written with it that has its digest.
    force:
        Replace any file, without a word.
    goes_on:
        Whether the command goes on with what an earlier run made, so that nothing of it is lost.

    Raises
    ------
    InputError
        For the first that stands there and was made by something else.
    """
    there = [] if force else [p for p in files if p.is_file() and p.stat().st_size]
    for path in there:
        if not _of_kind(path, files[path], files):
            raise InputError(
                f"'{path}' is there already, and this command did not make it.",
                fix="Give another name, or --force to replace it.",
            )
    if there and not goes_on:
        from moldiff.protein.conformation import listed

        names = listed([f"{path}{_holding(path, files[path])}" for path in there], _NAMED)
        remark(f"Note: {names} of an earlier run will be replaced.")


def _holding(path: Path, kind: str | Path) -> str:
    """How many records are in a file of molecules, in brackets; of other or large ones nothing."""
    molecules = kind in _RECORDS or isinstance(kind, Path)
    if not molecules or path.suffix.lower() == ".json":  # which is read as a whole
        return ""
    if path.stat().st_size > _COUNTED:
        return ""
    from moldiff.io import read_chunks

    try:
        chunks = [(len(c.blocks), c.damage) for c in read_chunks(path, 1000)]
    except InputError:  # it has become unreadable, or never had that suffix's format
        return ""
    count = sum(number for number, _ in chunks)
    if any(damage for _, damage in chunks):  # nobody knows how many it held
        return ""
    return f" ({counted(count, 'record')})"


def _of_kind(path: Path, kind: str | Path, files: Mapping[Path, str | Path]) -> bool:
    if isinstance(kind, Path):
        # What was changed since is not the command's any more.
        beside = _beginning(kind) if kind.is_file() and _of_kind(kind, files[kind], files) else ""
        return f'"digest": "{digest_of(path)}"' in beside
    text, others = _beginning(path), _OTHERS.get(kind)
    foreign = others is not None and re.search(others, text) is not None
    return re.search(_MARKS[kind], text) is not None and not foreign


def _beginning(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_NEAR).decode("utf-8", "replace")
    except OSError:  # what cannot be read is not known
        return ""
