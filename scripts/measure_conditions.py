#!/usr/bin/env python3
"""Ask a model for values of a property, and measure how far what comes is from them.

    python scripts/measure_conditions.py logp=0,1,2,3,4,5 -n 100 --guidance 1,2,3

Beside the error stand what aiming costs: strict validity, distinct molecules, and the spread of the
property without a condition, which is what asking for its mean and getting anything would give.
Properties are RDKit's, of the molecules that are strictly valid.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

import moldiff
from moldiff.chem import canonical_smiles
from moldiff.chem.properties import properties
from moldiff.metrics.value import bootstrap


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("aim", help="PROPERTY=VALUE,VALUE,...")
    parser.add_argument("-n", type=int, default=100, help="molecules for each value")
    parser.add_argument("--model", default="druglike")
    parser.add_argument("--guidance", default="1", help="weights, one table row for each")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def values(molecules: Sequence[moldiff.Generated], name: str) -> np.ndarray:
    """Return the property of the strictly valid molecules, (k,)."""
    mols = [item.mol for item in molecules if item.failure is None]
    return np.array([properties(canonical_smiles(mol), [name])[0] for mol in mols])


def mean_of(errors: np.ndarray) -> str:
    """Return the mean with its 95 % interval."""
    return bootstrap(errors, np.mean).text(2)


def main() -> None:
    args = options()
    name, _, targets = args.aim.partition("=")
    model = moldiff.load(args.model)
    common = {"model": model, "steps": args.steps}
    free = values(moldiff.generate(args.n, seed=args.seed, **common), name)
    spread = f"{free.mean():.2f} +- {free.std():.2f}"
    print(f"{name} of {len(free)} molecules without a condition: {spread}")
    print("guidance  target    mean error (95 %)   mean  valid  distinct")
    for weight in map(float, args.guidance.split(",")):
        every = []
        for k, target in enumerate(map(float, targets.split(","))):
            aims = {"conditions": {name: target}, "guidance": weight}
            drawn = moldiff.generate(args.n, seed=args.seed + k + 1, **aims, **common)
            reached = values(drawn, name)
            error = np.abs(reached - target)
            every.append(error)
            distinct = len({canonical_smiles(item.mol) for item in drawn if not item.failure})
            print(
                f"{weight:8g}  {target:6g}  {mean_of(error):>20}  "
                f"{reached.mean():5.2f}  {len(reached):5d}  {distinct:8d}",
                flush=True,
            )
        pooled = np.concatenate(every)
        print(f"{weight:8g}     all  {mean_of(pooled):>20}", flush=True)


if __name__ == "__main__":
    main()
