"""Designing sequences for a structure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moldiff import models
from moldiff.cpu import using_threads
from moldiff.errors import InputError, did_you_mean
from moldiff.protein.backbone import LETTERS
from moldiff.protein.residues import TEMPLATES
from moldiff.protein.sequence import letter
from moldiff.sequences.backbones import Template, template
from moldiff.sequences.result import Design, Designs
from moldiff.text import several
from moldiff.verbs import verb
from moldiff.version import __version__

if TYPE_CHECKING:
    from moldiff.diffusion.batch import Batch
    from moldiff.model import Model

__all__ = ["DEFAULT_MODEL", "check_request", "sequence"]

DEFAULT_MODEL = "sequence"
"""The bundled model of sequences."""

_PAIRS = 2_000_000  # of residues, of all sequences that are drawn together: memory
_MOST = 10_000

#: Called with the steps that are done and how many there are.
Progress = Callable[[int, int], None]


@verb
def sequence(
    backbone: str | Path,
    n: int = 1,
    *,
    chains: str | Sequence[str] | None = None,
    fix: str | Sequence[str] = (),
    without: str | Sequence[str] = (),
    temperature: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    model: str | Path = DEFAULT_MODEL,
    threads: int = 1,
    progress: Progress | None = None,
) -> Designs:
    """Design sequences for the backbone of a protein.

    Parameters
    ----------
    backbone:
        A PDB or mmCIF file, gzipped or not, with N, CA and C of its residues.
    n:
        Number of sequences.
    chains:
        The chains that get a sequence; the others stay and are seen.  By default all.
    fix:
        Residues that keep their amino acid: ``["A:10-20"]``, or a whole chain, ``["A:"]``.
    without:
        Amino acids that are not to be used: ``["CYS"]`` or ``["C"]``.
    temperature:
        Below 1 the most probable amino acids are drawn more often; by default 0.1.
    steps:
        Sampling steps; as many as there are residues draw them one by one.  By default the
        model's, 10.
    seed:
        Same seed, same sequences.
    model:
        A bundled model by its name, or a file.
    threads:
        Threads of one operation, for the time of the call.
    progress:
        Called with the steps that are done and how many there are.

    Raises
    ------
    InputError, ModelFileError
        If a file cannot be used, or the request cannot be met; the error says why.
    """
    check_request(n, temperature, steps)
    allowed = _allowed(without)
    read = template(backbone, chains=chains, fix=fix)
    loaded = models.load(models.required(model, DEFAULT_MODEL, "sequence"), domain="sequences")
    changed: dict[str, Any] = {"temperature": temperature, "steps": steps}
    settings = dict(loaded.sampling) | {k: v for k, v in changed.items() if v is not None}
    with using_threads(threads):
        designs = _drawn(loaded, read, n, settings, allowed, seed, progress)
    provenance = {
        "temperature": settings.get("temperature", 1.0),
        "steps": settings["steps"],
        "seed": seed,
        "model": loaded.digest,
        "version": __version__,
    }
    return Designs(read, tuple(designs), provenance)


def check_request(n: int, temperature: float | None, steps: int | None) -> None:
    """Raise ``InputError`` for numbers that cannot be."""
    if not 1 <= n <= _MOST:
        raise InputError(f"{n} sequences cannot be drawn.", fix=f"Choose from 1 to {_MOST}.")
    if temperature is not None and not 0 < temperature <= 10:  # false for NaN as well
        raise InputError(
            f"A temperature of {temperature} cannot be used.",
            fix="Choose a number above 0, up to 10; 0.01 takes nearly always the most probable.",
        )
    if steps is not None and not 1 <= steps <= _MOST:
        raise InputError(f"{steps} steps cannot be made.", fix=f"Choose from 1 to {_MOST}.")


def _allowed(without: str | Sequence[str]) -> list[bool]:
    """Which of the amino acids, and the mask, may be drawn."""
    allowed = dict.fromkeys(LETTERS, True)
    for word in (part.strip().upper() for text in several(without) for part in text.split(",")):
        one = word if len(word) == 1 else letter(word)
        if one not in allowed:
            raise InputError(
                f"'{word}' is no amino acid to do without.",
                fix=did_you_mean(word, sorted(TEMPLATES)),
            )
        allowed[one] = False
    if not any(allowed.values()):
        raise InputError("Without any amino acid there is no sequence.", fix="Leave some.")
    return [*allowed.values(), True]


def _drawn(
    model: Model,
    read: Template,
    n: int,
    settings: dict[str, Any],
    allowed: list[bool],
    seed: int,
    progress: Progress | None,
) -> list[Design]:
    """Draw designs, as many at once as memory is for; each depends on its own number alone."""
    import torch

    from moldiff.seeds import Generators, generator
    from moldiff.sequences.decoding import draw, log_probabilities

    at_once = max(1, min(n, _PAIRS // len(read) ** 2))
    total = -(-n // at_once) * (int(settings["steps"]) + 1)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(min(done, total), total)

    designs: list[Design] = []
    for first in range(0, n, at_once):
        numbers = range(first, min(first + at_once, n))
        x_0 = _batch(model, read, len(numbers), allowed)
        rng = Generators([generator(seed, number) for number in numbers])
        types = draw(model, x_0, rng=rng, settings=settings, each=step)
        free = torch.from_numpy(read.designed).expand(types.shape)
        designed = x_0.replace(types=types).given(clean=None)
        _, each = log_probabilities(model.denoiser, designed, rng=rng, free=free)
        designs += [
            Design(number + 1, read, row.numpy(), log_p.numpy().astype(np.float64))
            for number, row, log_p in zip(numbers, types, each, strict=True)
        ]
    return designs


def _batch(model: Model, read: Template, copies: int, allowed: list[bool]) -> Batch:
    """Copies of the residues, of which those that are not designed are clean."""
    import torch

    from moldiff.diffusion.allowed import Allowed
    from moldiff.diffusion.time import Clean
    from moldiff.domain.sequences import sequence_batch

    x_0 = sequence_batch([read.atoms], [read.types], copies, places=read.places[None])
    kept = torch.from_numpy(~read.designed).unsqueeze(0)
    classes = torch.tensor(allowed).view(1, 1, -1)
    x_0 = x_0.given(
        clean=Clean({"types": kept}) if kept.any() else None,
        allowed=None if all(allowed) else Allowed({"types": classes}),
    )
    with torch.no_grad():
        return model.denoiser.encoded(x_0.to(model.device))
