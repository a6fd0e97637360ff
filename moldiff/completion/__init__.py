"""Missing residues of proteins: conformations of gaps, drawn by a backbone model."""
