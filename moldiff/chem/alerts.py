"""Structural alerts: patterns that chemists avoid, in RDKit's catalogues.

PAINS: Baell and Holloway, J. Med. Chem. 53 (2010) 2719; Brenk et al., ChemMedChem 3 (2008) 435;
NIH: Jadhav et al., J. Med. Chem. 53 (2010) 37; ZINC: blaster.docking.org/filtering; ChEMBL: the
seven rule sets that ChEMBL 23 collects.  RDKit has the patterns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from rdkit import Chem
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from moldiff.chem.quiet import quiet
from moldiff.errors import InputError, did_you_mean

__all__ = ["CATALOGUES", "alerts", "parse_catalogues"]

#: Name of a catalogue -> RDKit's.
CATALOGUES: Mapping[str, FilterCatalogParams.FilterCatalogs] = MappingProxyType(
    {name.lower(): value for name, value in FilterCatalogParams.FilterCatalogs.names.items()}
)


def parse_catalogues(texts: Iterable[str]) -> tuple[str, ...]:
    """Read lists of names, ``pains,brenk``; each comes once.

    Raises
    ------
    InputError
        If there is no such catalogue.
    """
    names = [word.strip().lower() for text in texts for word in text.split(",")]
    for name in names:
        if name not in CATALOGUES:
            raise InputError(
                f"There is no catalogue of alerts '{name}'.", fix=did_you_mean(name, CATALOGUES)
            )
    return tuple(dict.fromkeys(names))


def alerts(mol: Chem.Mol, catalogues: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return catalogue and name of each alert, as in ("PAINS_A", "quinone_A(370)").

    The molecule is sanitised, its hydrogens implied.  A catalogue of several sets (``pains``,
    ``chembl``) is told by the set.
    """
    with quiet():
        matches = _catalogue(catalogues).GetMatches(mol)
    names = ((entry.GetProp("FilterSet"), str(entry.GetDescription())) for entry in matches)
    return tuple(dict.fromkeys(names))


@cache
def _catalogue(names: tuple[str, ...]) -> FilterCatalog:
    parameters = FilterCatalogParams()
    for name in names:
        parameters.AddCatalog(CATALOGUES[name])
    return FilterCatalog(parameters)
