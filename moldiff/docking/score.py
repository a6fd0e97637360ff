"""The verb: scores of anybody's poses, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moldiff.cpu import using_threads
from moldiff.docking.clock import Progress
from moldiff.docking.settings import Settings
from moldiff.errors import InputError
from moldiff.io import Record, Source, records_of
from moldiff.results import Results
from moldiff.verbs import verb

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["ORDERS", "Order", "ordered", "readable", "require_cnn", "score"]

Order = Literal["given", "energy", "distances", "rightness", "cnn"]
ORDERS: Mapping[str, tuple[str, bool]] = {
    "energy": ("energy_kcal_mol", False),
    "distances": ("distance_score", True),
    "rightness": ("rightness", True),
    "cnn": ("cnn_score", True),
}
"""What poses may be ordered by: the data field, and whether more of it is better."""


@verb
def score(
    receptor: str | Path,
    poses: Source,
    *,
    minimise: bool = False,
    cnn: bool = False,
    order: Order = "given",
    reference: str | Path | Chem.Mol | None = None,
    exclude: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    waters: bool | float = False,
    assembly: str | None = None,
    receptor_model: int = 1,
    threads: int = 1,
    progress: Progress | None = None,
) -> Results[Record]:
    """Score poses where they lie: energy, distances, rightness, checks and interactions.

    Parameters
    ----------
    receptor:
        A ``.pdb`` or ``.cif`` file.  What stands in it where the poses lie is left out.
    poses:
        Molecules with coordinates in the receptor's frame: files, records, RDKit molecules, or
        the result of another verb; of several conformers the first.  Hydrogens that are no atoms
        are placed.
    minimise:
        Minimise each pose in the docking energy first, as a whole and by its torsions.
    cnn:
        Add gnina's network (`moldiff.docking.judge.cnn`); needs the extra ``cnn``.
    order:
        "given", or the best first by energy, distances, rightness or the CNN.
    reference:
        A known pose: a molecule, a file, or a group of the receptor (``"A:401"``).  The heavy-atom
        RMSD to it, symmetry-corrected and not superposed, is added to poses of the same molecule.
    exclude, keep, waters, assembly, receptor_model:
        What of the receptor's file is taken, as in `moldiff.dock`.
    threads:
        Threads of one operation, for the time of the call.
    progress:
        Called with the stage and the fraction of the work that is done, 0 to 1.

    Returns
    -------
    Results
        A record for each pose, with its own data fields and those of
        `moldiff.docking.posed.PoseScorer`; one that cannot be scored has a reason and no molecule.

    Raises
    ------
    InputError
        If there are no poses, or the receptor cannot be read.
    MissingExtraError
        If ``cnn`` is asked for and not installed.
    """
    if order not in ("given", *ORDERS):
        raise InputError(
            f"Poses cannot be ordered by '{order}'.", fix=f"Known: given, {', '.join(ORDERS)}."
        )
    if order == "cnn" and not cnn:
        raise InputError("The order by the CNN needs its score.", fix="Ask for the CNN as well.")
    from moldiff.docking.posed import PoseScorer

    if cnn:
        require_cnn()
    records = readable(poses)
    kept: dict[str, Any] = {"exclude": exclude, "keep": keep, "waters": waters}
    kept |= {"assembly": assembly, "model": receptor_model}
    with using_threads(threads):
        scorer = PoseScorer.open(
            receptor, records, reference=reference, minimise=minimise, cnn=cnn, **kept
        )
        return ordered(Results(scorer(records, progress)), order)


def require_cnn() -> None:
    """Raise ``MissingExtraError`` if gnina's network is not installed."""
    Settings(rescore="cnn")


def readable(poses: Source) -> list[Record]:
    """Return poses as records with bonds and names; ``InputError`` if there are none.

    The name of one without is its number, counted before they are put in another order.
    """
    records = [
        replace(record.with_bonds(), name=record.name or f"{k}")
        for k, record in enumerate(records_of(poses), start=1)
    ]
    if not records:
        raise InputError("There are no poses to score.", fix="Give a file with molecules.")
    return records


def ordered(scored: Results[Record], order: Order) -> Results[Record]:
    """Return records as given, or the best first by a key of `ORDERS`; without a value last."""
    if order == "given":
        return scored
    name, most = ORDERS[order]

    def key(record: Record) -> tuple[bool, float]:
        text = record.tags.get(name) if record.mol is not None else None
        value = float(text) if text else 0.0
        return text is None, -value if most else value

    return Results(sorted(scored, key=key))
