"""SMILES of the wwPDB's chemical components, from the table of them inside biotite's wheel.

A component has explicit hydrogens, bond orders and formal charges; stereochemistry is taken from
its ideal coordinates.  Components of polymers (amino acids, nucleotides, sugars) and obsolete ones
are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import QED

from moldiff.chem import Rejected, quiet
from moldiff.data.druglike.binary_cif import Table

__all__ = ["Component", "component_smiles", "read_components"]

_LEAST_QED = 0.3  # of a component: cofactors, lipids and sugars have less
_ORDERS = {
    "SING": Chem.BondType.SINGLE,
    "DOUB": Chem.BondType.DOUBLE,
    "TRIP": Chem.BondType.TRIPLE,
}


@dataclass(frozen=True, eq=False)
class Component:
    """A component of n atoms: symbols, formal charges, ideal positions (n, 3) in Å, bonds.

    A bond is (atom, atom, order), the order in the words of the dictionary.
    """

    name: str
    symbols: tuple[str, ...]
    charges: tuple[int, ...]
    positions: npt.NDArray[np.float64]
    bonds: tuple[tuple[int, int, str], ...]


def read_components(tables: Mapping[str, Table]) -> Iterator[Component | Rejected]:
    """Yield all components of the dictionary in their order, or why one is left out."""
    kinds, atoms, bonds = (
        tables[name] for name in ("chem_comp", "chem_comp_atom", "chem_comp_bond")
    )
    facts = zip(kinds["id"], kinds["type"], kinds["pdbx_release_status"], strict=True)
    reasons = {str(name): _left_out(str(kind), str(status)) for name, kind, status in facts}
    axes = [f"pdbx_model_Cartn_{axis}_ideal" for axis in "xyz"]
    positions = np.stack([atoms[axis] for axis in axes], 1)
    unknown = atoms.missing(axes[0])
    labels, symbols, charges = atoms["atom_id"], atoms["type_symbol"], atoms["charge"]
    bonded = dict(_groups(bonds))
    columns = [bonds[name] for name in ("atom_id_1", "atom_id_2", "value_order")]
    for name, rows in _groups(atoms):
        reason = reasons.get(name, "not described")
        if reason is None and unknown[rows].any():
            reason = "no ideal coordinates"
        if reason is not None:
            yield Rejected(reason)
            continue
        place = {label: k for k, label in enumerate(labels[rows].tolist())}
        ends = zip(
            *(column[bonded.get(name, slice(0))].tolist() for column in columns), strict=True
        )
        yield Component(
            name,
            tuple(symbol.capitalize() for symbol in symbols[rows].tolist()),
            tuple(charges[rows].tolist()),
            positions[rows],
            tuple((place[a], place[b], order) for a, b, order in ends),
        )


def component_smiles(component: Component) -> str | Rejected:
    """Return the isomeric SMILES of a component if its QED is at least 0.3.

    G. R. Bickerton et al., Nature Chem. 4 (2012) 90: the quantitative estimate of drug-likeness.
    """
    with quiet():
        mol = Chem.RWMol()
        for symbol, charge in zip(component.symbols, component.charges, strict=True):
            atom = Chem.Atom(symbol)
            atom.SetFormalCharge(charge)
            atom.SetNoImplicit(True)
            mol.AddAtom(atom)
        for first, second, order in component.bonds:
            mol.AddBond(first, second, _ORDERS[order])
        conformer = Chem.Conformer(len(component.symbols))
        conformer.Set3D(True)
        conformer.SetPositions(np.ascontiguousarray(component.positions))
        mol.AddConformer(conformer)
        try:
            Chem.SanitizeMol(mol)
        except (ValueError, RuntimeError) as error:
            return Rejected(f"cannot be sanitised: {str(error).splitlines()[0]}")
        Chem.AssignStereochemistryFrom3D(mol)
        bare = Chem.RemoveHs(mol)
        if QED.qed(bare) < _LEAST_QED:
            return Rejected(f"QED below {_LEAST_QED}")
        return str(Chem.MolToSmiles(bare))


def _left_out(kind: str, status: str) -> str | None:
    if status != "REL":
        return "obsolete"
    return None if kind.lower() == "non-polymer" else "part of a polymer"


def _groups(table: Table) -> Iterator[tuple[str, slice]]:
    """Yield each component's identifier and rows, which are consecutive."""
    names = table["comp_id"]
    starts = np.flatnonzero(np.concatenate([[True], names[1:] != names[:-1]])).tolist()
    for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
        yield str(names[start]), slice(start, end)
