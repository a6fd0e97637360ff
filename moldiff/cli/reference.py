"""``moldiff data reference``: a data set as a yardstick for ``moldiff evaluate``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.options import MOST_JOBS, AnyCharge
from moldiff.cli.output import remark
from moldiff.cli.progress import stages
from moldiff.errors import DataError

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.data.store import Store
    from moldiff.metrics import Settings
    from moldiff.metrics.parallel import Progress
    from moldiff.metrics.reference_data import Reference

__all__ = ["command", "measured", "split_molecules"]

EXAMPLES = (
    "moldiff data reference data/druglike",
    "moldiff evaluate molecules.sdf --reference data/druglike",
)


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A prepared data set.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder of the reference. [default: DIR.reference]"),
    ] = None,
    row: Annotated[
        int, typer.Option(min=1, help="Molecules of the validation split to measure, at most.")
    ] = 10_000,
    posebusters: Annotated[
        int, typer.Option(min=0, help="Of these, molecules for PoseBusters at most.")
    ] = 300,
    relax: Annotated[
        int, typer.Option(min=0, help="Of these, molecules to relax with MMFF94 at most.")
    ] = 1000,
    xtb: Annotated[
        int, typer.Option(min=0, help="Of these, molecules to relax with GFN2-xTB at most.")
    ] = 100,
    any_charge: AnyCharge = False,
    jobs: Annotated[
        int, typer.Option(min=1, max=MOST_JOBS, help="Processes for the measurements.")
    ] = 1,
) -> None:
    """Measure a data set, so that molecules can be compared with it.

    Novelty and unseen ring systems refer to its training split, distributions to its test split;
    the row of the data in every table is of its validation split. Drug-like molecules take about
    ten minutes for 100,000, and a second or two for each that PoseBusters or xtb is given.
    """
    from moldiff.data.store import Store
    from moldiff.metrics import Settings
    from moldiff.metrics.reference_data import beside

    store = Store.open(directory, verify=True)
    place = output or beside(directory)
    settings = Settings(posebusters, relax, xtb, None if any_charge else 0, jobs)
    with stages() as progress:
        reference = measured(store, directory.resolve().name, row, settings, progress)
    place.mkdir(parents=True, exist_ok=True)
    reference.save(place)
    remark(f"The reference is in {place}. Use it: moldiff evaluate FILE --reference {place}")


def measured(
    store: Store, name: str, row: int, settings: Settings, progress: Progress | None = None
) -> Reference:
    """Build the reference of a store.

    Raises
    ------
    DataError
        If the store lacks a split.
    """
    from moldiff.metrics.build import build_reference

    info: dict[str, Any] = {
        "source": store.meta["source"],
        "split": store.meta["notes"].get("split", ""),
        "row": f"{name}, {min(row, len(store.indices('validation')))} molecules of the validation "
        "split, evenly spaced",
        "distributions": f"{name}, test split",
    }
    return build_reference(
        name,
        train=split_molecules(
            store, "train", relaxed=False, progress=progress
        ),  # their graphs alone count
        test=split_molecules(store, "test", progress=progress),
        row=split_molecules(store, "validation", row, progress=progress),
        settings=settings,
        info=info,
        progress=progress,
    )


def split_molecules(
    store: Store,
    split: str,
    size: int | None = None,
    *,
    relaxed: bool = True,
    progress: Progress | None = None,
) -> Iterator[Chem.Mol]:
    """Molecules of a split, at most ``size``, evenly spaced: a store may be sorted by size.

    Folded hydrogens are ``relaxed``, as in generated molecules, so that both rows say the same of
    the heavy atoms.

    Raises
    ------
    DataError
        At once, if the split is empty.
    """
    from moldiff.metrics.sample import draw

    indices = draw(store.indices(split).tolist(), size)
    if not indices:
        raise DataError(
            f"The data set {store.path} has no molecules in its {split} split.",
            fix="A reference needs all three splits: prepare a larger data set.",
        )
    folded = bool(store.vocabulary.hydrogens)
    return _decoded(store, indices, relaxed and folded, f"{split} split", progress)


def _decoded(
    store: Store, indices: list[int], relaxed: bool, stage: str, progress: Progress | None
) -> Iterator[Chem.Mol]:
    from moldiff.chem import decode, relax_hydrogens

    for done, index in enumerate(indices, 1):
        mol = decode(store[index], store.vocabulary)
        yield relax_hydrogens(mol) if relaxed else mol
        if progress is not None:
            progress(stage, done, len(indices))
