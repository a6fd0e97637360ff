"""Denoising trajectories: frames in memory and as multi-frame XYZ.

The file is plain XYZ, so any viewer opens it.  The comment line of a frame carries what
XYZ has no place for, as ``key=value`` words, all optional::

    molecule=3 t=0.9800 bonds=0-1-1,1-2-2
    molecule=3 t=0.9800 shows=x_0 bonds=0-1-1,1-2-2

``molecule`` is the 0-based position of the molecule in the file shown beside the
trajectory (default 0), ``t`` the diffusion time (1 is noise, 0 is data), ``bonds`` the
bonds as atom-atom-order with 0-based atoms.  Frames with ``shows=x_0`` follow the others of
their molecule: what the model predicted as its end from the state at ``t``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from moldiff.errors import InputError
from moldiff.text import replace_text

__all__ = ["Frame", "read_trajectories", "refuse_denoising", "thinned", "write_trajectories"]

_END = "x_0"
_WORD = re.compile(r"(\w+)=(\S+)")


@dataclass(frozen=True)
class Frame:
    """One moment of a trajectory.

    Attributes
    ----------
    elements:
        n element symbols.
    positions:
        (n, 3) coordinates in Å.
    bonds:
        ``(i, j, order)`` triples of 0-based atoms; empty means unknown, and the viewer
        then draws bonds between atoms that are close enough.
    t:
        Diffusion time, 1 (noise) to 0 (data); None when it was not recorded.
    prediction:
        What the model predicted as the end from this state; None when that was not recorded.
    """

    elements: tuple[str, ...]
    positions: NDArray[np.floating]
    bonds: tuple[tuple[int, int, int], ...] = ()
    t: float | None = None
    prediction: Frame | None = None

    def __post_init__(self) -> None:
        """Reject positions that do not match the elements (``ValueError``)."""
        if self.positions.shape != (len(self.elements), 3):
            raise ValueError(
                f"Frame: positions have shape {self.positions.shape}, "
                f"expected ({len(self.elements)}, 3)."
            )


def write_trajectories(path: str | Path, trajectories: Mapping[int, Sequence[Frame]]) -> None:
    """Write all trajectories to one multi-frame XYZ file, whole or not at all."""
    blocks: list[str] = []
    for key, frames in trajectories.items():
        blocks += [_block(key, frame) for frame in frames]
        ends = [replace(f.prediction, t=f.t) for f in frames if f.prediction is not None]
        blocks += [_block(key, end, f"shows={_END}") for end in ends]
    replace_text(Path(path), "".join(blocks))


def read_trajectories(path: str | Path) -> dict[int, list[Frame]]:
    """Read a multi-frame XYZ file into frames by molecule position.

    Raises
    ------
    InputError
        When the file cannot be read or a frame is malformed; names the line.
    """
    path = Path(path)
    trajectories: dict[int, list[Frame]] = {}
    predictions: dict[tuple[int, float | None], Frame] = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for molecule, frame, shows in _frames(stream, path):
                if shows == _END:
                    predictions[molecule, frame.t] = frame
                else:
                    trajectories.setdefault(molecule, []).append(frame)
    except OSError as error:
        raise InputError(
            f"Cannot read the trajectory '{path}': {error.strerror}.",
            fix="Give a multi-frame XYZ file.",
        ) from error
    if not trajectories:
        raise InputError(
            f"The trajectory '{path}' holds no frame.", fix="Give a multi-frame XYZ file."
        )
    return {
        molecule: [replace(f, prediction=predictions.get((molecule, f.t))) for f in frames]
        for molecule, frames in trajectories.items()
    }


def refuse_denoising(path: str | Path) -> None:
    """Raise ``InputError`` if a file of molecules is a trajectory of `write_trajectories`.

    Its frames are moments of one molecule, and lack its charges and hydrogens: no list of
    molecules.
    """
    path = Path(path)
    if path.suffix.lower() != ".xyz" or not path.is_file():
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            words = dict(_WORD.findall("".join(itertools.islice(stream, 1, 2))))
    except OSError:  # whoever reads the molecules says so
        return
    if {"molecule", "t"} <= words.keys():
        raise InputError(
            f"'{path}' is the denoising of a molecule, not a file of molecules.",
            fix=f"Show it beside its molecules: moldiff view molecules.sdf --trajectory {path}; or "
            "by itself as a picture: --gif denoising.gif.",
        )


def thinned(frames: Sequence[Frame], most: int) -> list[Frame]:
    """At most so many of the frames with finite coordinates, evenly spaced, both ends included."""
    finite = [frame for frame in frames if np.isfinite(frame.positions).all()]
    keep = np.unique(np.linspace(0, len(finite) - 1, min(len(finite), most)).round())
    return [finite[int(index)] for index in keep]


def _block(molecule: int, frame: Frame, *more: str) -> str:
    words = [f"molecule={molecule}"]
    if frame.t is not None:
        words.append(f"t={frame.t:.4f}")
    words += more
    if frame.bonds:
        words.append("bonds=" + ",".join(f"{i}-{j}-{order}" for i, j, order in frame.bonds))
    lines = [str(len(frame.elements)), " ".join(words)]
    for symbol, (x, y, z) in zip(frame.elements, frame.positions, strict=True):
        lines.append(f"{symbol:<2} {x:.4f} {y:.4f} {z:.4f}")
    return "\n".join(lines) + "\n"


def _frames(stream: TextIO, path: Path) -> Iterator[tuple[int, Frame, str]]:
    number = 0
    while line := stream.readline():
        number += 1
        if not line.strip():
            continue
        start = number
        try:
            count = int(line)
            # islice ends with the file, however many atoms the first line promises.
            lines = list(itertools.islice(iter(stream.readline, ""), count + 1))
            if len(lines) < count + 1:
                raise ValueError(f"{count} atoms announced, {max(0, len(lines) - 1)} found")
            number += count + 1
            yield _frame(lines)
        except (ValueError, IndexError, OverflowError, MemoryError) as error:
            raise InputError(
                f"'{path}': the frame at line {start} is not XYZ ({error}).",
                fix="A frame is: atom count, comment, then 'symbol x y z' per atom.",
            ) from error


def _frame(lines: list[str]) -> tuple[int, Frame, str]:
    """Parse the comment and atom lines of one frame; ``ValueError`` when malformed."""
    words = dict(_WORD.findall(lines[0]))
    atoms = [line.split() for line in lines[1:]]
    if any(len(atom) < 4 for atom in atoms):
        raise ValueError("an atom line is missing or has fewer than four columns")
    positions = np.array([[float(value) for value in atom[1:4]] for atom in atoms])
    frame = Frame(
        elements=tuple(atom[0] for atom in atoms),
        positions=positions.reshape(-1, 3),
        bonds=_bonds(words.get("bonds", ""), len(atoms)),
        t=float(words["t"]) if "t" in words else None,
    )
    return int(words.get("molecule", 0)), frame, words.get("shows", "")


def _bonds(text: str, n_atoms: int) -> tuple[tuple[int, int, int], ...]:
    bonds = []
    for triple in filter(None, text.split(",")):
        i, j, order = (int(value) for value in triple.split("-"))
        if not (0 <= i < n_atoms and 0 <= j < n_atoms):
            raise ValueError(f"bond {triple} names an atom that is not there")
        bonds.append((i, j, order))
    return tuple(bonds)
