"""Drawing protein backbones from noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from moldiff import models
from moldiff.backbones.joining import joined
from moldiff.backbones.quality import quality, whole
from moldiff.backbones.result import Backbones, Fold
from moldiff.backbones.sampling import TOGETHER, draw, draw_sequences
from moldiff.backbones.start import LONGEST, SHORTEST, Start, start_of
from moldiff.cpu import using_threads
from moldiff.domain import chains
from moldiff.errors import InputError
from moldiff.protein.backbone import LETTERS
from moldiff.protein.secondary import HIDDEN, STATES, secondary
from moldiff.seeds import Generators, generator, uniform
from moldiff.text import ends
from moldiff.version import __version__

if TYPE_CHECKING:
    from moldiff.model import Model

__all__ = ["DEFAULT_MODEL", "LONGEST", "SHORTEST", "backbone", "lengths_of"]

DEFAULT_MODEL = "chains"
"""The bundled model of whole backbones."""

_MOST = 10_000

#: Called with the stage, the steps of it that are done, and how many there are.
Progress = Callable[[str, int, int], None]


def backbone(
    n: int = 1,
    *,
    length: int | str | tuple[int, int] | None = None,
    structure: str | None = None,
    like: str | Path | None = None,
    chain: str | None = None,
    noise: float | None = None,
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
        the model was trained on, 40 to 80.
    structure:
        Secondary structure of each residue: H helix, E strand, C neither (or - or L), ? any.
    like:
        A PDB or mmCIF file; backbones begin with a chain of it and noise.  They have its length,
        and its secondary structure unless ``structure`` says another; their peptides are trans.
    chain:
        Which chain of ``like``; by default the first.
    noise:
        How much noise ``like`` gets, above 0 to 1; by default 0.3.
    sequences:
        Amino acid sequences to design for each backbone; with 0 residues are named GLY.
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
    start = start_of(like, chain, noise)
    wanted = _wanted(n, length, structure, start, seed)
    found = models.required(model, DEFAULT_MODEL, "chains")
    loaded = models.load(found, domain="chains")
    designer = models.load("sequence", domain="sequences") if sequences else None
    settings = dict(loaded.sampling) | ({} if steps is None else {"steps": steps})
    say = progress or (lambda stage, done, total: None)
    folds = []
    with using_threads(threads):
        drawn = _drawn(loaded, wanted, settings, start, seed, say)
        for k, (atoms, states) in enumerate(zip(drawn, wanted, strict=True)):
            folds.append(_fold(k + 1, atoms, states, designer, sequences, seed))
            say("joining and designing", k + 1, n)
    made: dict[str, Any] = {"steps": settings["steps"], "seed": seed, "model": loaded.digest}
    if start is not None:
        made |= {"like": start.file, "chain": start.chain, "noise": start.noise}
    if designer is not None:
        made["sequences"] = designer.digest
    notes = (*(start.notes if start is not None else ()), *_unusual(folds))
    return Backbones(tuple(folds), {"version": __version__, **made}, notes)


def _unusual(folds: Sequence[Fold]) -> list[str]:
    """A note on lengths that no model has seen."""
    if all(chains.SHORTEST <= len(fold) <= chains.LONGEST for fold in folds):
        return []
    return [
        f"models are trained on chains of {chains.SHORTEST} to {chains.LONGEST} residues, not on "
        "others."
    ]


def _check(n: int, sequences: int, steps: int | None) -> None:
    for count, least, what in ((n, 1, "backbones"), (sequences, 0, "sequences")):
        if not least <= count <= _MOST:
            raise InputError(
                f"{count} {what} cannot be drawn.", fix=f"Choose from {least} to {_MOST}."
            )
    if steps is not None and not 1 <= steps <= _MOST:
        raise InputError(f"{steps} steps cannot be made.", fix=f"Choose from 1 to {_MOST}.")


def lengths_of(text: int | str | tuple[int, int]) -> tuple[int, int]:
    """Return the least and the largest number of residues of ``70``, ``"60-80"`` or a pair.

    Raises
    ------
    InputError
        If it is neither, or chains of that length are not drawn.
    """
    if isinstance(text, tuple):
        low, high = text
    else:
        words = ends(str(text))
        if not all(word.isdecimal() for word in words):
            raise InputError(f"'{text}' is no length.", fix="Give a number, or a range: 60-80.")
        low, high = int(words[0]), int(words[-1])
    if not SHORTEST <= low <= high <= LONGEST:
        raise InputError(
            f"Chains of {low if low == high else f'{low} to {high}'} residues cannot be drawn.",
            fix=f"Choose from {SHORTEST} to {LONGEST} residues, the smaller number first.",
        )
    return low, high


def _wanted(
    n: int,
    length: int | str | tuple[int, int] | None,
    structure: str | None,
    start: Start | None,
    seed: int,
) -> list[npt.NDArray[np.int64]]:
    """The blueprint of each backbone."""
    states = None if structure is None else _states(structure)
    if states is None and start is not None:
        states = secondary(start.atoms)
    if states is not None:
        if length is not None:
            raise InputError(
                "The length is that of the secondary structure or the chain given.",
                fix="Leave --length out.",
            )
        if start is not None and len(start.atoms) != len(states):
            raise InputError(
                f"The secondary structure has {len(states)} letters, the chain {len(start.atoms)} "
                "residues.",
                fix="Give a letter of H, E, C or ? for each residue.",
            )
        return [states] * n
    low, high = lengths_of((chains.SHORTEST, chains.LONGEST) if length is None else length)
    drawn = [_integer(generator(seed, k, 0), low, high) for k in range(n)]
    return [np.full(size, HIDDEN) for size in drawn]


def _integer(rng: torch.Generator, low: int, high: int) -> int:
    return min(high, low + int(float(uniform((), rng=rng)) * (high - low + 1)))


def _states(structure: str) -> npt.NDArray[np.int64]:
    letters = "".join(structure.split()).upper().replace("L", "C").replace("-", "C")
    strange = sorted(set(letters) - set(STATES))
    if strange:
        raise InputError(
            f"'{strange[0]}' is no secondary structure.",
            fix="Write H (helix), E (strand), C (neither) or ? (any) for each residue.",
        )
    if not SHORTEST <= len(letters) <= LONGEST:
        raise InputError(
            f"A secondary structure of {len(letters)} letters cannot be drawn.",
            fix=f"Write {SHORTEST} to {LONGEST}.",
        )
    return np.array([STATES.index(one) for one in letters], dtype=np.int64)


def _drawn(
    model: Model,
    wanted: Sequence[npt.NDArray[np.int64]],
    settings: dict[str, Any],
    start: Start | None,
    seed: int,
    say: Progress,
) -> list[npt.NDArray[np.float32]]:
    """N, CA and C of each backbone, which depend on its own number alone."""
    of_length: dict[int, list[int]] = defaultdict(list)
    for k, states in enumerate(wanted):
        of_length[len(states)].append(k)
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

    atoms: list[npt.NDArray[np.float32] | None] = [None] * len(wanted)
    like, noise = (None, 1.0) if start is None else (start.atoms, start.noise)
    for group in groups:
        rng = Generators([generator(seed, k) for k in group])
        blueprint = np.stack([wanted[k] for k in group])
        drawn = draw(
            model, blueprint, rng=rng, settings=settings, like=like, noise=noise, each=step
        )
        for k, one in zip(group, drawn, strict=True):
            atoms[k] = one
    return [one for one in atoms if one is not None]


def _fold(
    number: int,
    drawn: npt.NDArray[np.float32],
    blueprint: npt.NDArray[np.int64],
    designer: Model | None,
    count: int,
    seed: int,
) -> Fold:
    three = joined(drawn[None])[0]
    atoms = whole(three)
    moved = float(np.sqrt(np.square(three - drawn).sum(-1).mean()))
    sequences: tuple[str, ...] = ()
    log_p: tuple[float, ...] = ()
    if designer is not None:
        rngs = [generator(seed, number - 1, 1 + k) for k in range(count)]
        types, values = draw_sequences(designer, atoms, rngs)
        sequences = tuple("".join(LETTERS[k] for k in row) for row in types.tolist())
        log_p = tuple(values.tolist())
    states = secondary(atoms)
    wanted, found = _text(blueprint), _text(states)
    centred = atoms - atoms[:, 1].mean(0)
    return Fold(number, centred, wanted, found, quality(atoms, states), moved, sequences, log_p)


def _text(states: npt.NDArray[np.int64]) -> str:
    return "".join(STATES[k] for k in states.tolist())
