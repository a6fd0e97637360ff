#!/usr/bin/env python3
"""Write the tables of results of a page: results_table.py docs/evaluate.md REPORT.json ...

The reports are what `moldiff evaluate -o` wrote, for each model those of its own number of steps
first; the published rows are those of datasets/qm9/published.yaml. With "-" for the page the
table is printed.
"""

import json
import sys
from pathlib import Path

from moldiff.errors import InputError
from moldiff.metrics.readme import results_section
from moldiff.report.markdown import replace_section

root = Path(__file__).resolve().parent.parent
reports = [json.loads(Path(name).read_text()) for name in sys.argv[2:]]
section = results_section(reports, root / "datasets/qm9/published.yaml")
if sys.argv[1] == "-":
    sys.exit(print(section))
try:
    replace_section(Path(sys.argv[1]), "results", section)
except InputError as error:
    sys.exit(f"Error: {error} {error.fix}")
