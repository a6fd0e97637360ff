"""Files that stand for those of a reader, in the places that the documents give them.

The complex 1M2Z of the repository becomes ``1abc``: its chain A is numbered from 1 and has a gap of
four residues, which SEQRES names; chain B is a copy of its beginning, far away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from Bio.Data.PDBData import protein_letters_3to1
from rdkit import Chem
from rdkit.Chem import AllChem

from moldiff.protein.convert import converted
from tests.proteins import seqres

__all__ = ["STAND_INS", "write_stand_ins"]

DATASETS = Path(__file__).parents[1] / "datasets"
COMPLEX = DATASETS / "docking" / "1m2z"
GAP = range(184, 188)  # residues of chain A that are not there
COPIED = 40  # residues of chain B
AWAY = 150.0  # Å

Residue = tuple[str, list[str]]  # its name, and its lines


def _residues() -> list[Residue]:
    """The residues of the receptor, in their order."""
    found: dict[str, Residue] = {}
    for line in (COMPLEX / "receptor.pdb").read_text(encoding="utf-8").splitlines():
        if line.startswith("ATOM"):
            found.setdefault(line[21:27], (line[17:20], []))[1].append(line)
    return list(found.values())


def _chain(name: str, residues: Iterable[tuple[int, Residue]], shift: float = 0.0) -> list[str]:
    """The lines of a chain with these numbers, moved along x by ``shift`` Å."""
    return [
        f"{line[:21]}{name}{number:4d} {line[27:30]}{float(line[30:38]) + shift:8.3f}{line[38:]}\n"
        for number, (_, lines) in residues
        for line in lines
    ]


def _ligand() -> list[str]:
    """The ligand of the receptor as residue 301 of chain A, and a water beside its first atom."""
    mol = Chem.RemoveHs(Chem.MolFromMolFile(str(COMPLEX / "ligand.sdf")))
    places = mol.GetConformer().GetPositions()
    outwards = places[0] - places.mean(axis=0)
    water = places[0] + 3.0 * outwards / (outwards @ outwards) ** 0.5
    atoms = [
        (f"{atom.GetSymbol()}{atom.GetIdx() + 1}", atom.GetSymbol(), "DEX", 301, place)
        for atom, place in zip(mol.GetAtoms(), places, strict=True)
    ]
    return [
        f"HETATM{0:5d}  {name:<3} {residue} A{number:4d}    "
        f"{place[0]:8.3f}{place[1]:8.3f}{place[2]:8.3f}  1.00 20.00          {element:>2}\n"
        for name, element, residue, number, place in [*atoms, ("O", "O", "HOH", 302, water)]
    ]


def _structure(*, gap: bool = True, copy: bool = True, ligand: bool = False) -> str:
    """1abc as PDB."""
    numbered = list(enumerate(_residues(), start=1))
    names = [residue for _, (residue, _) in numbered]
    kept = [one for one in numbered if not (gap and one[0] in GAP)]
    head, lines = seqres(names), _chain("A", kept)
    if ligand:
        lines += _ligand()
    if copy:
        head += seqres(names[:COPIED], "B")
        lines += _chain("B", numbered[:COPIED], AWAY)
    atoms = [f"{line[:6]}{serial:5d}{line[11:]}" for serial, line in enumerate(lines, start=1)]
    return f"{head}{''.join(atoms)}END\n"


def _cif() -> str:
    """1abc with a ligand and without its chain B, as mmCIF: its sequence, its one assembly."""
    atoms = converted(
        _structure(copy=False, ligand=True).encode(), "pdb", Path("1abc.pdb")
    ).decode()
    names = [name for name, _ in _residues()]
    sequence = [f"A {k} {name} {k} A .\n" for k, name in enumerate(names, start=1)]
    return atoms + "".join(
        (
            _loop("pdbx_struct_assembly_gen", "assembly_id oper_expression asym_id_list"),
            "1 1 A,B,C\n#\n",
            _loop("pdbx_struct_oper_list", _OPERATOR),
            "1 1 0 0 0 1 0 0 0 1 0 0 0\n#\n",
            _loop("pdbx_poly_seq_scheme", _SCHEME),
            *sequence,
            "#\n",
        )
    )


_OPERATOR = " ".join(
    ["id", *(f"matrix[{i}][{j}]" for i in (1, 2, 3) for j in (1, 2, 3))]
    + [f"vector[{i}]" for i in (1, 2, 3)]
)
_SCHEME = "asym_id seq_id mon_id pdb_seq_num pdb_strand_id pdb_ins_code"


def _loop(category: str, keys: str) -> str:
    """The head of a table of mmCIF."""
    return "loop_\n" + "".join(f"_{category}.{key}\n" for key in keys.split())


def _fasta() -> str:
    letters = "".join(protein_letters_3to1[name] for name, _ in _residues())
    return f">A\n{letters}\n>B\n{letters[:COPIED]}\n"


def _molecule(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
    return mol


def _sdf(*mols: Chem.Mol) -> str:
    return "".join(f"{Chem.MolToMolBlock(mol)}$$$$\n" for mol in mols)


def _fragments() -> str:
    """The ends of a molecule, where they are in it."""
    mol = _molecule("c1ccccc1CCCCc1ccncc1")
    pieces = Chem.FragmentOnBonds(
        mol,
        [
            mol.GetBondBetweenAtoms(a, b).GetIdx()
            for a, b in mol.GetSubstructMatches(Chem.MolFromSmarts("c-[CH2]"))
        ],
        addDummies=False,
    )
    rings = [one for one in Chem.GetMolFrags(pieces, asMols=True) if one.GetRingInfo().NumRings()]
    return _sdf(*(Chem.AddHs(Chem.RemoveHs(ring), addCoords=True) for ring in rings))


#: What a document calls a file -> its content.
STAND_INS: dict[str, Callable[[], str]] = {
    "1abc.cif": _cif,
    "1abc.fasta": _fasta,
    "1abc.pdb": _structure,
    "backbone.pdb": lambda: _structure(gap=False, copy=False),
    "core.sdf": lambda: _sdf(_molecule("O=C(Nc1ccccc1)c1ccncc1")),
    "crystal.sdf": lambda: (COMPLEX / "ligand.sdf").read_text(encoding="utf-8"),
    "frags.sdf": _fragments,
    "lead.sdf": lambda: _sdf(_molecule("CNc1ncnc2[nH]ccc12")),
    "model.pdb": lambda: _structure(gap=False, copy=False),
    "receptor.cif": _cif,
    "receptor.pdb": lambda: (COMPLEX / "receptor.pdb").read_text(encoding="utf-8"),
}


def write_stand_ins(code: str, directory: Path) -> None:
    """Write the files that a code block reads, and link the folder ``datasets`` if it does."""
    if "datasets/" in code:
        (directory / "datasets").symlink_to(DATASETS)
    for name, content in STAND_INS.items():
        if re.search(rf"(?<![\w/])(?<!-o ){re.escape(name)}", code):
            (directory / name).write_text(content(), encoding="utf-8")
