"""Strict validity: is this graph, exactly as written, a molecule?

No hydrogen is added, no charge moved, no bond changed: every atom gets ``NoImplicit``, the
molecule is sanitised without RDKit's clean-up steps, and must have no radicals, one fragment, a
Kekulé structure and the net charge asked for.  Coordinates, where there are any, must not be absurd
(`moldiff.chem.coordinates`); whether they are good is another question.  A reason names the atom by
element and number, counted from 1 as in an SDF file.
"""

from __future__ import annotations

from collections.abc import Iterable

from rdkit import Chem

from moldiff.chem.coordinates import geometry_failure
from moldiff.chem.quiet import quiet

__all__ = ["canonical_smiles", "reason_kind", "sanitise_failure", "sanitised", "strict_failure"]

_AROMATIC = Chem.BondType.AROMATIC
_MOST_OPEN = 2  # open valences of a radical or a carbene
# Clean-up would rewrite N(=O)=O as a nitro group: then it would not be the input that is judged.
_AS_WRITTEN = Chem.SanitizeFlags.SANITIZE_ALL & ~(
    Chem.SanitizeFlags.SANITIZE_CLEANUP
    | Chem.SanitizeFlags.SANITIZE_CLEANUP_ORGANOMETALLICS
    | Chem.SanitizeFlags.SANITIZE_CLEANUPATROPISOMERS
    | Chem.SanitizeFlags.SANITIZE_CLEANUPCHIRALITY
)


def strict_failure(mol: Chem.Mol | None, *, net_charge: int | None = 0) -> str | None:
    """Say why a molecule is not strictly valid; None if it is.

    Parameters
    ----------
    mol:
        A molecule with all its hydrogens as atoms, sanitised or not; None counts as empty.
    net_charge:
        The total formal charge asked for (units of e); None allows any.

    Returns
    -------
    str or None
        "empty", "non-finite coordinates", "valence: C3 has 5", "cannot be kekulised",
        "cannot be aromatic: bond H1-O2", "cannot be sanitised: ...", "fragments: 2", "missing
        hydrogens on C1", "radical on C3", "net charge +1", "overlapping atoms: C1 and C2 are 0.02 Å
        apart" or "stretched bond: C2 and O3 are 39.28 Å apart"; the first that applies in this
        order, but non-finite coordinates come first.
    """
    if mol is None or mol.GetNumAtoms() == 0:
        return "empty"
    geometry = geometry_failure(mol)
    if geometry == "non-finite coordinates":
        return geometry
    with quiet():
        copy = Chem.RWMol(mol)
        for atom in copy.GetAtoms():
            atom.SetNoImplicit(True)
            atom.SetNumExplicitHs(0)
            atom.SetNumRadicalElectrons(0)
        aromatic = [b.GetIdx() for b in copy.GetBonds() if b.GetBondType() == _AROMATIC]
        reason = _sanitise(copy) or _not_aromatic(copy, aromatic)
        if reason is not None:
            return reason
        fragments = len(Chem.GetMolFrags(copy))
    if fragments != 1:
        return f"fragments: {fragments}"
    for atom in copy.GetAtoms():
        if atom.GetNumRadicalElectrons() > 0:
            kind = "missing hydrogens" if _lacks_hydrogens(mol, net_charge) else "radical"
            return f"{kind} on {_name(atom)}"
    total = Chem.GetFormalCharge(copy)
    if net_charge is not None and total != net_charge:
        return f"net charge {total:+d}" if total else "net charge 0"
    return geometry


def sanitised(mol: Chem.Mol | None) -> Chem.Mol | None:
    """Return a sanitised copy (aromaticity perceived, nothing rewritten), or None if impossible.

    An atom's own ``NoImplicit`` flag decides whether it may carry implicit hydrogens.
    """
    if mol is None:
        return None
    with quiet():
        copy = Chem.RWMol(mol)
        return copy.GetMol() if _sanitise(copy) is None else None


def sanitise_failure(mol: Chem.Mol) -> str | None:
    """Say why `sanitised` has no molecule to return; None if it has one."""
    with quiet():
        return _sanitise(Chem.RWMol(mol))


def canonical_smiles(mol: Chem.Mol | None, *, stereo: bool = False) -> str | None:
    """Return the molecule's identity: canonical SMILES without explicit hydrogens.

    With ``stereo`` the stereochemistry is taken from the conformer (where there is one) and
    written, and so are isotopes; without it, stereoisomers and isotopologues share one SMILES.
    None if the molecule is empty or cannot be sanitised.
    """
    copy = sanitised(mol)
    if copy is None or copy.GetNumAtoms() == 0:
        return None
    with quiet():
        if not stereo:
            # Otherwise a hydrogen that marks the side of a double bond, or is deuterium, would not
            # be removed.
            _clear_stereo(copy)
            for atom in copy.GetAtoms():
                atom.SetIsotope(0)
        elif copy.GetNumConformers() > 0 and copy.GetConformer().Is3D():
            # A file's "either" marks on double bonds would win over the coordinates.
            _clear_stereo(copy)
            Chem.AssignStereochemistryFrom3D(copy)
        bare = Chem.RemoveHs(copy, sanitize=False)
        return str(Chem.MolToSmiles(bare, isomericSmiles=stereo))


def reason_kind(reason: str) -> str:
    """Reduce a reason to its kind, for counting: ``"radical on C3" -> "radical"``."""
    return reason.split(":")[0].split(" on ")[0]


def _lacks_hydrogens(mol: Chem.Mol, net_charge: int | None) -> bool:
    """Whether open valences are hydrogens that were not written, rather than unpaired electrons.

    Implied hydrogens must make the molecule valid, and no atom be marked as a radical.  Then they
    were left out if more are lacking than from a carbene, if there is none at all, or if carbons
    have none but should, as where only polar hydrogens are kept.  NO lacks one, and has no carbon.
    """
    if net_charge is not None and Chem.GetFormalCharge(mol) != net_charge:
        return False
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
        return False
    with quiet():
        copy = Chem.RWMol(mol)
        for atom in copy.GetAtoms():
            atom.SetNoImplicit(False)
            atom.SetNumExplicitHs(0)
        if _sanitise(copy) is not None:
            return False
    if any(atom.GetNumRadicalElectrons() for atom in copy.GetAtoms()):
        return False
    lacking = sum(atom.GetNumImplicitHs() for atom in copy.GetAtoms())
    carbons = [atom for atom in copy.GetAtoms() if atom.GetAtomicNum() == 6]
    bare = not any(n.GetAtomicNum() == 1 for atom in carbons for n in atom.GetNeighbors())
    return (
        lacking > _MOST_OPEN
        or (bare and any(atom.GetNumImplicitHs() for atom in carbons))
        or (
            bool(lacking > 1 or carbons)
            and all(atom.GetAtomicNum() > 1 for atom in copy.GetAtoms())
        )
    )


def _not_aromatic(mol: Chem.Mol, written: Iterable[int]) -> str | None:
    """Say which bond, written as aromatic, RDKit has taken for a single one outside such a ring."""
    for bond in map(mol.GetBondWithIdx, written):
        ends = bond.GetBeginAtom(), bond.GetEndAtom()
        double = any(b.GetBondType() == Chem.BondType.DOUBLE for a in ends for b in a.GetBonds())
        if not (bond.IsInRing() and (bond.GetIsAromatic() or double)):
            return f"cannot be aromatic: bond {'-'.join(map(_name, ends))}"
    return None


def _clear_stereo(mol: Chem.Mol) -> None:
    """Forget stereochemistry in place, the marks on single and double bonds included."""
    Chem.RemoveStereochemistry(mol)
    for bond in mol.GetBonds():
        bond.SetBondDir(Chem.BondDir.NONE)


def _sanitise(mol: Chem.RWMol) -> str | None:
    """Sanitise in place; the reason if RDKit refuses."""
    try:
        Chem.SanitizeMol(mol, sanitizeOps=_AS_WRITTEN)
    except Chem.AtomValenceException as error:
        return _valence_reason(mol, error.cause.GetAtomIdx())
    except Chem.KekulizeException:
        return "cannot be kekulised"
    except (ValueError, RuntimeError) as error:
        return f"cannot be sanitised: {str(error).splitlines()[0]}"
    return None


def _valence_reason(mol: Chem.Mol, index: int) -> str:
    atom = mol.GetAtomWithIdx(index)
    order = sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds())
    charge = f" (charge {atom.GetFormalCharge():+d})" if atom.GetFormalCharge() else ""
    return f"valence: {_name(atom)} has {order:g}{charge}"


def _name(atom: Chem.Atom) -> str:
    return f"{atom.GetSymbol()}{atom.GetIdx() + 1}"
