"""The files of a docking: what is read, and what is written."""

from __future__ import annotations

from pathlib import Path

from moldiff.cli.output import check_apart, check_output
from moldiff.errors import InputError

__all__ = ["check_files", "written"]

_BESIDE = (".sdf", ".json", ".csv", ".interactions.csv", ".html")  # all that may be written


def written(output: Path, *, one: bool, html: bool) -> dict[Path, str | Path]:
    """Return the files that are written, and their kinds (`check_replaceable`)."""
    files: dict[Path, str | Path] = {output: "poses"}
    if one:
        files[output.with_suffix(".json")] = "docking"
        files[output.with_suffix(".interactions.csv")] = "interactions"
    else:
        files[output.with_suffix(".csv")] = "library"
    # Without poses a library removes the page of an earlier run, too.
    return {**files, output.with_suffix(".html"): "page"} if html or not one else files


def check_files(
    receptor: Path,
    ligand: str | None,
    ligands: Path | None,
    output: Path,
    others: list[Path | None],
) -> None:
    """Raise ``InputError`` for what can be refused before anything is loaded."""
    if (ligand is None) == (ligands is None):
        told = "neither was" if ligand is None else "both were"
        raise InputError(
            f"A docking needs --ligand or --ligands; {told} given.",
            fix="Give --ligand for one ligand, --ligands for a file of many.",
        )
    check_output(output, (".sdf",))
    read = [receptor, *(path for path in [ligands, *others] if path is not None)]
    read += [Path(ligand)] if ligand is not None else []
    for suffix in _BESIDE:
        check_apart("--output", output.with_suffix(suffix), read)
