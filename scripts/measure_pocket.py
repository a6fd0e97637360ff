#!/usr/bin/env python3
"""Design in the pockets of known complexes, beside baselines of equal CPU time and equal size.

    python scripts/measure_pocket.py complexes/ --random list.smi --pockets 5 --seconds 60

For each complex (`moldiff.benchmark.docking.complexes`: ID/ligand.sdf, ID/protein.pdb), each method
has so many CPU-seconds on one core, and molecules of as many heavy atoms as the ligand, +-2:

=========  =========================================================================================
guided     `moldiff design pocket` from pieces of the ligand in its pose
unguided   the same without the guidance `surroundings`
evolve     `moldiff design pocket --start evolve`
random     drug-like molecules from a list, docked
bred       the same; after twelve, halves of two of the best are joined (a genetic algorithm)
=========  =========================================================================================

The ligand is docked again, and minimised from its pose.  The best molecule of each method is docked
into this pocket and into another one, that of the next complex.  Of ours, `--posebusters` of those
that `--pick` would choose are shown to PoseBusters (`dock`).  One line of results.jsonl for each
pocket; pockets that are there are not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from rdkit import Chem
from rdkit.Chem import BRICS

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from moldiff.benchmark.docking.complexes import Case, choose, read_crystal, read_set  # noqa: E402
from moldiff.benchmark.docking.statistics import ALIKE  # noqa: E402
from moldiff.benchmark.docking.study import read_similarity  # noqa: E402
from moldiff.chem.demands import Interval  # noqa: E402
from moldiff.chem.validity import sanitised  # noqa: E402
from moldiff.design.pockets import Bench, Budget, prepare  # noqa: E402
from moldiff.design.pockets.evolve import AFRESH, FIRST, PARENTS, SEARCH, STEPS  # noqa: E402
from moldiff.docking.pipeline import dock  # noqa: E402
from moldiff.docking.problem import Pocket, make_problem  # noqa: E402
from moldiff.docking.settings import Settings  # noqa: E402
from moldiff.errors import MoldiffError  # noqa: E402
from moldiff.io import Writer  # noqa: E402
from moldiff.metrics.poses import bust  # noqa: E402
from moldiff.metrics.value import bootstrap  # noqa: E402
from moldiff.models import load  # noqa: E402

METHODS = ("guided", "unguided", "evolve", "random", "bred")

_AROUND, _SIZES = 2, (16, 32)  # heavy atoms
_JOINS = 50  # pairs that are tried for a molecule of the size
_AGAIN = 1_000_000  # added to the seed of the search when the best molecules are docked once more
_SHOWN = 30  # designs that are picked of a pocket

Busted = Callable[[Sequence[Chem.Mol]], list[list[str]]]
"""Poses -> the checks of PoseBusters that each fails."""


def docked(mol: Chem.Mol, pocket: Pocket, settings: Settings) -> tuple[float, bool] | None:
    """Energy of the best docked pose, in kcal/mol, and whether it passes the checks."""
    problem = make_problem(mol, pocket, conformers=settings.conformers, seed=settings.seed)
    if isinstance(problem, str):
        return None
    best = dock(problem, settings).best
    return best.energy, best.passes


def listed(path: Path, size: Interval, seed: int) -> Iterator[Chem.Mol]:
    """Molecules of a list of SMILES, of a size, in random order."""
    lines = path.read_text().splitlines()
    for k in np.random.default_rng(seed).permutation(len(lines)):
        mol = Chem.MolFromSmiles(lines[int(k)].split()[0])
        if mol is not None and mol.GetNumHeavyAtoms() in size:
            yield mol


def designed(
    bench: Bench, size: Interval, seconds: float, folder: Path, options: dict, busted: Busted
) -> tuple[dict, Chem.Mol | None]:
    """What came of designs, and the best of them."""
    clock = Budget(seconds, time.process_time)
    made = list(bench.designs(10**6, clock, size=size, **options))
    outcome = bench.outcome(made, clock)
    with Writer(folder) as writer:
        for mol, tags in outcome.records(outcome.kept):
            writer.write(mol, tags)
    energies = [d.settled.energy for d in outcome.kept if d.settled is not None]
    best = min(outcome.kept, key=lambda d: d.settled.energy, default=None)
    row = {
        "tried": len(made),
        "valid": sum(d.sample.failure is None for d in made),
        "part kept": sum(d.tags.get("part_kept") == "yes" for d in made),
        "settled": sum(d.settled is not None for d in made),
        "energies": [round(e, 3) for e in energies],
        "heavy": [d.sample.mol.GetNumHeavyAtoms() for d in outcome.kept],
        "reasons": dict(outcome.reasons),
        "posebusters": busted([d.settled.mol for d in outcome.picked(_SHOWN, options["seed"])]),
    }
    return row, None if best is None else best.settled.mol


def busted_in(receptor: Path, number: int) -> Busted:
    """What PoseBusters says of the first so many poses in a receptor: the checks that fail."""

    def busted(poses: Sequence[Chem.Mol]) -> list[list[str]]:
        rows = [
            bust(sanitised(mol), config="dock", receptor=receptor.resolve())
            for mol in poses[:number]
        ]
        return [[name for name, passed in row.items() if passed is False] for row in rows]

    return busted


def screened(
    pocket: Pocket,
    molecules: Iterator[Chem.Mol],
    seconds: float,
    breed: Callable[[list[Chem.Mol]], Chem.Mol | None] = lambda parents: None,
) -> tuple[dict, Chem.Mol | None]:
    """The same for molecules that are docked one after another, some of them bred of the best."""
    clock, known, best, heavy, tried = Budget(seconds, time.process_time), set(), [], [], 0
    while not clock.spent():
        child = breed([mol for _, mol in best[:PARENTS]]) if tried >= FIRST else None
        mol = next(molecules) if child is None else child
        if (smiles := Chem.MolToSmiles(mol)) in known:
            continue
        known.add(smiles)
        tried += 1
        energy = docked(mol, pocket, SEARCH)
        if energy is not None and energy[1]:
            best = sorted([*best, (energy[0], mol)], key=lambda one: one[0])
            heavy.append(mol.GetNumHeavyAtoms())
    row = {"tried": tried, "energies": [round(e, 3) for e, _ in best], "heavy": heavy}
    return row, best[0][1] if best else None


def joined(parents: list[Chem.Mol], size: Interval, random: np.random.Generator) -> Chem.Mol | None:
    """Half of a good molecule bonded to half of another; None now and then, or if none fits."""
    if len(parents) < 2 or random.random() < AFRESH:
        return None
    for _ in range(_JOINS):
        pair = [parents[int(random.choice(len(parents), 3).min())] for _ in range(2)]
        halves = [half for mol in pair if (half := _half(mol, random)) is not None]
        if len(halves) < 2:
            continue
        both = Chem.RWMol(Chem.CombineMols(*halves))
        ends = [a.GetIdx() for a in both.GetAtoms() if a.GetAtomicNum() == 0]
        bonded = [both.GetAtomWithIdx(i).GetNeighbors()[0].GetIdx() for i in ends]
        both.AddBond(*bonded, Chem.BondType.SINGLE)
        for i in sorted(ends, reverse=True):
            both.RemoveAtom(i)
        mol = Chem.MolFromSmiles(Chem.MolToSmiles(both))
        if mol is not None and mol.GetNumHeavyAtoms() in size:
            return mol
    return None


def _half(mol: Chem.Mol, random: np.random.Generator) -> Chem.Mol | None:
    """One side of a bond that BRICS cuts, with a dummy atom in the other's place."""
    bonds = [bond for bond, _ in BRICS.FindBRICSBonds(mol)]
    if not bonds:
        return None
    bond = mol.GetBondBetweenAtoms(*bonds[int(random.integers(len(bonds)))])
    pieces = Chem.GetMolFrags(Chem.FragmentOnBonds(mol, [bond.GetIdx()]), asMols=True)
    return pieces[int(random.integers(2))] if len(pieces) == 2 else None


def one(case: Case, other: Pocket, arguments: argparse.Namespace, options: dict) -> dict:
    """All methods in one pocket."""
    crystal = read_crystal(case)
    n = crystal.GetNumHeavyAtoms()
    size = Interval(n - _AROUND, n + _AROUND)
    bench = prepare(case.receptor, case.folder / "ligand.sdf", Budget(None), **options)
    place, known = bench.site.pocket, bench.reference()
    row: dict = {"pocket": case.id, "heavy": n, "starts": [s.name for s in bench.starts]}
    row["reference"] = {
        "in place": None if known is None else round(known.energy, 3),
        "docked": docked(crystal, place, SEARCH),
    }
    best = {}
    off = {**options, "guidance": [{"name": "surroundings", "most": 0.0}]}
    whole = replace(bench, starts=())
    ways = {
        "guided": (bench, options),
        "unguided": (bench, off),
        "evolve": (whole, options),
    }
    random = np.random.default_rng(options["seed"])
    for name in arguments.methods:
        if name in ways:
            path = arguments.output / f"{case.id}-{name}.sdf"
            source, chosen = ways[name]
            busted = busted_in(case.receptor, arguments.posebusters)
            row[name], best[name] = designed(source, size, arguments.seconds, path, chosen, busted)
            continue
        molecules = listed(arguments.random, size, options["seed"])
        breed = partial(joined, size=size, random=random) if name == "bred" else lambda _: None
        row[name], best[name] = screened(place, molecules, arguments.seconds, breed)
    # With a seed of its own: the energy by which the best one was chosen is a lucky one.
    again = replace(SEARCH, seed=options["seed"] + _AGAIN)
    row["redocked"] = {
        name: [docked(mol, there, again) for there in (place, other)]
        for name, mol in best.items()
        if mol is not None
    }
    return row


def _interval(values: list[float]) -> str:
    """Mean over pockets with its bootstrap interval of 95 %."""
    value = bootstrap(np.array(values), np.mean)
    return f"{value.text(2)}, {value.n} pockets"


def _better(row: dict, method: str) -> float:
    """How many molecules pass and are better than the ligand docked again."""
    known = row["reference"]["docked"][0]
    return float(sum(e < known for e in row[method]["energies"]))


def _share(row: dict, method: str) -> float:
    """Their share of all that was tried."""
    return _better(row, method) / max(1, row[method]["tried"])


def report(rows: list[dict]) -> None:
    """Print means over pockets, and paired differences."""
    rows = [row for row in rows if row["reference"]["docked"] is not None]
    methods = [m for m in METHODS if all(m in row for row in rows)]
    for m in methods:
        print(m, "tried in all:", sum(row[m]["tried"] for row in rows))
        shares = [len(row[m]["energies"]) / max(1, row[m]["tried"]) for row in rows]
        print("  pass the checks, of all tried:", _interval(shares))
        print("  better than the ligand docked again:", _interval([_share(r, m) for r in rows]))
        print("  such molecules in the time:", _interval([_better(r, m) for r in rows]))
        shown = [failed for r in rows for failed in r[m].get("posebusters", ())]
        if shown:
            passed = sum(not failed for failed in shown)
            failures = Counter(name for failed in shown for name in failed)
            print(f"  PoseBusters dock: {passed} of {len(shown)} pass; failed:", dict(failures))
        best = [min(r[m]["energies"]) for r in rows if r[m]["energies"]]
        print("  best energy:", _interval(best))
    for one, m in combinations(methods, 2):
        both = [r for r in rows if r[one]["energies"] and r[m]["energies"]]
        pairs = [min(r[one]["energies"]) - min(r[m]["energies"]) for r in both]
        print(f"best energy, {one} - {m}:", _interval(pairs))
        shares = [_share(r, one) - _share(r, m) for r in rows]
        print(f"share better than the ligand, {one} - {m}:", _interval(shares))
        counts = [_better(r, one) - _better(r, m) for r in rows]
        print(f"such molecules in the time, {one} - {m}:", _interval(counts))
    for m in methods:
        pairs = [r["redocked"][m] for r in rows if all(r["redocked"].get(m) or [None])]
        print(f"{m}: own pocket - other pocket:", _interval([a[0] - b[0] for a, b in pairs]))


def main() -> None:
    """Do the pockets that are not done, and print what came of all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("complexes", type=Path, help="a folder of complexes")
    parser.add_argument("--random", type=Path, required=True, help="a list of SMILES")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/pocket"))
    parser.add_argument("--pockets", type=int, default=5, help="0: only report what is there")
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU time of each method")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--similarity", type=Path, help="set,id,max_sim: only those below 0.5")
    parser.add_argument("--posebusters", type=int, default=0, help="designs of each pocket shown")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    log = arguments.output / "results.jsonl"
    done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    options = {"model": load("druglike"), "seed": arguments.seed, "steps": arguments.steps}
    known = read_set(arguments.complexes)
    if arguments.similarity is not None:
        alike = read_similarity(arguments.similarity)
        known = [case for case in known if alike.get(case.key, 1.0) < ALIKE]
    cases = []
    for case in choose([known], seed=arguments.seed):
        crystal = read_crystal(case)
        if not isinstance(crystal, str) and _SIZES[0] <= crystal.GetNumHeavyAtoms() <= _SIZES[1]:
            cases.append(case)
    cases = cases[: arguments.pockets]
    for case, following in zip(cases, [*cases[1:], *cases[:1]], strict=True):
        if case.id in {row["pocket"] for row in done}:
            continue
        try:
            away = prepare(
                following.receptor, following.folder / "ligand.sdf", Budget(None), **options
            )
            row = one(case, away.site.pocket, arguments, options)
        except MoldiffError as error:
            print(f"{case.id}: {error}")
            continue
        done.append(row)
        with log.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
    report(done)


if __name__ == "__main__":
    main()
