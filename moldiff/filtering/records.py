"""Records of molecule files, measured in processes, each with the text that it is written as.

Where input and output have the same format that text is the record's own, so that nothing of it is
lost or rounded; otherwise it is rendered: SMILES with stereochemistry, and what has no coordinates
as a flat drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from rdkit import Chem
from rdkit.Chem import rdDepictor

from moldiff.chem.filters import Measured, Plan, measure
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import sanitised
from moldiff.io import Chunk, Record, no_molecules, read_chunks
from moldiff.io.parse import Parsed
from moldiff.io.parse_smiles import SMILES_SUFFIXES
from moldiff.io.render import FORMATS
from moldiff.metrics import samples
from moldiff.metrics.provenance import findings
from moldiff.parallel import Progress, completed, in_order

__all__ = ["Item", "fields_of", "items", "text_of"]

_CELL = 300  # characters of a data field that a table has besides what is asked for
_CHUNK = 64  # records measured at once
_LITTLE = 65_536  # bytes that are read before other processes have started
#: Format that is written -> suffixes of files whose records are in it.
_SAME = {"sdf": (".sdf", ".sd", ".mol"), "smi": SMILES_SUFFIXES}


@dataclass(frozen=True)
class Item:
    """One record, measured.

    Attributes
    ----------
    source, index, name:
        Its file, its position there from 0, and its title.
    measured:
        What the plan asks for.
    fields:
        Its data fields, see `fields_of`.
    text:
        The record in the format that is written; empty if it holds no molecule.
    """

    source: str
    index: int
    name: str
    measured: Measured
    fields: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class _Task:
    file: int
    chunk: Chunk
    plan: Plan
    fields: tuple[str, ...]
    form: str


def items(
    files: Sequence[Path],
    plan: Plan,
    fields: Sequence[str],
    form: str,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Iterator[Item]:
    """Measure the records of files, in their order.

    Parameters
    ----------
    fields:
        Data fields that are asked for.
    form:
        The format of the texts, a key of `moldiff.io.render.FORMATS`.
    progress:
        Called with the number of records done, and an estimate of all.

    Raises
    ------
    InputError
        At once for a missing, unreadable or unknown kind of file; at its end for a file without a
        single record.
    """
    opened = []
    for path in files:  # all of them, before any work
        chunks = read_chunks(path, _CHUNK)
        first = next(chunks, None)
        if first is None:
            raise no_molecules(path)
        opened.append(chain([first], chunks))
    tasks = (
        _Task(number, chunk, plan, tuple(fields), form)
        for number, chunks in enumerate(opened)
        for chunk in chunks
    )
    return _items(files, tasks, jobs, progress)


def _items(
    files: Sequence[Path], tasks: Iterator[_Task], jobs: int, progress: Progress | None
) -> Iterator[Item]:
    bytes_in_all, read = max(1, sum(path.stat().st_size for path in files)), 0
    done, counts = 0, [0] * len(files)
    jobs = jobs if bytes_in_all > _LITTLE else 1
    for number, size, rows in in_order(completed(_measured, tasks, jobs)):
        for name, measured, fields, text in rows:
            yield Item(str(files[number]), counts[number], name, measured, fields, text)
            counts[number] += 1
        done, read = done + len(rows), read + size
        if progress is not None:
            progress("filtering", done, max(done, round(done * bytes_in_all / max(1, read))))


_Row = tuple[str, Measured, dict[str, str], str]


def _measured(task: _Task) -> tuple[int, int, list[_Row]]:
    """Number of the file, bytes read of it, and its records."""
    rows = []
    for parsed, own in _parsed(task.chunk, task.form):
        mol, reason = _with_bonds(parsed, task.chunk.suffix)
        measured = measure(mol, task.plan) if mol is not None else Measured(failure=reason)
        # The column that the name is from is no data field, but may be asked for.
        asked = {k: text for k, text in parsed.cells.items() if k in task.fields}
        fields = {**asked, **fields_of(parsed.tags, task.fields)}
        text = ""
        if measured.identity and mol is not None:
            text = own or text_of(mol, parsed.name, parsed.tags, task.form)
        rows.append((parsed.name, measured, fields, text))
    return task.file, task.chunk.size, rows


def fields_of(tags: Mapping[str, str], asked: Sequence[str]) -> dict[str, str]:
    """Return the data fields that are asked for, and the short ones of the molecule itself.

    Blocks of several lines or more than 300 characters are left out, and so are a SMILES and what
    says how the record was made.
    """
    own = findings(tags)
    return {
        name: text
        for name, text in tags.items()
        if name in asked
        or (name in own and name != "SMILES" and len(text) <= _CELL and "\n" not in text)
    }


def _parsed(chunk: Chunk, form: str) -> Iterator[tuple[Parsed, str]]:
    """The records of a chunk, each with its own text where that is of the format asked for."""
    same = chunk.suffix in _SAME.get(form, ())
    for block in chunk.blocks:
        records = list(replace(chunk, blocks=(block,), damage=None).parse())
        own = block + ("\n$$$$\n" if form == "sdf" else "\n")
        # The text of a block that hides further records is not that of its first one, and a row
        # behind the names of its columns is none without them.
        alone = len(records) == 1 and not (form == "smi" and "\n" in block)
        yield from ((parsed, own if same and alone else "") for parsed in records)
    if chunk.damage is not None:
        yield Parsed(None, "", chunk.damage), ""


def _with_bonds(parsed: Parsed, suffix: str) -> tuple[Chem.Mol | None, str | None]:
    """The molecule, that of an XYZ file with bonds inferred from its coordinates, or the reason."""
    if suffix != ".xyz":
        return parsed.mol, parsed.reason
    # With its data fields, for one may state the charge.
    record = Record(parsed.mol, parsed.name, parsed.reason, suffix, 0, dict(parsed.tags))
    (sample,) = samples([record])
    return sample.mol, sample.reason


def text_of(mol: Chem.Mol, name: str, tags: Mapping[str, str], form: str) -> str:
    """Return the record of a molecule that can be sanitised, in a format of `FORMATS`."""
    title = " ".join(name.split())
    if form == "sdf" and not mol.GetNumConformers():
        return _drawn(mol, title, tags)
    return FORMATS[form].render(mol, title, tags)


def _drawn(mol: Chem.Mol, title: str, tags: Mapping[str, str]) -> str:
    """An SDF record with flat coordinates, in which wedges tell the stereochemistry."""
    flat = Chem.Mol(sanitised(mol))
    with quiet():
        Chem.AssignStereochemistry(flat, cleanIt=True)
        flat = Chem.RemoveHs(flat)
        rdDepictor.Compute2DCoords(flat)
        block = Chem.MolToMolBlock(flat)
    body = FORMATS["sdf"].render(flat, title, tags)
    drawn, end = block.index("\n"), "M  END\n"
    return title + block[drawn:] + body[body.index(end) + len(end) :]
