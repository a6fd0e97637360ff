#!/usr/bin/env python3
"""Compare sampler settings of a model: compare_sampling.py MODEL N SEED 'SETTINGS as YAML' ...

Prints a Markdown row per setting, measured on N molecules without a filter. Example:
  scripts/compare_sampling.py qm9 500 1 '{steps: 25}' '{steps: 25, stepper: multistep}'
"""

import sys
import time

import yaml

from moldiff import Request, load
from moldiff.cpu import set_threads
from moldiff.generation.run import generate
from moldiff.metrics import graph, lookup
from moldiff.metrics.reference_data import Reference
from moldiff.metrics.sample import samples

set_threads(1)
known = Reference.load().graph
model, n, seed = load(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
head = ("settings", "look-up atom", "molecule", "valid", "strict", "strict x unique")
head += ("valid x unique x novel", "molecules/s")
print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
for text in sys.argv[4:]:
    start = time.process_time()
    molecules = list(generate(model, Request(n, seed), sampling=yaml.safe_load(text)))
    speed = n / (time.process_time() - start)
    items = samples([g.mol for g in molecules])
    near, own = lookup.measure(items, None), graph.measure(items, known)
    values = (near.atom_stability(), near.molecule_stability(), near.validity())
    values += (own.strict_validity(), own.strict_unique(), own.valid_unique_novel())
    cells = [f"{100 * v.value:.1f}" for v in values]
    print("| " + " | ".join([f"`{text}`", *cells, f"{speed:.1f}"]) + " |", flush=True)
