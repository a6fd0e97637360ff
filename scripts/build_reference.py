"""Build a reference that ships with the package: build_reference.py STORE [--name druglike]

The store is made by `moldiff data qm9` or `moldiff data druglike`. It is `moldiff data reference`
with the settings of the references that ship, and takes about half an hour on one core. With
--only the data's own row is measured again under some protocols, and nothing else is touched but,
with --data, the training split's ring systems and the test split's distributions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from moldiff.cli.reference import drawn, measured
from moldiff.data.store import Store
from moldiff.metrics import PROTOCOLS, Reference, Settings
from moldiff.metrics.build import refresh_data, refresh_row, with_inferred
from moldiff.metrics.sample import samples

FOLDER = Path(__file__).parents[1] / "moldiff" / "metrics" / "reference"
ROW = 10_000


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--name", default="qm9")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--only", nargs="+", choices=PROTOCOLS, help="measure the row again, under these protocols"
    )
    parser.add_argument(
        "--data", action="store_true", help="with --only: ring systems and distributions, too"
    )
    parser.add_argument(
        "--inferred",
        type=int,
        metavar="N",
        help="measure the graphs of N molecules of the row with inferred bonds, nothing else",
    )
    return parser.parse_args()


def main() -> None:
    args = options()
    store = Store.open(args.store, verify=True)
    settings = Settings(posebusters=1000, relax=1000, xtb=300, jobs=args.jobs)
    if args.inferred:
        old = Reference.load(args.name, args.out)
        row = samples(drawn(store, "validation", args.inferred))
        with_inferred(old, row, settings).save_row(args.out)
        return
    if not args.only:
        args.out.mkdir(parents=True, exist_ok=True)
        measured(store, args.name, ROW, settings).save(args.out)
        return
    old = Reference.load(args.name, args.out)
    if args.data:
        old = refresh_data(old, train=drawn(store, "train"), test=drawn(store, "test"))
        old.save(args.out)
    row = drawn(store, "validation", ROW)
    refresh_row(old, row=row, protocols=args.only, settings=settings).save_row(args.out)


if __name__ == "__main__":
    main()
