"""Sequences for protein backbones, drawn by a sequence model."""
