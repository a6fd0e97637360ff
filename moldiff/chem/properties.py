"""Numbers that describe a whole molecule, by name: ``SMILES -> value``.

They are what a model can be asked for.  All of them are of the graph alone, and are computed
from the canonical SMILES, so that a molecule of a data set and a generated one are measured
alike, however their atoms and hydrogens are written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rdkit import Chem, RDConfig
from rdkit.Chem import rdMolDescriptors as descriptors

from moldiff.chem.fragments import FRAGMENTS, count
from moldiff.chem.quiet import quiet
from moldiff.errors import ConfigError, did_you_mean

__all__ = ["PROPERTIES", "Property", "check_properties", "properties", "property_tags"]


@dataclass(frozen=True)
class Property:
    """A number of a molecule: what it is, its unit ("" for none), and how RDKit computes it.

    ``whole`` tells counts from measured numbers.
    """

    line: str
    unit: str
    of: Callable[[Chem.Mol], float]
    whole: bool = True


def _count(symbol: str) -> Callable[[Chem.Mol], float]:
    number = Chem.GetPeriodicTable().GetAtomicNumber(symbol)
    return lambda mol: sum(atom.GetAtomicNum() == number for atom in mol.GetAtoms())


@cache
def _sascorer() -> Any:
    """Return RDKit's implementation of the score, which lies beside RDKit, not in it."""
    path = Path(RDConfig.RDContribDir, "SA_Score", "sascorer.py")
    spec = spec_from_file_location("sascorer", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ConfigError(
            f"RDKit comes without {path}, so 'sa' cannot be computed.",
            fix="Leave it out, or take RDKit from PyPI: pip install rdkit.",
        )
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _qed(mol: Chem.Mol) -> float:
    from rdkit.Chem import QED  # a tenth of a second, which few commands need

    return float(QED.qed(mol))


def _sa(mol: Chem.Mol) -> float:
    return float(_sascorer().calculateScore(mol))


PROPERTIES: Mapping[str, Property] = MappingProxyType(
    {
        "logp": Property(
            "octanol-water partition, Wildman and Crippen",
            "",
            lambda mol: descriptors.CalcCrippenDescriptors(mol)[0],
            False,
        ),
        "tpsa": Property("topological polar surface area", "Å^2", descriptors.CalcTPSA, False),
        "weight": Property("molecular weight", "Da", descriptors._CalcMolWt, False),
        "heavy_atoms": Property("atoms without hydrogens", "", Chem.Mol.GetNumHeavyAtoms),
        "heteroatoms": Property("atoms but C and H", "", descriptors.CalcNumHeteroatoms),
        "rings": Property("rings (smallest set)", "", descriptors.CalcNumRings),
        "aromatic_rings": Property("aromatic rings", "", descriptors.CalcNumAromaticRings),
        "rotatable": Property("rotatable bonds", "", descriptors.CalcNumRotatableBonds),
        "fsp3": Property("share of sp3 among the carbons", "", descriptors.CalcFractionCSP3, False),
        "donors": Property("hydrogen-bond donors", "", descriptors.CalcNumHBD),
        "acceptors": Property("hydrogen-bond acceptors", "", descriptors.CalcNumHBA),
        "qed": Property("drug-likeness, Bickerton et al. 2012, from 0 to 1", "", _qed, False),
        "sa": Property(
            "synthetic accessibility, Ertl and Schuffenhauer 2009, 1 easy", "", _sa, False
        ),
        **{
            f"n_{symbol}": Property(f"atoms of {symbol}", "", _count(symbol))
            for symbol in ("C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
        },
        **{
            name: Property(line, "", partial(count, name=name))
            for name, (line, _) in FRAGMENTS.items()
        },
    }
)
"""Every property the package computes, by name."""


def properties(smiles: str | None, names: Sequence[str]) -> list[float]:
    """Return properties of a molecule; NaN where there is no molecule to compute them of."""
    with quiet():
        mol = Chem.MolFromSmiles(smiles) if smiles else None
    return [math.nan if mol is None else float(PROPERTIES[name].of(mol)) for name in names]


def property_tags(wanted: Mapping[str, float], smiles: str | None) -> dict[str, str]:
    """Return tags of what was asked for and, where it can be computed, of what was reached."""
    computed = [name for name in wanted if name in PROPERTIES and smiles]
    reached = zip(computed, properties(smiles, computed), strict=True)
    tags = {f"target_{name}": f"{value:g}" for name, value in wanted.items()}
    return tags | {f"reached_{name}": f"{value:g}" for name, value in reached}


def check_properties(names: Sequence[str], also: Sequence[str] = ()) -> None:
    """Raise ``ConfigError`` for a name that is neither here nor among ``also``, or comes twice."""
    known = [*PROPERTIES, *also]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"There is no property '{name}' to condition on.", fix=did_you_mean(name, known)
            )
    if len(set(names)) < len(names):
        raise ConfigError("A property is named twice among the conditions.", fix="Name it once.")
