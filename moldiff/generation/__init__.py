"""Generating molecules: requests, the run, and the likelihood of molecules under a model."""
