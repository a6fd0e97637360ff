"""``python -m moldiff.benchmark speed | training | family | startup | processes``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from moldiff.benchmark import picture, processes, report, startup
from moldiff.benchmark import training_command as training
from moldiff.benchmark.family import command as family
from moldiff.errors import InputError, MoldiffError
from moldiff.report import document
from moldiff.report.picture import check

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return an exit status."""
    options = _parser().parse_args(arguments)
    try:
        _COMMANDS[options.command](options)
    except MoldiffError as error:
        print(f"Error: {error.line}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        hints = {"family": "the same command goes on from what is finished"}
        print(f"Interrupted; {hints.get(options.command, 'nothing was written')}.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmark",
        description="Measure moldiff against published models, and its methods with each other.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser(
        "speed",
        help="time and memory: sampling, against peers; three to five minutes",
        description="Time and memory of sampling, against the networks of EDM and "
        "SemlaFlow at their published sizes (random weights), in one run on this processor. "
        "Takes three to five minutes on one idle core.",
    )
    speed.add_argument("--model", default="qm9", help="bundled model or model file [qm9]")
    speed.add_argument(
        "--recipe",
        default="qm9",
        help="bundled training configuration or YAML file, for the effect of the allocator [qm9]",
    )
    speed.add_argument("--threads", type=int, default=1, help="threads of one operation [1]")
    speed.add_argument(
        "-o", "--output", type=Path, default=Path("speed.json"), help="JSON file [speed.json]"
    )
    speed.add_argument("--picture", type=Path, help="also draw: .png, .svg or .pdf (matplotlib)")
    speed.add_argument(
        "--quick", action="store_true", help="try everything in seconds; the figures mean nothing"
    )
    training.add(commands)
    family.add(commands)
    startup.add(commands)
    processes.add(commands)
    return parser


def _speed(options: argparse.Namespace) -> None:
    if options.threads < 1:
        raise InputError(f"--threads must be at least 1, not {options.threads}.")
    for path in filter(None, (options.output, options.picture)):
        if not path.resolve().parent.is_dir():
            raise InputError(f"There is no directory '{path.parent}' for '{path.name}'.")
    if options.picture is not None:
        check(options.picture)
    # Only now what is slow to import.
    from moldiff.benchmark.bench import PLAN, QUICK, Bench
    from moldiff.benchmark.speed import document as of_speed
    from moldiff.benchmark.speed import measure
    from moldiff.bundled import bundled_configs, find_model
    from moldiff.cpu import set_threads
    from moldiff.models import load
    from moldiff.train import TrainConfig

    load_before = report.load_average()
    set_threads(options.threads)
    path = find_model(options.model)
    recipe = bundled_configs().get(options.recipe, Path(options.recipe))
    TrainConfig.from_yaml(recipe)  # a bad one is refused before anything is measured
    plan = QUICK if options.quick else PLAN
    bench = Bench(load(path), path, recipe, plan, options.threads)
    start = time.perf_counter()
    sections = measure(bench, lambda name: print(f"{name} ...", file=sys.stderr, flush=True))
    seconds = time.perf_counter() - start
    result = of_speed(bench, sections, seconds=seconds, load=load_before)
    report.show(result)
    document.write(result, options.output)
    print(f"Written: {options.output}")
    if options.picture is not None:
        picture.draw(result, options.picture)
        print(f"Drawn: {options.picture}")


_COMMANDS = {
    "speed": _speed,
    "training": training.run,
    "family": family.run,
    "startup": startup.run,
    "processes": processes.run,
}


if __name__ == "__main__":
    sys.exit(main())
