"""The page of docked poses: the pocket, one pose at a time, the reference, its interactions.

Works on any SDF of poses in the frame of a receptor, whoever made it; tags named ``rank``,
``energy_kcal_mol``, ``confidence`` and ``checks`` are shown as columns where they are there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from moldiff.chem.quiet import quiet
from moldiff.chem.rmsd import pose_rmsd
from moldiff.chem.validity import sanitised
from moldiff.protein.interactions import KINDS, find_interactions, label
from moldiff.protein.selection import place
from moldiff.protein.write import pdb_text
from moldiff.text import replace_text
from moldiff.view.card import COLUMNS, describe
from moldiff.view.diagram import COLOURS, diagram
from moldiff.view.render import SCENE, assemble

if TYPE_CHECKING:
    from moldiff.io import Record
    from moldiff.protein.interactions import Interaction
    from moldiff.protein.receptor import Receptor
    from moldiff.protein.structure import Residue, Structure

__all__ = ["DEFAULT_POSES", "render_docking", "write_docking"]

#: Poses shown at most unless asked otherwise.
DEFAULT_POSES = 200

# In the order of use: later files call earlier ones.
_SCRIPTS = (
    *SCENE,
    *("details.js", "interactions.js", "labels.js", "docking_scene.js", "docking.js"),
)

_POCKET, _FOLD = 6.0, 24.0  # Å from a pose: residues drawn whole; backbone drawn at all
_BACKBONE = frozenset(("N", "CA", "C", "O", "P"))


def write_docking(
    path: str | Path,
    records: Iterable[Record],
    receptor: Receptor,
    *,
    title: str,
    reference: Chem.Mol | None = None,
    notes: Sequence[str] = (),
    built: Collection[Residue] = (),
    limit: int = DEFAULT_POSES,
) -> None:
    """Write the page of :func:`render_docking` to ``path``, whole or not at all.

    Raises
    ------
    InputError
        When ``path`` cannot be written.
    """
    page = render_docking(
        records,
        receptor,
        title=title,
        reference=reference,
        notes=notes,
        built=built,
        limit=limit,
    )
    replace_text(Path(path), page)


def render_docking(
    records: Iterable[Record],
    receptor: Receptor,
    *,
    title: str,
    reference: Chem.Mol | None = None,
    notes: Sequence[str] = (),
    built: Collection[Residue] = (),
    limit: int = DEFAULT_POSES,
) -> str:
    """Return one self-contained HTML page with the poses in the pocket.

    Parameters
    ----------
    records:
        Poses with coordinates in the frame of the receptor, in the order to list them.
    receptor:
        The whole receptor, or as much of it as is there.
    title:
        Heading of the page, any text.
    reference:
        A known pose, such as that of a crystal structure; the RMSD to it is shown for poses
        of the same molecule (heavy atoms, symmetry-corrected, not superposed).
    notes:
        Sentences to show above the list; they may grow while the records are read.
    built:
        Residues of the receptor that no experiment has seen: they have a colour of their own.
    limit:
        Poses shown at most; a note says how many are left out.
    """
    stream = iter(records)
    shown = list(islice(stream, limit))
    left = sum(1 for _ in stream)
    remarks = [f"the page shows the first {limit} poses and leaves out {left}"] if left else []
    with quiet():
        known = None if reference is None else _card_of(reference)
        poses = [_pose(record, receptor, reference) for record in shown]
        points = [_points(card) for card in [*poses, *([known] if known else [])]]
    around = np.concatenate(points) if points else np.zeros((0, 3))
    drawn, pocket = _near(receptor.structure, around)
    serial = np.cumsum(drawn)  # of the atoms as they are written
    for card in poses:
        for contact in card["contacts"]:
            contact["serials"] = [int(serial[atom]) for atom in contact.pop("atoms")]
    data = {
        "receptor": pdb_text(receptor.subset(drawn), hydrogens=False),
        "pocket": (np.flatnonzero(pocket[drawn]) + 1).tolist(),
        "built": _serials(receptor.structure, built, drawn),
        "poses": poses,
        "reference": known,
        "notes": [*remarks, *notes],
        "kinds": KINDS,
        "colours": COLOURS,
        "columns": COLUMNS,
    }
    return assemble("docking.html", _SCRIPTS, title, data, styles=("tables.css",))


def _near(
    structure: Structure, points: npt.NDArray[np.floating[Any]]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Atoms to draw, and those of the pocket among them, (m,) bool.

    The pocket is whole residues near the poses; around it the backbone is drawn.
    """
    positions, residue = structure.positions, structure.residue
    nearest = np.full(len(positions), np.inf)
    for chunk in np.array_split(points, len(points) // 256 + 1):
        if len(chunk):
            apart = np.linalg.norm(positions[:, None] - chunk[None], axis=-1)
            nearest = np.minimum(nearest, apart.min(1))
    of_residue = np.full(len(structure.residues), np.inf)
    np.minimum.at(of_residue, residue, nearest)
    whole = of_residue[residue] <= _POCKET
    backbone = np.array([name in _BACKBONE for name in structure.names], dtype=bool)
    return whole | (backbone & (of_residue[residue] <= _FOLD)), whole


def _serials(
    structure: Structure, built: Collection[Residue], drawn: npt.NDArray[np.bool_]
) -> list[int]:
    """The serial numbers, as they are written, of the atoms of some residues."""
    chosen = np.array([residue in built for residue in structure.residues], dtype=bool)
    serials: list[int] = (np.flatnonzero(chosen[structure.residue][drawn]) + 1).tolist()
    return serials


def _pose(record: Record, receptor: Receptor, reference: Chem.Mol | None) -> dict[str, Any]:
    """The card of a pose, with its interactions and its distance from the reference."""
    card = describe(record, explicit=False, net_charge=None)
    mol = None if record.mol is None else sanitised(record.mol)
    usable = mol is not None and "xyz" in card
    interactions = find_interactions(mol, receptor) if usable else []
    card["contacts"] = [_contact(one, mol, receptor) for one in interactions]
    card["diagram"] = diagram(mol, interactions) if interactions and card["svg"] else None
    card["rmsd"] = pose_rmsd(mol, reference) if usable and reference is not None else None
    return card


def _contact(one: Interaction, mol: Chem.Mol, receptor: Receptor) -> dict[str, Any]:
    """An interaction, JSON-ready; from a to b, which are atoms or centres of rings."""
    x, y = mol.GetConformer().GetPositions(), receptor.structure.positions
    atoms = [f"{mol.GetAtomWithIdx(i).GetSymbol()}{i + 1}" for i in one.ligand]
    return {
        "kind": one.kind,
        "role": one.role,
        "atom": atoms[0] if len(atoms) == 1 else f"ring {atoms[0]}",
        "residue": label(one.residue),
        "place": place(one.residue),
        "name": one.names[0] if len(one.names) == 1 else "ring",
        "d": round(one.distance, 2),
        "angle": None if one.angle is None else round(one.angle),
        "a": _flat(x[list(one.ligand)].mean(0)),
        "b": _flat(y[list(one.receptor)].mean(0)),
        "atoms": one.receptor,
    }


def _card_of(mol: Chem.Mol) -> Mapping[str, Any]:
    from moldiff.io import Record

    return describe(Record(mol, "reference", None, "", 0), explicit=False, net_charge=None)


def _points(card: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    return np.array(card.get("xyz", []), dtype=float).reshape(-1, 3)


def _flat(values: npt.NDArray[np.floating[Any]]) -> list[float]:
    return [round(float(value), 3) for value in values]
