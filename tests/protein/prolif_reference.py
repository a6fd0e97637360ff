"""ProLIF's interactions of a pose, from the hydrogens and protonation states of a `Receptor`.

ProLIF wants the protein as an RDKit molecule with all hydrogens.  It is built here from the amino
acids and metal ions: bond orders by RDKit's tables, charges and tautomers as the receptor has
them, polar hydrogens where the receptor put them.  Cofactors are left out, since no file says
their bond orders.
"""

from __future__ import annotations

import warnings

import numpy as np
from rdkit import Chem, RDLogger

from moldiff.protein.receptor import Receptor
from moldiff.protein.residues import TEMPLATES
from moldiff.protein.write import pdb_text

#: ProLIF's classes -> our kind.
CLASSES = {
    "HBDonor": "hbond",
    "HBAcceptor": "hbond",
    "Cationic": "salt_bridge",
    "Anionic": "salt_bridge",
    "PiStacking": "pi_stacking",
    "CationPi": "cation_pi",
    "PiCation": "cation_pi",
    "XBDonor": "halogen_bond",
    "MetalAcceptor": "metal",
    "Hydrophobic": "hydrophobic",
}
#: The residues that are given to ProLIF, besides metal ions.
AMINO_ACIDS = frozenset(TEMPLATES)
_CHARGES = {("ASP", "OD2"): -1, ("GLU", "OE2"): -1, ("LYS", "NZ"): 1, ("ARG", "NH2"): 1}
_NEAR = 12.0  # Å from the ligand: residues that are given to ProLIF


def prolif_interactions(mol: Chem.Mol, receptor: Receptor) -> set[tuple[str, str]]:
    """Kind and residue (``A:ARG611``) of all interactions that ProLIF finds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import prolif

        ligand = prolif.Molecule.from_rdkit(Chem.AddHs(mol, addCoords=True), "LIG", 1, "X")
        protein = prolif.Molecule(protein_molecule(near(receptor, mol)))
        run = prolif.Fingerprint(list(CLASSES), count=True, vicinity_cutoff=8.0)
        found = run.generate(ligand, protein, metadata=True)
    pairs = set()
    for (_, residue), kinds in found.items():
        chain = f"{residue.chain}:" if residue.chain else ""
        metal = residue.name not in TEMPLATES
        for name in kinds:
            if not (metal and CLASSES[name] == "salt_bridge"):
                pairs.add((CLASSES[name], f"{chain}{residue.name}{residue.number}"))
    return pairs


def near(receptor: Receptor, mol: Chem.Mol) -> Receptor:
    """The amino acids and metals with an atom near the molecule."""
    structure = receptor.structure
    x = mol.GetConformer().GetPositions()
    apart = np.linalg.norm(structure.positions[:, None] - x[None], axis=-1).min(1)
    wanted = np.zeros(len(structure.residues), dtype=bool)
    wanted[structure.residue[apart < _NEAR]] = True
    for k, residue in enumerate(structure.residues):
        wanted[k] &= residue.name in TEMPLATES or residue.kind == "metal"
    return receptor.subset(wanted[structure.residue])


def protein_molecule(receptor: Receptor) -> Chem.Mol:
    """The receptor with bond orders, charges and all hydrogens."""
    RDLogger.DisableLog("rdApp.*")
    text = pdb_text(receptor, hydrogens=False)
    mol = Chem.RWMol(Chem.MolFromPDBBlock(text, sanitize=False, removeHs=False))
    assert mol.GetNumAtoms() == len(receptor)
    hydrogens = np.bincount(receptor.hydrogen_parent, minlength=len(receptor))
    rings: dict[int, dict[str, int]] = {}
    for k, name in enumerate(receptor.structure.names):
        number = int(receptor.structure.residue[k])
        residue = receptor.structure.residues[number]
        atom = mol.GetAtomWithIdx(k)
        atom.SetFormalCharge(_CHARGES.get((residue.name, name), 0))
        if residue.kind == "metal":
            atom.SetFormalCharge(2)
            for other in list(atom.GetNeighbors()):
                mol.RemoveBond(k, other.GetIdx())
        elif name == "OXT":
            atom.SetFormalCharge(-1)
        elif name == "N" and hydrogens[k] == 3:
            atom.SetFormalCharge(1)
        if residue.name == "HIS":
            rings.setdefault(number, {})[name] = k
    for ring in rings.values():
        if {"ND1", "CE1", "NE2"} <= set(ring):
            _protonate(mol, ring, hydrogens)
    Chem.SanitizeMol(mol)
    whole = Chem.AddHs(mol, addCoords=True, addResidueInfo=True)
    _place(whole, receptor)
    return whole


def _protonate(mol: Chem.RWMol, ring: dict[str, int], hydrogens: np.ndarray) -> None:
    """Give a histidine the tautomer whose hydrogens it has."""
    delta, epsilon = bool(hydrogens[ring["ND1"]]), bool(hydrogens[ring["NE2"]])
    double = "NE2" if delta and not epsilon else "ND1"
    for name in ("ND1", "NE2"):
        bond = mol.GetBondBetweenAtoms(ring["CE1"], ring[name])
        bond.SetBondType(Chem.BondType.DOUBLE if name == double else Chem.BondType.SINGLE)
    if delta and epsilon:
        mol.GetAtomWithIdx(ring["ND1"]).SetFormalCharge(1)


def _place(mol: Chem.Mol, receptor: Receptor) -> None:
    """Put the polar hydrogens where the receptor has them."""
    conformer = mol.GetConformer()
    for parent in np.unique(receptor.hydrogen_parent).tolist():
        ours = receptor.hydrogens[receptor.hydrogen_parent == parent].astype(float)
        atom = mol.GetAtomWithIdx(parent)
        theirs = [a.GetIdx() for a in atom.GetNeighbors() if a.GetAtomicNum() == 1]
        if len(theirs) == len(ours):
            for index, position in zip(theirs, ours, strict=True):
                conformer.SetAtomPosition(index, position.tolist())
