"""Measure native backbones: the bands in which their figures lie, and their secondary structures.

    python scripts/fit_natives.py data/backbones -n 400

Natives are compact windows of 40 to 80 residues of training domains.  Bonds and clashes are theirs;
the other figures are those after joining, as drawn backbones are joined.  The bands, in which nine
in ten lie, and the means are written to
``moldiff/backbones/natives.json``; what follows what in the secondary structures of all training
domains to ``moldiff/backbones/blueprints.json``.  ``-n 0`` counts these alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from moldiff.backbones.blueprints import counted
from moldiff.backbones.joining import joined
from moldiff.backbones.natives import FIGURES, figures_of
from moldiff.backbones.quality import quality, whole
from moldiff.backbones.sampling import hesitation
from moldiff.cli.progress import stages
from moldiff.data.backbones import BackboneStore
from moldiff.domain.chains import LONGEST, SHORTEST
from moldiff.models import load
from moldiff.protein.secondary import secondary
from moldiff.train.workloads.chains import WindowBatches

_QUANTILES = (0.05, 0.95)


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="prepared backbones (moldiff data backbones)")
    parser.add_argument("-n", type=int, default=400, help="natives")
    parser.add_argument("-o", type=Path, default=Path("moldiff/backbones"), help="folder")
    options = parser.parse_args()
    store = BackboneStore.open(options.data)
    count_blueprints(store, options.o / "blueprints.json")
    if options.n:
        measure_bands(store, options.n, options.o / "natives.json")


def count_blueprints(store: BackboneStore, path: Path) -> None:
    """Count secondary structures of training domains, and write the counts."""
    chosen = store.indices("train").tolist()
    states = []
    with stages() as show:
        for done, k in enumerate(chosen, 1):
            states.append(secondary(store[k].atoms))
            show("domains", done, len(chosen))
    path.write_text(json.dumps({"domains": len(chosen)} | counted(states)) + "\n", encoding="utf-8")
    print(f"secondary structures of {len(chosen)} domains: {path}")


def measure_bands(store: BackboneStore, count: int, path: Path) -> None:
    """Measure the figures of natives, and write their bands."""
    designer = load("sequence", domain="sequences")
    source = WindowBatches(store, store.indices("train"), batch=1, seed=0)
    rng = np.random.default_rng(0)
    rows = []
    with stages() as show:
        for done in range(count):
            (native,) = source.windows(int(rng.integers(SHORTEST, LONGEST + 1)), 1, rng)
            atoms = whole(joined(native.atoms[None, :, :3])[0])
            own = quality(native.atoms, secondary(native.atoms))
            found = figures_of(
                quality(atoms, secondary(atoms)), float(hesitation(designer, atoms[None])[0])
            )
            found |= {"joined": own.joined, "clashes": own.clashes}
            rows.append([found[name] for name in FIGURES])
            show("natives", done + 1, count)
    values = np.array(rows)
    low, high = np.quantile(values, _QUANTILES, axis=0)
    bands = {
        name: [round(float(x), 4) for x in (low[k], values[:, k].mean(), high[k])]
        for k, name in enumerate(FIGURES)
    }
    inside = ((values >= low) & (values <= high)).all(1).mean()
    about = {"natives": count, "residues": [SHORTEST, LONGEST], "sequences": designer.digest}
    path.write_text(json.dumps(about | {"bands": bands}, indent=1) + "\n", encoding="utf-8")
    print(f"{count} natives, of which {100 * inside:.0f} % are inside of all bands: {path}")


if __name__ == "__main__":
    main()
