"""Which molecules: the neutral forms of the sources' SMILES, filtered, drawn and shuffled.

Kept are molecules of one piece without net charge, of H, C, N, O, F, P, S, Cl, Br and I, with 10 to
40 heavy atoms and rings of at most 12; of MOSES 260,000, at most five with the same scaffold
(G. W. Bemis, M. A. Murcko, J. Med. Chem. 39 (1996) 2887); none twice.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from rdkit import Chem
from rdkit.Chem.MolStandardize import rdMolStandardize
from rdkit.Chem.Scaffolds import MurckoScaffold

from moldiff.chem import Rejected, quiet, reason_kind

__all__ = [
    "ELEMENTS",
    "SIZES",
    "Candidate",
    "Drawn",
    "Source",
    "draw",
    "neutral_form",
    "scaffold",
    "shuffled",
]

ELEMENTS = ("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
SIZES = (10, 40)  # heavy atoms
_LARGEST_RING = 12
_OFTEN = 500  # candidates between two reports


@dataclass(frozen=True)
class Source:
    """Where SMILES come from.

    Attributes
    ----------
    name, origin, licence:
        For the data card.
    most:
        How many are taken at most; None takes all.
    of_a_scaffold:
        How many with the same scaffold are taken at most; None takes all.
    listed:
        Whether each one left out is listed, not only counted: a user's own.
    """

    name: str
    origin: str
    licence: str
    most: int | None = None
    of_a_scaffold: int | None = None
    listed: bool = False


@dataclass(frozen=True)
class Candidate:
    """What becomes of a record of a source: its neutral form and scaffold, or a reason.

    ``name`` says which record it is, where it is the user's.
    """

    smiles: str = ""
    scaffold: str = ""
    reason: str | None = None
    name: str = ""


@dataclass
class Drawn:
    """The molecules of one source, and what was left out."""

    smiles: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    listed: list[tuple[str, str]] = field(default_factory=list)


def neutral_form(smiles: str) -> str | Rejected:
    """Return the SMILES of a molecule's neutral form, or why it is left out."""
    with quiet():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None or not mol.GetNumAtoms():
            return Rejected("unreadable SMILES")
        if "." in smiles:
            return Rejected("more than one piece")
        try:
            mol = _uncharger().uncharge(mol)
        except (ValueError, RuntimeError) as error:
            return Rejected(f"cannot be neutralised: {str(error).splitlines()[0]}")
        for atom in mol.GetAtoms():
            atom.SetIsotope(0)
        mol = Chem.RemoveHs(mol)  # deuterium is an atom of its own when it is read
        reason = _unwanted(mol)
        return str(Chem.MolToSmiles(mol)) if reason is None else Rejected(reason)


def scaffold(smiles: str) -> str:
    """Return the Murcko scaffold of a molecule, without stereochemistry; empty if acyclic."""
    with quiet():
        return str(MurckoScaffold.MurckoScaffoldSmiles(smiles))


def draw(
    source: Source,
    candidates: Iterable[Candidate],
    previous: set[str],
    tell: Callable[[int, int], None] = lambda judged, taken: None,
) -> Drawn:
    """Take the molecules of a source in their order.

    Parameters
    ----------
    previous:
        Molecules taken before; it grows.
    tell:
        Called now and then with the numbers of candidates looked at and of molecules taken.
    """
    drawn, of_scaffold = Drawn(), Counter[str]()
    judged = 0
    for candidate in candidates:
        if judged % _OFTEN == 0:
            tell(judged, len(drawn.smiles))
        if source.most is not None and len(drawn.smiles) >= source.most:
            break
        judged += 1
        reason = candidate.reason
        if reason is None and candidate.smiles in previous:
            reason = "taken before"
        if reason is None and source.of_a_scaffold is not None:
            of_scaffold[candidate.scaffold] += 1
            if of_scaffold[candidate.scaffold] > source.of_a_scaffold:
                reason = "enough of its scaffold"
        if reason is None:
            previous.add(candidate.smiles)
            drawn.smiles.append(candidate.smiles)
            continue
        drawn.left_out[reason_kind(reason)] += 1
        if source.listed:
            drawn.listed.append((candidate.name, reason))
    if judged:
        tell(judged, len(drawn.smiles))
    return drawn


def shuffled(drawn: Sequence[Drawn]) -> list[tuple[str, int]]:
    """Return all molecules, each with the number of its source, in an order fixed by them."""
    rows = [(smiles, number) for number, part in enumerate(drawn) for smiles in part.smiles]
    random.Random(0).shuffle(rows)
    return rows


@cache
def _uncharger() -> Any:
    return rdMolStandardize.Uncharger()


def _unwanted(mol: Chem.Mol) -> str | None:
    for atom in mol.GetAtoms():
        if atom.GetSymbol() not in ELEMENTS:
            return f"element: {atom.GetSymbol()}"
        if atom.GetNumRadicalElectrons():
            return "radical"
        if abs(atom.GetFormalCharge()) > 1:
            return f"multiple charge: {atom.GetSymbol()}{atom.GetFormalCharge():+d}"
    heavy = mol.GetNumHeavyAtoms()
    if heavy < SIZES[0]:
        return f"too small: {heavy} heavy atoms"
    if heavy > SIZES[1]:
        return f"too large: {heavy} heavy atoms"
    if Chem.GetFormalCharge(mol):
        return f"net charge: {Chem.GetFormalCharge(mol):+d}"
    ring = max(map(len, mol.GetRingInfo().AtomRings()), default=0)
    return f"large ring: {ring} atoms" if ring > _LARGEST_RING else None
