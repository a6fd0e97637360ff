"""Data sets, prepared once as a memory-mapped `Store`, then read only."""

from __future__ import annotations

from moldiff.data.store import SPLITS, Entry, Refused, Store

__all__ = ["SPLITS", "Entry", "Refused", "Store"]
