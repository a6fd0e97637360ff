"""Data sets: prepared once into a memory-mapped `Store`, then only read."""

from __future__ import annotations

from moldiff.data.store import SPLITS, Entry, Refused, Store

__all__ = ["SPLITS", "Entry", "Refused", "Store"]
