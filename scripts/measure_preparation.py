#!/usr/bin/env python3
"""Prepare as many distinct molecules as asked for, and print the memory that it takes (Linux).

    python scripts/measure_preparation.py 1000000 --jobs 1

The molecules are those of datasets/qm9/sample.sdf with fluorine, chlorine and bromine in place of
hydrogens, drawn at random, no two alike.  Their file, some 2 kB a molecule, and the data set lie in
the output folder; interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rdkit import Chem

ROOT = Path(__file__).resolve().parents[1]
LENGTHS = {1: 1.0, 9: 1.27, 17: 1.63, 35: 1.79}  # of a bond to carbon, relative to C-H


def main() -> None:
    """Write the file if it is not there, prepare it, and print what is seen every minute."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("runs/preparation"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    source = arguments.output / f"{arguments.count}.sdf"
    if not source.exists():
        write(source, arguments.count)
    command = [sys.executable, "-m", "moldiff", "data", "prepare", str(source), "--output"]
    command += [str(arguments.output / "store"), "--jobs", str(arguments.jobs), "--force"]
    begin, most, last = time.monotonic(), 0, -60.0
    process = subprocess.Popen(command)
    while process.poll() is None:
        now = sum(resident(pid) for pid in family(process.pid))
        most, elapsed = max(most, now), time.monotonic() - begin
        if elapsed - last >= 60:
            print(f"{elapsed / 60:6.1f} min {now:6.0f} MB, at most {most:.0f} MB", flush=True)
            last = elapsed
        time.sleep(0.2)
    print(f"{arguments.count} records, {elapsed / 60:.1f} min: at most {most:.0f} MB resident")
    sys.exit(process.returncode)


def write(path: Path, count: int) -> None:
    """Write distinct molecules as SDF."""
    part, seen = path.with_suffix(".partial"), set[str]()
    with part.open("w", encoding="utf-8") as file:
        for mol in halogenated():
            block = Chem.MolToMolBlock(mol)
            name = f"{len(seen)}"
            key = Chem.MolToSmiles(mol)
            if key not in seen:
                seen.add(key)
                file.write(f"{name}{block}$$$$\n")
            if len(seen) == count:
                break
    part.replace(path)


def halogenated() -> Iterator[Chem.Mol]:
    """Yield molecules of the sample, by turns, with halogens in place of some hydrogens."""
    sample = ROOT / "datasets" / "qm9" / "sample.sdf"
    parents = [mol for mol in Chem.SDMolSupplier(str(sample), removeHs=False) if mol is not None]
    rng = np.random.default_rng(0)
    for parent in itertools.cycle(parents):
        mol = Chem.RWMol(parent)
        for bond in parent.GetBonds():
            heavy, light = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            if mol.GetAtomWithIdx(heavy).GetAtomicNum() == 1:
                heavy, light = light, heavy
            pair = [mol.GetAtomWithIdx(k).GetAtomicNum() for k in (heavy, light)]
            if pair != [6, 1]:
                continue
            element = int(rng.choice(list(LENGTHS), p=(0.4, 0.2, 0.2, 0.2)))
            mol.GetAtomWithIdx(light).SetAtomicNum(element)
            conformer = mol.GetConformer()
            start, end = (np.array(conformer.GetAtomPosition(k)) for k in (heavy, light))
            conformer.SetAtomPosition(light, start + LENGTHS[element] * (end - start))
        Chem.SanitizeMol(mol)
        yield mol.GetMol()


def family(pid: int) -> list[int]:
    """A process and its children's children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def resident(pid: int) -> float:
    """Resident memory in MB, shared pages counted for each process; 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
