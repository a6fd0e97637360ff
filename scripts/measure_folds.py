"""How alike drawn backbones are to one another and to what the model was trained on.

    pip install tmtools
    moldiff backbone -n 40 --sequences 0 --structure free -o drawn
    python scripts/measure_folds.py drawn data/backbones
    python scripts/measure_folds.py drawn --predictions predicted

TM-scores (Zhang & Skolnick, Proteins 57 (2004) 702) are those of tmtools, per residue of the drawn
backbone.  Diversity is the mean over all pairs.  For novelty each backbone is compared with compact
windows of its length of the chains of training: of all those drawn, the 60 of the most similar
distances along the chain, so the highest score found is a lower bound of the highest there is.
Chance gives about 0.3, one fold above 0.5.  Predictions are those of any folding program for the
sequences of `sequences.fasta`, a file for each record: predicted/backbone-1-1.pdb.  Of backbones
around a motif the distance of the predicted motif is measured, too.
"""

from __future__ import annotations

import argparse
import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tmtools import tm_align

from moldiff.data.backbones import BackboneStore
from moldiff.geometry.arrays import superposed_rmsd
from moldiff.metrics.value import bootstrap
from moldiff.protein.read import read_contents
from moldiff.protein.trace import trace
from moldiff.train.workloads.chains import WindowBatches

_WINDOWS, _CANDIDATES = 4000, 60
_SPANS = range(3, 38)
_SUFFIXES = (".pdb", ".cif")

Array = npt.NDArray[np.float64]


def profile(x: Array) -> Array:
    """Quartiles of C-alpha distances of residues so far apart in the chain, (spans x 3,)."""
    return np.concatenate(
        [
            np.quantile(np.linalg.norm(x[k:] - x[:-k], axis=-1), [0.25, 0.5, 0.75])
            for k in _SPANS
            if k < len(x)
        ]
    )


def score(x: Array, other: Array) -> float:
    """The TM-score of two chains, by the length of the first."""
    letters = ["A" * len(chain) for chain in (x, other)]
    return float(tm_align(x, other, *letters).tm_norm_chain1)


def chain(path: Path) -> Array:
    """C-alpha (n, 3) of the first chain of a file."""
    read = trace(read_contents(path).structure)
    runs = next(iter(read.fragments.values()), [])
    return read.atoms[[i for run in runs for i in run], 1].astype(np.float64)


def diversity(drawn: dict[str, Array]) -> None:
    """Print how alike the backbones are to one another."""
    pairs = np.array([score(a, b) for a, b in combinations(drawn.values(), 2)])
    if not len(pairs):
        raise SystemExit("There are no two backbones to compare.")
    print(f"pairs of {len(drawn)} backbones: mean TM {pairs.mean():.3f}, highest {pairs.max():.2f}")


def novelty(drawn: dict[str, Array], data: Path) -> None:
    """Print how alike the backbones are to chains of training."""
    store, rng = BackboneStore.open(data), np.random.default_rng(0)
    source = WindowBatches(store, store.indices("train"), batch=1, seed=0)
    best = []
    for length in sorted({len(x) for x in drawn.values() if len(x) <= source.sizes.max()}):
        windows = [c.atoms[:, 1].astype(float) for c in source.windows(length, _WINDOWS, rng)]
        profiles = np.stack([profile(x) for x in windows])
        for x in (one for one in drawn.values() if len(one) == length):
            order = np.square(profiles - profile(x)).sum(1).argsort()[:_CANDIDATES]
            best.append(max(score(x, windows[k]) for k in order.tolist()))
    figures = np.array(best)
    value = bootstrap(figures[:, None], lambda rows: float(rows[:, 0].mean()))
    shares = ", ".join(f"{100 * (figures < tm).mean():.0f} % below {tm}" for tm in (0.5, 0.6))
    print(
        f"nearest of training: TM {value.value:.2f} ({value.low:.2f} to {value.high:.2f}); {shares}"
    )


def motifs(table: Path) -> dict[str, list[int]]:
    """Indices of the residues of each backbone's motif, of the table ``backbones.csv``."""
    found: dict[str, list[int]] = {}
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            ends = [piece.split("=")[0].split("-") for piece in (row.get("motif") or "").split()]
            found[row["name"]] = [k for e in ends for k in range(int(e[0]) - 1, int(e[-1]))]
    return found


def consistency(drawn: dict[str, Array], folder: Path, kept: dict[str, list[int]]) -> None:
    """Print how far predicted structures of the sequences are those that were drawn."""
    scores, distances, motif = [], [], []
    for name, x in drawn.items():
        predicted = [
            chain(path) for path in sorted(folder.glob(f"{name}-*")) if path.suffix in _SUFFIXES
        ]
        whole = [y for y in predicted if len(y) == len(x)]
        if whole:
            scores.append(max(score(x, y) for y in whole))
            distances.append(min(float(superposed_rmsd(y, x)) for y in whole))
            if len(own := kept.get(name, [])) > 2:
                motif.append(min(float(superposed_rmsd(y[own], x[own])) for y in whole))
    if not scores:
        raise SystemExit(f"{folder} has no predictions named as the sequences: backbone-1-1.pdb")
    tm, rmsd = np.array(scores), np.array(distances)
    print(
        f"predictions of {len(tm)} backbones, best of their sequences: scTM {tm.mean():.2f}, above "
        f"0.5 {100 * (tm > 0.5).mean():.0f} %; scRMSD below 2 Å {100 * (rmsd < 2).mean():.0f} %"
    )
    if motif:
        share = 100 * (np.array(motif) < 1).mean()
        print(f"motifs of {len(motif)} backbones: below 1 Å {share:.0f} %")


def main() -> None:
    """Print the figures that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of backbone-*.pdb or .cif")
    parser.add_argument("data", type=Path, nargs="?", help="the prepared backbones")
    parser.add_argument("--predictions", type=Path, help="folder of structures of the sequences")
    options = parser.parse_args()
    files = [path for path in sorted(options.folder.glob("backbone-*")) if path.suffix in _SUFFIXES]
    drawn = {path.stem: chain(path) for path in files}
    diversity(drawn)
    if options.data is not None:
        novelty(drawn, options.data)
    if options.predictions is not None:
        table = options.folder / "backbones.csv"
        consistency(drawn, options.predictions, motifs(table) if table.is_file() else {})


if __name__ == "__main__":
    main()
