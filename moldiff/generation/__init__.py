"""Generating molecules: requests, the run, and how probable a model thinks molecules are."""
