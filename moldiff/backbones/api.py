"""Drawing protein backbones from noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from moldiff import models
from moldiff.backbones.contig import motif_around
from moldiff.backbones.joining import settled
from moldiff.backbones.motif import Motif
from moldiff.backbones.quality import quality
from moldiff.backbones.request import Plan, plans_of
from moldiff.backbones.result import Backbones, Fold
from moldiff.backbones.sampling import TOGETHER, Given, draw, draw_sequences, hesitation
from moldiff.backbones.start import LONGEST, SHORTEST, Start, start_of
from moldiff.cpu import using_threads
from moldiff.domain import chains
from moldiff.errors import InputError
from moldiff.protein.backbone import LETTERS, UNKNOWN
from moldiff.protein.conformation import listed
from moldiff.protein.secondary import HIDDEN, letters, secondary
from moldiff.seeds import Generators, generator
from moldiff.verbs import verb
from moldiff.version import __version__

if TYPE_CHECKING:
    from moldiff.model import Model

__all__ = ["DEFAULT_MODEL", "LONGEST", "SHORTEST", "backbone"]

DEFAULT_MODEL = "chains"
"""The bundled model of whole backbones."""

_MOST = 10_000
_FAR = 1.0  # Å, root mean square shift in joining that is worth a word

#: Called with the stage, the steps of it that are done, and how many there are.
Progress = Callable[[str, int, int], None]


@verb
def backbone(
    n: int = 1,
    *,
    length: int | str | tuple[int, int] | None = None,
    structure: str | None = None,
    like: str | Path | None = None,
    chain: str | None = None,
    noise: float | None = None,
    motif: str | Path | None = None,
    contig: str | None = None,
    sequences: int = 1,
    steps: int | None = None,
    seed: int = 0,
    model: str | Path = DEFAULT_MODEL,
    threads: int = 1,
    progress: Progress | None = None,
) -> Backbones:
    """Draw backbones of proteins, and sequences for them.

    Parameters
    ----------
    n:
        Number of backbones.
    length:
        Residues: a number, or a range that lengths are drawn from, ``"60-80"``.  By default what
        the model was trained on, 40 to 80, or what the ``contig`` says.
    structure:
        Secondary structure of each residue: H helix, E strand, C neither (or - or L), ? any; or
        ``"free"`` to tell the model nothing.  By default one is drawn for each backbone, as
        proteins have them; around a motif, whose residues have that of their file, nothing is told.
    like:
        A PDB or mmCIF file; backbones begin with a chain of it and noise.  They have its length,
        and its secondary structure unless ``structure`` says another; their peptides are trans.
    chain:
        Which chain of ``like``; by default the first.
    noise:
        How much noise ``like`` gets, above 0 to 1; by default 0.3.
    motif:
        A PDB or mmCIF file with residues to draw chains around.  They stay where they are, with
        their amino acids and side chains.
    contig:
        The residues of the motif and how many new ones are around and between them, in the
        notation of RFdiffusion: ``"10-20/A12-30/15-25"``.
    sequences:
        Amino acid sequences to design for each backbone; with 0 new residues are named GLY.
    steps:
        Sampling steps; by default the model's.
    seed:
        Same seed, same backbones.
    model:
        A bundled model by its name, or a file.
    threads:
        Threads of one operation, for the time of the call.
    progress:
        Called with the stage, the steps of it that are done, and how many there are.

    Raises
    ------
    InputError, ModelFileError
        If a file cannot be used, or the request cannot be met; the error says why.
    """
    _check(n, sequences, steps)
    start, around = start_of(like, chain, noise), motif_around(motif, contig, like)
    plans = plans_of(n, length, structure, start, around, seed)
    path = models.required(model, DEFAULT_MODEL, "chains")
    loaded = models.load(path, domain="chains")
    designer = models.load("sequence", domain="sequences")
    settings = dict(loaded.sampling) | ({} if steps is None else {"steps": steps})
    say = progress or (lambda stage, done, total: None)
    folds = []
    with using_threads(threads):
        drawn = _drawn(loaded, plans, settings, start, around, seed, say)
        for k, (atoms, plan) in enumerate(zip(drawn, plans, strict=True)):
            folds.append(_fold(k + 1, atoms, plan, around, designer, sequences, seed))
            say("joining and designing", k + 1, n)
    provenance: dict[str, Any] = {"steps": settings["steps"], "seed": seed, "model": loaded.digest}
    if start is not None:
        provenance |= {"like": start.file, "chain": start.chain, "noise": start.noise}
    if around is not None:
        provenance |= {"motif": around.path.name, "contig": around.contig}
    if sequences:
        provenance["sequences"] = designer.digest
    notes = [note for given in (start, around) if given is not None for note in given.notes]
    if around is not None and "parts" not in loaded.card.get("training", {}):
        notes.append("the model was not trained around motifs.")
    return Backbones(
        tuple(folds), {"version": __version__, **provenance}, (*notes, *_unusual(folds))
    )


def _unusual(folds: Sequence[Fold]) -> list[str]:
    """Notes on lengths that no model has seen, and on residues that joining moved far or not."""
    notes = []
    if not all(chains.SHORTEST <= len(fold) <= chains.LONGEST for fold in folds):
        notes.append(
            f"models are trained on chains of {chains.SHORTEST} to {chains.LONGEST} residues, not "
            "on others."
        )
    names = {fold.number: Backbones.name(fold) for fold in folds}
    if broken := [names[fold.number] for fold in folds if fold.quality.joined < 1]:
        notes.append(f"residues could not be joined everywhere in {listed(broken)}.")
    if far := [names[fold.number] for fold in folds if fold.moved > _FAR]:
        notes.append(
            f"joining moved residues of {listed(far)} by more than {_FAR:.0f} Å: look at them."
        )
    return notes


def _check(n: int, sequences: int, steps: int | None) -> None:
    for count, least, what in ((n, 1, "backbones"), (sequences, 0, "sequences")):
        if not least <= count <= _MOST:
            raise InputError(
                f"{count} {what} cannot be drawn.", fix=f"Choose from {least} to {_MOST}."
            )
    if steps is not None and not 1 <= steps <= _MOST:
        raise InputError(f"{steps} steps cannot be made.", fix=f"Choose from 1 to {_MOST}.")


def _drawn(
    model: Model,
    plans: Sequence[Plan],
    settings: dict[str, Any],
    start: Start | None,
    motif: Motif | None,
    seed: int,
    say: Progress,
) -> list[npt.NDArray[np.float32]]:
    """N, CA and C of each backbone, which depend on its own number alone."""
    of_length: dict[int, list[int]] = defaultdict(list)
    for k, plan in enumerate(plans):
        of_length[len(plan.states)].append(k)
    groups = [
        those[k : k + TOGETHER]
        for _, those in sorted(of_length.items())
        for k in range(0, len(those), TOGETHER)
    ]
    total, done = len(groups) * (int(settings["steps"]) + 1), 0

    def step() -> None:
        nonlocal done
        done += 1
        say("drawing backbones", min(done, total), total)

    atoms: list[npt.NDArray[np.float32] | None] = [None] * len(plans)
    for group in groups:
        rng = Generators([generator(seed, k) for k in group])
        blueprint = np.stack([plans[k].states for k in group])
        layouts = np.stack([plans[k].layout for k in group])
        given = None
        if start is not None:
            given = Given.chains(start.atoms, len(group), start.noise)
        elif motif is not None:
            given = Given.motifs(motif.atoms.astype(np.float32), layouts)
        drawn = draw(model, blueprint, rng=rng, settings=settings, given=given, each=step)
        for k, one in zip(group, drawn, strict=True):
            atoms[k] = one
    return [one for one in atoms if one is not None]


def _fold(
    number: int,
    drawn: npt.NDArray[np.float32],
    plan: Plan,
    motif: Motif | None,
    designer: Model,
    count: int,
    seed: int,
) -> Fold:
    kept = plan.layout >= 0
    types = np.full(len(drawn), UNKNOWN)
    if motif is None:
        atoms, moved = settled(drawn)
        atoms -= atoms[:, 1].mean(0)
    else:
        own = motif.atoms[plan.layout.clip(0)]
        atoms, moved = settled(drawn, own, kept)
        types[kept] = motif.types[plan.layout[kept]]
    sequences: tuple[str, ...] = ()
    log_p: tuple[float, ...] = ()
    if count:
        rngs = [generator(seed, number - 1, 1 + k) for k in range(count)]
        designed, values = draw_sequences(designer, atoms, rngs, types)
        sequences = tuple("".join(LETTERS[k] for k in row) for row in designed.tolist())
        log_p = tuple(values.tolist())
    asked = np.where(kept, HIDDEN, plan.states)
    states = secondary(atoms)
    return Fold(
        number,
        atoms,
        letters(asked),
        letters(states),
        quality(atoms, states),
        float(hesitation(designer, atoms[None])[0]),
        moved,
        sequences,
        log_p,
        motif=motif,
        layout=plan.layout,
    )
