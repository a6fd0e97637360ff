#!/usr/bin/env python3
"""Write the README's table of results: results_table.py REPORT.json [README.md].

REPORT.json is what `moldiff evaluate -o` wrote; the published rows are those of
datasets/qm9/published.yaml. Without README.md the table is printed.
"""

import json
import sys
from pathlib import Path

from moldiff.metrics.readme import results_section

root = Path(__file__).resolve().parent.parent
section = results_section(
    json.loads(Path(sys.argv[1]).read_text()), root / "datasets/qm9/published.yaml"
)
if len(sys.argv) < 3:
    sys.exit(print(section))
readme = Path(sys.argv[2])
begin, end = "<!-- results:begin -->\n", "<!-- results:end -->"
before, rest = readme.read_text().split(begin)
readme.write_text(before + begin + section + end + rest.split(end)[1])
