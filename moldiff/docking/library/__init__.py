"""Docking a library: records in, a manifest that survives, ranked hits out."""
