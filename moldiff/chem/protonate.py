"""Protonation at pH 7.4 by rules: which groups gain or lose a proton.

The molecule is first made neutral where that is a matter of protons, then each rule of
`RULES` is applied to one site after another, in the canonical order of the atoms: so the
result depends neither on the state given nor on the order of the atoms, and a second run
changes nothing.  The rules follow common pKa tables (e.g. Perrin, Dempsey & Serjeant, "pKa
Prediction for Organic Acids and Bases", 1981) and know no neighbourhood beyond the pattern:
pyridines, imidazoles, anilines, phenols, thiols, amides and plain sulfonamides stay neutral,
and of two amines two carbons apart only one is protonated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem

from moldiff.chem.quiet import quiet

__all__ = ["RULES", "Rule", "protonate"]

# A neutral amine nitrogen whose neighbours are hydrogens and saturated carbons alone, ...
_AMINE = "[NX3;+0;!$(N~[!#6;!#1]);!$(N~[#6;!X4])"
# ... weakened neither by a cation two carbons away, nor by a nitrile, nor by two fluorines.
_BASIC = f"{_AMINE};!$(N[CX4][CX4][#7+]);!$(N[CX4]C#N);!$(N[CX4]([F])[F]);!$(N[CX4]C(F)(F)F)]"
_UNACYLATED = "[NX3;+0;!$(N[#6]=[O,S]);!$(N~[!#6;!#1]);!$(NC#N)]"
_IMINE = "[NX2;+0;!$(N~[!#6;!#1]);!$(N[#6]=[O,S]);!$(NC#N)]"


@dataclass(frozen=True)
class Rule:
    """A group: its name, a SMARTS whose first atom changes, and by how many protons."""

    name: str
    smarts: str
    protons: int


RULES: tuple[Rule, ...] = (
    Rule("carboxylic acid", "[OX2H1;+0][CX3]=[O,S]", -1),
    Rule("thiocarboxylic acid", "[SX2H1;+0][CX3]=[O,S]", -1),
    Rule("phosphoric or phosphonic acid", "[OX2H1;+0][PX4]=[O,S,N]", -1),
    Rule("thiophosphoric acid", "[SX2H1;+0][PX4]=[O,S]", -1),
    Rule("sulfonic or sulfuric acid", "[OX2H1;+0][SX4](=O)=O", -1),
    Rule("sulfinic acid", "[OX2H1;+0][SX3]=O", -1),
    Rule("tetrazole", "[nH1;+0]1[c,n][n,c][n,c][n,c]1", -1),
    Rule("acylsulfonamide", "[NX3;H1;+0]([CX3]=O)[SX4](=O)=O", -1),
    Rule("guanidine", f"{_IMINE}=[CX3;!$(C[#7+])]({_UNACYLATED}){_UNACYLATED}", +1),
    Rule("amidine or isothiourea", f"{_IMINE}=[CX3]([#6,SX2]){_UNACYLATED}", +1),
    Rule("formamidine", f"{_IMINE}=[CX3;H1]{_UNACYLATED}", +1),
    Rule("aliphatic amine", _BASIC, +1),
)


def protonate(mol: Chem.Mol) -> Chem.Mol:
    """Return a sanitised molecule in its state at pH 7.4; heavy atoms keep order and positions.

    Hydrogens written as atoms become implicit, as their number changes; so do isotopes of hydrogen
    on other atoms than carbon, which water exchanges.
    """
    from rdkit.Chem.MolStandardize import rdMolStandardize

    with quiet():
        plain = Chem.Mol(mol)
        for atom in plain.GetAtoms():
            if atom.GetAtomicNum() == 1 and any(n.GetAtomicNum() != 6 for n in atom.GetNeighbors()):
                atom.SetIsotope(0)
        result = Chem.RWMol(rdMolStandardize.Uncharger().uncharge(Chem.RemoveHs(plain)))
        Chem.SanitizeMol(result)
        for rule, query in _queries():
            while (site := _first(result, rule, query)) is not None:
                _shift(result.GetAtomWithIdx(site), rule.protons)
                Chem.SanitizeMol(result)
        return result.GetMol()


@lru_cache(maxsize=1)
def _queries() -> tuple[tuple[Rule, Chem.Mol], ...]:
    return tuple((rule, Chem.MolFromSmarts(rule.smarts)) for rule in RULES)


def _first(mol: Chem.Mol, rule: Rule, query: Chem.Mol) -> int | None:
    """The site of the rule that comes first in canonical order."""
    sites = {match[0] for match in mol.GetSubstructMatches(query, maxMatches=10000)}
    if rule.name == "tetrazole":
        sites = {site for site in sites if _nitrogens_of_five(mol, site) == 4}
    if not sites:
        return None
    ranks = list(Chem.CanonicalRankAtoms(mol))
    return min(sites, key=lambda site: ranks[site])


def _nitrogens_of_five(mol: Chem.Mol, site: int) -> int:
    rings = [ring for ring in mol.GetRingInfo().AtomRings() if site in ring and len(ring) == 5]
    counts = [sum(mol.GetAtomWithIdx(i).GetAtomicNum() == 7 for i in ring) for ring in rings]
    return max(counts, default=0)


def _shift(atom: Chem.Atom, protons: int) -> None:
    hydrogens = atom.GetTotalNumHs()
    atom.SetFormalCharge(atom.GetFormalCharge() + protons)
    atom.SetNoImplicit(True)
    atom.SetNumExplicitHs(hydrogens + protons)
