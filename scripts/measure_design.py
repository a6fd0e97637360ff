#!/usr/bin/env python3
"""Grow and link parts of the validation molecules of a data set, and measure what comes.

    python scripts/measure_design.py data/druglike --scaffolds 50 --growths 4 --links 40
    python scripts/measure_design.py data/druglike --scaffolds 0 --links 0 --recover 10 --draws 250

A scaffold is what is left of a molecule cut as in training; hydrogens fill the cuts, and the atoms
beside them are the points.  As many atoms are added as were cut off.  The parts and the molecules
lie in the output folder as SDF, with results.jsonl, one line a part; parts that are there are not
done again.  What is kept is judged from the text of these files, by tests/design/independent.py.

With --recover, linkers are cut out as by DeLinker (Imrie et al., J. Chem. Inf. Model. 60 (2020)
1983): two acyclic single bonds, at least 3 atoms between them, at least 5 on either side, neither
side smaller than the linker.  A molecule is recovered if one of the draws has its graph.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from rdkit import Chem

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from moldiff.chem import decode, pair_indices, relax_hydrogens  # noqa: E402
from moldiff.data.store import Store  # noqa: E402
from moldiff.design.api import stream  # noqa: E402
from moldiff.design.scaffold import kept_of  # noqa: E402
from moldiff.design.tasks import growing, linking  # noqa: E402
from moldiff.io import Writer, read_molecules  # noqa: E402
from moldiff.models import load  # noqa: E402
from moldiff.text import ranges  # noqa: E402
from moldiff.train.parts import Parts  # noqa: E402
from tests.design.independent import faults, records  # noqa: E402


def parts(store: Store, count: int, two: bool, seed: int) -> list[tuple[int, np.ndarray]]:
    """Molecules of the validation split, and the atoms that are kept of each."""
    random, drawn = np.random.default_rng(seed), Parts(share=1.0, two=float(two))
    found: list[tuple[int, np.ndarray]] = []
    for index in random.permutation(store.indices("validation")):
        if len(found) == count:
            break
        molecule = store[int(index)]
        n = len(molecule.types)
        bonded = np.zeros((n, n), bool)
        bonded[pair_indices(n)] = molecule.bonds > 0
        labels = drawn.draw(bonded | bonded.T, random)
        if labels.max() == 1 + two and n >= 12:
            found.append((int(index), np.flatnonzero(labels) + 1))
    return found


def linkers(store: Store, count: int, seed: int) -> list[tuple[int, np.ndarray]]:
    """Molecules of the validation split, and the atoms that are kept where a linker is cut out."""
    random = np.random.default_rng(seed)
    found: list[tuple[int, np.ndarray]] = []
    for index in random.permutation(store.indices("validation")):
        if len(found) == count:
            break
        mol = decode(store[int(index)], store.vocabulary)
        choices = _cuts(mol)
        if choices:
            linker = choices[int(random.integers(len(choices)))]
            kept = [i for i in range(len(store[int(index)].types)) if i not in linker]
            found.append((int(index), np.array(kept) + 1))
    return found


def _cuts(mol: Chem.Mol) -> list[set[int]]:
    """The heavy atoms of every linker that can be cut out of a molecule."""
    heavy = Chem.RemoveAllHs(mol, sanitize=False)
    Chem.FastFindRings(heavy)
    single = [
        b.GetIdx()
        for b in heavy.GetBonds()
        if b.GetBondType() == Chem.BondType.SINGLE and not b.IsInRing()
    ]
    found = []
    for k, first in enumerate(single):
        for second in single[:k]:
            cut = Chem.FragmentOnBonds(heavy, [first, second], addDummies=False)
            pieces = [set(piece) for piece in Chem.GetMolFrags(cut)]
            ends = [
                {b.GetBeginAtomIdx(), b.GetEndAtomIdx()}
                for b in map(heavy.GetBondWithIdx, (first, second))
            ]
            (middle,) = [p for p in pieces if all(p & end for end in ends)] or [set()]
            sides = [len(piece) for piece in pieces if piece is not middle]
            if len(middle) >= 3 and len(sides) == 2 and min(sides) >= max(5, len(middle)):
                found.append(middle)
    return found


def _graph(mol: Chem.Mol) -> str:
    clean = Chem.RemoveHs(mol)
    Chem.SanitizeMol(clean)
    return Chem.MolToSmiles(clean, isomericSmiles=False)


def one(
    store: Store, index: int, kept: np.ndarray, kind: str, n: int, folder: Path, options: dict
) -> dict:
    """Complete one part n times; what came of it."""
    name, link = f"{kind}-{index}", kind != "grow"
    mol = relax_hydrogens(decode(store[index], store.vocabulary))
    scaffold = kept_of(mol, ranges(kept))
    at = ranges(sorted(atom + 1 for atom in scaffold.named))
    part, whole = folder / f"{name}-part.sdf", folder / f"{name}.sdf"
    with Writer(part) as writer:
        writer.write(scaffold.mol, {"at": at}, name)
    molecules = [record.mol for record in read_molecules(part)]
    task = (linking if link else growing)(molecules, at)
    removed = mol.GetNumHeavyAtoms() - scaffold.size
    with Writer(whole) as writer:
        failures, graphs = [], set()
        for item in stream(task, n, add=removed, **options):
            writer.write(item.mol, item.tags)
            failures.append(item.failure)
            if item.failure is None:
                graphs.add(_graph(item.mol))
    (text,), points = records(part.read_text()), {atom + 1 for atom in scaffold.named}
    found = [faults(text, record, points) for record in records(whole.read_text())]
    return {
        "part": name,
        "atoms": scaffold.size,
        "added": removed,
        "points": len(points),
        "valid": sum(failure is None for failure in failures),
        "distinct": len(graphs),
        "recovered": int(_graph(mol) in graphs),
        "kept": sum(not some for some in found),
        "n": n,
        "failures": [failure for failure in failures if failure],
        "faults": [fault for some in found for fault in some],
    }


def main() -> None:
    """Do all parts that are not done, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="a prepared data set")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/design"))
    parser.add_argument("--model", default="druglike")
    parser.add_argument("--scaffolds", type=int, default=50)
    parser.add_argument("--growths", type=int, default=4)
    parser.add_argument("--links", type=int, default=40)
    parser.add_argument("--recover", type=int, default=0, help="molecules whose linker is cut out")
    parser.add_argument("--draws", type=int, default=250, help="linkings of each of these")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    store, model = Store.open(arguments.data), load(arguments.model)
    arguments.output.mkdir(parents=True, exist_ok=True)
    log = arguments.output / "results.jsonl"
    done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    known = {row["part"] for row in done}
    options = {"model": model, "seed": arguments.seed, "steps": arguments.steps}
    grown = parts(store, arguments.scaffolds, two=False, seed=arguments.seed)
    linked = parts(store, arguments.links, two=True, seed=arguments.seed)
    cut = linkers(store, arguments.recover, seed=arguments.seed)
    wanted = [(*part, "grow", arguments.growths) for part in grown]
    wanted += [(*part, "link", 1) for part in linked]
    wanted += [(*part, "recover", arguments.draws) for part in cut]
    # In turn, so that an interrupted run has measured all kinds.
    wanted = [wanted[k] for k in np.random.default_rng(0).permutation(len(wanted))]
    for index, kept, kind, n in wanted:
        if f"{kind}-{index}" not in known:
            row = one(store, index, kept, kind, n, arguments.output, options)
            done.append(row)
            with log.open("a") as stream_:
                stream_.write(json.dumps(row) + "\n")
    for kind in ("grow", "link", "recover"):
        rows = [row for row in done if row["part"].startswith(kind)]
        if total := sum(row["n"] for row in rows):
            keys = ("valid", "kept", *(("distinct", "recovered") if kind == "recover" else ()))
            shares = {key: sum(row[key] for row in rows) for key in keys}
            print(kind, f"{len(rows)} parts, {total} molecules:", shares)


if __name__ == "__main__":
    main()
