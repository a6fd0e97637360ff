"""``benchmark training``: its options, and what it shows."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moldiff.errors import InputError

__all__ = ["FORMAT", "add", "run"]

FORMAT = "moldiff-training-1"
_RECIPE = "qm9-skeleton"
_EMULATION = """\
To estimate an older processor on one with AVX-512 or AMX, set before the command
  ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2
This is an emulation: the libraries leave newer instructions out, but clock and caches are those
of the processor it runs on."""


def add(commands: Any) -> None:
    """Add the command to a parser's subcommands."""
    parser = commands.add_parser(
        "training",
        help="molecules per CPU-second in training and sampling, and the share of the peak; "
        "minutes",
        description="Molecules per CPU-second in training and in sampling, for several sizes, and "
        "the share of the processor's float32 peak that this is: the trainer's steps as they are, "
        "with the settings of commit dfa4b98, and with the networks of EDM and SemlaFlow at their "
        "published sizes (random weights). The molecules are synthetic. Ratios are taken in pairs. "
        "Takes about ten minutes on one idle core, two with --sites 22.",
        epilog=_EMULATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--recipe",
        default=_RECIPE,
        help=f"bundled training configuration or YAML file [{_RECIPE}: width 128, 8 layers]",
    )
    parser.add_argument(
        "--sites",
        type=int,
        nargs="+",
        metavar="N",
        help="sizes of the molecules; 22 is measured in any case, without peers [9 18 22 25]",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of one operation [1]")
    parser.add_argument(
        "-o",
        "--output",
        "--json",
        type=Path,
        help="write it as JSON too; 'gain' and 'relative_to_peak' are the figures of the last line",
    )
    parser.add_argument(
        "--quick", action="store_true", help="try everything in seconds; the figures mean nothing"
    )


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write.

    Raises
    ------
    InputError
        If an option is wrong.
    """
    path: Path | None = options.output
    if path is not None and not path.resolve().parent.is_dir():
        raise InputError(f"There is no directory '{path.parent}' for '{path.name}'.")
    if options.sites is not None and min(options.sites) < 2:
        raise InputError(f"A molecule has at least 2 sites, not {min(options.sites)}.")
    # Only now what is slow to import.
    from dataclasses import replace

    from moldiff.benchmark import report
    from moldiff.benchmark.training_study import PLAN, QUICK, Study, measure
    from moldiff.benchmark.training_works import configuration, share
    from moldiff.bundled import bundled_configs
    from moldiff.cpu import set_threads
    from moldiff.report.document import write

    load = report.load_average()
    set_threads(options.threads)
    recipe = bundled_configs().get(options.recipe, Path(options.recipe))
    config = configuration(recipe)
    share(config)  # a bad one is refused before anything is measured
    plan = QUICK if options.quick else PLAN
    if options.sites is not None:
        plan = replace(plan, sites=tuple(sorted({*options.sites, plan.reference})))
    study = Study(recipe, plan, options.threads)
    start = time.perf_counter()
    measured = measure(study, lambda what: print(f"{what} ...", file=sys.stderr, flush=True))
    subject = {"recipe": {"name": recipe.stem, "network": config.network}}
    result = report.document(
        FORMAT,
        subject | measured,
        threads=options.threads,
        seconds=time.perf_counter() - start,
        load=load,
    )
    report.show(result)
    print(closing(result, plan.reference))
    if path is not None:
        write(result, path)
        print(f"Written: {path}")


def closing(result: Mapping[str, Any], sites: int) -> str:
    """Return the figures of a document at the reference size, in words."""

    def figure(name: str) -> str:
        low, high = result[f"{name}_low"], result[f"{name}_high"]
        return f"{result[name]:.2f} ({low:.2f} to {high:.2f})"

    return (
        f"In training with {sites} sites, {result['precision']}: {figure('gain')} times as fast as "
        f"in the settings of dfa4b98; {figure('relative_to_peak')} times the time that 0.4 GFLOP "
        "take at the float32 peak, per molecule."
    )
