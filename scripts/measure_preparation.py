#!/usr/bin/env python3
"""Prepare as many distinct molecules as asked for, and print the memory that it takes (Linux).

    python scripts/measure_preparation.py 1000000 --jobs 1

The molecules are those of datasets/qm9/sample.sdf with fluorine, chlorine and bromine in place of
hydrogens, drawn at random, none twice.  Their file, some 2 kB a molecule, and the data set lie in
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
LENGTHS = {"H": 1.0, "F": 1.27, "Cl": 1.63, "Br": 1.79}  # of a bond to carbon, relative to C-H


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
    begin, most, last = time.monotonic(), 0.0, -60.0
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
    """Write molecules as SDF, no two of a parent with the same elements in the same places."""
    part = path.with_suffix(".partial")
    with part.open("w", encoding="utf-8") as file:
        for k, record in enumerate(itertools.islice(halogenated(), count)):
            file.write(f"{k}\n{record}$$$$\n")
    part.replace(path)


def halogenated() -> Iterator[str]:
    """Yield the sample's records, by turns, with halogens in place of some hydrogens on carbon."""
    text = (ROOT / "datasets" / "qm9" / "sample.sdf").read_text(encoding="utf-8")
    parents = [Parent(block) for block in text.split("$$$$\n") if block.strip()]
    rng = np.random.default_rng(0)
    while parents:
        for parent in list(parents):
            record = parent.draw(rng)
            if record is None:
                parents.remove(parent)
            else:
                yield record


class Parent:
    """A record whose hydrogens on carbon may become halogens."""

    def __init__(self, block: str) -> None:
        mol = Chem.MolFromMolBlock(block, removeHs=False)
        self.lines = [*block.partition("M  END")[0].splitlines()[1:], "M  END", ""]
        self.x = mol.GetConformer().GetPositions()
        self.places = [
            (h.GetIdx(), h.GetNeighbors()[0].GetIdx())
            for h in mol.GetAtoms()
            if h.GetAtomicNum() == 1 and h.GetNeighbors()[0].GetAtomicNum() == 6
        ]
        self.seen: set[tuple[str, ...]] = set()

    def draw(self, rng: np.random.Generator) -> str | None:
        """Return a record that was not drawn before, or None if few are left."""
        for _ in range(20):
            elements = tuple(rng.choice(list(LENGTHS), len(self.places)).tolist())
            if elements not in self.seen:
                self.seen.add(elements)
                return self._record(elements)
        return None

    def _record(self, elements: tuple[str, ...]) -> str:
        lines = list(self.lines)
        for (h, c), element in zip(self.places, elements, strict=True):
            end = self.x[c] + LENGTHS[element] * (self.x[h] - self.x[c])
            tail = lines[3 + h][34:]
            lines[3 + h] = "".join(f"{value:10.4f}" for value in end) + f" {element:3s}" + tail
        return "\n".join(lines)


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
