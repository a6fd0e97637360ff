"""``moldiff evaluate`` of protein structures: their backbones beside those of known proteins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moldiff.cli.output import counted, remark, table
from moldiff.cli.progress import stages
from moldiff.errors import InputError

if TYPE_CHECKING:
    from moldiff.metrics.value import Value

__all__ = ["show_backbones", "structure_files"]

_LABELS = {
    "contacts": "long contacts per residue",
    "size": "radius of gyration / 2.2 n^0.38 Å",
    "left": "phi above 0, %",
    "regular": "helix and strand, %",
    "clashes": "clashes per 100 residues",
    "joined": "bonds C-N within 0.1 Å, %",
    "hesitation": "hesitation, nats",
}
_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
_LINES = 4  # chains without figures that are named


def structure_files(paths: Sequence[Path]) -> list[Path]:
    """Return the structure files among paths and in folders; [] if they are molecules.

    Raises
    ------
    InputError
        If a folder holds none, or molecules are among them.
    """
    if not any(path.is_dir() or _is_structure(path) for path in paths):
        return []
    files: list[Path] = []
    for path in paths:
        inside = (
            sorted(one for one in path.iterdir() if _is_structure(one)) if path.is_dir() else []
        )
        if path.is_dir() and not inside:
            raise InputError(
                f"The folder {path} holds no structures.",
                fix="Give files of molecules (.sdf), or a folder of backbones (.pdb, .cif).",
            )
        if not inside and not _is_structure(path):
            raise InputError(
                f"{path} is no protein structure, and others are.",
                fix="Give either molecules (.sdf, ...) or backbones (.pdb, .cif, a folder).",
            )
        files += inside or [path]
    return files


def _is_structure(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(_SUFFIXES)


def show_backbones(
    files: Sequence[Path], output: Path | None, figures: Path | None, *, piping: bool
) -> None:
    """Measure the chains of structure files, write what is asked for, and print a table."""
    from moldiff.backbones.evaluation import evaluate_backbones
    from moldiff.text import replace_text

    with stages() as show:
        report = evaluate_backbones(files, show)
    for path, text in ((output, report.to_json), (figures, report.to_csv)):
        if path is not None:
            replace_text(path, text())
    if piping:
        print(report.to_json(), end="")
        return
    share = report.native_like
    rows = _figures(report.means())
    if share.n:
        rows.append(("native-like, %", _share(share), "", ""))
    header = ("mean of", "these", "natives", "nine in ten natives")
    table(rows, header=header, title=counted(len(report), "chain"))
    for line in report.left_out[:_LINES]:
        remark(f"Left out: {line}")
    if len(report.left_out) > _LINES:
        remark(f"Left out: {len(report.left_out) - _LINES} more")
    if share.n < len(report):
        remark(f"Too long or short to be called native-like or not: {len(report) - share.n}.")
    if output is not None:
        remark(f"The report is in {output}.")
    if figures is not None:
        remark(f"The chains' figures are in {figures}.")


def _figures(means: Mapping[str, float]) -> list[tuple[str, ...]]:
    """Each figure beside the natives'."""
    from moldiff.backbones.natives import natives

    rows: list[tuple[str, ...]] = []
    for name, label in _LABELS.items():
        factor, digits = (100, 1) if label.endswith("%") else (1, 2)
        here, low, mean, high = (
            f"{factor * x:.{digits}f}" for x in (means[name], *natives()[name])
        )
        rows.append((label, here, mean, f"{low} to {high}"))
    return rows


def _share(value: Value) -> str:
    """A share and its interval, in per cent."""
    low, high = (f"{100 * (end or 0):.0f}" for end in (value.low, value.high))
    return f"{100 * value.value:.0f} ({low} to {high})"
