"""``moldiff.view(...)``: molecules, or poses in their pocket, as a page for notebooks and files."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moldiff.errors import InputError
from moldiff.io import Source, records_of
from moldiff.text import replace_text
from moldiff.verbs import verb
from moldiff.view.docking import DEFAULT_POSES, render_docking
from moldiff.view.figures import Figures
from moldiff.view.render import DEFAULT_LIMIT, render_html
from moldiff.view.trajectory import Frame, read_trajectories, refuse_denoising

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["Page", "view"]


@dataclass(frozen=True)
class Page:
    """One self-contained HTML page: a notebook shows it, `save` writes it.

    Attributes
    ----------
    html:
        The whole document.
    title:
        Its heading.
    """

    html: str
    title: str

    def save(self, path: str | Path) -> Path:
        """Write the page, whole or not at all, and return the path (``InputError`` if it fails)."""
        replace_text(Path(path), self.html)
        return Path(path)

    def __repr__(self) -> str:
        return f"Page({self.title!r}, {len(self.html) / 1e6:.1f} MB)"

    def _repr_html_(self) -> str:
        # A document of its own, so that its style and its policy (no network) stay its own.
        return (
            f'<iframe title="{html.escape(self.title)}" width="100%" height="560" '
            f'style="border:0" srcdoc="{html.escape(self.html)}"></iframe>'
        )


@verb
def view(
    molecules: Source,
    path: str | Path | None = None,
    *,
    receptor: str | Path | None = None,
    reference: str | Path | Chem.Mol | None = None,
    title: str | None = None,
    limit: int | None = None,
    net_charge: int | None = 0,
    figures: str | Path | Iterable[Mapping[str, Any]] | None = None,
    highlight: str | None = None,
    trajectory: str | Path | Mapping[int, Sequence[Frame]] | None = None,
) -> Page:
    """Show molecules in 3D, or poses in their pocket; as the last line of a cell, in a notebook.

    Parameters
    ----------
    molecules:
        Results, records, RDKit molecules, SMILES or files, in any mixture.
    path:
        Also write the page here (.html).
    receptor:
        The protein (.pdb, .cif) whose frame the molecules are in as poses: they are shown in their
        pocket, with interactions.
    reference:
        With ``receptor``, a known pose to compare with: the first molecule of it.
    title:
        Heading of the page.
    limit:
        Molecules to show at most; by default 2000, or 200 poses. The page says how many it leaves
        out.
    net_charge:
        Total charge of a valid molecule; None accepts any.
    figures:
        What was measured of the molecules: a table of ``moldiff evaluate --table``, or its rows
        (``moldiff.evaluate(...).molecules``). Not with a receptor.
    highlight:
        SMILES or SMARTS: the molecules that have it are counted, and it is marked in them. Not
        with a receptor.
    trajectory:
        The denoising to play: a file of ``moldiff generate --trajectory`` (.xyz), or frames by the
        0-based position of the molecule. Not with a receptor.

    Raises
    ------
    InputError
        If something cannot be read, the reference is no pose, the figures are of other molecules,
        or the page cannot be written.
    """
    heading = title or ("molecules" if receptor is None else f"poses in {Path(receptor).name}")
    if isinstance(molecules, str | Path):
        refuse_denoising(molecules)
    if receptor is None:
        most = limit or DEFAULT_LIMIT
        text = render_html(
            records_of(molecules),
            title=heading,
            limit=most,
            net_charge=net_charge,
            figures=None if figures is None else Figures.of(figures),
            highlight=highlight,
            trajectories=_frames(trajectory),
        )
    elif any(one is not None for one in (figures, highlight, trajectory)):
        raise InputError(
            "A page of poses has no figures, no substructure and no denoising.",
            fix="Leave them out, or the receptor.",
        )
    else:
        text = _docked(molecules, receptor, reference, heading, limit or DEFAULT_POSES)
    page = Page(text, heading)
    if path is not None:
        page.save(path)
    return page


def _frames(
    trajectory: str | Path | Mapping[int, Sequence[Frame]] | None,
) -> Mapping[int, Sequence[Frame]] | None:
    return read_trajectories(trajectory) if isinstance(trajectory, str | Path) else trajectory


def _docked(
    poses: Source,
    receptor: str | Path,
    reference: str | Path | Chem.Mol | None,
    title: str,
    limit: int,
) -> str:
    from moldiff.protein.occupants import under
    from moldiff.protein.read import read_contents
    from moldiff.protein.receptor import prepare_receptor

    known = None if reference is None else _known(reference)
    stream = records_of(poses)
    shown = list(islice(stream, limit))
    contents = read_contents(Path(receptor))
    conformers = [one.mol.GetConformer() for one in shown if one.mol and one.mol.GetNumConformers()]
    points = [conformer.GetPositions() for conformer in conformers if conformer.Is3D()]
    places = under(contents.structure, np.concatenate(points)) if points else []
    leave = {i: "the poses stand in its place" for members in places for i in members}
    structure = contents.receptor(leave=leave)
    return render_docking(
        chain(shown, stream),
        prepare_receptor(structure),
        title=title,
        reference=known,
        notes=structure.notes,
        limit=limit,
    )


def _known(reference: str | Path | Chem.Mol) -> Chem.Mol:
    """The known pose; ``InputError`` if there is none to compare with."""
    record = next((one.with_bonds() for one in records_of(reference)), None)
    reason = "it holds no molecule" if record is None else record.reason
    mol = None if record is None else record.mol
    if mol is not None and mol.GetNumConformers() and mol.GetConformer().Is3D():
        return mol
    raise InputError(
        f"The reference is no pose: {reason or 'it has no 3D coordinates'}.",
        fix="Give the known pose in the frame of the receptor, as SDF, MOL2 or an RDKit molecule.",
    )
