"""Build the missing residues of a chain by PDBFixer, in the environment of PDBFixer.

P. Eastman et al., J. Chem. Theory Comput. 9 (2013) 461.  Called with a PDB file whose SEQRES
records tell what is missing, the file to write, and the sequence; without, it tells whether
PDBFixer is there.  moldiff is not needed.
"""

from __future__ import annotations

import sys

from openmm.app import PDBFile
from pdbfixer import PDBFixer

__all__: list[str] = []


def main(source: str, output: str, sequence: str) -> None:
    """Build what is missing inside of the chain, not the side chains of what is there."""
    fixer = PDBFixer(filename=source)
    fixer.findMissingResidues()
    if len(fixer.missingResidues) != 1:
        raise SystemExit(f"PDBFixer found {len(fixer.missingResidues)} gaps in {len(sequence)}")
    fixer.missingAtoms, fixer.missingTerminals = {}, {}
    fixer.addMissingAtoms(seed=0)
    with open(output, "w", encoding="utf-8") as file:
        PDBFile.writeFile(fixer.topology, fixer.positions, file, keepIds=True)


if __name__ == "__main__" and sys.argv[1:]:
    main(*sys.argv[1:])
