#!/usr/bin/env python3
"""Draw docs/layers.svg from the layers that setup.cfg prescribes: draw_layers.py [--check].

A row is a layer; it imports from rows below alone. Boxes of a row that touch may import each other,
boxes with a gap may not. With --check nothing is written; the exit status says whether the file is
what would be.
"""

import configparser
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "layers.svg"
HEIGHT, GAP, MARGIN = 26, 6, 34  # of a row, between rows, around the stacks; in pixels
WIDTH, INSET = 640, 300  # of the stacks
# Fills that are read on white and on black; text and lines beside them are a middle grey.
STYLE = """
text { font: 13px ui-sans-serif, system-ui, sans-serif; text-anchor: middle; fill: #1b2733 }
.note { fill: #808890; text-anchor: start }
rect { fill: #cfe0f3; stroke: #5b7fa6 }
.open rect { fill: #fbe3b5; stroke: #b58a35 }
path { stroke: #808890; fill: none }
"""


def layers(contract: str) -> list[tuple[list[str], bool]]:
    """The rows of a contract from above, each with whether its boxes may import each other."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    rows = config[f"importlinter:contract:{contract}"]["layers"].split("\n")
    return [([b.strip(" ()") for b in re.split("[|:]", r)], ":" in r) for r in rows if r.strip()]


def row(names: list[str], touching: bool, x: float, y: float, width: float, opened: str) -> str:
    """One layer; boxes are as wide as their names need."""
    gap = 0 if touching else GAP
    spare = (width - gap * (len(names) - 1) - 7 * len("".join(names))) / len(names)
    drawn = ""
    for name in names:
        wide = 7 * len(name) + spare
        box = f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{HEIGHT}" rx="3"/>'
        box += f'<text x="{x + wide / 2:.1f}" y="{y + HEIGHT / 2 + 4.5}">{name}</text>\n'
        drawn += f'<g class="open">{box}</g>' if name == opened else box
        x += wide + gap
    return drawn


def stack(rows: list[tuple[list[str], bool]], x: int, y: int, width: int, opened: str = "") -> str:
    """All layers of a contract."""
    step = HEIGHT + GAP
    return "".join(row(*r, x, y + k * step, width, opened) for k, r in enumerate(rows))


def picture() -> str:
    """The package's layers, and beside them the layers inside its engine."""
    outer, inner = layers("layers"), layers("diffusion")
    step, right = HEIGHT + GAP, MARGIN + WIDTH + 60
    bottom = MARGIN + len(outer) * step
    engine = MARGIN + next(k for k, (names, _) in enumerate(outer) if "diffusion" in names) * step
    top = min(engine, bottom - len(inner) * step)
    low, edge = top + len(inner) * step - GAP, MARGIN + WIDTH
    width = right + INSET + MARGIN
    arrow = f"M{MARGIN / 2} {MARGIN}V{bottom - GAP}m-5 -8l5 8l5 -8"
    zoom = f"M{edge} {engine}L{right - 8} {top}V{low}L{edge} {engine + HEIGHT}"
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 8}" role="img">
<title>The layers of moldiff: a module imports from lower layers only</title>
<style>{STYLE}</style>
<text class="note" x="{MARGIN}" y="20">moldiff: imports go down; boxes that touch may import each \
other</text>
<text class="note" x="{right}" y="{top - 10}">inside moldiff.diffusion, the engine</text>
<path d="{arrow}"/><path d="{zoom}"/>
{stack(outer, MARGIN, MARGIN, WIDTH, "diffusion")}{stack(inner, right, top, INSET)}</svg>
"""


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(picture(), encoding="utf-8")
    elif not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != picture():
        sys.exit("docs/layers.svg is out of date: run scripts/draw_layers.py")
