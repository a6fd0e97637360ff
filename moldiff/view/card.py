"""One record as the JSON object the page reads: identity, validity, atoms, drawing, tags."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, rdDetermineBonds, rdMolDescriptors

from moldiff.chem.validity import canonical_smiles, reason_kind, sanitised, strict_failure
from moldiff.text import numbers_of
from moldiff.view.drawing import drawing, without_plain_hydrogens
from moldiff.view.pose import lying
from moldiff.view.trajectory import thinned

if TYPE_CHECKING:
    from moldiff.io import Record
    from moldiff.view.trajectory import Frame

__all__ = ["COLUMNS", "describe", "describe_frames"]

# key, label, digits, function; the second group needs a molecule that sanitises
_OF_ANY: tuple[tuple[str, str, int, Callable[[Chem.Mol], float]], ...] = (
    ("heavy", "Heavy atoms", 0, lambda mol: mol.GetNumHeavyAtoms()),
    ("mw", "MW", 1, Descriptors.MolWt),
)
_OF_SANE: tuple[tuple[str, str, int, Callable[[Chem.Mol], float]], ...] = (
    ("logp", "logP", 2, Crippen.MolLogP),
    ("qed", "QED", 2, QED.qed),
    ("tpsa", "TPSA", 1, rdMolDescriptors.CalcTPSA),
    ("rings", "Rings", 0, rdMolDescriptors.CalcNumRings),
)
#: The computed columns of the page, in order.
COLUMNS = [{"key": k, "label": label, "digits": d} for k, label, d, _ in (*_OF_ANY, *_OF_SANE)]

# bond types a page and an SDF know, by RDKit type; anything else counts as single
_ORDERS = {
    Chem.BondType.SINGLE: 1,
    Chem.BondType.DOUBLE: 2,
    Chem.BondType.TRIPLE: 3,
    Chem.BondType.AROMATIC: 4,
}
_ATOM_NAME = re.compile(r"\b([A-Z][a-z]?)(\d+)\b")
_MAX_FRAMES = 120
_MAX_DRAWN = 200  # atoms: laying out more takes long and shows a tangle


def describe(record: Record, *, explicit: bool, net_charge: int | None) -> dict[str, Any]:
    """Return the JSON-ready description of ``record``; never raises for a bad molecule.

    Parameters
    ----------
    explicit:
        All hydrogens are atoms: judge by strict validity with ``net_charge`` (None allows
        any).  Otherwise hydrogens are implicit and sanitisation is the judge.
    """
    card: dict[str, Any] = {
        "name": record.name,
        "valid": False,
        "reason": record.reason,
        "kind": reason_kind(record.reason or ""),
        "tags": {str(key): str(value) for key, value in record.tags.items()},
    }
    if record.mol is None:
        return card
    mol, guessed = _with_bonds(record)
    if explicit or guessed:
        mol = _without_implicit(mol)
    sane = None if guessed else sanitised(mol)
    reason = record.reason
    if reason is None and not guessed:
        lenient = None if sane is not None else "cannot be sanitised"
        reason = strict_failure(mol, net_charge=net_charge) if explicit else lenient
    problem, kept = _problem_atoms(mol, reason), _kept_atoms(mol, record.tags)
    drawn = drawing(mol, problem, kept) if mol.GetNumAtoms() <= _MAX_DRAWN else None
    card |= {
        "valid": None if guessed and reason is None else reason is None,
        "reason": reason,
        "kind": reason_kind(reason or ""),
        "guessed": guessed,
        "smiles": None if guessed else _smiles(mol),
        "formula": _formula(mol),
        "problem": problem,
        "kept": kept,
        "svg": None if drawn is None else drawn.svg,
        "flat": [] if drawn is None else [v for i, xy in drawn.places.items() for v in (i, *xy)],
        "undrawn": "" if mol.GetNumAtoms() <= _MAX_DRAWN else _too_large(mol),
        "properties": _properties(mol, sane),
    }
    return card | _atoms(mol, sane) | ({} if sane is None else _searched(sane))


def describe_frames(frames: Sequence[Frame]) -> dict[str, list[dict[str, Any] | None]]:
    """Thin a trajectory to at most 120 finite frames and drop what repeats.

    Returns ``frames`` and, where there are any, as many ``predicted``, None for a frame without.
    A frame without ``e`` (elements) or ``b`` (bonds) has those of the one before it.
    """
    shown = thinned(frames, _MAX_FRAMES)
    if not shown:
        return {}
    ends = [frame.prediction for frame in shown]
    finite = [end is not None and bool(np.isfinite(end.positions).all()) for end in ends]
    predicted = [end if good else None for end, good in zip(ends, finite, strict=True)]
    described = {"frames": _changes(shown)}
    return described | ({"predicted": _changes(predicted)} if any(finite) else {})


def _changes(frames: Sequence[Frame | None]) -> list[dict[str, Any] | None]:
    """Each frame as what changes from the one before it."""
    cards: list[dict[str, Any] | None] = []
    elements: tuple[str, ...] | None = None
    bonds: tuple[tuple[int, int, int], ...] | None = None
    for frame in frames:
        if frame is None:
            cards.append(None)
            continue
        card: dict[str, Any] = {"t": frame.t, "x": _rounded(frame.positions, 2)}
        if frame.elements != elements:
            card["e"] = list(frame.elements)
        if frame.bonds != bonds:
            card["b"] = [value for bond in frame.bonds for value in bond]
        elements, bonds = frame.elements, frame.bonds
        cards.append(card)
    return cards


def _too_large(mol: Chem.Mol) -> str:
    return f"no drawing: {mol.GetNumAtoms()} atoms, more than {_MAX_DRAWN}"


def _with_bonds(record: Record) -> tuple[Chem.Mol, bool]:
    """The molecule to show and whether its bonds were guessed from distances (XYZ only)."""
    mol = record.mol
    assert mol is not None
    if mol.GetNumAtoms() < 2 or not record.bondless:
        return mol, False
    bonded = record.with_bonds().mol
    if bonded is not None:
        return bonded, True
    guess = Chem.Mol(mol)
    with contextlib.suppress(RuntimeError, ValueError):  # shown as loose atoms then
        rdDetermineBonds.DetermineConnectivity(guess)
    return guess, True


def _without_implicit(mol: Chem.Mol) -> Chem.Mol:
    """A copy whose hydrogens are its hydrogen atoms and no more."""
    copy = Chem.Mol(mol)
    for atom in copy.GetAtoms():
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(0)
    return copy


def _atoms(mol: Chem.Mol, sane: Chem.Mol | None) -> dict[str, Any]:
    """Elements, bonds, charges, isotopes, radicals; coordinates and pose when there are any."""
    shown = Chem.Mol(sane) if sane is not None else mol
    if sane is not None:
        Chem.Kekulize(shown, clearAromaticFlags=True)
    atoms = list(shown.GetAtoms())
    fields: dict[str, Any] = {
        "elements": [atom.GetSymbol() for atom in atoms],
        "bonds": [
            value
            for bond in shown.GetBonds()
            for value in (
                bond.GetBeginAtomIdx(),
                bond.GetEndAtomIdx(),
                _ORDERS.get(bond.GetBondType(), 1),
            )
        ],
        "charges": {a.GetIdx(): a.GetFormalCharge() for a in atoms if a.GetFormalCharge()},
        "isotopes": {a.GetIdx(): a.GetIsotope() for a in atoms if a.GetIsotope()},
        "radicals": {
            a.GetIdx(): a.GetNumRadicalElectrons() for a in atoms if a.GetNumRadicalElectrons()
        },
    }
    if mol.GetNumConformers() and mol.GetConformer().Is3D():
        positions = mol.GetConformer().GetPositions()
        if len(positions) and np.isfinite(positions).all():
            fields |= {"xyz": _rounded(positions, 4), "pose": _pose(positions)}
    return fields


def _searched(sane: Chem.Mol) -> dict[str, Any]:
    """What a search for a substructure needs beside atoms and bonds: RDKit's own perception."""
    implicit = {a.GetIdx(): a.GetNumImplicitHs() + a.GetNumExplicitHs() for a in sane.GetAtoms()}
    return {
        "aromatic": [bond.GetIdx() for bond in sane.GetBonds() if bond.GetIsAromatic()],
        "implicit": {index: count for index, count in implicit.items() if count},
        "rings": [list(ring) for ring in sane.GetRingInfo().AtomRings()],
    }


def _pose(positions: NDArray[np.float64]) -> list[float]:
    """Rotation (9, row-major) and centre (3) that lay (n, 3) positions flat and wide."""
    axes, centre = lying(positions)
    return _rounded(np.concatenate([axes.ravel(), centre]), 4)


def _problem_atoms(mol: Chem.Mol, reason: str | None) -> list[int]:
    """0-based atoms that a reason such as ``valence: C3 has 5`` names (counted from 1 there)."""
    atoms = ((symbol, int(number) - 1) for symbol, number in _ATOM_NAME.findall(reason or ""))
    return [
        index
        for symbol, index in atoms
        if 0 <= index < mol.GetNumAtoms() and mol.GetAtomWithIdx(index).GetSymbol() == symbol
    ]


def _kept_atoms(mol: Chem.Mol, tags: Mapping[str, str]) -> list[int]:
    """0-based atoms of the part that a design kept, which its records tell."""
    numbers = numbers_of(str(tags.get("kept_atoms", ""))) or []
    return [number - 1 for number in numbers if 1 <= number <= mol.GetNumAtoms()]


def _smiles(mol: Chem.Mol) -> str | None:
    """Canonical SMILES, or an unsanitised one for a molecule that breaks the rules."""
    smiles = canonical_smiles(mol, stereo=True)
    if smiles is None:
        with contextlib.suppress(RuntimeError, ValueError):
            return str(Chem.MolToSmiles(without_plain_hydrogens(Chem.RWMol(mol))))
    return smiles


def _formula(mol: Chem.Mol) -> str | None:
    counted = Chem.Mol(mol)
    with contextlib.suppress(RuntimeError, ValueError):
        counted.UpdatePropertyCache(strict=False)
        return str(rdMolDescriptors.CalcMolFormula(counted))
    return None


def _properties(mol: Chem.Mol, sane: Chem.Mol | None) -> dict[str, float]:
    """The computed columns that exist for this molecule."""
    counted = Chem.Mol(mol)
    counted.UpdatePropertyCache(strict=False)
    values: dict[str, float] = {}
    groups = ((_OF_ANY, counted), (_OF_SANE, sane))
    for columns, subject in groups:
        for key, _, digits, function in columns if subject is not None else ():
            with contextlib.suppress(RuntimeError, ValueError):
                value = float(function(subject))
                if math.isfinite(value):
                    values[key] = round(value, digits + 2)
    return values


def _rounded(values: NDArray[np.floating], digits: int) -> list[float]:
    return [round(float(value), digits) for value in np.ravel(values)]
