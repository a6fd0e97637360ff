"""Build the missing residues of a chain by ProMod3, in the interpreter that has it.

G. Studer et al., PLoS Comput. Biol. 17 (2021) e1008667.  Called with a PDB file, the file to write,
the sequence, to which the numbers of the residues refer, and optionally ``monte-carlo``; without,
it tells whether ProMod3 is there.  moldiff is not needed.
"""

from __future__ import annotations

import sys

from ost import PushVerbosityLevel, io, seq
from promod3 import loop, modelling

__all__: list[str] = []


def main(source: str, output: str, sequence: str, how: str = "") -> None:
    """Close the gap as `CloseGaps` does, or without fragments of its database of structures.

    The energy of the whole model, which ProMod3 would minimise at last, stays as it is.
    """
    there = io.LoadPDB(source)
    letters = ["-"] * len(sequence)
    for residue in there.residues:
        letters[residue.number.num - 1] = sequence[residue.number.num - 1]
    alignment = seq.CreateAlignment(
        seq.CreateSequence("target", sequence), seq.CreateSequence("template", "".join(letters))
    )
    alignment.AttachView(1, there.CreateFullView())
    model = modelling.BuildRawModel(alignment)
    if how == "monte-carlo":
        modelling.FillLoopsByMonteCarlo(model, loop.LoadTorsionSamplerCoil())
    else:
        modelling.CloseGaps(model)
    if len(model.gaps):
        raise SystemExit("ProMod3 left the gap open")
    io.SavePDB(model.model, output)


if __name__ == "__main__":
    PushVerbosityLevel(0)
    if sys.argv[1:]:
        main(*sys.argv[1:])
