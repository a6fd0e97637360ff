#!/usr/bin/env python3
"""Count the valences in molecules: valence_tuples.py NAME=FILE ... > valence_tuples.json

A FILE holds SMILES: an .npz archive with an array `smiles`, or text with one at the start of each
line (.smi, .smi.gz, or a store's smiles.txt). The table that ships, in moldiff/metrics,
is of the first 24,000 molecules of a list like that of `moldiff data druglike` (MOSES, ZINC
and wwPDB components) and of 33,805 drug-like components of the wwPDB.

An atom's valence is the number of its aromatic bonds and the sum of the orders of its others,
hydrogens included, as RDKit sees them. Counted are the molecules that have one; those with a
radical, or that RDKit does not read, are left out and told on stderr.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rdkit import Chem, rdBase

from moldiff.metrics.corrected import Tuple, valences


def smiles(path: Path) -> Iterator[str]:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            yield from archive["smiles"].astype(str)
        return
    content = path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    yield from (line.split()[0] for line in text.decode().splitlines() if line.strip())


def counted(path: Path) -> tuple[int, Counter[tuple[str, int, Tuple]]]:
    """Molecules, and how many of them have an atom of each kind."""
    found: Counter[tuple[str, int, Tuple]] = Counter()
    number = left = 0
    for text in smiles(path):
        mol = Chem.MolFromSmiles(text)
        if mol is None or any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
            left += 1
            continue
        number += 1
        found.update(set(valences(Chem.AddHs(mol))))
    print(f"{path}: {number} molecules, {left} left out", file=sys.stderr)
    return number, found


def table(sources: dict[str, Path]) -> str:
    """The table as JSON, a line for each element and charge."""
    results = {name: counted(path) for name, path in sources.items()}
    total: Counter[tuple[str, int, Tuple]] = Counter()
    for _, found in results.values():
        total.update(found)
    head = {
        "about": "Molecules with an atom of 'aromatic bonds,sum of other orders', by element and "
        "formal charge. Made by scripts/valence_tuples.py.",
        "rdkit": rdBase.rdkitVersion,
        "molecules": {name: number for name, (number, _) in results.items()},
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    order = Chem.GetPeriodicTable().GetAtomicNumber
    rows = []
    for element in sorted({element for element, *_ in total}, key=order):
        charges = {}
        for charge in sorted({q for e, q, _ in total if e == element}):
            own = sorted((t, n) for (e, q, t), n in total.items() if (e, q) == (element, charge))
            charges[str(charge)] = {f"{aromatic},{other:g}": n for (aromatic, other), n in own}
        rows.append(f"  {json.dumps(element)}: {json.dumps(charges)}")
    lines.append('"valences": {\n' + ",\n".join(rows) + "\n }")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


if __name__ == "__main__":
    if len(sys.argv) < 2 or not all("=" in word for word in sys.argv[1:]):
        sys.exit(__doc__)
    with rdBase.BlockLogs():
        sys.stdout.write(table({n: Path(p) for n, p in (w.split("=", 1) for w in sys.argv[1:])}))
