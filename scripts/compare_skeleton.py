#!/usr/bin/env python3
"""All atoms against heavy-atom skeletons with hydrogens placed afterwards, at equal CPU time.

compare_skeleton.py STORE FOLDER MINUTES N trains both (configs/qm9.yaml) for so many CPU-minutes
and prints a Markdown table of N molecules; an interrupted run goes on with the same command.
"""

import sys
import time
from pathlib import Path

from moldiff import Request, load
from moldiff.benchmark.family.training import train
from moldiff.bundled import bundled_configs
from moldiff.chem import Encoded, decode, encode, relax_hydrogens
from moldiff.cpu import set_threads
from moldiff.data.skeleton import fold_store
from moldiff.data.store import Store
from moldiff.generation.run import generate
from moldiff.metrics import METRICS, Reference, Settings, Study, samples
from moldiff.metrics.sample import draw
from moldiff.train import TrainConfig

metrics = "graph.strict_validity graph.strict_unique lookup.molecule_stability lookup.validity "
metrics = (metrics + "posebusters.pass_rate relaxation.drop_median").split()
head = "| | steps | molecules seen | CPU-minutes | strict | strict x unique | look-up molecule | "
head += "look-up valid | PoseBusters | MMFF94 drop | molecules/s |"


def show(label, mols, training=("", "", ""), seconds=0.0):
    """Print a row for molecules that took so long to make, and one with hydrogens relaxed."""
    for remark in ("", ", hydrogens relaxed")[: 1 if label == "skeleton" else 2]:  # they are
        start = time.process_time()
        mols = [relax_hydrogens(mol) for mol in mols] if remark else mols
        spent = seconds + time.process_time() - start
        study = Study(samples(mols), Reference.load(), Settings(200, relax=len(mols), xtb=0))
        *shares, drop = (study.value(METRICS[name]).value for name in metrics)
        cells = [label + remark, *map(str, training), *(f"{100 * x:.1f}" for x in shares)]
        cells += [f"{drop:.1f}", f"{len(mols) / spent:.1f}" if seconds else ""]
        print("| " + " | ".join(cells) + " |", flush=True)


set_threads(1)
source, folder = Store.open(sys.argv[1]), Path(sys.argv[2])
minutes, n, folded = float(sys.argv[3]), int(sys.argv[4]), folder / "data"
skeletons = Store.open(folded) if folded.exists() else fold_store(source, folded)
print(head + "\n" + "|---" * (head.count("|") - 1) + "|", flush=True)
for label, store in {"all atoms": source, "skeleton": skeletons}.items():
    own = {"data": str(store.path), "output": str(folder / label), "evaluation": {"every": 0}}
    config = TrainConfig.from_yaml(bundled_configs()["qm9"], **own)
    took = train(config, store, minutes, lambda text: print(text, file=sys.stderr))
    model, start = load(folder / label / "model.safetensors"), time.process_time()
    mols = [item.mol for item in generate(model, Request(n, seed=1))]
    numbers = (took["steps"], took["molecules"], f"{took['cpu_seconds'] / 60:.1f}")
    show(label, mols, numbers, time.process_time() - start)
data = [decode(source[i], source.vocabulary) for i in draw(source.indices("validation"), n)]
again = [encode(mol, skeletons.vocabulary) for mol in data]
show("data", data)
again = [decode(e, skeletons.vocabulary) for e in again if isinstance(e, Encoded)]
show("data, hydrogens placed anew", again)
