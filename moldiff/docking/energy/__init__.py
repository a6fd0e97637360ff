"""The energy of a pose: Vina's terms, exact and on grids, and the ligand's own."""
