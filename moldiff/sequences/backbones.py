"""What a sequence is designed for: the residues of a structure that have a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from Bio.Data.PDBData import protein_letters_1to3

from moldiff.domain.sequences import APART
from moldiff.errors import InputError, did_you_mean
from moldiff.protein.backbone import LETTERS, UNKNOWN
from moldiff.protein.conformation import listed
from moldiff.protein.read import read_contents
from moldiff.protein.rebuilt import counted_places, range_of
from moldiff.protein.residues import standard_name
from moldiff.protein.selection import between
from moldiff.protein.structure import Residue, Structure, in_chain
from moldiff.protein.trace import Trace, trace
from moldiff.text import several

__all__ = ["Template", "template"]

_SEEN = 300  # residues of the longest chain in training
_MOST = 4000  # residues of all chains: the time grows with the square


@dataclass(frozen=True, eq=False)
class Template:
    """The n residues of a structure that have N, CA and C, chain by chain.

    Attributes
    ----------
    path:
        The file.
    residues:
        What the file calls them.
    atoms:
        (n, 4, 3) float32, N, CA, C and O in Å.
    types:
        (n,) int64 the file's own amino acids (`moldiff.protein.backbone.LETTERS`), or `UNKNOWN`.
    places:
        (n,) int64 places in the chains; those of another chain are far away.
    designed:
        (n,) whether a residue gets a new amino acid.
    notes:
        Sentences for the user.
    """

    path: Path
    residues: tuple[Residue, ...]
    atoms: npt.NDArray[np.float32]
    types: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    designed: npt.NDArray[np.bool_]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.residues)

    @property
    def chains(self) -> list[str]:
        """The chains with a residue that is designed, in the order of the file."""
        designed = zip(self.residues, self.designed, strict=True)
        return list(dict.fromkeys(residue.chain for residue, new in designed if new))

    def of_chain(self, chain: str) -> npt.NDArray[np.int64]:
        """Return which residues are a chain's."""
        return np.flatnonzero([residue.chain == chain for residue in self.residues])


def template(
    path: str | Path,
    *,
    chains: str | Sequence[str] | None = None,
    fix: str | Sequence[str] = (),
) -> Template:
    """Return the residues of a structure file, PDB or mmCIF.

    Parameters
    ----------
    path:
        The file.
    chains:
        The chains that get a sequence; the others keep theirs.  By default all.
    fix:
        Residues that keep their amino acid, ``A:10-20``, or a whole chain, ``A:``.

    Raises
    ------
    InputError
        If the file holds no backbone, or lacks a chain or residue that is named.
    """
    path = Path(path)
    structure = read_contents(path).structure
    backbone = trace(structure)
    if not backbone.fragments:
        raise InputError(f"{path} holds no protein.", fix="Give a structure of a protein.")
    kept = _kept(path, structure, backbone)
    if len(kept) > _MOST:
        raise InputError(
            f"{path} has {len(kept)} residues; sequences are designed for up to {_MOST}.",
            fix="Leave out chains that are far from those to design.",
        )
    atoms = backbone.completed()[kept]
    residues = tuple(structure.residues[i] for i in kept)
    types = backbone.types[kept]
    chosen = None if chains is None else several(chains)
    designed = _designed(path, residues, types, chosen, several(fix))
    notes = (*structure.notes, *_notes(structure, backbone, kept, residues, types))
    places = _places(structure, backbone)[kept]
    return Template(path, residues, atoms, types, places, designed, notes)


def _kept(path: Path, structure: Structure, backbone: Trace) -> list[int]:
    """The residues with N, CA and C."""
    there = np.asarray(np.isfinite(backbone.atoms[:, :3]).all((1, 2)))
    fragments = (run for runs in backbone.fragments.values() for run in runs)
    members = [i for run in fragments for i in run]
    kept = [i for i in members if there[i]]
    if not kept:
        traced = np.isfinite(backbone.atoms[members, 0]).any()
        what = "no residue with N, CA and C" if traced else "no backbone atoms but C-alpha"
        raise InputError(
            f"{path} has {what}, and a sequence is designed for N, CA, C and O.",
            fix="Rebuild the backbone with another program, or give the full structure.",
        )
    return kept


def _places(structure: Structure, backbone: Trace) -> npt.NDArray[np.int64]:
    """Places in the chains, those of each chain far from all others."""
    places = counted_places(structure, backbone)
    start = 0
    for runs in backbone.fragments.values():
        own = [i for run in runs for i in run]
        places[own] += start - places[own].min()
        start = int(places[own].max()) + APART
    return places


def _designed(
    path: Path,
    residues: Sequence[Residue],
    types: npt.NDArray[np.int64],
    chains: Sequence[str] | None,
    fix: Sequence[str],
) -> npt.NDArray[np.bool_]:
    """Which residues get a new amino acid."""
    there = list(dict.fromkeys(residue.chain for residue in residues))
    for chain in chains or ():
        if chain not in there:
            raise InputError(
                f"{path} has no chain '{chain}'.", fix=did_you_mean(chain, there or ["none"])
            )
    designed = np.array([chains is None or residue.chain in chains for residue in residues])
    for text in fix:
        some = _range(path, residues, text)
        unknown = [str(residues[k]) for k in some if types[k] == UNKNOWN]
        if unknown:
            raise InputError(
                f"{unknown[0]} cannot be kept: it is none of the twenty amino acids.",
                fix="Leave it out of --fix; it then gets a new one.",
            )
        designed[some] = False
    if not designed.any():
        raise InputError("All residues are fixed.", fix="Leave some free.")
    return designed


def _range(path: Path, residues: Sequence[Residue], text: str) -> list[int]:
    """The residues of a range, ``A:10-20``, or of a chain, ``A:``."""
    asked = range_of(text, residues)
    chain = text.strip().removesuffix(":") if asked is None else asked[0]
    own = [k for k, residue in enumerate(residues) if residue.chain == chain]
    if asked is None and text.strip().endswith(":") and own:
        return own
    if asked is None:
        raise InputError(
            f"'{text}' is no range of residues.", fix="Write chain:first-last, e.g. A:10-20."
        )
    _, first, last = asked
    span = between([residues[k] for k in own], first, last)
    if isinstance(span, str):
        raise InputError(
            f"{path} has no residue {in_chain(chain, span)} with a backbone to fix.",
            fix=_there(residues, chain, own),
        )
    if not span:
        raise InputError(
            f"The range {text} ends before it begins.",
            fix=f"Write {in_chain(chain, f'{last}-{first}')}.",
        )
    return [own[k] for k in span]


def _there(residues: Sequence[Residue], chain: str, own: Sequence[int]) -> str:
    if not own:
        names = dict.fromkeys(residue.chain for residue in residues)
        return f"Chains there are: {', '.join(name or '(blank)' for name in names)}."
    first, last = residues[own[0]], residues[own[-1]]
    ends = f"{first.number}{first.insertion} to {last.number}{last.insertion}"
    return f"Chain {chain or '(blank)'} has {ends}."


def _notes(
    structure: Structure,
    backbone: Trace,
    kept: Sequence[int],
    residues: Sequence[Residue],
    types: npt.NDArray[np.int64],
) -> list[str]:
    notes = []
    known = set(kept)
    bare = [
        str(residue)
        for i, residue in enumerate(structure.residues)
        if residue.kind == "protein" and i not in known
    ]
    if bare:
        notes.append(f"residues without N, CA or C are out of the sequences: {listed(bare)}")
    taken = dict.fromkeys(
        f"{residue.name} as {LETTERS[k]}"
        for residue, k in zip(residues, types, strict=True)
        if k != UNKNOWN
        if standard_name(residue.name) != protein_letters_1to3[LETTERS[k]].upper()
    )
    if taken:
        notes.append(
            f"modified amino acids are taken for those they derive from: {listed(sorted(taken))}"
        )
    strange = [str(r) for r, k in zip(residues, types, strict=True) if k == UNKNOWN]
    if strange:
        notes.append(f"none of the twenty amino acids, no native to recover: {listed(strange)}")
    for chain, runs in backbone.fragments.items():
        name = chain or "(blank)"
        if len(runs) > 1:
            ends = [str(structure.residues[run[-1]]) for run in runs[:-1]]
            notes.append(
                f"chain {name} is broken after {listed(ends)}: "
                "its sequence has nothing for what is missing"
            )
        count = sum(map(len, runs))
        if count > _SEEN:
            notes.append(
                f"chain {name} has {count} residues; the model was trained on up to {_SEEN}"
            )
    return notes
