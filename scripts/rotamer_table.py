#!/usr/bin/env python
"""Count side-chain rotamers in crystal structures: the table moldiff/protein/rotamers.csv.

    python scripts/rotamer_table.py FOLDER... > moldiff/protein/rotamers.csv

The bundled table was counted in the 3,975 pockets (`ID/pocket.pdb`, whole residues) of PDBbind
that the docking models were trained on.  Torsions are sorted into bins; a rotamer is a bin of all
torsions of a residue, at their circular means, and its shares are those of its residues.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from moldiff.errors import InputError
from moldiff.geometry.arrays import torsions
from moldiff.protein import read_structure
from moldiff.protein.rotamers import CHI, REGIONS, region

COVERED, MOST = 0.97, 27  # share of the residues that the rotamers kept have; rotamers at most
BONDED = 1.6  # Å, a peptide bond
# Period in degrees and number of bins of torsions at the ends; the others have 360 and 3.
ENDS = {
    "ASN": (360, 6), "ASP": (180, 3), "GLN": (360, 6), "GLU": (180, 3), "HIS": (360, 6),
    "PHE": (180, 3), "TYR": (180, 3), "TRP": (360, 6),
}  # fmt: skip


def main(folders: list[str]) -> None:
    conformations: dict[tuple[str, tuple[int, ...]], list] = defaultdict(list)
    for folder in folders:
        for path in sorted(Path(folder).glob("*/pocket.pdb")):
            try:
                collect(path, conformations)
            except InputError as error:
                print(error, file=sys.stderr)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    chis = [f"chi{k + 1}" for k in range(4)]
    writer.writerow(["residue", *chis, *(f"share{k}" for k in range(REGIONS))])
    for name in CHI:
        own = [seen for (residue, _), seen in conformations.items() if residue == name]
        totals = [sum(r == k for seen in own for _, r in seen) for k in range(REGIONS)]
        own.sort(key=len, reverse=True)
        kept = 0
        for seen in own[:MOST]:
            angles = np.angle(np.exp(1j * np.radians([chi for chi, _ in seen])).mean(0), deg=True)
            shares = [sum(r == k for _, r in seen) / totals[k] for k in range(REGIONS)]
            blank = [""] * (4 - len(angles))
            writer.writerow([name, *(f"{a:.0f}" for a in angles), *blank,
                             *(f"{s:.4f}" for s in shares)])  # fmt: skip
            kept += len(seen)
            if kept > COVERED * sum(totals):
                break
        print(name, sum(totals), f"{kept / sum(totals):.3f}", file=sys.stderr)


def collect(path: Path, conformations: dict) -> None:
    structure = read_structure(path)
    residues = [{} for _ in structure.residues]
    for name, k, x in zip(structure.names, structure.residue, structure.positions, strict=True):
        residues[k].setdefault(name, x.astype(float))
    for k in range(1, len(residues) - 1):
        name = structure.residues[k].name
        before, own, after = residues[k - 1 : k + 2]
        needed = {atom for quad in CHI.get(name, ()) for atom in quad}
        if not needed or not needed | {"C"} <= set(own) or "C" not in before or "N" not in after:
            continue
        ends = (before["C"], own["N"]), (own["C"], after["N"])
        if any(np.linalg.norm(a - b) > BONDED for a, b in ends):
            continue
        phi = np.degrees(torsions(before["C"], own["N"], own["CA"], own["C"]))
        psi = np.degrees(torsions(own["N"], own["CA"], own["C"], after["N"]))
        chi = [np.degrees(torsions(*(own[atom] for atom in quad))) for quad in CHI[name]]
        bins = []
        for place in range(len(chi)):
            last = place == len(chi) - 1
            period, count = ENDS.get(name, (360, 3)) if last else (360, 3)
            # Bins of ends are centred at 0, those of others lie between the eclipsed torsions.
            shift = period / count / 2 if count != 3 or period == 180 else 0
            number = int((chi[place] + shift) % period // (period / count))
            if period == 180:
                centre = number * period / count
                chi[place] = (chi[place] - centre + 90) % 180 - 90 + centre
            bins.append(number)
        conformations[name, tuple(bins)].append((chi, region(phi, psi)))


if __name__ == "__main__":
    main(sys.argv[1:])
