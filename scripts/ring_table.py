#!/usr/bin/env python
"""Make the bundled table of ring systems of drug-like molecules: ring_table.py LIST [OUTPUT].

LIST is the list of `moldiff data druglike` (list.smi.gz beside its conformers, or as plain text):
a SMILES on each line.  A ring system counts if two molecules have it, so that one odd molecule
of a data base does not make its rings usual.  Ctrl-C writes the table of what has been counted: the
list is shuffled, so that its beginning is a sample.
"""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
from rdkit import Chem, rdBase

from moldiff.chem.ring_systems import ring_systems
from moldiff.metrics.novelty import SmilesSet
from moldiff.text import digest_of

TARGET = Path(__file__).parents[1] / "moldiff" / "filtering" / "druglike-rings.npz"
LEAST = 2  # molecules with a ring system that counts


def main(source: Path, target: Path = TARGET) -> None:
    counts: Counter[str] = Counter()
    molecules = 0
    with (
        gzip.open(source, "rt") if source.suffix == ".gz" else source.open() as lines,
        suppress(KeyboardInterrupt),
    ):
        for molecules, line in enumerate(lines, 1):
            counts.update(ring_systems(Chem.MolFromSmiles(line.split()[0])))
            if molecules % 10_000 == 0:
                print(f"{molecules} molecules, {len(counts)} ring systems", flush=True)
    kept = SmilesSet.of(system for system, n in counts.items() if n >= LEAST)
    made = f"the first {molecules} molecules of {source.name} {digest_of(source)}, RDKit "
    np.savez_compressed(
        target,
        rings=kept.to_deltas(),
        made=np.array(made + rdBase.rdkitVersion),
    )
    print(f"{target}: {len(kept)} of {len(counts)} ring systems, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
