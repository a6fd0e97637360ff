"""Which field of a record, or column of a table, names the molecule."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["identifier", "name_field", "plain_word"]

# What vendors and databases call the identifier of a molecule, in the order of preference.
_NAMES = (
    *("name", "id", "title", "compound", "molecule", "compound_id", "molecule_id", "ligand"),
    *("compound_name", "molecule_name", "ligand_id", "mol_id", "identifier", "idnumber"),
    *("id_number", "catalog_id", "catalog_number", "catalogue_number", "catalog_no", "vendor_id"),
    *("zinc_id", "zincid", "chembl_id", "molecule_chembl_id", "pubchem_cid", "cid", "drugbank_id"),
    *("cas", "cas_number", "cas_no", "substance_id", "registry_number", "product", "code", "key"),
)


def plain_word(text: str) -> str:
    """Return the name of a column or field in small letters, its words joined: ``id_number``."""
    return "_".join(re.findall(r"[a-z0-9]+", text.lower()))


def name_field(fields: Mapping[str, str]) -> str | None:
    """Return the field that names a molecule, and is not empty; None if there is none."""
    keys = {plain_word(key): key for key, value in reversed(list(fields.items())) if value.strip()}
    return next((keys[name] for name in _NAMES if name in keys), None)


def identifier(fields: Mapping[str, str]) -> str:
    """Return the value of the field that names a molecule; empty if there is none."""
    field = name_field(fields)
    return "" if field is None else fields[field].strip()
