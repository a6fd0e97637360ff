"""A trajectory as pictures: an animated GIF, and a strip of moments; painted with Pillow.

Where the predictions were recorded, they stand beside (GIF) or below (strip) what is denoised.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from moldiff.errors import InputError
from moldiff.text import replacing_bytes
from moldiff.view.pose import lying
from moldiff.view.trajectory import Frame, thinned

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["final_frame", "write_gif", "write_strip"]

_SOFTWARE = "moldiff denoising"  # in the files: by it they are known as replaceable
_SIDE = 300  # px of a picture
_FINE = 3  # painted so many times as large, then reduced
_CAPTION = 26  # px
_FRAMES, _PAUSE, _REST = 60, 70, 1800  # of a GIF; ms for each frame and for the last
_MOMENTS = 6  # of a strip
_TURN = (0.35, 0.25)  # radians about y and x: as the page opens
_ROOM = 1.5  # noise may be so many times as wide as the molecule; what is further out is cut
_PALETTE = 128  # colours of a frame
_WHITE, _INK = (255, 255, 255), (82, 92, 105)

# The tables of the page (molecule.js), which says where they are from: colours, van der Waals and
# covalent radii in Å; "X" is an atom that has no element yet.
_COLOURS = {"H": "#e9edf2", "C": "#525c69", "N": "#3b74e8", "O": "#e0454b", "F": "#34b36b",
            "B": "#e8a48c", "Si": "#c9a47a", "P": "#e8881a", "S": "#dcb21a", "Cl": "#2fae4e",
            "Br": "#b0512e", "I": "#8a4fd0", "X": "#c8ced6"}  # fmt: skip
_OTHER = "#c85fb4"
_BULK = {"H": 1.2, "C": 1.7, "N": 1.55, "O": 1.52, "F": 1.47, "Si": 2.1, "P": 1.8, "S": 1.8,
         "Cl": 1.75, "Br": 1.85, "I": 1.98}  # fmt: skip
_COVALENT = {"H": 0.31, "C": 0.76, "N": 0.71, "O": 0.66, "F": 0.57, "B": 0.84, "Si": 1.11,
             "P": 1.07, "S": 1.05, "Cl": 1.02, "Br": 1.2, "I": 1.39}  # fmt: skip
_OTHER_BULK, _OTHER_COVALENT = 1.9, 1.3
_BALL, _BOND = 0.27, 0.13  # of the van der Waals radius; Å: as painter.js paints them
_SLACK, _NEAR = 0.35, 0.4  # Å: bonds are at most so much longer, and no shorter

Floats = npt.NDArray[np.float64]
_Picture = tuple[Frame | None, str]  # with its caption


def write_gif(path: str | Path, frames: Sequence[Frame], last: Frame | None = None) -> None:
    """Write an animated GIF of at most 60 frames, whole or not at all.

    Parameters
    ----------
    frames:
        The trajectory, from noise to the molecule.
    last:
        The molecule itself, with all of its hydrogens; shown last.

    Raises
    ------
    InputError
        If no frame has finite coordinates, or the file cannot be written.
    """
    moments, view = _prepared(frames, _FRAMES, last)
    images = []
    for row in moments:
        image = Image.new("RGB", (_SIDE * len(row), _SIDE + _CAPTION), _WHITE)
        for column, (frame, caption) in enumerate(row):
            image.paste(view.paint(frame), (_SIDE * column, _CAPTION))
            text = f"x_t   {caption}" if column == 0 else caption
            _write(image, (_SIDE * column + _SIDE // 2, _CAPTION // 2), text)
        images.append(image.quantize(_PALETTE))
    pauses = [_PAUSE] * (len(images) - 1) + [_REST]
    with replacing_bytes(Path(path)) as stream:
        images[0].save(
            stream,
            "GIF",
            save_all=True,
            append_images=images[1:],
            duration=pauses,
            loop=0,
            comment=_SOFTWARE,
        )


def write_strip(path: str | Path, frames: Sequence[Frame], last: Frame | None = None) -> None:
    """Write a PNG of six moments in a row, the predictions in a second one; as `write_gif`."""
    moments, view = _prepared(frames, _MOMENTS, last)
    rows = len(moments[0])
    strip = Image.new("RGB", (_SIDE * len(moments), (_SIDE + _CAPTION) * rows), _WHITE)
    for column, states in enumerate(moments):
        for row, (frame, caption) in enumerate(states):
            corner = (_SIDE * column, (_SIDE + _CAPTION) * row)
            strip.paste(view.paint(frame), (corner[0], corner[1] + _CAPTION))
            _write(strip, (corner[0] + _SIDE // 2, corner[1] + _CAPTION // 2), caption)
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("Software", _SOFTWARE)
    with replacing_bytes(Path(path)) as stream:
        strip.save(stream, "PNG", pnginfo=metadata)


def final_frame(mol: Chem.Mol) -> Frame | None:
    """A molecule as the last frame of its trajectory; None without 3D coordinates."""
    if not mol.GetNumConformers() or not mol.GetConformer().Is3D():
        return None
    bonds = tuple(
        (b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(b.GetBondTypeAsDouble()) or 1)
        for b in mol.GetBonds()
    )
    elements = tuple(atom.GetSymbol() for atom in mol.GetAtoms())
    return Frame(elements, np.asarray(mol.GetConformer().GetPositions()), bonds, 0.0)


def _prepared(
    frames: Sequence[Frame], most: int, last: Frame | None
) -> tuple[list[list[_Picture]], _View]:
    """Moments of a trajectory: each a state, and its prediction if there are any, with captions."""
    shown = thinned(frames, most)
    if not shown:
        raise InputError(
            "The trajectory has no frame with finite coordinates.", fix="Record another one."
        )
    if last is not None:
        shown[-1] = last
    states: list[_Picture] = [(frame, _time(frame)) for frame in shown]
    ends = [_predicted(frame) for frame in shown]
    if all(end is None for end, _ in ends):
        return [[state] for state in states], _View(shown)
    if ends[-1][0] is None:  # nothing is predicted from the end: it stands for itself
        ends[-1] = (shown[-1], "the molecule")
    return [list(moment) for moment in zip(states, ends, strict=True)], _View(shown)


def _predicted(frame: Frame) -> _Picture:
    end = frame.prediction
    if end is None or not np.isfinite(end.positions).all():
        return None, "no prediction"
    return end, "prediction of x_0"


class _View:
    """Where the trajectory is looked at from; the same for all of its frames."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        axes, self._centre = lying(np.asarray(frames[-1].positions, dtype=np.float64))
        (cy, cx), (sy, sx) = np.cos(_TURN), np.sin(_TURN)
        about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        self._turn = about_x @ about_y @ axes
        wide = [float(np.abs(self._turned(frame)[:, :2]).max(initial=1.0)) for frame in frames]
        radius = min(max(wide), _ROOM * wide[-1]) + _BALL * max(_BULK.values())
        self._unit = _FINE * _SIDE / 2 / radius  # px for an Å

    def _turned(self, frame: Frame) -> Floats:
        return np.asarray((frame.positions - self._centre) @ self._turn.T)

    def paint(self, frame: Frame | None) -> Image.Image:
        """The frame as a square picture, back to front; white where there is none."""
        if frame is None:
            return Image.new("RGB", (_SIDE, _SIDE), _WHITE)
        size, unit = _FINE * _SIDE, self._unit
        image, x = Image.new("RGB", (size, size), _WHITE), self._turned(frame)
        at = np.stack([size / 2 + unit * x[:, 0], size / 2 - unit * x[:, 1]], axis=1)
        colours = [_COLOURS.get(element, _OTHER) for element in frame.elements]
        depth = x[:, 2]
        things: list[tuple[float, tuple[int, ...]]] = [(z, (i,)) for i, z in enumerate(depth)]
        for i, j, order in frame.bonds or _bonds_by_distance(frame):
            things.append(((depth[i] + depth[j]) / 2 - 0.01, (i, j, order)))
        for _, (i, *bond) in sorted(things):
            if bond:
                j, order = bond
                _paint_bond(image, (at[i], at[j]), (colours[i], colours[j]), order, unit * _BOND)
            else:
                bulk = _BULK.get(frame.elements[i], _OTHER_BULK)
                _paint_ball(image, at[i], colours[i], _BALL * bulk * unit)
        return image.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


def _bonds_by_distance(frame: Frame) -> list[tuple[int, int, int]]:
    """Atoms that are close enough, as the page draws frames that carry no bonds."""
    reach = np.array([_COVALENT.get(element, _OTHER_COVALENT) for element in frame.elements])
    apart = np.linalg.norm(frame.positions[:, None] - frame.positions[None], axis=-1)
    near = (apart > _NEAR) & (apart < reach[:, None] + reach[None] + _SLACK)
    return [(int(i), int(j), 1) for i, j in np.argwhere(np.triu(near, 1))]


def _paint_ball(image: Image.Image, at: Floats, colour: str, radius: float) -> None:
    ball = _ball(colour, max(2, round(radius)))
    left, top = (at - ball.width / 2).round().astype(int).tolist()
    image.paste(ball, (left, top), ball)


@functools.lru_cache(maxsize=64)
def _ball(colour: str, radius: int) -> Image.Image:
    """A shaded ball with an alpha channel, lit from the upper left."""
    y, x = (np.mgrid[: 2 * radius + 1, : 2 * radius + 1] - radius) / radius
    light = np.clip(1 - np.hypot(x + 0.35, y + 0.35) / 1.5, 0, 1)[..., None]
    base = np.array(_rgb(colour), dtype=float)
    shaded = base * (0.55 + 0.5 * light) + 255 * 0.35 * light**3
    edge = np.clip((1 - np.hypot(x, y)) * radius, 0, 1)[..., None] * 255
    pixels = np.concatenate([np.clip(shaded, 0, 255), edge], axis=-1).astype(np.uint8)
    return Image.fromarray(pixels, "RGBA")


def _paint_bond(
    image: Image.Image,
    ends: tuple[Floats, Floats],
    colours: tuple[str, str],
    order: int,
    width: float,
) -> None:
    """One to three lines, each half in the colour of its atom."""
    pen, (start, end) = ImageDraw.Draw(image), ends
    along = end - start
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
    thick = round(width * (1.5 if order == 1 else 0.85))
    for k in range(order):
        shift = across * (k - (order - 1) / 2) * 1.6 * width
        middle = (start + end) / 2 + shift
        for place, colour in zip((start + shift, end + shift), colours, strict=True):
            shade = tuple(round(0.82 * value) for value in _rgb(colour))
            pen.line([*place.tolist(), *middle.tolist()], fill=shade, width=max(1, thick))


def _write(image: Image.Image, middle: tuple[int, int], text: str) -> None:
    font = ImageFont.load_default(size=14)
    ImageDraw.Draw(image).text(middle, text, fill=_INK, font=font, anchor="mm")


def _time(frame: Frame) -> str:
    return "" if frame.t is None else f"t = {frame.t:.2f}"


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
