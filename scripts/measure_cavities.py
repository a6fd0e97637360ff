#!/usr/bin/env python3
"""Which cavity holds the ligand, by ours and by pyKVFinder: measure_cavities.py SETS... [--limit N]

Each set is a folder of complexes as `moldiff benchmark docking` reads them, with whole receptors
(ID/protein.pdb).  Both are given the heavy atoms that `moldiff dock` keeps, without the ligand:
ours lists the cavities that `--autobox` takes by their chance, without their copies in other
chains; pyKVFinder (pip install pyKVFinder; its defaults, one thread) its own, the largest first.
A cavity is the ligand's if its middle is within so many Å of the ligand's: of ours the centre of
the box that `--autobox` makes (points by their burial), of pyKVFinder's the mean of its points.
With `copies` a cavity of ours is the ligand's, too, if the ligand lies in a copy of it in another
chain of an oligomer: a pocket lined by the same residues.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pyKVFinder

from moldiff.benchmark.docking.complexes import choose, read_crystal, read_set
from moldiff.metrics.value import bootstrap
from moldiff.protein.occupants import on
from moldiff.protein.read import read_contents
from moldiff.protein.receptor import prepare_receptor
from moldiff.protein.sites import binding_sites, distinct
from moldiff.protein.structure import Structure
from moldiff.protein.write import write_pdb

NEAR, FIRST = (4.0, 6.0, 8.0), (1, 3)  # Å; cavities

Centres = list[np.ndarray]
"""Middles (m, 3) in Å that count as each cavity's, the likeliest cavity first."""


def ours(receptor: Structure, path: Path) -> Centres:
    """Cavities by their chance."""
    return [site.cavity.centre[None] for site, _ in distinct(binding_sites(receptor))]


def ours_or_copies(receptor: Structure, path: Path) -> Centres:
    """The same, each with its copies."""
    groups = distinct(binding_sites(receptor))
    return [np.array([one.cavity.centre for one in (site, *copies)]) for site, copies in groups]


def kvfinder(receptor: Structure, path: Path) -> Centres:
    """Cavities of pyKVFinder by their volume."""
    logging.getLogger().setLevel(logging.ERROR)  # it warns of each atom that gets a generic radius
    atoms = pyKVFinder.read_pdb(str(path))
    vertices, step = pyKVFinder.get_vertices(atoms), 0.6
    count, grid = pyKVFinder.detect(atoms, vertices, step=step, nthreads=1)
    if not count:
        return []
    origin, x, y, z = np.array(vertices)
    axes = np.array([(end - origin) / np.linalg.norm(end - origin) for end in (x, y, z)])
    cells = np.argwhere(grid > 1)
    label = grid[tuple(cells.T)]
    names, size = np.unique(label, return_counts=True)
    middles = np.array([cells[label == name].mean(0) for name in names])
    centres = origin + step * middles[np.argsort(-size, kind="stable")] @ axes
    return list(centres[:, None])


METHODS: dict[str, Callable[[Structure, Path], Centres]] = {
    "moldiff": ours,
    "copies": ours_or_copies,
    "pyKVFinder": kvfinder,
}


def distances(
    folder: Path, limit: int | None, seconds: dict[str, list[float]]
) -> dict[str, list[np.ndarray]]:
    """How far the cavities of each receptor are from its ligand in Å, by method."""
    far: dict[str, list[np.ndarray]] = {name: [] for name in seconds}
    for case in choose([read_set(folder)], limit=limit):
        crystal = read_crystal(case)
        if isinstance(crystal, str):
            continue
        known = crystal.GetConformer().GetPositions()
        contents = read_contents(case.receptor)
        leave = dict.fromkeys(on(contents.structure, known), "the reference ligand lies on it")
        receptor = contents.receptor(leave=leave)
        with tempfile.TemporaryDirectory() as made:
            path = Path(made) / "receptor.pdb"
            write_pdb(prepare_receptor(receptor), path, hydrogens=False)
            for name in seconds:
                begin = time.process_time()
                centres = METHODS[name](receptor, path)
                seconds[name].append(time.process_time() - begin)
                nearest = [np.linalg.norm(c - known.mean(0), axis=1).min() for c in centres]
                far[name].append(np.array(nearest))
    return far


def main() -> None:
    """Print how often the ligand's cavity is among the first, of each set and of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, help="complexes of each set, drawn at random")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in arguments.methods}
    far = {f.resolve().name: distances(f, arguments.limit, seconds) for f in arguments.sets}
    far["all"] = {name: [x for rows in far.values() for x in rows[name]] for name in seconds}
    first, *others = seconds
    names = [*seconds, *(f"{first} - {other}" for other in others)]
    print(f"| set | receptors | among the first | within | {' | '.join(names)} |")
    print("|---|---|---|---|" + "---|" * len(names))
    for (name, rows), k, reach in product(far.items(), FIRST, NEAR):
        hits = {
            method: np.array([(x[:k] <= reach).any() for x in rows[method]], float)
            for method in seconds
        }
        compared = [*hits.values(), *(hits[first] - hits[other] for other in others)]
        shares = [bootstrap(100 * values, np.mean).text(1) for values in compared]
        cells = (name, len(hits[first]), k, f"{reach:.0f} Å", *shares)
        print(f"| {' | '.join(map(str, cells))} |")
    for name, values in seconds.items():
        print(
            f"{name}: {np.mean(values):.2f} CPU-seconds a receptor, median {np.median(values):.2f}"
        )


if __name__ == "__main__":
    main()
