"""Judging poses: checks, evidence, and the ranking that weighs it."""
