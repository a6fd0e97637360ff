"""A training set of drug-like molecules in 3D, made from public packages."""

from __future__ import annotations

from moldiff.data.druglike.build import Request, conformers_folder, prepare
from moldiff.data.druglike.writing import DRUGLIKE

__all__ = ["DRUGLIKE", "Request", "conformers_folder", "prepare"]
