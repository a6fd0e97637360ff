"""The sequences of chains: what was in the crystal, whether it was seen or not.

They stand in the SEQRES records of PDB files, in ``pdbx_poly_seq_scheme`` or ``entity_poly_seq`` of
mmCIF files, or in a FASTA file whose records are named by chain: ``>A``, ``>1abc_A``, ``>1ABC:A``,
or as the PDB names them, ``>1ABC_1|Chains A, B|...``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from Bio.Data.PDBData import protein_letters_1to3, protein_letters_3to1_extended

from moldiff.errors import InputError
from moldiff.protein.mmcif import read_tables
from moldiff.protein.residues import NUCLEOTIDES, standard_name

__all__ = ["ChainSequence", "fasta_of", "fasta_sequences", "file_sequences", "letter"]

_SCHEME, _ENTITY, _SITE = "_pdbx_poly_seq_scheme.", "_entity_poly_seq.", "_atom_site."
_BLANK = (".", "?")
_SEQUENCE = re.compile(r"(?:>?\w{0,4}[=:\s]\s*)?[A-Za-z*-]{5,}")  # maybe with a chain: A=MKV
_NAMED = 4  # chains that are named
_CHAINS = re.compile(r"\|\s*chains?\s+([^|]+)", re.I)
_AUTHOR = re.compile(r"\S+?\[auth\s+(\S+?)\]", re.I)


@dataclass(frozen=True)
class ChainSequence:
    """The residues of a chain, those without coordinates too.

    Attributes
    ----------
    names:
        Three-letter names of n residues.
    labels:
        Number and insertion code of each, where the file says them; else None.
    """

    names: tuple[str, ...]
    labels: tuple[tuple[int, str], ...] | None = None

    @property
    def letters(self) -> str:
        """One letter for each residue, X for what is none of the twenty or derived from them."""
        return "".join(map(letter, self.names))

    @property
    def nucleic(self) -> bool:
        """Whether it is DNA or RNA."""
        return sum(name in NUCLEOTIDES for name in self.names) > len(self.names) / 2


def letter(name: str) -> str:
    """Return the letter of an amino acid, also of a modified one (``MSE``: M); X for others."""
    return str(protein_letters_3to1_extended.get(standard_name(name).ljust(3), "X"))


def file_sequences(content: bytes, kind: str, path: Path) -> dict[str, ChainSequence]:
    """Return the sequences that a structure file ("pdb" or "cif") holds, by chain."""
    if kind == "cif":
        tables, _ = read_tables(content.decode("utf-8", "replace"), str(path))
        return _scheme(tables) or _entities(tables)
    chains: dict[str, list[str]] = defaultdict(list)
    for row in content.decode("latin-1").splitlines():
        if row.startswith("SEQRES"):
            chains[row[10:12].strip()] += row[19:70].split()
    return {chain: ChainSequence(tuple(names)) for chain, names in chains.items()}


def _scheme(tables: Mapping[str, Sequence[str]]) -> dict[str, ChainSequence]:
    """The sequences with the author's numbers; of microheterogeneity the first name."""
    keys = ("pdb_strand_id", "asym_id", "seq_id", "mon_id", "pdb_seq_num", "pdb_ins_code")
    columns = [tables.get(_SCHEME + key) for key in keys]
    if any(column is None for column in columns):
        return {}
    chains: dict[str, dict[tuple[str, str], tuple[str, tuple[int, str]]]] = defaultdict(dict)
    for chain, asym, place, name, number, code in zip(*(c or () for c in columns), strict=False):
        value = int(number) if number.lstrip("-").isdigit() else 0
        row = (name, (value, "" if code in _BLANK else code))
        chains[chain].setdefault((asym, place), row)
    return {
        chain: ChainSequence(
            tuple(name for name, _ in rows.values()), tuple(label for _, label in rows.values())
        )
        for chain, rows in chains.items()
    }


def _entities(tables: Mapping[str, Sequence[str]]) -> dict[str, ChainSequence]:
    """The sequences of the entities that the chains of the atoms are."""
    names: dict[str, dict[str, str]] = defaultdict(dict)
    rows = (tables.get(_ENTITY + key, ()) for key in ("entity_id", "num", "mon_id"))
    for entity, number, name in zip(*rows, strict=False):
        names[entity].setdefault(number, name)
    chain = tables.get(f"{_SITE}auth_asym_id") or tables.get(f"{_SITE}label_asym_id", ())
    entity = tables.get(f"{_SITE}label_entity_id", ())
    pairs = dict.fromkeys(zip(chain, entity, strict=False))
    return {c: ChainSequence(tuple(names[e].values())) for c, e in pairs if e in names}


def fasta_sequences(
    path: str | Path, chains: Iterable[str]
) -> tuple[dict[str, ChainSequence], list[str]]:
    """Return the sequences of a FASTA file by the chains that its records are named after; notes.

    Parameters
    ----------
    path:
        The file.
    chains:
        The chains there are.  A single sequence is that of a single chain, however it is named.

    Raises
    ------
    InputError
        The file cannot be read, or a record is named after no chain.
    """
    from Bio.SeqIO.FastaIO import SimpleFastaParser

    path, known = Path(path), list(dict.fromkeys(chains))
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            records = [(title, text.upper()) for title, text in SimpleFastaParser(file)]
    except OSError as error:
        raise _unreadable(path, error.strerror, known) from None
    sequences: dict[str, ChainSequence] = {}
    notes: list[str] = []
    others: list[str] = []  # records of chains that the structure lacks
    for title, text in records:
        named = [chain for chain in _named(title) if chain in known]
        if not named and len(records) == len(known) == 1:
            named = known
            notes.append(
                f"the record '>{title[:40]}' is taken for the only chain, {known[0] or '(blank)'}"
            )
        if not named:
            others.append(title[:40])
            continue
        if twice := [chain for chain in named if chain in sequences]:
            raise InputError(
                f"{path} has several sequences of chain {twice[0]}.", fix="Leave one of them."
            )
        if wrong := set(text) - set(protein_letters_1to3) - set("XBZUOJ*-"):
            raise InputError(
                f"The record '>{title[:40]}' of {path} is no protein: it has "
                f"{', '.join(sorted(wrong))}.",
                fix="Give one letter for each amino acid.",
            )
        names = tuple(protein_letters_1to3.get(c, "UNK").upper() for c in text if c not in "*-")
        sequences |= dict.fromkeys(named, ChainSequence(names))
    if not sequences and others:
        raise InputError(
            f"The record '>{others[0]}' of {path} is named after no chain of the structure.",
            fix=f"Name records by chain, e.g. '>{known[0] if known else 'A'}'; chains: "
            f"{', '.join(known) or 'none'}.",
        )
    if not sequences:
        raise InputError(f"{path} holds no sequence.", fix=f"Give {fasta_of(known)}")
    return sequences, notes


def fasta_of(chains: Sequence[str]) -> str:
    """Return what a FASTA file with the sequences of chains is, in words for a message."""
    titles = " and ".join(f"'>{chain}'" for chain in chains[:_NAMED])
    more = " and so on" if len(chains) > _NAMED else ""
    if len(chains) == 1:
        return f"a FASTA file: a line {titles}, and below it the sequence, a letter a residue."
    return f"a FASTA file: lines {titles}{more}, and below each the sequence of that chain."


def _unreadable(path: Path, why: str | None, chains: Sequence[str]) -> InputError:
    """The error for a file that is not there; a sequence in its place is called that."""
    if _SEQUENCE.fullmatch(str(path)):
        return InputError(
            f"'{str(path)[:40]}' is a sequence, and no file has that name.",
            fix=f"Write it into {fasta_of(chains[:1] or ['A'])}",
        )
    return InputError(f"The sequences {path} cannot be read: {why}.", fix="Check the path.")


def _named(title: str) -> list[str]:
    """The chains that the title of a record may name."""
    if match := _CHAINS.search(title):
        words = [word.strip() for word in match[1].split(",")]
        return [_AUTHOR.sub(r"\1", word) for word in words]
    word = (title.split() or [""])[0].split("|")[0]
    return [word, re.split(r"[:_]", word)[-1]]
