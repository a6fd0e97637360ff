"""Whole backbones of proteins, drawn from noise: their making, their figures and files."""
