"""Tautomers of a ligand, the likelier first.

RDKit's enumerator moves hydrogens and double bonds by the transforms of Sitzmann et al., J.
Comput. Aided Mol. Des. 24 (2010) 521, and scores what comes out: for aromatic rings (100 each),
oximes and carbonyls, against aci-nitro groups and hydrogens on sulphur.
"""

from __future__ import annotations

from rdkit import Chem
from rdkit.Chem.MolStandardize import rdMolStandardize

from moldiff.chem.quiet import quiet

__all__ = ["tautomers"]

_LOOKED_AT = 200  # tautomers and transforms: guanidines in a row have thousands
_WORSE = 50.0  # of RDKit's score: what loses an aromatic ring is none to dock


def tautomers(mol: Chem.Mol, limit: int) -> list[Chem.Mol]:
    """Return a sanitised molecule and its likeliest tautomers, at most ``limit`` together.

    The molecule itself comes first.  Stereo that a tautomer keeps stays; coordinates, which are
    those of the molecule itself, do not.
    """
    with quiet():
        enumerator = rdMolStandardize.TautomerEnumerator()
        enumerator.SetMaxTautomers(_LOOKED_AT)
        enumerator.SetMaxTransforms(_LOOKED_AT)
        enumerator.SetRemoveSp3Stereo(False)
        enumerator.SetRemoveBondStereo(False)
        bare = Chem.RemoveHs(mol)
        own = _flat(bare)
        best = rdMolStandardize.TautomerEnumerator.ScoreTautomer(bare)
        others: dict[str, tuple[float, Chem.Mol]] = {}
        for other in enumerator.Enumerate(bare):
            text, score = _flat(other), rdMolStandardize.TautomerEnumerator.ScoreTautomer(other)
            if text != own and score >= best - _WORSE:
                others.setdefault(text, (score, other))
        ranked = sorted(others, key=lambda text: (-others[text][0], text))[: max(0, limit - 1)]
        forms = [Chem.Mol(others[text][1]) for text in ranked]
        for form in forms:
            form.RemoveAllConformers()
            Chem.SanitizeMol(form)
            Chem.AssignStereochemistry(form, cleanIt=True, force=True)
    return [mol, *forms]


def _flat(mol: Chem.Mol) -> str:
    return str(Chem.MolToSmiles(mol, isomericSmiles=False))
