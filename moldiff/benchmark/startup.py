"""What commands cost before and after their work: CPU-seconds, and the imports that take most.

Each command runs as a process of its own, several times in turns, at so little work that the start
is what is left: one step of sampling, one molecule.  Of a docking, the stages that its own record
counts are taken off.  Against another checkout the turns alternate, and ratios are taken in pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from moldiff.errors import InputError

__all__ = ["add", "parts", "run"]

ROOT = Path(__file__).parents[2]
_COMPLEX = ROOT / "datasets" / "docking" / "1m2z"
_LIGAND = "C[C@@H]1C[C@H]2[C@@H]3CCC4=CC(=O)C=C[C@]4(C)[C@@]3(F)[C@@H](O)C[C@]2(C)[C@@]1(O)C(=O)CO"

# Command -> its words; the files are in a folder of their own, where ``generate`` writes out.sdf.
COMMANDS: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "generate": ("generate", "-n", "1", "--steps", "1", "-o", "out.sdf"),
    "evaluate": ("evaluate", "out.sdf", "-o", "out.json"),
    "view": ("view", "out.sdf", "-o", "out.html"),
    "likelihood": ("likelihood", "out.sdf", "--steps", "2"),
    "dock": (
        *("dock", "--receptor", str(_COMPLEX / "receptor.pdb"), "-o", "poses.sdf"),
        *("--pocket-ligand", str(_COMPLEX / "ligand.sdf"), "--ligand", _LIGAND),
        *("--reference", str(_COMPLEX / "ligand.sdf")),
    ),
}
_WITHIN = ("torch", "scipy", "rdkit")  # packages whose parts are told apart
_LOOKS = 3  # runs from which the least time of each package is taken
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| *(\S+)")


def add(commands: Any) -> None:
    """Add the subcommand to the parser of the benchmarks."""
    parser = commands.add_parser(
        "startup",
        help="CPU-seconds commands take beside their work, and the imports that take most",
        description="CPU-seconds that commands take beside their work, and their largest imports.",
    )
    parser.add_argument("--only", nargs="+", choices=list(COMMANDS), metavar="COMMAND")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each, after one more [7]")
    parser.add_argument(
        "--against", type=Path, help="the folder of another checkout, which runs in turns with this"
    )
    parser.add_argument("--parts", type=int, default=8, help="imports shown of each [8]")


def run(options: argparse.Namespace) -> None:
    """Measure and print.

    Raises
    ------
    InputError
        If a folder holds no moldiff, or a command fails.
    """
    checkouts = [ROOT, *([options.against.resolve()] if options.against else [])]
    for folder in checkouts:
        if not (folder / "moldiff" / "__main__.py").is_file():
            raise InputError(f"There is no moldiff in {folder}.", fix="Check --against.")
    if options.repeat < 1:
        raise InputError(f"--repeat must be at least 1, not {options.repeat}.")
    names = options.only or list(COMMANDS)
    with tempfile.TemporaryDirectory() as folder:
        _start(COMMANDS["generate"], ROOT, folder)  # what others read
        for name in names:
            turns = [
                [_start(COMMANDS[name], checkout, folder) for checkout in checkouts]
                for _ in range(options.repeat + 1)
            ][1:]
            print(f"{name}: {_median_and_range([own for own, *_ in turns])} CPU-seconds")
            if options.against:
                ratios = [own / other for own, other in turns]
                print(f"  {options.against}: {_median_and_range([other for _, other in turns])}")
                print(f"  ratio: {_median_and_range(ratios)}")
            costs = sorted(parts(COMMANDS[name], folder).items(), key=lambda item: -item[1])
            for part, seconds in costs[: options.parts]:
                print(f"  {seconds:7.3f}  {part}")


def parts(words: tuple[str, ...], folder: str) -> dict[str, float]:
    """Return the seconds that importing takes in a command, by package, the least of some runs.

    By the clock (``-X importtime``): other work on the machine adds to them.
    """
    runs = [_parts(words, folder) for _ in range(_LOOKS)]
    return {part: min(seconds[part] for seconds in runs) for part in runs[0]}


def _parts(words: tuple[str, ...], folder: str) -> dict[str, float]:
    seconds: dict[str, float] = defaultdict(float)
    for own, name in _LINE.findall(_process(words, ROOT, folder, "-X", "importtime").stderr):
        pieces = name.split(".")
        seconds[".".join(pieces[: 2 if pieces[0] in _WITHIN else 1])] += int(own) / 1e6
    return seconds


def _start(words: tuple[str, ...], checkout: Path, folder: str) -> float:
    """CPU-seconds of a command, without the stages that a docking counts itself."""
    import resource  # not on Windows

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _process(words, checkout, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds: float = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if words[0] == "dock":
        record = json.loads((Path(folder) / "poses.json").read_text(encoding="utf-8"))
        seconds -= sum(record["seconds"].values())
    return seconds


def _process(
    words: tuple[str, ...], checkout: Path, folder: str, *options: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-m", "moldiff", *words]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if process.returncode:
        last = (process.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(f"'moldiff {words[0]}' of {checkout} failed: {last}")
    return process


def _median_and_range(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
