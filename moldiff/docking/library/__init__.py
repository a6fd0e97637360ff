"""Docking a library: records in, a resumable manifest, ranked hits out."""
