"""Which fragment of a salt is the compound: known counterions and solvents go first.

The larger fragment need not be the drug: citrate outweighs piperazine, tosylate metformin.  The
acids and bases are those of common drug salts (Stahl & Wermuth, "Handbook of Pharmaceutical
Salts", 2002); they are compared neutral and without stereochemistry.
"""

from __future__ import annotations

from functools import lru_cache

from rdkit import Chem

from moldiff.chem.quiet import quiet

__all__ = ["compound"]

_SMALL = (
    "O [OH3+] Cl Br I F [Na] [K] [Li] [Rb] [Cs] [Ca] [Mg] [Ba] [Sr] [Zn] [Al] [Ag] N "
    "OS(=O)(=O)O OP(=O)(O)O O[N+](=O)[O-] OCl(=O)(=O)=O OC(=O)O FB(F)F SC#N N=C=S OB(O)O "
    "F[B-](F)(F)F F[P-](F)(F)(F)(F)F [O-][Cl+3]([O-])([O-])O O[Cl+3]([O-])([O-])[O-] "
    "CO CCO CC(C)O CCCO CC(C)=O CC#N CS(C)=O CN(C)C=O CN(C)C(C)=O C1CCOC1 C1COCCO1 CCOC(C)=O "
    "CCOCC ClCCl ClC(Cl)Cl Cc1ccccc1 CCCCCC C1CCCCC1 OO OCCO CC(O)CO"
)
_ACIDS = (
    "OC=O CC(=O)O CCC(=O)O OC(=O)C(F)(F)F OC(=O)C(=O)O OC(=O)CC(=O)O OC(=O)CCC(=O)O "
    "OC(=O)C=CC(=O)O OC(=O)CC(O)C(=O)O OC(=O)C(O)C(O)C(=O)O OC(=O)CC(O)(CC(=O)O)C(=O)O "
    "CC(O)C(=O)O OCC(=O)O OC(=O)CCCC(=O)O OC(=O)CCCCC(=O)O OC(=O)CCCCCCCCC(=O)O "
    "CS(=O)(=O)O CCS(=O)(=O)O OCCS(=O)(=O)O OS(=O)(=O)CCS(=O)(=O)O OS(=O)(=O)C(F)(F)F "
    "OS(=O)(=O)c1ccccc1 Cc1ccc(S(=O)(=O)O)cc1 OS(=O)(=O)c1ccc(Cl)cc1 COS(=O)(=O)O "
    "OS(=O)(=O)c1ccc2ccccc2c1 OS(=O)(=O)c1cccc2c1cccc2S(=O)(=O)O CC1(C)C2CCC1(CS(=O)(=O)O)C(=O)C2 "
    "OC(=O)c1ccccc1 OC(=O)c1ccccc1O OC(=O)c1cc(O)ccc1O OC(=O)C(O)c1ccccc1 OC(=O)c1cccnc1 "
    "OC(=O)c1cc2ccccc2cc1O OC(=O)c1cc2ccccc2c(Cc2c(O)c(C(=O)O)cc3ccccc23)c1O "
    "OC(=O)C(O)C(O)C(O)C(O)CO OC(=O)C1OC(O)C(O)C(O)C1O OC(=O)c1cc(=O)[nH]c(=O)[nH]1 "
    "OC(=O)CCCCCCCCCCCCCCC OC(=O)CCCCCCCCCCCCCCCCC OC(=O)CCCCCCCC=CCCCCCCCC OC(=O)CCCCCCCCCCC "
    "O=c1[nH]c(=O)c2[nH]cnc2[nH]1 OC(=O)C(=O)CCC(=O)O OC(=O)CCC(=O)C(=O)O "
    "NS(=O)(=O)O OS(=O)(=O)NC1CCCCC1 O=C1NS(=O)(=O)c2ccccc12 OC1=C(O)C(C(O)CO)OC1=O"
)
_BASES = (
    "CN CNC CN(C)C CCN CCNCC CCN(CC)CC CC(C)N CC(C)N(CC)C(C)C CC(C)NC(C)C CC(C)(C)N NCCO "
    "OCCNCCO OCCN(CCO)CCO CN(C)CCO CCN(CC)CCO NC(CO)(CO)CO CNCC(O)C(O)C(O)C(O)CO NCCN "
    "C1CCC(CC1)NC1CCCCC1 C1CCNCC1 C1COCCN1 C1CNCCN1 OCCN1CCCC1 OCCN1CCOCC1 NC(CCCCN)C(=O)O "
    "NC(CCCNC(N)=N)C(=O)O NCC(=O)O OC(=O)C(N)Cc1c[nH]cn1 C[N+](C)(C)CCO C[N+](C)(C)C "
    "CC[N+](CC)(CC)CC CCCC[N+](CCCC)(CCCC)CCCC C(NCc1ccccc1)CNCc1ccccc1 NCc1ccccc1 "
    "c1ccc(CNCCc2ccccc2)cc1 NC(N)=N c1ccncc1 NCC(O)CO"
)
#: Metals that are counterions; others are bound to what stands beside them.
_SIMPLE = frozenset((3, 11, 19, 37, 55, 12, 20, 38, 56, 13, 30, 47))
_ORGANIC = frozenset(
    (1, 2, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 32, 33, 34, 35, 36, 51, 52, 53, 54, 85)
)


def compound(mol: Chem.Mol) -> tuple[Chem.Mol, list[str]] | str:
    """Return the fragment of a sanitised molecule that is meant, with notes, or a reason.

    Solvents and inorganic ions are left out first, then acids, then bases, as long as anything is
    left; of what remains the largest fragment is taken.  A metal that is more than a counterion is
    a reason to refuse: without it the compound would be another one.
    """
    fragments = list(Chem.GetMolFrags(mol, asMols=True, sanitizeFrags=False))
    if len(fragments) == 1:
        return mol, []
    for fragment in fragments:
        Chem.SanitizeMol(fragment)
    metal = _bound_metal(fragments)
    if metal:
        return f"a complex of {metal}, written as ions: without the metal it is another compound"
    keys = [_key(fragment) for fragment in fragments]
    left = list(range(len(fragments)))
    for table in _tables():
        rest = [k for k in left if keys[k] not in table]
        left = rest or left
    distinct = len({keys[k] for k in left})
    kept = max(left, key=lambda k: (fragments[k].GetNumHeavyAtoms(), fragments[k].GetNumAtoms()))
    others = [Chem.MolToSmiles(f) for k, f in enumerate(fragments) if k != kept]
    what = "largest" if distinct > 1 else "compound"
    note = f"{what} of {len(fragments)} fragments kept, left out: {', '.join(others)}"
    return fragments[kept], [note]


def _bound_metal(fragments: list[Chem.Mol]) -> str:
    """The symbol of a metal ion that is no mere counterion; empty if there is none."""
    ions = [f.GetAtomWithIdx(0) for f in fragments if f.GetNumAtoms() == 1]
    metals = [a for a in ions if a.GetAtomicNum() not in _ORGANIC]
    for atom in metals:
        if atom.GetAtomicNum() not in _SIMPLE:
            return str(atom.GetSymbol())
    chelating = any(f.HasSubstructMatch(pattern) for f in fragments for pattern in _carbanions())
    strong = [a for a in metals if a.GetAtomicNum() not in (11, 19, 37, 55)]
    return str(strong[0].GetSymbol()) if strong and chelating else ""


@lru_cache(maxsize=1)
def _carbanions() -> tuple[Chem.Mol, ...]:
    """Carbon that a metal is bonded to, and the two anionic nitrogens of a porphyrin."""
    smarts = ("[#6;-;!$([#6-]#[#7,#8,#6])]", "[#7;-]~*~*~*~*~[#7;-]", "[#7;-]~*~*~*~[#7;-]")
    return tuple(Chem.MolFromSmarts(text) for text in smarts)


@lru_cache(maxsize=1)
def _tables() -> tuple[frozenset[str], ...]:
    with quiet():
        return tuple(
            frozenset(_key(Chem.MolFromSmiles(text)) for text in table.split())
            for table in (_SMALL, _ACIDS, _BASES)
        )


def _key(mol: Chem.Mol) -> str:
    """Canonical SMILES of the neutral molecule without stereochemistry and isotopes."""
    from rdkit.Chem.MolStandardize import rdMolStandardize

    with quiet():
        copy = Chem.RemoveAllHs(mol) if mol.GetNumHeavyAtoms() else Chem.Mol(mol)
        copy = rdMolStandardize.Uncharger().uncharge(copy)
        for atom in copy.GetAtoms():
            atom.SetIsotope(0)
            if copy.GetNumAtoms() == 1 and atom.GetAtomicNum() not in _ORGANIC:
                atom.SetFormalCharge(0)  # an ion, whatever its charge was written as
        return str(Chem.MolToSmiles(copy, isomericSmiles=False))
