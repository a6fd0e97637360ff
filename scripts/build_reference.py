"""Build the reference that ships with the package: build_reference.py STORE [--out DIR]

The store is made by `moldiff data qm9`. Takes about half an hour on one core. With --only the
data's own row is measured again under some protocols, and nothing else is touched but, with
--data, the training split's ring systems and the test split's distributions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from moldiff.chem import decode
from moldiff.data.store import Store
from moldiff.metrics import PROTOCOLS, Reference, Settings
from moldiff.metrics.build import build_reference, refresh_data, refresh_row

FOLDER = Path(__file__).parents[1] / "moldiff" / "metrics" / "reference"


def spread(store: Store, split: str, size: int | None) -> list[int]:
    """Indices of a split, at most ``size``, evenly spaced: a store may be sorted by size."""
    indices = store.indices(split).tolist()
    return [indices[k * len(indices) // size] for k in range(size)] if size else indices


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--name", default="qm9")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--row", type=int, default=10_000, help="molecules of the data's own row")
    parser.add_argument("--posebusters", type=int, default=1000)
    parser.add_argument("--relax", type=int, default=1000)
    parser.add_argument("--xtb", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--only", nargs="+", choices=PROTOCOLS, help="measure the row again, under these protocols"
    )
    parser.add_argument(
        "--data", action="store_true", help="with --only: ring systems and distributions, too"
    )
    return parser.parse_args()


def main() -> None:
    args = options()
    store = Store.open(args.store, verify=True)
    splits = {
        split: (decode(store[i], store.vocabulary) for i in spread(store, split, limit))
        for split, limit in (("train", None), ("test", None), ("validation", args.row))
    }
    settings = Settings(args.posebusters, args.relax, args.xtb, jobs=args.jobs)
    if args.only:
        old = Reference.load(args.name, args.out)
        if args.data:
            old = refresh_data(old, train=splits["train"], test=splits["test"])
            old.save(args.out)
        row = splits["validation"]
        refresh_row(old, row=row, protocols=args.only, settings=settings).save_row(args.out)
        return
    info = {"source": store.meta["source"], "split": store.meta["notes"].get("split", "")}
    info["row"] = f"{args.name}, {args.row} molecules of the validation split, evenly spaced"
    info["distributions"] = f"{args.name}, test split"
    reference = build_reference(
        args.name,
        train=splits["train"],
        test=splits["test"],
        row=splits["validation"],
        settings=settings,
        info=info,
    )
    args.out.mkdir(parents=True, exist_ok=True)
    reference.save(args.out)


if __name__ == "__main__":
    main()
