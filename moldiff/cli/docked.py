"""The files of a docking: what is read, and what is written."""

from __future__ import annotations

from pathlib import Path

from moldiff.cli.output import check_apart, check_output
from moldiff.errors import InputError

__all__ = ["check_files", "going_on", "outputs"]

# All that may be written beside the output.
_BESIDE = (".sdf", ".json", ".csv", ".interactions.csv", ".html", ".parquet")
_RECEPTORS = (".receptor.pdb", ".receptor.cif")  # with --complete


def outputs(
    output: Path, *, one: bool, html: bool, complete: bool = False
) -> dict[Path, str | Path]:
    """Return the files that are written, and their kinds (`check_replaceable`)."""
    files: dict[Path, str | Path] = {}
    if one:
        files[output] = "poses"
        files[output.with_suffix(".json")] = "docking"
        files[output.with_suffix(".interactions.csv")] = "interactions"
    else:
        files[output.with_suffix(".sdf")] = "poses"
        table = ".parquet" if output.suffix.lower() == ".parquet" else ".csv"
        files[output.with_suffix(table)] = "library" if table == ".csv" else "parquet"
    if complete:
        files |= {output.with_suffix(suffix): "completed" for suffix in _RECEPTORS}
    # Without poses a library removes the page of an earlier run, too.
    return {**files, output.with_suffix(".html"): "page"} if html or not one else files


def going_on(output: Path, ligand: str | None, *, restart: bool) -> bool:
    """Whether a library was begun here that this run goes on with."""
    if ligand is not None or restart:
        return False
    from moldiff.docking.library.merge import manifest_of

    return manifest_of(output.with_suffix(".sdf")).is_file()


def check_files(
    receptor: Path | None,
    ligand: str | None,
    ligands: Path | None,
    many: Path | None,
    output: Path,
    others: list[Path | None],
    *,
    complete: bool = False,
) -> None:
    """Raise ``InputError`` for what can be refused before anything is loaded."""
    if sum(given is not None for given in (ligand, ligands, many)) != 1:
        count = "both were" if ligand or ligands or many else "neither was"
        raise InputError(
            f"A docking needs --ligand or --ligands; {count} given.",
            fix="Give --ligand for one ligand, --ligands for a file of many, --dock-many for a "
            "table of receptors and ligands.",
        )
    if (receptor is None) != (many is not None):
        fault = "is not given" if receptor is None else "and --dock-many are both given"
        raise InputError(
            f"The --receptor {fault}.",
            fix="Give --receptor for one receptor, --dock-many for a table of many.",
        )
    check_output(output, (".sdf",) if ligand is not None else (".sdf", ".parquet"))
    if output.suffix.lower() == ".parquet":
        from moldiff.docking.library.table import check_kind

        check_kind(output)
    read = [path for path in [receptor, ligands, many, *others] if path is not None]
    read += [Path(ligand)] if ligand is not None else []
    # Without --complete, the receptor that an earlier run has filled may be docked into again.
    for suffix in (*_BESIDE, *(_RECEPTORS if complete else ())):
        check_apart("--output", output.with_suffix(suffix), read)
