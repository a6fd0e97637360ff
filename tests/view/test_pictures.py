"""The GIF and the strip of a trajectory: moments in order, predictions beside them."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from moldiff.errors import InputError
from moldiff.view import Frame, pictures
from moldiff.view.pictures import final_frame, write_gif, write_strip
from tests.molecules import embedded


def painted(image: Image.Image) -> int:
    """Pixels that are not white."""
    return int((np.asarray(image.convert("RGB")).min(-1) < 245).sum())


def test_the_gif_goes_from_noise_to_the_molecule(trajectory: list[Frame], tmp_path: Path) -> None:
    path = tmp_path / "t.gif"
    last = final_frame(embedded("NC(=O)c1ccco1"))
    assert last is not None and len(last.bonds) == 13
    write_gif(path, trajectory, last)
    with Image.open(path) as gif:
        assert (gif.format, gif.n_frames, gif.size) == ("GIF", 11, (300, 326))  # type: ignore[attr-defined]
        assert gif.info["loop"] == 0
        pauses, frames = [], []
        for index in range(11):
            gif.seek(index)
            pauses.append(gif.info["duration"])
            frames.append(gif.convert("RGB").copy())
    assert pauses[-1] > 10 * pauses[0] and len(set(pauses[:-1])) == 1
    assert all(painted(frame) > 2000 for frame in frames)
    assert all(frames[k] != frames[k + 1] for k in range(10))


def test_predictions_stand_beside(trajectory: list[Frame], tmp_path: Path) -> None:
    end = trajectory[-1]
    frames = [replace(frame, prediction=end) for frame in trajectory[:-1]] + [end]
    write_gif(tmp_path / "t.gif", frames)
    with Image.open(tmp_path / "t.gif") as gif:
        assert gif.size == (600, 326)
        first = gif.convert("RGB").copy()
        gif.seek(10)
        final = gif.convert("RGB").copy()
    # the right half of the first frame already shows the molecule, as the left of the last does
    right, left = first.crop((300, 26, 600, 326)), final.crop((0, 26, 300, 326))
    difference = np.abs(np.asarray(right, dtype=float) - np.asarray(left, dtype=float))
    assert np.mean(difference.max(-1) > 60) < 0.01
    write_strip(tmp_path / "t.png", frames)
    with Image.open(tmp_path / "t.png") as strip:
        assert strip.size == (1800, 652)
        assert all(painted(strip.crop((300 * k, 352, 300 * k + 300, 652))) > 2000 for k in range(6))


def test_a_strip_has_one_row_without_predictions(trajectory: list[Frame], tmp_path: Path) -> None:
    write_strip(tmp_path / "t.png", trajectory)
    with Image.open(tmp_path / "t.png") as strip:
        assert strip.size == (1800, 326)


def test_atoms_far_away_and_not_finite_are_no_trouble(tmp_path: Path) -> None:
    far = Frame(("C", "X", "Xe"), np.array([[0.0, 0, 0], [1.4, 0, 0], [5e4, 0, 0]]), t=1.0)
    lost = Frame(("C",), np.full((1, 3), np.nan))
    near = Frame(("C", "O", "H"), np.array([[0.0, 0, 0], [1.4, 0, 0], [2, 1, 0]]), t=0.0)
    write_strip(tmp_path / "t.png", [replace(far, prediction=lost), lost, near])
    with Image.open(tmp_path / "t.png") as strip:
        assert strip.size == (600, 326)
    with pytest.raises(InputError, match="no frame with finite"):
        write_gif(tmp_path / "t.gif", [lost])
    with pytest.raises(InputError, match="Cannot write"):
        write_gif(tmp_path / "none" / "t.gif", [near])


def test_captions_say_what_is_painted(
    trajectory: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = trajectory[-1]
    lost = replace(end, positions=np.full_like(end.positions, np.nan))
    three = [
        replace(f, prediction=p) for f, p in zip(trajectory[:3], (end, lost, None), strict=True)
    ]
    captions: list[str] = []
    written = ImageDraw.ImageDraw.text

    def text(self: ImageDraw.ImageDraw, at: tuple[int, int], words: str, **how: object) -> None:
        captions.append(words)
        written(self, at, words, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    write_strip(tmp_path / "t.png", [*three, end])
    assert captions[1::2] == ["prediction of x_0", "no prediction", "no prediction", "the molecule"]
    assert captions[0::2] == ["t = 1.00", "t = 0.90", "t = 0.80", "t = 0.00"]
    with Image.open(tmp_path / "t.png") as strip:
        shown = [painted(strip.crop((300 * k, 352, 300 * k + 300, 652))) for k in range(4)]
    assert shown[1:3] == [0, 0] and min(shown[0], shown[3]) > 2000
    captions.clear()
    write_gif(tmp_path / "t.gif", [*three, end])
    assert captions[:4] == [
        "x_t   t = 1.00",
        "prediction of x_0",
        "x_t   t = 0.90",
        "no prediction",
    ]
    assert captions[-1] == "the molecule"


def test_colours_and_radii_are_those_of_the_page() -> None:
    page = files("moldiff.view") / "page"
    script = (page / "molecule.js").read_text("utf-8")

    def table(name: str) -> dict[str, str]:
        body = re.search(rf"const {name} = {{(.*?)}};", script, re.DOTALL)
        assert body is not None
        return dict(re.findall(r"(\w+): \"?([#\w.]+)", body[1]))

    assert table("COLOURS") == pictures._COLOURS
    for name, radii in (("COVALENT", pictures._COVALENT), ("BULK", pictures._BULK)):
        assert {element: float(r) for element, r in table(name).items()} == radii
    assert f'OTHER_COLOUR = "{pictures._OTHER}"' in script
    assert f"COVALENT[element] || {pictures._OTHER_COVALENT};" in script
    assert f"BULK[element] || {pictures._OTHER_BULK};" in script
    ball = f"{pictures._BALL} * bulkRadius(e), bond: {pictures._BOND} }}"
    assert ball in (page / "painter.js").read_text("utf-8")
