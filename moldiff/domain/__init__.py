"""What a model is about: molecules, or the poses of a ligand in a pocket."""
