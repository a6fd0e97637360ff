"""Completing a structure: its missing residues, built one gap after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from moldiff import models
from moldiff.completion.building import Built, build
from moldiff.completion.gaps import gap_of, why_not
from moldiff.completion.result import Completion
from moldiff.cpu import using_threads
from moldiff.domain.backbones import LONGEST
from moldiff.errors import InputError
from moldiff.protein.absent import Absent, Gaps, Refused, absent_residues
from moldiff.protein.conformation import listed
from moldiff.protein.contacts import Solid, radii
from moldiff.protein.read import Contents, contents_of
from moldiff.protein.rebuilt import chosen_residues
from moldiff.protein.records import read_bytes, sniff
from moldiff.protein.sequence import ChainSequence, fasta_sequences, file_sequences
from moldiff.protein.structure import Residue, Structure
from moldiff.protein.trace import Trace, trace
from moldiff.seeds import generator
from moldiff.text import several
from moldiff.verbs import verb
from moldiff.version import __version__

if TYPE_CHECKING:
    from moldiff.model import Model
    from moldiff.protein.pocket import Box

__all__ = ["DEFAULT_MODEL", "ENSEMBLE", "complete"]

DEFAULT_MODEL = "backbones"
"""The bundled model of missing residues."""
ENSEMBLE = 10
"""Conformations of each gap by default."""

_NEAR = 6.0  # Å beyond a box: gaps whose ends are farther away are not near it
_WATER = 2.4  # Å: a water nearer than this to a built atom has no place

#: Called with the gaps that are done and how many there are.
Progress = Callable[[int, int], None]


@verb
def complete(
    receptor: str | Path,
    *,
    sequence: str | Path | None = None,
    max_gap: int = LONGEST,
    ensemble: int = ENSEMBLE,
    rebuild: str | Sequence[str] = (),
    seed: int = 0,
    model: str | Path = DEFAULT_MODEL,
    near: Box | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Completion:
    """Build the missing residues of a protein.

    What is missing is told by the sequences that the file holds, or by those of a FASTA file.

    Parameters
    ----------
    receptor:
        A PDB or mmCIF file, gzipped or not.
    sequence:
        A FASTA file whose records are named by chain; it goes before what the structure says.
    max_gap:
        Residues of the longest gap to build, at most 15.
    ensemble:
        Conformations of each gap.
    rebuild:
        Residues to build anew, ``["A:45-56"]``, with gaps between them if there are any; all
        other gaps are then left as they are.
    seed:
        Same seed, same result.
    model:
        A bundled model by its name, or a file.
    near:
        A box: only gaps near it are built, all others left as they are.
    threads:
        Threads of one operation, for the time of the call.
    progress:
        Called with the gaps that are done and how many there are.

    Raises
    ------
    InputError, ModelFileError
        If a file cannot be used, or the request cannot be met; the error says why.
    """
    if not 1 <= max_gap <= LONGEST:
        raise InputError(
            f"Gaps of {max_gap} residues cannot be built.",
            fix=f"Choose a longest gap from 1 to {LONGEST} residues.",
        )
    if not 1 <= ensemble <= 1000:
        raise InputError(
            f"An ensemble of {ensemble} conformations cannot be drawn.", fix="Choose 1 to 1000."
        )
    path = Path(receptor)
    content = read_bytes(path)
    kind = sniff(content, path)
    contents = contents_of(content, path)
    structure = contents.structure
    backbone = trace(structure)
    if not backbone.fragments:
        raise InputError(f"{path} holds no protein.", fix="Give a structure of a protein.")
    sequences, doubts = _sequences(content, kind, path, sequence, backbone)
    gaps = _gaps(contents, backbone, sequences, several(rebuild))
    if near is not None:
        gaps = _only_near(gaps, backbone, near)
    refused, possible = list(gaps.refused), []
    for absent in gaps.absent:
        reason = why_not(structure, backbone, absent, max_gap)
        if reason is None:
            possible.append(absent)
        else:
            refused.append(Refused(str(absent), len(absent), reason))
    built: list[Built] = []
    provenance: dict[str, object] = {"version": __version__, "seed": seed}
    if possible:
        loaded = models.load(model, domain="backbones")
        provenance["model"] = loaded.digest
        with using_threads(threads):
            done = _build(loaded, structure, backbone, gaps, possible, ensemble, seed, progress)
        built += [one for one in done if isinstance(one, Built)]
        refused += [
            Refused(str(absent), len(absent), one)
            for absent, one in zip(possible, done, strict=True)
            if isinstance(one, str)
        ]
    doubts = [*doubts, *gaps.differing]
    notes = (*structure.notes, *gaps.notes, *doubts)
    notes = (*notes, *_waters(structure, built), *_notes(structure, built))
    return Completion(
        path,
        content,
        kind,
        structure,
        backbone,
        tuple(built),
        tuple(refused),
        notes,
        sequences,
        provenance,
        tuple(doubts),
    )


def _sequences(
    content: bytes, kind: str, path: Path, fasta: str | Path | None, backbone: Trace
) -> tuple[dict[str, ChainSequence], list[str]]:
    """The sequences of the chains, those of a FASTA file first, and notes on that."""
    own = file_sequences(content, kind, path)
    if fasta is None:
        return own, []
    given, notes = fasta_sequences(fasta, backbone.fragments)
    return {**own, **given}, notes


def _gaps(
    contents: Contents,
    backbone: Trace,
    sequences: dict[str, ChainSequence],
    rebuild: Sequence[str],
) -> Gaps:
    gaps = absent_residues(contents.structure, backbone, sequences, contents.missing)
    if not rebuild:
        return gaps
    return chosen_residues(contents.structure, backbone, rebuild, gaps)


def _only_near(gaps: Gaps, backbone: Trace, box: Box) -> Gaps:
    """The gaps with an end near a box, and chains whose gaps cannot be known."""

    def near(*ends: int) -> bool:
        return bool(box.contains(backbone.atoms[list(ends), 1], _NEAR).any())

    absent = [one for one in gaps.absent if near(one.before, one.after)]
    refused = [one for one in gaps.refused if one.ends is None or near(*one.ends)]
    return replace(gaps, absent=absent, refused=refused, notes=())


def _build(
    model: Model,
    structure: Structure,
    backbone: Trace,
    gaps: Gaps,
    possible: Sequence[Absent],
    count: int,
    seed: int,
    progress: Progress | None,
) -> list[Built | str]:
    """Build gaps in turn; those that are built are in the way of the others."""
    stays = ~structure.of_kind("water")
    positions, size = structure.positions.astype(np.float64), radii(structure.numbers)
    done: list[Built | str] = []

    def named(x: npt.NDArray[np.float64]) -> str:
        nearest = int(np.linalg.norm(positions - x, axis=1).argmin())
        return str(structure.residues[structure.residue[nearest]])

    for k, absent in enumerate(possible):
        if progress is not None:
            progress(k, len(possible))
        there = stays & ~np.isin(structure.residue, absent.replaced)
        solid = Solid(positions[there], size[there])
        for one in done:
            if isinstance(one, Built):
                solid = solid.joined(*one.atoms)
        gap = gap_of(structure, backbone, gaps, absent)
        rng = generator(seed, absent.before)
        done.append(build(model, absent, gap, solid, count=count, rng=rng, named=named))
    if progress is not None:
        progress(len(possible), len(possible))
    return done


def _waters(structure: Structure, built: Sequence[Built]) -> list[str]:
    """A note on waters that built residues stand in."""
    water = structure.of_kind("water")
    if not built or not water.any():
        return []
    points = np.concatenate([one.atoms[0] for one in built])
    met = Solid(structure.positions[water].astype(float), np.zeros(int(water.sum())))
    near = np.linalg.norm(met.positions[:, None] - points, axis=-1).min(1) < _WATER
    names = [str(structure.residues[i]) for i in structure.residue[water][near]]
    return [f"waters in the way of built residues, still there: {listed(names)}"] if names else []


def _notes(structure: Structure, built: Sequence[Built]) -> list[str]:
    notes = []
    tight = [
        str(Residue(one.absent.chain, *one.absent.labels[k], one.names[k], "protein"))
        for one in built
        for k in one.tight
    ]
    if tight:
        notes.append(f"side chains that overlap others, whatever their rotamer: {listed(tight)}")
    if built and len(structure.hydrogens):
        notes.append("built residues have no hydrogens; add them with the program that you use")
    if any("MSE" in one.absent.names for one in built):
        notes.append("selenomethionine is built as methionine")
    return notes
